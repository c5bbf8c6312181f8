"""What `redun log` prints of the compile example, and of retries, failures, cached and killed jobs.

`UPDATE_GOLDEN=1 pytest tests/cli/test_log_golden.py` writes the files anew.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).parents[1]
GOLDEN = TESTS / "golden" / "log_retries"
COMPILE = TESTS / "golden" / "log_compile"
EXAMPLE = TESTS.parent / "examples" / "compile"

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


@pytest.fixture
def repo(
    script: Callable[..., Path], program: Any, workdir: Path, programs_repo: str, rows_of: Any
) -> Path:
    """Three runs: one failed after a retry, one killed in the middle, one from the cache."""
    script(WORKFLOW)
    user = ["--user", "bob", "--exclude-user", "aws", "--exclude-user", "gcp"]
    assert program("run", *user, "wf.py", "main", "--fail", "true").code == 1
    (workdir / "tried").unlink()
    assert program("run", *user, "wf.py", "main").code == 0
    for root in ("", "WHERE parent_id IS NULL"):
        rows_of(
            programs_repo,
            "UPDATE job SET end_time = NULL, call_hash = NULL, cached = FALSE WHERE id = "
            f"(SELECT id FROM job {root} ORDER BY start_time DESC LIMIT 1)",
        )
    assert program("run", *user, "wf.py", "main").code == 0
    return workdir


def check(golden: Path, modes: dict[str, list[str]], show: Callable[[list[str]], str]) -> None:
    """Compare what each mode shows with the file of its name; there are no others."""
    for mode, words in modes.items():
        shown = show(words)
        path = golden / f"{mode}.txt"
        if os.environ.get("UPDATE_GOLDEN"):
            path.write_text(shown)
        assert shown == path.read_text(), mode
    assert {path.stem for path in golden.glob("*.txt")} == set(modes)


def test_output_is_as_recorded(repo: Path, program: Any, steady: Callable[[str], str]) -> None:
    check(GOLDEN, MODES, lambda words: steady(program("log", *words).out))


COMPILE_MODES = {
    "executions": [],
    "latest": ["-"],
    "first": ["~2"],
    "jobs": ["--job"],
    "ran": ["--job", "--job-status", "DONE", "--exec-id", "-"],
    "make": ["--job", "--task-name", "make", "--exec-id", "-", "--detail"],
    "tasks": ["--task", "--task-name", "make_prog"],
    "task": ["make_prog"],
    "files": ["--file", "--exec-id", "-"],
    "objects": ["--file", "--file-path", "*.o", "--exec-id", "-"],
    "program": ["prog"],
    "source": ["lib.c"],
    "count": ["--all", "--count"],
    "types": ["--value", "--value-type", "redun.File", "--count"],
    "json": ["--exec", "--format", "json"],
    "jobs_json": ["--job", "--exec-id", "-", "--format", "json"],
}


@pytest.fixture
def compiled(cli: Any, workdir: Path) -> Path:
    """The compile example, built, and built again after an edit of the library."""
    for path in (*EXAMPLE.glob("*.c"), *EXAMPLE.glob("*.py")):
        shutil.copy(path, workdir)
    # One at a time, so that the order of jobs is always the same.
    config = "[backend]\ndb_uri = sqlite:///redun.db\n[executors.default]\ntype = local\nmax_workers = 1\n"
    (workdir / ".redun").mkdir()
    (workdir / ".redun" / "redun.ini").write_text(config)
    user = ["--user", "bob", "--exclude-user", "aws", "--exclude-user", "gcp"]
    assert cli("run", *user, "make.py", "make").code == 0
    with (workdir / "lib.c").open("a") as source:
        source.write("/* edited */\n")
    assert cli("run", *user, "make.py", "make").code == 0
    return workdir


@pytest.mark.sqlite  # "As recorded" is an order that only SQLite knows.
def test_compile_example(compiled: Path, program: Any, steady: Callable[[str], str]) -> None:
    check(COMPILE, COMPILE_MODES, lambda words: steady(program("log", *words).out))


def test_every_job_of_a_killed_run_is_told_as_running(repo: Path, program: Any) -> None:
    lines = program("log", "--job", "--job-status", "RUNNING", "--format", "json").out.splitlines()
    assert [json.loads(line)["end_time"] for line in lines] == [None, None]
