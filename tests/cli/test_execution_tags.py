"""The tags that `redun run` puts on executions: who ran what, as the clouds know him."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from redun.cli.execution_tags import get_default_execution_tags


@pytest.fixture
def nobody(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user whom no cloud knows."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "CLOUDSDK_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(workdir))
    monkeypatch.setenv("REDUN_USER", "ada")
    return workdir


def gcloud(folder: Path, text: str) -> None:
    """Gives the user a configuration of `gcloud`, the one called `work`."""
    base = folder / ".config" / "gcloud"
    (base / "configurations").mkdir(parents=True)
    (base / "active_config").write_text("work\n")
    (base / "configurations" / "config_work").write_text(text)


def test_without_credentials_no_cloud_is_named(nobody: Path) -> None:
    keys = [key for key, _ in get_default_execution_tags(project="p", doc="d")]
    assert keys == ["redun.version", "user", "project", "doc"]


def test_aws_names_its_user(s3, nobody: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    tags = dict(get_default_execution_tags())
    assert tags["user_aws_arn"].startswith("arn:aws:sts::")
    assert tags["user_aws"] == tags["user_aws_arn"].rpartition("/")[2]
    assert "user_aws" not in dict(get_default_execution_tags(exclude_users=["aws"]))


def test_a_server_that_is_away_is_no_error(nobody: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert "user_aws" not in dict(get_default_execution_tags())


def test_google_names_its_user(nobody: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gcloud(nobody, "[core]\naccount = ada@example.com\nproject = engines\n")
    assert dict(get_default_execution_tags())["user_gcp"] == "ada@example.com"
    assert "user_gcp" not in dict(get_default_execution_tags(exclude_users=["gcp"]))
    monkeypatch.setenv("CLOUDSDK_CORE_ACCOUNT", "other@example.com")
    assert dict(get_default_execution_tags())["user_gcp"] == "other@example.com"


@pytest.mark.parametrize("text", ["", "[core]\nproject = engines\n", "[core]\naccount =\n", "]["])
def test_google_knows_nobody(text: str, nobody: Path) -> None:
    gcloud(nobody, text)
    assert "user_gcp" not in dict(get_default_execution_tags())
