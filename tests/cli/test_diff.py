"""`redun diff`: what changed from one execution to another."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

WORKFLOW = """
from redun import File, task

redun_namespace = "grid"


@task()
def cell(x: int) -> int:
    return x


@task()
def store(cells: list) -> File:
    file = File("cells.txt")
    file.write(str(cells))
    return file


@task()
def main(n: int = 2, offset: int = 0) -> File:
    return store([cell(i + offset) for i in range(n)])
"""

GOLDEN = """\
- Exec <id> [ DONE ] <time>:  run grid.py main (<tags>)
+ Exec <id> [ DONE ] <time>:  run grid.py main --n 3 (<tags>)
Duration: <duration> -> <duration>

Code:
  code of grid.cell changed: body
    @@ -1,2 +1,2 @@
     def cell(x: int) -> int:
    -    return x
    +    return 2 * x

~ grid.main  Job <id> -> <id>  <duration> -> <duration>
    argument `n` changed: 2 -> 3
    result: File(path=cells.txt, hash=<id>) -> File(path=cells.txt, hash=<id>)
    file cells.txt: changed
~ grid.cell  Job <id> -> <id>  <duration> -> <duration>
    code changed
~ grid.cell  Job <id> -> <id>  <duration> -> <duration>
    code changed
    result: 1 -> 2
+ grid.cell  Job <id>  <duration>
~ grid.store  Job <id> -> <id>  <duration> -> <duration>
    argument `cells` changed: [0, 1] -> [0, 2, 4]
    result: File(path=cells.txt, hash=<id>) -> File(path=cells.txt, hash=<id>)
    file cells.txt: changed

Jobs: 1 new, 0 gone, 4 changed, 0 same
"""


def anonymous(text: str) -> str:
    """Output without what differs from run to run."""
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "<time>", text)
    text = re.sub(r"\d+:\d\d:\d\d\.\d\d", "<duration>", text)
    text = re.sub(r"\(project=.*\)", "(<tags>)", text)
    # Told where a task took notably longer or shorter: on a busy machine, any may.
    text = re.sub(r"\nSeconds of jobs that ran:\n(  .*\n)+", "", text)
    return re.sub(r"\b[0-9a-f]{8}\b", "<id>", text)


@pytest.fixture
def grid(workdir: Path, cli) -> None:
    """Two executions of a workflow, the second with other code and another argument."""
    script = workdir / "grid.py"
    script.write_text(WORKFLOW)
    assert cli("run", "grid.py", "main").code == 0
    script.write_text(WORKFLOW.replace("return x\n", "return 2 * x\n"))
    assert cli("run", "grid.py", "main", "--n", "3").code == 0


def test_text(grid, program) -> None:
    done = program("diff")
    assert done.code == 0
    # Siblings that start together are recorded in either order.
    assert sorted(anonymous(done.out).splitlines()) == sorted(GOLDEN.splitlines())
    assert anonymous(done.out).startswith(GOLDEN.split("~ grid")[0])


def test_the_other_way_round_new_jobs_are_gone(grid, program) -> None:
    out = program("diff", "-", "~2").out
    assert "Jobs: 0 new, 1 gone, 4 changed, 0 same" in out
    assert "    -    return 2 * x\n    +    return x\n" in out


def test_json(grid, program) -> None:
    records = [json.loads(line) for line in program("diff", "--format", "json").out.splitlines()]
    assert records[0]["before"]["jobs"] == 4
    assert records[0]["after"]["jobs"] == 5
    (code,) = [record for record in records if record["type"] == "code"]
    assert (code["task"], code["kind"]) == ("grid.cell", "body")
    jobs = [record for record in records if record["type"] == "job"]
    (store,) = [job for job in jobs if job["task"] == "grid.store"]
    assert store["change"] == "changed"
    assert store["arguments"][0]["argument"] == "cells"
    assert store["files"] == [{"path": "cells.txt", "change": "changed"}]


def test_equal_executions(grid, program, cli) -> None:
    assert cli("run", "grid.py", "main", "--n", "3").code == 0
    out = program("diff").out
    assert "Jobs: 0 new, 0 gone, 0 changed, 5 same" in out
    assert "~" not in out


def test_an_execution_against_itself_is_an_error(grid, program) -> None:
    done = program("diff", "-", "~1")
    assert done.code == 1
    assert "are the same execution" in done.err


def test_a_job_is_no_execution(grid, program) -> None:
    job = json.loads(program("log", "--job", "--format", "json").out.splitlines()[0])["id"]
    done = program("diff", job, "-")
    assert done.code == 1
    assert f"`{job}` is a job" in done.err


def test_a_workflow_against_another(grid, workdir: Path, program, cli) -> None:
    (workdir / "other.py").write_text(
        'from redun import task\nredun_namespace = "o"\n@task()\ndef main():\n    return 1\n'
    )
    assert cli("run", "other.py", "main").code == 0
    out = program("diff").out
    # Both are called main: the roots are compared, and all below is gone.
    assert "4 gone, 1 changed" in out
