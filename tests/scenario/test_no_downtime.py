"""Clients of the original go on while ours upgrades the repo that they have open, and runs on it."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

pytestmark = [pytest.mark.slow, pytest.mark.each_repo]

WORKFLOW = """
import os
import time

from redun import task

redun_namespace = "live"


@task()
def leaf(x):
    with open("ran.txt", "a") as ran:
        ran.write("leaf ")
    return 2 * x


@task()
def wait(name):
    open(name, "w").close()
    while not os.path.exists("go-" + name):
        time.sleep(0.05)


@task()
def then(waited, n):
    return [leaf(i) for i in range(n)]


@task()
def main(name: str, n: int = 20):
    return [leaf(-1), then(wait(name), n)]


@task()
def quick(n: int):
    return [leaf(i) for i in range(n)]
"""


@pytest.fixture
def uri(new_repo: Callable[..., str]) -> str:
    """The URI of a database without tables."""
    return new_repo(".redun/redun.db", empty=True)


@pytest.fixture
def directory(workdir: Path, uri: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with the workflow and the repo."""
    (workdir / "wf.py").write_text(WORKFLOW)
    (workdir / ".redun").mkdir()
    url = make_url(uri)
    if url.username:  # Old clients want credentials in the environment, both, and a host.
        monkeypatch.setenv("REDUN_DB_USERNAME", url.username)
        monkeypatch.setenv("REDUN_DB_PASSWORD", os.environ.get("PGPASSWORD", "any"))
        uri = uri.replace(f"{url.username}@", "" if url.host else "localhost")
    (workdir / ".redun" / "redun.ini").write_text(f"[backend]\ndb_uri = {uri}\n")
    return workdir


def version(program: Any, directory: Path) -> str:
    """The version of the repo, as the program sees it."""
    words: list[str] = program(directory, "db", "info").split("db version: ")[1].split()
    return words[0]


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    """Waits until a program has made a file."""
    ends = time.monotonic() + 60
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < ends
        time.sleep(0.02)


@pytest.mark.parametrize("release", ["0.22.0", "0.44.1"])
def test_clients_go_on_while_the_repo_is_upgraded(
    directory: Path, uri: str, original: Any, ours: Any, rows_of: Any, release: str
) -> None:
    old, new = original(release), ours()
    old(directory, "init", ".")
    old(directory, "db", "upgrade")
    assert version(old, directory) == {"0.22.0": "3.3", "0.44.1": "3.5"}[release]
    begun = dt.datetime.now(dt.timezone.utc)

    running = old.start(directory, "run", "wf.py", "main", "--name", "old")
    wait_for(directory / "old", running)
    new(directory, "db", "upgrade")
    assert version(new, directory) > "3.5"
    new(directory, "run", "wf.py", "quick", "--n", "10")
    mine = new.start(directory, "run", "wf.py", "main", "--name", "new")
    wait_for(directory / "new", mine)
    # One after the other: the original fails if a task that it is about to record has come meanwhile.
    for process, name in ((running, "old"), (mine, "new")):
        (directory / f"go-{name}").touch()
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, out + err

    # Each has recorded its run in full, and what both have found is there once.
    assert rows_of(uri, "SELECT count(*) FROM execution") == [(3,)]
    jobs = "SELECT count(*), count(call_hash), count(end_time) FROM job GROUP BY execution_id"
    assert sorted(rows_of(uri, jobs)) == [(11,) * 3, (24,) * 3, (24,) * 3]
    assert rows_of(uri, "SELECT count(*) FROM call_node WHERE task_name = 'live.leaf'") == [(21,)]
    starts = [as_utc(row[0]) for row in rows_of(uri, "SELECT start_time FROM job")]
    now, second = dt.datetime.now(dt.timezone.utc), dt.timedelta(seconds=1)
    assert begun - second < min(starts) <= max(starts) < now + second

    # The old client still starts, and finds what ours has recorded; ours finds what it has.
    (directory / "ran.txt").unlink()
    old(directory, "run", "wf.py", "quick", "--n", "10")
    assert not (directory / "ran.txt").exists()
    old(directory, "run", "wf.py", "quick", "--n", "25")
    assert (directory / "ran.txt").read_text().split() == ["leaf"] * 5
    new(directory, "run", "wf.py", "quick", "--n", "25")
    assert (directory / "ran.txt").read_text().split() == ["leaf"] * 5
    assert "run wf.py quick --n 25" in old(directory, "log")


def as_utc(stored: Any) -> dt.datetime:
    """A time of either database."""
    found = stored if isinstance(stored, dt.datetime) else dt.datetime.fromisoformat(stored)
    return found if found.tzinfo else found.replace(tzinfo=dt.timezone.utc)
