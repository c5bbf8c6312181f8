"""Transfers that are killed, or that share the target with somebody else who writes."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

RECORD = """
import sys
from redun.backends.base import Records
from redun.backends.db import RedunBackendDb

def fill(backend, name, jobs):
    records = Records()
    def key(text):
        import hashlib
        return hashlib.sha1(f"{name}{text}".encode()).hexdigest()
    task = "f" * 40
    records.values.append((task, "redun.Task", "application/python-pickle", b"task"))
    records.tasks.append((task, "noop", "bench", "def noop(x): ..."))
    records.executions.append((name, "[]", f"{name}-root"))
    records.job_starts.append((f"{name}-root", 1.7e9, task, None, name))
    for i in range(jobs):
        value, call, args, arg = (key(f"{kind}{i}") for kind in ("v", "c", "a", "g"))
        parent = f"{name}-root" if i % 7 else (f"{name}-{i - 7}" if i else f"{name}-root")
        records.values.append((value, "builtins.int", "application/python-pickle", b"x" * 20))
        records.call_nodes.append((call, "bench.noop", task, args, value, 1.7e9))
        records.subtree_tasks.append((call, task))
        records.arguments.append((arg, call, value, 0, None))
        records.job_starts.append((f"{name}-{i}", 1.7e9 + i, task, parent, name))
        records.job_ends.append((f"{name}-{i}", 1.8e9, False, call))
    records.job_ends.append((f"{name}-root", 1.8e9, False, key("c0")))
    records.tags.append(("Execution", name, "k", 1))
    backend.record(records)
    backend.flush()

def open_repo(uri, **config):
    backend = RedunBackendDb(uri, config)
    backend.load()
    return backend
"""

PUSH = (
    RECORD
    + """
import os, signal
from redun.sync.transfer import transfer

how, batch, last = sys.argv[3], *map(int, sys.argv[4:])
# Databases copy among themselves, unless payloads have to be looked after.
config = {"value_store_path": "values"} if how == "rows" else {}
source, target = open_repo(sys.argv[1]), open_repo(sys.argv[2], **config)
done = 0

def dying(write):
    def write_and_die(*args):
        global done
        done += 1
        counts = write(*args)
        if done == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return counts
    return write_and_die

if how == "rows":
    target.records._writer.write = dying(target.records._writer.write)
else:
    from redun.backends.db import attached
    attached._Work._copy = dying(attached._Work._copy)
print(transfer(source.records, target.records, verify=False, batch=batch).total)
"""
)

WRITE = (
    RECORD
    + """
backend = open_repo(sys.argv[1])
for number in range(40):
    fill(backend, f"mine{number}", 30)
    print(number, flush=True)
backend.close()
"""
)

pytestmark = pytest.mark.usefixtures("workdir")

#: One file is attached to the connection to another.
FILES = pytest.mark.sqlite

Repos = Callable[[str], str]
Rows = Callable[[str], dict[str, list[Any]]]

TABLES = dict.fromkeys(
    ("execution", "job", "call_node", "argument", "call_subtree_task", "value", "task", "tag"), "*"
)
# Signs of life stay where they were given.
TABLES["execution"] = "id, args, job_id"


def run(program: str, *words: object) -> subprocess.CompletedProcess[str]:
    """Runs a program in a process of its own."""
    command = [sys.executable, "-c", program, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.fixture
def source(new_repo: Repos) -> str:
    """A repo with two executions of 300 jobs, some of them nested."""
    uri = new_repo("source.db")
    code = "backend = open_repo(sys.argv[1])\nfor name in 'ab': fill(backend, name, 300)\nbackend.close()"
    done = run(f"{RECORD}\n{code}", uri)
    assert done.returncode == 0, done.stderr
    return uri


@pytest.fixture
def rows(rows_of: Any) -> Rows:
    """Gives the rows of a repo, which must be sound."""

    def read(uri: str) -> dict[str, list[Any]]:
        if uri.startswith("sqlite"):  # PostgreSQL checks references itself
            assert rows_of(uri, "PRAGMA integrity_check") == [("ok",)]
            assert rows_of(uri, "PRAGMA foreign_key_check") == []
        return {
            table: sorted(rows_of(uri, f"SELECT {what} FROM {table}"), key=repr)
            for table, what in TABLES.items()
        }

    return read


@pytest.mark.parametrize(
    ("how", "last"),
    [
        ("rows", 1),
        ("rows", 9),
        pytest.param("attached", 1, marks=FILES),
        pytest.param("attached", 10, marks=FILES),
        pytest.param("attached", 40, marks=FILES),
        pytest.param("attached", 77, marks=FILES),
    ],
)
def test_a_killed_push_is_completed_by_the_next(
    new_repo: Repos, rows: Rows, source: str, how: str, last: int
) -> None:
    target = new_repo("target.db")
    killed = run(PUSH, source, target, how, 100, last)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    before = rows(target)
    ended = {row[0] for row in before["job"] if row[2] is not None}
    assert {row[0] for row in rows(source)["job"] if row[6] in ended} <= {
        row[0] for row in before["job"]
    }
    done = run(PUSH, source, target, how, 100, 0)
    assert done.returncode == 0, done.stderr
    assert rows(target) == rows(source)
    assert run(PUSH, source, target, how, 100, 0).stdout == "0\n"


@pytest.mark.parametrize("how", ["rows", pytest.param("attached", marks=FILES)])
def test_pushing_to_a_repo_that_somebody_else_writes_to(
    new_repo: Repos, rows: Rows, source: str, how: str
) -> None:
    target = new_repo("target.db")
    assert run(f"{RECORD}\nopen_repo(sys.argv[1]).close()", target).returncode == 0
    command = [sys.executable, "-c", WRITE, str(target)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "0\n"
        done = run(PUSH, source, target, how, 50, 0)
        assert done.returncode == 0, done.stderr
        writer.stdout.read()
    assert writer.returncode == 0
    found, whole = rows(target), rows(source)
    assert len(found["execution"]) == 42
    assert {row[0] for row in whole["job"]} <= {row[0] for row in found["job"]}
