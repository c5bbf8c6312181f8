"""`kill -9`, Ctrl-C and two processes at once: the repo stays whole, and what was recorded is reused."""

import signal
import sqlite3
import subprocess
import sys
import threading
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
def project(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
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


def recorded(project: Path) -> int:
    """How many results another process can see."""
    try:
        with sqlite3.connect(project / ".redun" / "redun.db") as connection:
            return connection.execute("SELECT count(*) FROM evaluation").fetchone()[0]
    except sqlite3.OperationalError:
        return 0


def wait_for(condition, process: subprocess.Popen, seconds: float = 100) -> None:
    """Poll until the condition holds or the process has ended."""
    tick = threading.Event()
    for _ in range(int(seconds / 0.02)):
        if condition() or process.poll() is not None:
            return
        tick.wait(0.02)
    raise AssertionError("nothing happened in time")


def check_whole(project: Path) -> None:
    with sqlite3.connect(project / ".redun" / "redun.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


@pytest.mark.parametrize("after", [1, 3_000])
def test_kill_9_in_the_middle_of_a_run(project: Path, after: int) -> None:
    process = start()
    wait_for(lambda: recorded(project) >= after, process)
    process.kill()
    process.wait()
    assert process.returncode == -signal.SIGKILL
    check_whole(project)
    kept = recorded(project)
    assert kept >= after
    calls = (project / "calls.txt").read_text().count("\n")

    again = start()
    assert again.wait(100) == 0, Path("run.log").read_text()[-2_000:]
    check_whole(project)
    calls_again = (project / "calls.txt").read_text().count("\n") - calls
    # All that had been committed is reused; `main` itself is one of the results kept.
    assert calls_again == JOBS - (kept - 1)
    assert recorded(project) == JOBS + 1


def test_interrupt_keeps_what_is_done(project: Path) -> None:
    process = start()
    wait_for(lambda: recorded(project) >= 500, process)
    process.send_signal(signal.SIGINT)
    process.wait(100)
    assert process.returncode == 1
    check_whole(project)
    assert recorded(project) >= 500


def test_two_runs_that_create_one_repo_together(project: Path) -> None:
    processes = [start(500) for _ in range(4)]
    for process in processes:
        assert process.wait(100) == 0, Path("run.log").read_text()[-2_000:]
    check_whole(project)
    assert recorded(project) == 501
    with sqlite3.connect(project / ".redun" / "redun.db") as connection:
        assert connection.execute("SELECT count(*) FROM execution").fetchone() == (4,)
        assert connection.execute("SELECT count(*) FROM job").fetchone() == (4 * 501,)
        assert connection.execute("SELECT count(*) FROM job WHERE end_time IS NULL").fetchone() == (
            0,
        )
