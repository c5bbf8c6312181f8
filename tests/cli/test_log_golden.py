"""What `redun log` prints about a run of ours with retries, failures, cached and killed jobs.

`UPDATE_GOLDEN=1 pytest tests/cli/test_log_golden.py` writes the files anew.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

GOLDEN = Path(__file__).parents[1] / "golden" / "log_retries"

WORKFLOW = """
import os

@task(retries=2, tags=[("step", "flaky")])
def flaky(path):
    if not os.path.exists(path):
        open(path, "w").close()
        raise OSError("try again")
    return "seven"

@task()
def broken(x):
    raise ValueError("no good")

@task()
def write(path, text):
    file = File(path)
    file.write(text)
    return file

@task()
def main(fail: bool = False):
    file = write("out.txt", flaky("tried"))
    return broken(file) if fail else file
"""

MODES = {
    "executions": ["--exec"],
    "latest": ["-"],
    "failed": ["~3"],
    "killed": ["~2"],
    "jobs": ["--job"],
    "retried": ["--job", "--tag", "redun.retries", "--detail"],
    "running": ["--job", "--job-status", "RUNNING"],
    "cached": ["--job", "--job-status", "CACHED", "--detail"],
    "file": ["out.txt"],
    "files": ["--file"],
    "count": ["--all", "--count"],
    "json": ["--job", "--format", "json"],
}


def steady(text: str, names: dict[str, str]) -> str:
    """The text without what differs from run to run: ids, hashes, times, paths."""
    text = re.sub(r"\b\d{4}[-/]\d\d[-/]\d\d[ T][0-9:.]+(\+\d\d:\d\d|Z)?", "<time>", text)
    text = re.sub(r"\b\d:\d\d:\d\d\.\d\d", "<duration>", text)
    text = re.sub(r'File "[^"]*/', 'File "', text)
    text = re.sub(r"(redun\.version=)[^,)]*", r"\1<version>", text)

    def name(found: re.Match[str]) -> str:
        short = found[0][:8]
        return names.setdefault(short, f"<{len(names) + 1}>")

    return re.sub(
        r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b[0-9a-f]{40}\b|\b[0-9a-f]{8}\b",
        name,
        text,
    )


@pytest.fixture
def repo(script: Callable[..., Path], program: Any, workdir: Path) -> Path:
    """Three runs: one failed after a retry, one killed in the middle, one from the cache."""
    script(WORKFLOW)
    user = ["--user", "bob", "--exclude-user", "aws", "--exclude-user", "gcp"]
    assert program("run", *user, "wf.py", "main", "--fail", "true").code == 1
    (workdir / "tried").unlink()
    assert program("run", *user, "wf.py", "main").code == 0
    with sqlite3.connect(workdir / ".redun" / "redun.db") as db:
        (killed,) = db.execute("SELECT id FROM job ORDER BY start_time DESC LIMIT 1").fetchone()
        root = "SELECT id FROM job WHERE parent_id IS NULL ORDER BY start_time DESC LIMIT 1"
        db.execute(
            f"UPDATE job SET end_time = NULL, call_hash = NULL, cached = 0 WHERE id IN (?, ({root}))",
            (killed,),
        )
    db.close()
    assert program("run", *user, "wf.py", "main").code == 0
    return workdir


def test_output_is_as_recorded(repo: Path, program: Any) -> None:
    names: dict[str, str] = {}
    for mode, words in MODES.items():
        shown = steady(program("log", *words).out, names)
        path = GOLDEN / f"{mode}.txt"
        if os.environ.get("UPDATE_GOLDEN"):
            path.write_text(shown)
        assert shown == path.read_text(), mode
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(MODES)


def test_every_job_of_a_killed_run_is_told_as_running(repo: Path, program: Any) -> None:
    lines = program("log", "--job", "--job-status", "RUNNING", "--format", "json").out.splitlines()
    assert [json.loads(line)["end_time"] for line in lines] == [None, None]
