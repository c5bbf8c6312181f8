"""The examples of the language, run with the program in copies of their directories, each at least twice."""

from __future__ import annotations

import ast
import re
import shutil
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

# As in conftest.py: tasks are registered when their modules are first imported, so not within a test.
import redun.federated_tasks
import redun.functools  # noqa: F401
from redun import get_task_registry

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


class Run(NamedTuple):
    """What a run printed, and how many jobs of each task ran and were cached."""

    result: Any
    ran: dict[str, int]
    cached: dict[str, int]


def jobs(log: str, action: str) -> dict[str, int]:
    names = re.findall(rf"^\[redun\] {action} +Job \w+: +[\w.]*?(\w+)\(", log, re.MULTILINE)
    return dict(Counter(names))


@pytest.fixture
def example(workdir: Path, program: Any) -> Callable[[str], Callable[..., Run]]:
    """Copy an example to the current directory; returns what runs its workflow, with further words."""

    # A sub-scheduler imports the modules of all tasks; those of other tests are not there for it.
    tasks = get_task_registry()._tasks
    for task in list(tasks.values()):
        if not task.load_module.startswith("redun."):
            del tasks[task.fullname]

    def copy(name: str) -> Callable[..., Run]:
        shutil.copytree(EXAMPLES / name, workdir, dirs_exist_ok=True)

        def run(*words: str, before: tuple[str, ...] = ()) -> Run:
            sys.modules.pop("workflow", None)  # as in a process of its own
            done = program(*before, "run", "workflow.py", "main", *words)
            assert done.code == 0, done.err
            printed = done.out[done.out.index("{") :] if "{" in done.out else done.out
            try:
                result = ast.literal_eval(printed)
            except (SyntaxError, ValueError):
                result = printed.strip()
            return Run(result, jobs(done.err, "Run"), jobs(done.err, "Cached"))

        return run

    return copy


def test_control_flow(example: Any) -> None:
    run = example("control_flow")
    first = run()
    assert first.result == {
        "collatz": [6, 3, 10, 5, 16, 8, 4, 2, 1],
        "lenient": [12, 0, 30],
        "checked": "1 of 3 are no numbers",
        "in order": ["first", "second", "third"],
    }
    assert (first.ran["half"], first.ran["triple_plus_one"]) == (6, 2)  # taken branches only
    again = run()
    assert again.result == first.result
    assert again.ran == {"parse": 1}  # the one that failed and was not recovered by itself
    assert len(run("--n", "27").result["collatz"]) == 112


def test_recursion(example: Any) -> None:
    run = example("recursion")
    first = run()
    before, expected = 0, 1
    for _ in range(499):
        before, expected = expected, before + expected
    assert first.result == expected
    assert first.ran == {"main": 1, "fib": 501}
    again = run()
    assert again == Run(expected, {}, {"main": 1, "fib": 501})
    assert run("--n", "510").ran == {"main": 1, "fib": 10}


def test_higher_order(example: Any) -> None:
    run = example("higher_order")
    expected = {"folded": 24, "doubled": [2, 4, 6, 8], "composed": [3, 5, 7, 9], "called": 60}
    assert run().result == expected
    again = run()
    assert (again.result, again.ran) == (expected, {})
    added = run("--name", "add")
    assert added.result == {**expected, "folded": 10, "called": 23}
    assert added.ran.keys() == {"main", "choose", "fold", "add"}


def test_sqlite_handle(example: Any, workdir: Path) -> None:
    run = example("sqlite_handle")
    assert run() == Run(900, {"main": 1, "insert": 1, "discount": 1, "total": 1}, {})
    assert run().ran == {}
    halved = run("--percent", "50")
    assert (halved.result, halved.cached) == (500, {"insert": 1})
    back = run()
    assert (back.result, back.ran) == (900, {"discount": 1})
    with sqlite3.connect(workdir / "shop.db") as connection:
        assert connection.execute("SELECT sum(price) FROM reduced").fetchone() == (900,)
    assert run().ran == {}


def test_etl_staging(example: Any, workdir: Path) -> None:
    def turnover() -> list[tuple[str, str, int]]:
        with sqlite3.connect(workdir / "out" / "turnover.db") as connection:
            return connection.execute("SELECT * FROM turnover").fetchall()

    run = example("etl_staging")
    first = run()
    north = [("north", "cake", 7), ("north", "coffee", 6), ("north", "tea", 12)]
    assert turnover() == [
        *north,
        ("south", "cake", 14),
        ("south", "coffee", 15),
        ("south", "tea", 4),
    ]
    assert first.ran["extract"] == first.ran["transform"] == first.ran["script_task"] == 2
    assert run().ran == {}

    with (workdir / "orders" / "south.csv").open("a") as stream:
        stream.write("4,tea,10,4\n")
    edited = run()
    assert turnover()[-1] == ("south", "tea", 44)
    assert edited.ran["extract"] == edited.ran["transform"] == edited.ran["script_task"] == 1
    assert edited.cached["extract"] == 1

    (workdir / "out" / "north-totals.csv").unlink()
    restored = run()
    assert restored.ran == {"script": 1, "script_task": 1, "postprocess_script": 1, "load": 1}
    assert turnover()[:3] == north


def test_scheduler_task(example: Any) -> None:
    run = example("scheduler_task")
    assert run() == Run("data from south", {"main": 1, "fetch": 2}, {})
    assert run() == Run("data from south", {"fetch": 1}, {"main": 1, "fetch": 1})
    west = run("--reachable", "west")
    assert (west.result, west.ran["fetch"]) == ("data from west", 3)


def test_subrun(example: Any, program: Any) -> None:
    run = example("subrun")
    first = run()
    assert first.result == [211, 262]
    assert first.ran["subrun_root_task"] == 2
    assert program("log", "-").out.count("redun.examples.subrun.score(") == 9  # one of them cached
    assert run() == Run([211, 262], {}, {"main": 1, "subrun_root_task": 2})


def test_federated(example: Any, program: Any) -> None:
    run = example("federated")
    expected = {"mean": 2.25, "spread": 4.5}
    first = run(before=("-c", "config"))
    assert first.result == expected
    assert "team.mean" in program("-c", "team/config", "log", "-").out
    assert "team.mean" not in program("-c", "config", "log", "-").out
    again = run(before=("-c", "config"))
    assert (again.result, again.ran) == (expected, {"subrun_root_task": 1})
    assert "CACHED" in program("-c", "team/config", "log", "-").out


def test_context(example: Any) -> None:
    run = example("context")
    german = ["Guten Tag, Ada.", "Guten Tag, Grace."]
    expected = {"as configured": ["Hello, Ada.", "Hello, Grace."], "in German": german}
    assert run().result == expected
    again = run()
    assert (again.result, again.ran) == (expected, {})
    french = run("--context", "greeting.language=fr")
    assert french.result == {**expected, "as configured": ["Bonjour, Ada.", "Bonjour, Grace."]}
    assert french.ran == {"greet": 2}
    assert run("--context", "greeting.mark=!").result["in German"][0] == "Guten Tag, Ada!"


def test_async_tasks(example: Any) -> None:
    run = example("async_tasks")
    first = run()
    assert first.result == ["server 10: ?ereht si ohw", "server 10: ?yhw"]
    assert first.ran == {"main": 1, "survey": 1, "ask": 51, "longest": 1}
    assert run() == Run(first.result, {}, {"main": 1, "survey": 1})


def test_script_pipeline(example: Any, workdir: Path) -> None:
    run = example("script_pipeline")
    expected = {"better": 8, "is": 10, "than": 8}
    assert run().result == expected
    again = run()
    assert (again.result, again.ran) == (expected, {})
    assert run("--top", "5").result == {**expected, "the": 6, "to": 5}
    with (workdir / "zen.txt").open("a") as stream:
        stream.write("Is it?\n")
    assert run().result == {**expected, "is": 11}
    (workdir / "zen.tsv.gz").unlink()
    restored = run()
    assert restored.ran == {"script": 1, "script_task": 1, "postprocess_script": 1, "unpack": 1}
    assert restored.cached["parse"] == 1


def test_each_example_has_a_readme_and_is_listed() -> None:
    listed = (EXAMPLES.parent / "README.md").read_text()
    names = [path.name for path in EXAMPLES.iterdir() if path.is_dir()]
    assert [name for name in names if not (EXAMPLES / name / "README.md").exists()] == []
    assert [name for name in names if f"(examples/{name})" not in listed] == []
