"""Defaults and post-processing of configurations."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from redun.config import Config
from redun.scheduler_config import (
    DEFAULT_DB_URI,
    DEFAULT_REDUN_INI,
    get_abs_config_dir,
    get_abs_db_uri,
    get_abs_url,
    postprocess_config,
)


@pytest.mark.parametrize(
    ("config_dir", "expected"),
    [
        ("cfg", "/cwd/cfg"),
        ("/abs/cfg", "/abs/cfg"),
        ("cfg/../other", "/cwd/other"),
        (".redun/", "/cwd/.redun"),
        ("s3://bucket/cfg", "s3://bucket/cfg"),
    ],
)
def test_get_abs_config_dir(config_dir: str, expected: str) -> None:
    assert get_abs_config_dir(config_dir, cwd="/cwd") == expected


def test_get_abs_config_dir_counts_from_the_working_directory(workdir: Path) -> None:
    assert get_abs_config_dir("cfg") == os.path.join(os.getcwd(), "cfg")


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("sqlite:///redun.db", "sqlite:////cwd/cfg/redun.db"),
        ("sqlite:////abs/redun.db", "sqlite:////abs/redun.db"),
        ("sqlite:///redun.db?mode=ro", "sqlite:////cwd/cfg/redun.db?mode=ro"),
        ("sqlite://", "sqlite://"),
        ("postgresql://host/db", "postgresql://host/db"),
        ("postgresql:///db?host=/run", "postgresql:///db?host=/run"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
    ],
)
def test_get_abs_db_uri(uri: str, expected: str) -> None:
    assert get_abs_db_uri(uri, "cfg", cwd="/cwd") == expected


def test_get_abs_url_joins_to_the_base() -> None:
    assert get_abs_url("sqlite:///a/b.db", "/base") == "sqlite:////base/a/b.db"


def test_postprocess_completes_an_empty_config() -> None:
    config = postprocess_config(Config(), "/cfg")
    assert config["repos"]["default"]["config_dir"] == "/cfg"
    assert config["backend"]["db_uri"] == "sqlite:////cfg/redun.db"
    assert config["backend"]["config_dir"] == "/cfg"
    assert dict(config["scheduler"]) == {}
    assert config["executors"] == {}
    assert config["federated_tasks"] == {}


def test_postprocess_replaces_the_legacy_database() -> None:
    config = postprocess_config(Config({"backend": {"db_uri": "sqlite:///.redun/redun.db"}}), "/c")
    assert config["backend"]["db_uri"] == "sqlite:////c/redun.db"


def test_postprocess_keeps_other_repos() -> None:
    config = postprocess_config(Config({"repos.prod": {"config_dir": "/prod"}}), "/c")
    assert sorted(config["repos"]) == ["default", "prod"]


@pytest.mark.parametrize(
    ("given", "expected"), [("ctx.json", "/c/ctx.json"), ("/x/ctx.json", "/x/ctx.json")]
)
def test_postprocess_context_file(given: str, expected: str) -> None:
    config = postprocess_config(Config({"scheduler": {"context_file": given}}), "/c")
    assert config["scheduler"]["context_file"] == expected


def test_postprocess_leaves_dollar_signs_alone() -> None:
    config = postprocess_config(Config({"scheduler": {"context_file": "c.json"}}), "/a$b/${c}")
    assert config["backend"]["config_dir"] == "/a$b/${c}"
    assert config["backend"]["db_uri"] == "sqlite:////a$b/${c}/redun.db"
    assert config["scheduler"]["context_file"] == "/a$b/${c}/c.json"


@pytest.fixture
def lender(workdir: Path) -> Path:
    """A configuration that lends an executor and a federated task."""
    directory = workdir / "lender"
    directory.mkdir()
    (directory / "redun.ini").write_text(
        "[backend]\ndb_uri = sqlite:///lent.db\n"
        "[executors.lent]\ntype = local\n"
        "[federated_tasks.job]\nnamespace = ns\n"
    )
    return directory


def test_federated_configs_lend_executors_and_tasks(lender: Path) -> None:
    config = Config({"scheduler": {"federated_configs": f"\n{lender}\n"}, "executors.own": {}})
    postprocess_config(config, "/c")
    assert sorted(config["executors"]) == ["lent", "own"]
    assert config["federated_tasks"]["job"]["namespace"] == "ns"
    assert config["backend"]["db_uri"] == "sqlite:////c/redun.db"


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("executors.lent", "Imported executor name `lent` is a duplicate."),
        ("federated_tasks.job", "Imported federated_task name `job` is a duplicate."),
    ],
)
def test_federated_configs_may_not_clash(lender: Path, section: str, message: str) -> None:
    config = Config({"scheduler": {"federated_configs": str(lender)}, section: {"type": "local"}})
    with pytest.raises(AssertionError, match=message):
        postprocess_config(config, "/c")


def test_template_is_a_valid_config() -> None:
    config = Config()
    config.read_string(DEFAULT_REDUN_INI.format(db_uri=DEFAULT_DB_URI))
    assert config["backend"]["db_uri"] == "sqlite:///redun.db"
    assert dict(config["executors"]["default"]) == {"type": "local", "max_workers": "20"}
    assert sorted(config.keys()) == ["backend", "executors"]
