"""`redun.run` and the scheduler it builds from the configuration."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import redun
import redun.scheduler
from redun import get_current_scheduler, task
from redun.bootstrap import scheduler as bootstrap
from redun.bootstrap.scheduler import setup_scheduler


@task(namespace="boot", version="1")
def double(x: int) -> int:
    return 2 * x


@task(namespace="boot", version="1")
def nested(x: int, config_dir: str) -> int:
    return redun.run(double(x), config_dir=config_dir)


@pytest.fixture(autouse=True)
def _close_schedulers(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give each test a directory and a process cache of its own."""
    monkeypatch.delenv("REDUN_CONFIG", raising=False)
    monkeypatch.setattr(bootstrap, "_schedulers", {})
    yield
    for scheduler in bootstrap._schedulers.values():
        scheduler.backend.close()


def test_run_creates_the_repo_and_keeps_the_scheduler(workdir: Path) -> None:
    assert redun.run(double(2)) == 4
    assert (workdir / ".redun" / "redun.db").exists()
    assert redun.run(double(3)) == 6
    assert list(bootstrap._schedulers) == [str(workdir / ".redun")]


def test_run_with_a_config_directory(workdir: Path) -> None:
    assert redun.run(double(2), config_dir="cfg") == 4
    assert redun.run(double(2), config_dir=str(workdir / "cfg")) == 4
    assert list(bootstrap._schedulers) == [str(workdir / "cfg")]


def test_run_passes_its_keywords_on(workdir: Path) -> None:
    with pytest.raises(redun.scheduler.DryRunResult):
        redun.run(double(2), dryrun=True)
    redun.run(double(2), execution_id="mine", tags=[("key", "value")])
    scheduler = bootstrap._schedulers[str(workdir / ".redun")]
    assert scheduler.backend.get_tags(["mine"])["mine"]["key"] == ["value"]


def test_run_within_a_run(workdir: Path) -> None:
    assert redun.run(nested(4, str(workdir / ".redun"))) == 8
    assert get_current_scheduler(required=False) is None


def test_migration_of_a_local_database_may_be_asked_for(workdir: Path) -> None:
    (workdir / ".redun").mkdir()
    (workdir / ".redun" / "redun.ini").write_text("[backend]\nautomigrate = false\n")
    with pytest.raises(Exception, match=r"incompatible version -1\.0"):
        setup_scheduler()
    scheduler = setup_scheduler(migrate_if_local=True)
    assert scheduler.backend.is_db_compatible()
    scheduler.backend.close()
