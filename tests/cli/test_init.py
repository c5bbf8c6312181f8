"""`redun init`, and where configurations are found and created."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from redun.cli import (
    RedunClientError,
    find_config_dir,
    get_config_dir,
    get_config_path,
    is_config_local_db,
    setup_backend_db,
    setup_config,
)
from redun.scheduler_config import DEFAULT_REDUN_INI

NEW_INI = DEFAULT_REDUN_INI.format(db_uri="sqlite:///redun.db")


@pytest.mark.sqlite  # the repo that is made in a new directory
def test_init_creates_config_and_database(program, workdir: Path) -> None:
    code, out, _ = program("init")
    assert (code, out) == (0, "Initialized redun repository: .redun\n")
    assert (workdir / ".redun" / "redun.ini").read_text() == NEW_INI
    assert "CLI compatible with db: True" in program("db", "info").out


def test_init_twice_changes_nothing(program, workdir: Path) -> None:
    program("init")
    ini = workdir / ".redun" / "redun.ini"
    ini.write_text(ini.read_text() + "\n[tags]\nteam = a\n")
    code, out, _ = program("init")
    assert (code, out) == (0, f"Initialized redun repository: {workdir / '.redun'}\n")
    assert "team = a" in ini.read_text()


def test_init_of_a_base_directory(program, workdir: Path) -> None:
    code, out, _ = program("-c", "elsewhere", "init", "base")
    assert (code, out) == (0, "Initialized redun repository: base/.redun\n")
    assert (workdir / "base" / ".redun" / "redun.db").exists()
    assert not (workdir / "elsewhere").exists()


def test_init_of_a_named_config_directory(program, workdir: Path) -> None:
    code, out, _ = program("-c", "cfg", "init")
    assert (code, out) == (0, "Initialized redun repository: cfg\n")
    assert (workdir / "cfg" / "redun.ini").exists()


def test_config_directory_is_found_upwards(workdir: Path, monkeypatch) -> None:
    assert find_config_dir() is None
    assert get_config_dir() == ".redun"
    (workdir / ".redun").mkdir()
    (workdir / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(workdir / "a" / "b")
    assert find_config_dir() == str(workdir / ".redun")
    assert get_config_dir() == str(workdir / ".redun")
    assert find_config_dir(str(workdir / "a")) == str(workdir / ".redun")


def test_config_directory_by_environment_and_argument(workdir: Path, monkeypatch) -> None:
    (workdir / ".redun").mkdir()
    monkeypatch.setenv("REDUN_CONFIG", "from_env")
    assert get_config_dir() == "from_env"
    assert get_config_dir("given") == "given"
    assert get_config_path("given") == os.path.join("given", "redun.ini")


def test_setup_config_creates_a_missing_one(workdir: Path) -> None:
    config = setup_config()
    assert (workdir / ".redun" / "redun.ini").read_text() == NEW_INI
    assert config["backend"]["db_uri"] == f"sqlite:///{workdir}/.redun/redun.db"
    assert is_config_local_db(config)


def test_setup_config_writes_the_database_uri_of_a_new_one(workdir: Path) -> None:
    config = setup_config("cfg", db_uri="postgresql://host/db")
    assert config["backend"]["db_uri"] == "postgresql://host/db"
    assert not is_config_local_db(config)
    again = setup_config("cfg", db_uri="sqlite:///other.db")
    assert again["backend"]["db_uri"] == "postgresql://host/db"


def test_setup_config_may_be_forbidden_to_create(workdir: Path) -> None:
    with pytest.raises(RedunClientError, match=r"No redun config found at cfg/redun\.ini\."):
        setup_config("cfg", initialize=False)
    assert not (workdir / "cfg").exists()


def test_named_config_directory_must_exist(program) -> None:
    code, out, err = program("-c", "nosuch", "db", "info")
    assert (code, out) == (1, "")
    assert "error: No redun config found at nosuch/redun.ini. Run `redun init -c nosuch`" in err


@pytest.fixture
def two_repos(workdir: Path) -> Path:
    """The default configuration and one of a repo `other`."""
    for name, text in [
        (".redun", "[repos.other]\nconfig_dir = other\n[repos.empty]\nnote = none\n"),
        ("other", "[tags]\nwhose = other\n"),
    ]:
        (workdir / name).mkdir()
        (workdir / name / "redun.ini").write_text(text)
    return workdir


def test_repo_configuration_replaces_the_default(two_repos: Path) -> None:
    config = setup_config(repo="other")
    assert config["tags"]["whose"] == "other"
    assert config["backend"]["db_uri"] == f"sqlite:///{two_repos}/other/redun.db"


def test_backend_of_a_repo(two_repos: Path) -> None:
    assert setup_backend_db(repo="other").db_uri == f"sqlite:///{two_repos}/other/redun.db"


@pytest.mark.parametrize(
    ("repo", "message", "hint"),
    [
        ("othr", "Unknown repository: othr", "did you mean `other`?"),
        ("empty", "config_dir is not specified for repository empty", "[repos.empty]"),
    ],
)
def test_wrong_repo(two_repos: Path, program, repo: str, message: str, hint: str) -> None:
    code, _, err = program("-r", repo, "db", "info")
    assert code == 1
    assert f"error: {message}" in err
    assert hint in err


def test_repo_directory_is_never_created(two_repos: Path, program) -> None:
    (two_repos / "other" / "redun.ini").unlink()
    code, _, err = program("-r", "other", "db", "info")
    assert code == 1
    assert "No redun config found at other/redun.ini" in err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = 1\n", "line 1: no section header before 'a = 1'"),
        ("[a]\nx = 1\n[a]\n", "line 3: section [a] appears twice"),
        ("[a]\nx = 1\nx = 2\n", "line 3: option `x` appears twice in section [a]"),
        ("[a]\nx = 1\n\nnonsense\n", "line 4: cannot parse"),
        (
            "[backend]\ndb_uri = ${NO_SUCH_NAME}\n",
            "option `db_uri` in section [backend] refers to `NO_SUCH_NAME`",
        ),
        ("[a]\nx = 1\n[a.b]\ny = 1\n", "a section cannot hold options and sub-sections at once"),
        ("[scheduler]\nfederated_configs = .redun\n[executors.x]\n", "executor name `x` is"),
    ],
)
def test_configuration_that_cannot_be_parsed(
    program, workdir: Path, text: str, message: str
) -> None:
    (workdir / ".redun").mkdir()
    (workdir / ".redun" / "redun.ini").write_text(text)
    code, out, err = program("db", "info")
    assert (code, out) == (1, "")
    assert message in err
    assert str(workdir / ".redun" / "redun.ini") in err
    assert "hint: " in err
    assert "Traceback" not in err


def test_configuration_that_is_no_text(program, workdir: Path) -> None:
    (workdir / ".redun").mkdir()
    (workdir / ".redun" / "redun.ini").write_bytes(b"[a]\nx = \xff\n")
    code, _, err = program("db", "info")
    assert code == 1
    assert "it is not UTF-8 text" in err
    assert "Traceback" not in err


def test_directory_where_nothing_can_be_created(program, workdir: Path) -> None:
    (workdir / "file").write_text("")
    code, out, err = program("-c", "file/cfg", "init")
    assert (code, out) == (1, "")
    assert "error: cannot create the configuration `file/cfg/redun.ini`" in err
    assert "hint: choose a writable directory" in err
