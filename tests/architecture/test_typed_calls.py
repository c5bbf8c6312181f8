"""What a type checker makes of task calls: mypy in its strict mode on a small workflow.

A comment tells what mypy is to say of its line: `# is: TYPE` for a revealed type, `# error: CODE`. Of
all other lines it says nothing.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

WORKFLOW = """
from redun import File, PartialTask, Scheduler, Task, get_context, task
from redun.functools import delay, force, identity
from redun.promise import Promise
from redun.scheduler import Job, scheduler_task

redun_namespace = "typed"


@task
def bare(x: int) -> str:
    return str(x)


@task()
def called(x: int, y: str = "") -> list[str]:
    return [y] * x


@task(name="other", version="1", memory=2, executor="process")
def configured(path: File) -> int:
    return 1


@task(cache=False)
async def fetch(x: int) -> int:
    return x


@task(cache=False)
async def fetch_twice() -> int:
    return await fetch(1) + await fetch("2")  # error: arg-type


@scheduler_task()
def own(scheduler: Scheduler, parent_job: Job, sexpr: object, x: int) -> Promise[str]:
    return Promise()


reveal_type(bare)  # is: redun.task.task.Task[[x: int], str]
reveal_type(bare(1))  # is: str
reveal_type(called(1, y="a"))  # is: list[str]
reveal_type(configured(File("a")))  # is: int
reveal_type(called.options(memory=1))  # is: redun.task.task.Task[[x: int, y: str =], list[str]]
reveal_type(called.options(memory=1)(1))  # is: list[str]
reveal_type(called.export_options(memory=1)(1))  # is: list[str]
reveal_type(called.update_context({"a": 1})(1))  # is: list[str]
reveal_type(called.partial(1))  # is: redun.task.task.PartialTask[..., list[str]]
reveal_type(called.partial(1)(y="a"))  # is: list[str]
reveal_type(called.partial(1).options(memory=1).partial(y="a")())  # is: list[str]
reveal_type(own)  # is: redun.task.task.SchedulerTask[[x: int], str]
reveal_type(own(1))  # is: str
reveal_type(own.options(cache=False)(1))  # is: str
reveal_type(identity(bare(1)))  # is: str
reveal_type(force(delay(bare(1))))  # is: str
reveal_type(get_context("a.b"))  # is: Any

# Results are used as what the tasks return.
reveal_type(bare(1) + "!")  # is: str
reveal_type(called(1)[0].upper())  # is: str
reveal_type([configured(File(path)) for path in called(2)])  # is: list[int]
called(configured(File("a")), y=bare(1))
called(bare(1))  # error: arg-type

plain: Task[[int], str] = bare
partial: PartialTask[..., list[str]] = called.partial(1)
wrong: Task[[str], str] = bare  # error: assignment

bare("a")  # error: arg-type
bare()  # error: call-arg
bare(1, 2)  # error: call-arg
called(1, z=1)  # error: call-arg
called.options(memory=1)("a")  # error: arg-type
configured("a path")  # error: arg-type
own("a")  # error: arg-type
bare(1) + 1  # error: operator
"""

MARK = re.compile(r"  # (is|error): (.*)$")
SAID = re.compile(r"workflow\.py:(\d+): (?:note: Revealed type is \"(.*)\"|error: .*\[([\w-]+)\])$")


def test_mypy_knows_tasks_and_what_they_return(tmp_path: Path) -> None:
    (tmp_path / "workflow.py").write_text(WORKFLOW)
    (tmp_path / "mypy.ini").write_text("[mypy]\nstrict = true\n")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "workflow.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    # Releases of mypy differ in whether they spell out where builtin types come from.
    output = re.sub(r"\b(builtins|typing)\.", "", done.stdout)
    said = [match.groups() for match in map(SAID.match, output.splitlines()) if match]
    found = {int(line): revealed or code for line, revealed, code in said}
    marks = {number: MARK.search(line) for number, line in enumerate(WORKFLOW.splitlines(), 1)}
    expected = {number: mark.group(2) for number, mark in marks.items() if mark}
    assert found == expected, done.stdout + done.stderr
