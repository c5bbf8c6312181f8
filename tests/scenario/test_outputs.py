"""The task option `outputs="must_exist"`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from redun import Dir, File, Scheduler, catch, script, task
from redun.file import FileSet

redun_namespace = "test_outputs"


@dataclass
class Pair:
    """Two outputs of a task."""

    text: File
    folder: Dir


@task(outputs="must_exist", version="1")
def make(paths: Any) -> Any:
    for path in paths if isinstance(paths, list) else ():
        File(path).write("made")
    return {"files": [File(path) for path in paths], "number": 1}


@task(outputs="must_exist", version="1")
def forget(path: str) -> File:
    return File(path)


@task(version="1")
def careless(path: str) -> File:
    return File(path)


@task(version="1")
def told(error: Exception) -> str:
    return str(error)


def test_files_that_exist_are_fine(scheduler: Scheduler, workdir: Path) -> None:
    result = scheduler.run(make(["a", "b"]))
    assert [file.read() for file in result["files"]] == ["made", "made"]


@pytest.mark.parametrize("kind", ["list", "dict", "dataclass", "dir"])
def test_a_missing_file_fails_the_task_and_is_named(
    scheduler: Scheduler, workdir: Path, kind: str
) -> None:
    (workdir / "there").write_text("")

    @task(outputs="must_exist")
    def nested() -> Any:
        there, missing = File("there"), File("not/there")
        return {
            "list": [1, [there, (missing,)]],
            "dict": {"a": there, "b": {"c": missing}},
            "dataclass": Pair(missing, Dir(".")),
            "dir": Pair(there, Dir("not/there")),
        }[kind]

    with pytest.raises(FileNotFoundError) as caught:
        scheduler.run(nested())
    assert caught.value.filename == "not/there"
    assert "Task test_outputs.nested() ended well but its output does not exist" in str(
        caught.value
    )


def test_it_can_be_caught_and_given_at_the_call(scheduler: Scheduler, workdir: Path) -> None:
    assert scheduler.run(careless("missing")).path == "missing"
    message = scheduler.run(catch(forget("missing"), FileNotFoundError, told))
    assert "missing" in message
    with pytest.raises(FileNotFoundError, match="missing"):
        scheduler.run(careless.options(outputs="must_exist")("missing"), cache=False)


def test_files_that_come_from_calls_below_count(scheduler: Scheduler, workdir: Path) -> None:
    @task(outputs="must_exist")
    def main(path: str) -> Any:
        return [1, careless(path)]

    with pytest.raises(FileNotFoundError) as caught:
        scheduler.run(main("missing"))
    assert "test_outputs.main()" in str(caught.value)
    (workdir / "there").write_text("")
    assert scheduler.run(main("there"))[1].path == "there"


def test_a_result_from_before_the_option_is_not_reused_if_its_file_is_missing(
    scheduler: Scheduler, workdir: Path
) -> None:
    scheduler.run(careless("missing"))
    with pytest.raises(FileNotFoundError, match="missing"):
        scheduler.run(careless.options(outputs="must_exist")("missing"))
    scheduler.run(make(["a"]))
    (workdir / "a").unlink()
    assert scheduler.run(make(["a"]))["files"][0].exists()  # made again


def test_patterns_and_other_values_of_the_option_are_left_alone(
    scheduler: Scheduler, workdir: Path
) -> None:
    @task(outputs="must_exist")
    def pattern() -> Any:
        return [FileSet("*.none"), "missing", b"missing"]

    @task(outputs=["anything"])
    def other() -> File:
        return File("missing")

    assert scheduler.run(pattern())[1:] == ["missing", b"missing"]
    assert scheduler.run(other()).path == "missing"


def test_outputs_of_scripts_must_exist_anyway(scheduler: Scheduler, workdir: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        scheduler.run(script("true", outputs=[File("a.txt")]))
    assert "did not write its output" in str(caught.value)
    assert caught.value.filename == "a.txt"
