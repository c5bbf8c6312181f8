"""`redun plan`: what a run would do, without running or recording anything."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest

WORKFLOW = """
import pathlib

from redun import File, task

redun_namespace = "p"


@task()
def square(x: int) -> int:
    with open("ran.txt", "a") as log:
        log.write("square\\n")
    return x * x


@task()
def total(xs: list) -> int:
    with open("ran.txt", "a") as log:
        log.write("total\\n")
    return sum(xs)


@task()
def main(n: int = 3) -> int:
    with open("ran.txt", "a") as log:
        log.write("main\\n")
    return total([square(i) for i in range(n)])
"""


@pytest.fixture
def script(workdir: Path) -> Path:
    path = workdir / "p.py"
    path.write_text(WORKFLOW)
    return path


def plan(cli, *words: str) -> list[dict]:
    done = cli("plan", "--format", "json", "p.py", "main", *words)
    assert done.code == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def states(jobs: list[dict]) -> Counter:
    return Counter((job["task"], job["state"]) for job in jobs)


def test_nothing_has_run_yet(script: Path, workdir: Path, cli) -> None:
    (job,) = plan(cli)
    assert (job["task"], job["state"], job["seconds"]) == ("p.main", "run", None)
    assert not (workdir / ".redun" / "redun.db").exists()
    assert not (workdir / "ran.txt").exists()


def test_all_is_cached(script: Path, workdir: Path, cli) -> None:
    assert cli("run", "p.py", "main").code == 0
    assert states(plan(cli)) == {
        ("p.main", "cached"): 1, ("p.square", "cached"): 3, ("p.total", "cached"): 1,
    }  # fmt: skip


def test_changed_code_runs_and_what_needs_it_waits(script: Path, workdir: Path, cli) -> None:
    assert cli("run", "p.py", "main").code == 0
    script.write_text(WORKFLOW.replace("x * x", "x * x * 1"))
    (workdir / "ran.txt").unlink()
    jobs = plan(cli)
    assert states(jobs) == {
        ("p.main", "cached"): 1, ("p.square", "run"): 3, ("p.total", "waits"): 1,
    }  # fmt: skip
    assert {job["reason"] for job in jobs if job["state"] == "run"} == {"code changed"}
    assert all(job["seconds"] is not None for job in jobs)
    assert not (workdir / "ran.txt").exists()


def test_what_follows_is_likely_as_it_was(script: Path, cli) -> None:
    assert cli("run", "p.py", "main").code == 0
    jobs = plan(cli, "--n", "5")
    assert jobs[0]["call"] == "p.main(n=5)"
    assert states(jobs) == {
        ("p.main", "run"): 1, ("p.square", "likely"): 3, ("p.total", "likely"): 1,
    }  # fmt: skip
    assert [job["depth"] for job in jobs] == [0, 1, 1, 1, 1]


def test_nothing_is_recorded(script: Path, cli) -> None:
    assert cli("run", "p.py", "main").code == 0
    count = cli("log", "--all", "--count").stdout
    plan(cli, "--n", "5")
    script.write_text(WORKFLOW.replace("x * x", "x * x * 1"))
    plan(cli)
    assert cli("log", "--all", "--count").stdout == count


def test_text(script: Path, cli) -> None:
    assert cli("run", "p.py", "main").code == 0
    script.write_text(WORKFLOW.replace("x * x", "x * x * 1"))
    done = cli("plan", "p.py", "main", "--n", "3")
    lines = [re.sub(r"\d+\.\d\d$", "<s>", line) for line in done.stdout.splitlines()]
    assert sorted(lines[:4]) == [
        "  run    p.square(x=0) (code changed)",
        "  run    p.square(x=1) (code changed)",
        "  run    p.square(x=2) (code changed)",
        "  waits  p.total(...)",
    ]
    assert lines[4:] == [
        "",
        "TASK      CACHED     RUN   WAITS  LIKELY SECONDS",
        "",
        "ALL            1       3       1       0    <s>",
        "p.main         1       0       0       0    <s>",
        "p.square       0       3       0       0    <s>",
        "p.total        0       0       1       0    <s>",
    ]


def test_an_unknown_task_is_named(script: Path, cli) -> None:
    done = cli("plan", "p.py", "mian")
    assert done.code == 1
    assert "mian" in done.stderr
