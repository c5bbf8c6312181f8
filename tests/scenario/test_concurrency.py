"""Many runs on one repo at the same time: nothing fails, nothing is lost, nothing is there twice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from redun.backends.db import CallNode, Execution, Job, RedunBackendDb, Tag, Value

PROCESSES = 8
JOBS = 500

WORKFLOW = """
from redun import apply_tags, task

redun_namespace = "crowd"

@task()
def common(x):
    return {"common": x}

@task()
def own(who, x):
    return apply_tags([who, x], tags=[("who", who)]) if x % 100 == 0 else [who, x]

@task()
def main(who: int, count: int):
    return [common(x) if x % 2 else own(who, x) for x in range(count)]
"""

PROGRAM = (
    WORKFLOW
    + """
import logging, sys
logging.disable(logging.INFO)
from redun.config import Config
from redun.scheduler import Scheduler

uri, who, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
scheduler = Scheduler(config=Config({"backend": {"db_uri": uri}}))
scheduler.load(migrate=True)
print("ready", flush=True)
sys.stdin.readline()
result = scheduler.run(main(who, count), tags=[("crowd", who)])
assert len(result) == count and result[1] == {"common": 1}, result
scheduler.backend.close()
"""
)


@pytest.mark.slow
@pytest.mark.each_repo
def test_processes_that_run_at_once_lose_nothing(shared_repo_uri: str, tmp_path: Path) -> None:
    program = tmp_path / "crowd.py"
    program.write_text(PROGRAM)
    processes = [
        subprocess.Popen(
            [sys.executable, str(program), shared_repo_uri, str(who), str(JOBS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for who in range(PROCESSES)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    errors = [process.communicate(timeout=240)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * PROCESSES, errors
    check_repo(shared_repo_uri)


@pytest.mark.slow
@pytest.mark.each_repo
def test_programs_that_start_at_once_share_a_new_repo(workdir: Path, programs_repo: str) -> None:
    (workdir / "crowd.py").write_text(WORKFLOW)
    redun, count = Path(sys.executable).parent / "redun", str(JOBS)
    programs = []
    for who in map(str, range(PROCESSES)):
        words = ["run", "--tag", f"crowd={who}", "crowd.py", "main", "--who", who, "--count", count]
        with Path(f"{who}.log").open("w") as log:
            programs.append(subprocess.Popen([redun, *words], stdout=log, stderr=log))
    codes = [program.wait(timeout=240) for program in programs]
    logs = {who: Path(f"{who}.log").read_text()[-2000:] for who, code in enumerate(codes) if code}
    assert codes == [0] * PROCESSES, logs
    check_repo(programs_repo)


def check_repo(uri: str) -> None:
    """Everything that was run is there, and the database is sound."""
    backend = RedunBackendDb(uri)
    backend.load()
    check_rows(backend.session)
    if uri.startswith("sqlite"):  # PostgreSQL checks references itself
        for pragma, answer in (("foreign_key_check", []), ("integrity_check", [("ok",)])):
            rows = backend.session.execute(sa.text(f"PRAGMA {pragma}")).all()
            assert [tuple(row) for row in rows] == answer
    backend.close()


def check_rows(session: Any) -> None:
    """Every execution has all its jobs; what is the same in all is there once."""
    executions = session.query(Execution).all()
    assert {execution.status for execution in executions} == {"DONE"}
    assert len(executions) == PROCESSES
    jobs = session.query(Job.execution_id, sa.func.count(), sa.func.count(Job.call_hash))
    assert {tuple(row[1:]) for row in jobs.group_by(Job.execution_id)} == {(JOBS + 1, JOBS + 1)}
    assert session.query(Job).filter(Job.end_time.is_(None)).count() == 0
    # Each process has a root and its own calls, and all have the others in common.
    own = PROCESSES * (JOBS // 2)
    assert session.query(CallNode).count() == PROCESSES + own + JOBS // 2
    by_type = dict(session.query(Value.type, sa.func.count()).group_by(Value.type))
    assert by_type["builtins.dict"] == JOBS // 2
    assert by_type["redun.Task"] == 3
    who = session.query(Tag).filter(Tag.key == "who").count()
    assert who == PROCESSES * JOBS // 100
    assert session.query(Tag).filter(Tag.key == "crowd").count() == PROCESSES
