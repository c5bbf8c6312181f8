"""`redun why`: each single edit of a workflow is named as the cause, and nothing else."""

from __future__ import annotations

import json
import linecache
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from redun.task import get_task_registry

WORKFLOW = '''
from redun import File, task
from redun.context import get_context
from redun.task import CacheResult

redun_namespace = "lab"
INCLUDED = "a"


@task()
def scale(x: int, factor: int = 2) -> int:
    """Makes it larger."""
    return x * factor


@task()
def total(xs: list) -> int:
    return sum(xs)


@task()
def read(file: File) -> str:
    return file.read()


@task()
def write(text: str) -> File:
    file = File("out.txt")
    file.write(text)
    return file


@task(version="1")
def versioned(x: int) -> int:
    return x


@task(hash_includes=[INCLUDED])
def including(x: int) -> int:
    return x


@task(config_args=[])
def threaded(x: int, threads: int = 1) -> int:
    return x


@task()
def measured(x: int, unit: str = get_context("unit", "m")) -> str:
    return f"{x} {unit}"


@task(check_valid="shallow", allowed_cache_results={CacheResult.CSE, CacheResult.ULTIMATE})
def shallow(x: int) -> int:
    return scale(x + 100)


@task(executor="default")
def main(n: int = 2) -> list:
    return [
        total([scale(i) for i in range(n)]),
        write(read(File("in.txt"))),
        versioned(1),
        including(1),
        threaded(1),
        measured(1),
        shallow(1),
    ]
'''

Edit = Callable[[Path], None]


def replace(old: str, new: str) -> Edit:
    """An edit of the script."""

    def edit(folder: Path) -> None:
        script = folder / "lab.py"
        text = script.read_text()
        assert old in text
        script.write_text(text.replace(old, new))

    return edit


def other_input(folder: Path) -> None:
    (folder / "in.txt").write_text("other")


def delete(name: str) -> Edit:
    return lambda folder: (folder / name).unlink()


def edit_output(folder: Path) -> None:
    (folder / "out.txt").write_text("meddled with")


# Edit, words added to the command line, and what then ran for what reason.
MATRIX: dict[str, tuple[Edit | None, list[str], dict[str, list[str]]]] = {
    "nothing": (None, [], {}),
    "body": (
        replace("return sum(xs)", "return sum(xs) + 0"), [], {"lab.total": ["body"]},
    ),
    "docstring": (
        replace("Makes it larger.", "Makes it bigger."), [],
        {"lab.scale": ["docstring"], "lab.shallow": ["task below"]},
    ),
    "comment": (
        replace("return sum(xs)", "return sum(xs)  # all"), [], {"lab.total": ["comments"]},
    ),
    "annotation": (
        replace("def total(xs: list)", "def total(xs: list[int])"), [],
        {"lab.total": ["annotations"]},
    ),
    "signature": (
        replace("def read(file: File)", "def read(file: File, /)"), [], {"lab.read": ["signature"]},
    ),
    "default": (
        replace("factor: int = 2", "factor: int = 3"), [],
        {"lab.scale": ["default"], "lab.total": ["argument"], "lab.shallow": ["task below"]},
    ),
    "version": (
        replace('version="1"', 'version="2"'), [], {"lab.versioned": ["version"]},
    ),
    "hash_includes": (
        replace('INCLUDED = "a"', 'INCLUDED = "b"'), [], {"lab.including": ["hash_includes"]},
    ),
    "option that counts": (
        replace("config_args=[]", 'config_args=["threads"]'), [], {"lab.threaded": ["option"]},
    ),
    "option that doesn't count": (
        replace('executor="default"', 'executor="default", priority=3'), [], {},
    ),
    "cache flag": (
        replace('version="1"', 'version="1", cache=False'), [], {"lab.versioned": ["cache off"]},
    ),
    "namespace": (
        replace("@task()\ndef total", '@task(namespace="sums")\ndef total'), [],
        {"sums.total": ["namespace"], "lab.main": ["result"]},
    ),
    "argument": (
        None, ["--n", "3"],
        {"lab.main": ["argument"], "lab.scale": ["new call"], "lab.total": ["argument"]},
    ),
    "context": (None, ["--context", "unit=km"], {"lab.measured": ["context"], "lab.shallow": ["context"]}),
    "input edited": (
        # What main returned names the file as it was.
        other_input, [],
        {"lab.main": ["result"], "lab.read": ["argument"], "lab.write": ["argument"]},
    ),
    "output deleted": (delete("out.txt"), [], {"lab.write": ["result"]}),
    "output edited": (edit_output, [], {"lab.write": ["result"]}),
    "no cache": (
        None, ["--no-cache"],
        {
            f"lab.{name}": ["cache off"]
            for name in (
                "main", "scale", "total", "read", "write", "versioned", "including", "threaded",
                "measured", "shallow",
            )
        },
    ),
}  # fmt: skip


@pytest.fixture
def lab(workdir: Path, program) -> Callable[..., str]:
    """Writes the workflow and runs it once; then `lab(edit, words)` edits it and runs it again."""

    def run(*words: str, code: int = 0) -> str:
        # One process plays several: each reads the script anew.
        sys.modules.pop("lab", None)
        tasks = get_task_registry()._tasks
        for name in [name for name in tasks if name.startswith(("lab.", "sums."))]:
            del tasks[name]
        linecache.clearcache()
        shutil.rmtree(workdir / "__pycache__", ignore_errors=True)
        flags = [word for word in words if word == "--no-cache"]
        context = list(words) if "--context" in words else []
        rest = [word for word in words if word not in flags and word not in context]
        done = program("run", *flags, *context, "lab.py", "main", *rest)
        assert done.code == code, done.err
        return done.err

    (workdir / "lab.py").write_text(WORKFLOW)
    (workdir / "in.txt").write_text("words")
    os.utime(workdir / "in.txt", (1, 1))
    run()

    def again(edit: Edit | None, words: list[str], code: int = 0) -> str:
        if edit is not None:
            edit(workdir)
        return run(*words, code=code)

    return again


def answers(program, *words: str) -> list[dict]:
    done = program("why", *words, "--format", "json")
    assert done.code == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]


@pytest.mark.parametrize("name", MATRIX)
def test_why_names_exactly_the_cause(name: str, lab, program) -> None:
    edit, words, expected = MATRIX[name]
    lab(edit, words)
    found: dict[str, list[str]] = {}
    for answer in answers(program):
        found[answer["task"]] = [cause["kind"] for cause in answer["causes"]]
    assert found == expected


def test_a_deleted_input_is_named(lab, program) -> None:
    lab(delete("in.txt"), [], code=1)
    (read,) = [answer for answer in answers(program) if answer["task"] == "lab.read"]
    (cause,) = read["causes"]
    assert cause["kind"] == "argument"
    assert cause["facts"]["files"] == [{"path": "in.txt", "change": "deleted"}]


def test_the_file_that_is_gone_is_named(lab, program) -> None:
    lab(delete("out.txt"), [])
    (answer,) = answers(program)
    assert answer["causes"][0]["facts"]["path"] == "out.txt"
    assert "out.txt is missing" in program("why").out


def test_a_job_is_explained_down_to_the_first_cause(lab, program) -> None:
    lab(replace("return x * factor", "return x * factor + 1"), [])
    (total,) = [answer for answer in answers(program) if answer["task"] == "lab.total"]
    chain = answers(program, total["job_id"][:12])
    assert [answer["task"] for answer in chain] == ["lab.total", "lab.scale", "lab.scale"]
    out = program("why", total["job_id"]).out
    assert "argument `xs` changed: [0, 2] -> [1, 3]" in out
    assert "comes from Job" in out
    assert "+    return x * factor + 1" in out


def test_a_reused_job_names_the_one_that_computed_it(lab, program) -> None:
    lab(None, [])
    first = json.loads(program("log", "--exec", "--format", "json").out.splitlines()[-1])["id"]
    (answer,) = [
        answer for answer in answers(program, "--all") if answer["task"] == "lab.versioned"
    ]
    assert answer["causes"] == []
    jobs = program("log", "--job", "--exec-id", first, "--format", "json").out.splitlines()
    assert answer["reused"] in {json.loads(line)["id"] for line in jobs}


def test_an_earlier_failure_is_a_cause(workdir: Path, program) -> None:
    (workdir / "bad.py").write_text(
        "from redun import task\n"
        'redun_namespace = "bad"\n'
        "@task()\ndef fail(x: int = 1):\n    raise ValueError(x)\n"
    )
    for _ in range(2):
        assert program("run", "bad.py", "fail").code == 1
    (answer,) = answers(program)
    assert [cause["kind"] for cause in answer["causes"]] == ["failure"]
    assert "the earlier call failed" in program("why").out


def test_code_that_was_reverted_is_reused(lab, program) -> None:
    lab(replace("return sum(xs)", "return sum(xs) + 0"), [])
    lab(replace("return sum(xs) + 0", "return sum(xs)"), [])
    assert answers(program) == []
    assert "0 ran" in program("why").out


def test_the_run_log_says_why(lab, workdir: Path, program) -> None:
    (workdir / "out.txt").unlink()
    err = lab(replace("return sum(xs)", "return sum(xs) + 0"), ["--n", "3"])
    lines = {
        line.split("lab.")[1].split("(")[0]: line for line in err.splitlines() if "Run " in line
    }
    assert lines["main"].endswith("(new arguments)")
    assert lines["total"].endswith("(code changed)")
    assert lines["write"].endswith("(out.txt is missing)")


def test_unknown_and_ambiguous_ids(lab, program) -> None:
    unknown = program("why", "zzzz")
    assert unknown.code == 1
    assert "No execution or job matches `zzzz`" in unknown.err
    itself = program("why", "-", "--against", "-")
    assert itself.code == 1
    assert "can't be compared with itself" in itself.err


def test_an_empty_repo(workdir: Path, program) -> None:
    assert program("init").code == 0
    empty = program("why")
    assert empty.code == 1
    assert "Nothing has run in this repo" in empty.err
