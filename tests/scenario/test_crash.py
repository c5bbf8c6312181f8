"""`kill -9`, Ctrl-C and two processes at once: the repo stays whole, and what was recorded is reused."""

import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

REDUN = Path(sys.executable).parent / "redun"
JOBS = 10_000

WORKFLOW = """
import os
from redun import task

redun_namespace = "crash"
LOG = os.environ["CALLS"]

@task()
def leaf(x):
    with open(LOG, "a") as calls:
        calls.write(f"{x}\\n")
    return x

@task()
def main(n: int):
    return [leaf(i) for i in range(n)]
"""


@pytest.fixture
def project(workdir: Path, programs_repo: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    (workdir / "wf.py").write_text(WORKFLOW)
    monkeypatch.setenv("CALLS", str(workdir / "calls.txt"))
    monkeypatch.setenv("REDUN_CONFIG", str(workdir / ".redun"))
    (workdir / "calls.txt").touch()
    return workdir


def start(jobs: int = JOBS) -> subprocess.Popen:
    with open("run.log", "ab") as log:
        return subprocess.Popen(
            [str(REDUN), "run", "wf.py", "main", "--n", str(jobs)],
            stdout=subprocess.DEVNULL,
            stderr=log,
        )


@pytest.fixture
def recorded(programs_repo: str, rows_of) -> Callable[[], int]:
    """Says how many results another process can see."""

    def count() -> int:
        try:
            return rows_of(programs_repo, "SELECT count(*) FROM evaluation")[0][0]
        except sqlite3.OperationalError:
            return 0  # not made yet

    return count


def wait_for(condition, process: subprocess.Popen, seconds: float = 100) -> None:
    """Poll until the condition holds or the process has ended."""
    tick = threading.Event()
    for _ in range(int(seconds / 0.02)):
        if condition() or process.poll() is not None:
            return
        tick.wait(0.02)
    raise AssertionError("nothing happened in time")


@pytest.fixture
def check_whole(programs_repo: str, rows_of) -> Callable[[], None]:
    """Checks the database; PostgreSQL checks references itself."""

    def check() -> None:
        if programs_repo.startswith("sqlite"):
            assert rows_of(programs_repo, "PRAGMA integrity_check") == [("ok",)]
            assert rows_of(programs_repo, "PRAGMA foreign_key_check") == []
        unfinished = "SELECT count(*) FROM call_node WHERE call_hash NOT IN (SELECT call_hash FROM call_subtree_task)"
        assert rows_of(programs_repo, unfinished) == [(0,)]

    return check


@pytest.mark.parametrize("after", [1, 3_000])
def test_kill_9_in_the_middle_of_a_run(project: Path, recorded, check_whole, after: int) -> None:
    process = start()
    wait_for(lambda: recorded() >= after, process)
    process.kill()
    process.wait()
    assert process.returncode == -signal.SIGKILL
    check_whole()
    kept = recorded()
    assert kept >= after
    calls = (project / "calls.txt").read_text().count("\n")

    again = start()
    assert again.wait(100) == 0, Path("run.log").read_text()[-2_000:]
    check_whole()
    calls_again = (project / "calls.txt").read_text().count("\n") - calls
    # All that had been committed is reused; `main` itself is one of the results kept.
    assert calls_again == JOBS - (kept - 1)
    assert recorded() == JOBS + 1


def test_interrupt_keeps_what_is_done(project: Path, recorded, check_whole) -> None:
    process = start()
    wait_for(lambda: recorded() >= 500, process)
    process.send_signal(signal.SIGINT)
    process.wait(100)
    assert process.returncode == 1
    check_whole()
    assert recorded() >= 500


def test_two_runs_that_create_one_repo_together(
    project: Path, recorded, check_whole, programs_repo: str, rows_of
) -> None:
    processes = [start(500) for _ in range(4)]
    for process in processes:
        assert process.wait(100) == 0, Path("run.log").read_text()[-2_000:]
    check_whole()
    assert recorded() == 501
    for what, count in (("execution", 4), ("job", 4 * 501), ("job WHERE end_time IS NULL", 0)):
        assert rows_of(programs_repo, f"SELECT count(*) FROM {what}") == [(count,)]
