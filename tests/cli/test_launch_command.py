"""`redun launch`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize("name", ["default", "process"])
def test_a_command_runs_to_its_end_and_is_not_recorded(
    program: Any, workdir: Path, name: str
) -> None:
    done = program("launch", "--executor", name, "sh", "-c", 'echo "$0" > out', "a  b")
    assert (done.code, done.out) == (0, "")
    assert f"Run within Executor {name}: sh -c 'echo \"$0\" > out' 'a  b'" in done.err
    assert (workdir / "out").read_text() == "a  b\n"
    assert not (workdir / ".redun" / "redun.db").exists()


def test_a_command_that_fails_shows_why(program: Any) -> None:
    done = program("launch", "--executor", "default", "sh", "-c", "echo because >&2; exit 3")
    assert done.code == 1
    assert "\nbecause\n" in done.err
    assert done.err.splitlines()[-1].startswith("error: Last line: because")


def test_options_of_the_job_come_before_the_command(program: Any, workdir: Path) -> None:
    command = "echo . >> out; test $(wc -l < out) = 2"
    done = program("launch", "-o", "retries=1", "--executor", "default", "sh", "-c", command)
    assert done.code == 0
    assert (workdir / "out").read_text() == ".\n.\n"
    words = ("launch", "--executor", "default", "--", "echo", "--wait", "-o", "memory")
    assert program(*words).err.endswith(": echo --wait -o memory\n")


def test_waiting_records_the_job_and_prints_its_output(program: Any) -> None:
    words = ("--executor", "process", "--wait", "-o", "memory=4", "sh", "-c", "echo hi")
    done = program("launch", *words)
    assert (done.code, done.out) == (0, "b'hi\\n'\n")
    log = program("log", "-").out
    assert "redun.script_task(\"sh -c 'echo hi'\")" in log
    assert "DONE" in log


def test_waiting_for_a_command_that_fails(program: Any) -> None:
    done = program("launch", "--executor", "default", "--wait", "false")
    assert done.code == 1
    assert "error: task `redun.script_task` failed: a script ended with exit code 1" in done.err
    assert "FAILED" in program("log", "-").out


def test_what_is_missing_or_unknown_is_told(program: Any) -> None:
    done = program("launch", "true")
    assert (done.code, done.err.splitlines()[0]) == (1, "error: --executor is required.")
    for more in ((), ("--wait",)):
        done = program("launch", "--executor", "nope", *more, "true")
        assert done.code == 1
        assert "error: Unknown executor nope\nhint: known executors: default, process" in done.err
    assert program("launch", "--executor", "default").code == 2
    assert program("launch", "--executor", "default", "-o", "memory", "true").code == 2


def test_the_configuration_may_be_wrong(program: Any, workdir: Path) -> None:
    (workdir / ".redun").mkdir()
    (workdir / ".redun" / "redun.ini").write_text("[executors.far]\ntype = nowhere\n")
    done = program("launch", "--executor", "far", "true")
    assert done.code == 1
    assert "error: Unknown executor 'nowhere'." in done.err
    assert "hint: correct the configuration" in done.err
    assert program("launch", "--executor", "default", "true").code == 0  # needs only that one
