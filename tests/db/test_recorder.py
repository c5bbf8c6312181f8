from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from redun.backends.base import Records, TagEntity
from redun.backends.db import CallNode, Evaluation, Job, RedunBackendDb, Value
from redun.backends.db.plan import Batch, Planner
from redun.backends.db.statements import TimestampText

PICKLE = "application/python-pickle"


def wait_until(condition, timeout: float = 20.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"
        time.sleep(0.005)


def count(select, table: str) -> int:
    ((number,),) = select(f"SELECT COUNT(*) FROM {table}")
    return number


@pytest.mark.each_repo
def test_rows_are_written_by_themselves_after_a_moment(
    file_backend: RedunBackendDb, select, make_jobs
) -> None:
    records = make_jobs(10)
    file_backend.record(records)
    assert len(records) == 0
    wait_until(lambda: count(select, "call_node") == 10)
    assert count(select, "job") == 11  # the root is still running, but its children refer to it
    assert file_backend.known_calls(["0" * 40]) == set()


@pytest.mark.each_repo
@pytest.mark.parametrize("kind", ["backend", "file_backend"])
def test_all_kinds_of_rows(kind: str, request, make_jobs, make_hash) -> None:
    backend = request.getfixturevalue(kind)
    records = make_jobs(2)
    call, other = (row[0] for row in records.call_nodes)
    argument = records.arguments[0][0]
    value, other_value = records.values[1][0], records.values[2][0]
    records.subvalues.append((value, other_value))
    records.files.append((value, "a.txt"))
    records.handles += [
        ("h" * 40, "ns.conn", value, "", True),
        ("i" * 40, "ns.conn", value, "", True),
    ]
    records.handle_edges.append(("h" * 40, "i" * 40))
    records.call_edges.append((call, other, 3))
    records.argument_results.append((argument, other))
    records.tags.append(("Job", "root-exec", "key", {"b": 1, "a": None}))
    backend.record(records)
    backend.flush()
    node = backend.session.get(CallNode, call)
    assert node.children == [backend.session.get(CallNode, other)]
    assert node.arguments[0].upstream == [backend.session.get(CallNode, other)]
    assert node.timestamp.isoformat() == "2023-11-14T22:13:21+00:00"
    assert [task.task_hash for task in node.task_set] == ["t" * 40]
    value_row = backend.session.get(Value, other_value)
    assert [file.path for file in value_row.subfiles] == ["a.txt"]
    assert {handle.hash for handle in value_row.subhandles} == {"h" * 40, "i" * 40}
    assert value_row.subhandles[0].is_valid
    job = backend.session.get(Job, "root-exec")
    assert [(tag.key, tag.value) for tag in job.tags] == [("key", {"a": None, "b": 1})]
    assert job.end_time is None
    child = job.child_jobs[0]
    assert child.duration.total_seconds() == 1.25
    assert (child.execution.id, child.status, child.cached) == ("exec", "DONE", False)


@pytest.mark.each_repo
@pytest.mark.parametrize("kind", ["backend", "file_backend"])
def test_rows_that_exist_are_left_alone_except_evaluations(kind: str, request, make_jobs) -> None:
    backend = request.getfixturevalue(kind)
    records = make_jobs(1)
    value, other = records.values[1][0], records.values[2][0]
    (evaluation,) = records.evaluations
    backend.record(records)
    backend.flush()
    records.values.append((value, "other.Type", PICKLE, b"other"))
    records.evaluations.append((evaluation[0], "x" * 40, "y" * 40, other))
    records.evaluations.append((evaluation[0], "x" * 40, "y" * 40, value))
    backend.record(records)
    backend.flush()
    session = backend.session
    assert session.get(Value, value).type == "builtins.int"
    row = session.get(Evaluation, evaluation[0])
    assert (row.task_hash, row.args_hash, row.value_hash) == (*evaluation[1:3], value)


@pytest.mark.each_repo
def test_job_that_ends_later_is_updated(file_backend, select, make_jobs) -> None:
    file_backend.record(make_jobs(0))
    file_backend.flush()
    assert select("SELECT end_time FROM job") == [(None,)]
    records = make_jobs(1, root=False)
    call = records.call_nodes[0][0]
    records.job_ends.append(("root-exec", 1_700_000_009.5, True, call))
    file_backend.record(records)
    file_backend.flush()
    assert select("SELECT cached, call_hash FROM job WHERE id = 'root-exec'") == [(True, call)]
    job = file_backend.session.get(Job, "root-exec")
    assert job.end_time.isoformat() == "2023-11-14T22:13:29.500000+00:00"


def test_start_waits_for_its_end_only_as_long_as_nobody_refers_to_it() -> None:
    planner = Planner(patience=1.0)

    def plan(records: Records, now: float = 100.0, everything: bool = False) -> dict[str, object]:
        batch = Batch()
        batch.add(records, [])
        found = planner.plan(batch, now, everything)
        return {
            "jobs": [(row[0], row[2] is not None) for row in dict(found.inserts)["job"]],
            "updates": [row[-1] for row in found.job_updates],
        }

    starts = Records(
        executions=[("e", "[]", "root")],
        job_starts=[
            ("root", 100.0, "t", None, "e"),
            ("parent", 100.1, "t", "root", "e"),
            ("child", 100.2, "t", "parent", "e"),
            ("slow", 100.3, "t", "root", "e"),
        ],
    )
    assert plan(starts) == {"jobs": [("root", False)], "updates": []}
    assert planner.oldest_start == 100.1
    ends = Records(job_ends=[("child", 100.5, False, None)])
    assert plan(ends) == {"jobs": [("child", True), ("parent", False)], "updates": []}
    ends = Records(job_ends=[("parent", 100.6, False, None)])
    assert plan(ends) == {"jobs": [], "updates": ["parent"]}
    assert plan(Records(), now=101.2) == {"jobs": [], "updates": []}
    assert plan(Records(), now=101.4) == {"jobs": [("slow", False)], "updates": []}
    assert planner.oldest_start is None
    more = Records(job_starts=[("late", 102.0, "t", "root", "e")])
    assert plan(more, everything=True) == {"jobs": [("late", False)], "updates": []}


def test_children_of_a_job_that_failed_are_written_with_its_end() -> None:
    """Pushes don't look below a job that has ended, so that a child written later would stay behind."""
    planner = Planner(patience=1.0)
    batch = Batch()
    starts = [
        ("root", 100.0, "t", None, "e"),
        ("failed", 100.1, "t", "root", "e"),
        ("running", 100.2, "t", "failed", "e"),
        ("below", 100.3, "t", "running", "e"),
        ("other", 100.3, "t", "root", "e"),
    ]
    batch.add(Records(executions=[("e", "[]", "root")], job_starts=starts), [])
    planner.plan(batch, 100.4, False)
    batch = Batch()
    batch.add(Records(job_ends=[("failed", 100.5, False, None)]), [])
    jobs = dict(planner.plan(batch, 100.5, False).inserts)["job"]
    assert [(row[0], row[2] is not None) for row in jobs] == [("failed", True), ("running", False)]
    assert planner.oldest_start == 100.3
    batch = Batch()
    batch.add(Records(job_ends=[("root", 100.6, False, None)]), [])
    plan = planner.plan(batch, 100.6, False)
    assert [row[0] for row in dict(plan.inserts)["job"]] == ["other"]
    assert [row[-1] for row in plan.job_updates] == ["root"]


@pytest.mark.each_repo
def test_start_of_a_long_job_is_written_after_a_second(file_backend, select, make_jobs) -> None:
    file_backend.record(make_jobs(0))
    records = Records(job_starts=[("long", time.time(), "t" * 40, "root-exec", "exec")])
    file_backend.record(records)
    wait_until(lambda: count(select, "job") == 2)
    assert select("SELECT end_time, call_hash FROM job WHERE id = 'long'") == [(None, None)]


def test_timestamps_are_rendered_as_sqlite_repos_hold_them() -> None:
    text = TimestampText()
    assert text(0) == "1970-01-01 00:00:00.000000"
    assert text(1_700_000_000.1234567) == "2023-11-14 22:13:20.123457"
    assert text(1_700_000_000.9999999) == "2023-11-14 22:13:21.000000"
    assert text(1_700_000_000.5) == "2023-11-14 22:13:20.500000"


@pytest.mark.each_repo
def test_many_rows_from_many_threads(repo_kind, file_backend, select, make_jobs) -> None:
    file_backend.record(make_jobs(0))
    batches = [make_jobs(20, root=False) for _ in range(40)]

    def hand_over(mine: list[Records]) -> None:
        for records in mine:
            file_backend.record(records)

    threads = [threading.Thread(target=hand_over, args=(batches[n::4],)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    file_backend.flush()
    assert count(select, "job") == 801
    if repo_kind == "sqlite":  # PostgreSQL checks references itself
        assert select("PRAGMA foreign_key_check") == []


@pytest.mark.each_repo
def test_rows_handed_over_can_be_asked_for_at_once(file_backend, make_jobs) -> None:
    records = make_jobs(3)
    calls = [row[0] for row in records.call_nodes]
    values = {row[0] for row in records.values}
    file_backend.record(records)
    assert file_backend.known_calls([*calls, "f" * 40]) == set(calls)
    assert file_backend.known_values([*values, "f" * 40]) == values
    assert set(file_backend.get_call_results(calls)) == set(calls)


@pytest.mark.sqlite
def test_writer_waits_for_the_lock_of_another_process(db_path, make_jobs, select) -> None:
    backend = RedunBackendDb(f"sqlite:///{db_path}", config={"db_retries_backoff": "0.01"})
    backend.load()
    other = sqlite3.connect(db_path, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.3, other.commit)
    release.start()
    backend.record(make_jobs(1))
    backend.flush()
    release.join()
    assert count(select, "call_node") == 1
    other.close()
    backend.close()


@pytest.mark.sqlite
def test_a_full_disk_is_told_at_once_and_rows_are_kept(db_path, make_jobs, select, caplog) -> None:
    backend = RedunBackendDb(f"sqlite:///{db_path}")
    backend.load()
    backend.record(make_jobs(1))
    backend.flush()
    writer = backend.repo.recorder._connect()
    (pages,) = writer.execute("PRAGMA page_count").fetchone()
    writer.execute(f"PRAGMA max_page_count={pages}")
    backend.record(make_jobs(500))
    with pytest.raises(OperationalError, match="database or disk is full"):
        backend.flush()
    assert "retrying" not in caplog.text
    writer.execute("PRAGMA max_page_count=1000000")
    backend.flush()
    assert count(select, "call_node") == 501
    backend.close()


@pytest.mark.sqlite
def test_error_is_shown_and_rows_are_kept_for_another_try(
    db_path, make_jobs, select, monkeypatch: pytest.MonkeyPatch, caplog
) -> None:
    monkeypatch.setattr("redun.backends.db.sqlite.BUSY_TIMEOUT_MS", 1)
    config = {"db_retries": "2", "db_retries_backoff": "0.001"}
    backend = RedunBackendDb(f"sqlite:///{db_path}", config=config)
    backend.load()
    other = sqlite3.connect(db_path)
    other.execute("BEGIN IMMEDIATE")
    backend.record(make_jobs(1))
    with pytest.raises(OperationalError, match="locked"):
        backend.flush()
    messages = [record.getMessage() for record in caplog.records if record.levelname != "INFO"]
    assert messages[0].startswith(
        "Database operation record failed (attempt 1/3), retrying in 0.0s: "
    )
    assert messages[2].startswith("Database operation record failed (max attempts reached 3): ")
    with pytest.raises(OperationalError, match="locked"):
        backend.record(make_jobs(0))
    # A method that writes doesn't start the attempts of the recorder over again.
    before = len(caplog.records)
    with pytest.raises(OperationalError, match="locked"):
        backend.record_tags(TagEntity.Job, "e", [("k", 1)])
    assert len(caplog.records) - before <= 3
    other.rollback()
    backend.flush()
    assert count(select, "call_node") == 1
    other.close()
    backend.close()


@pytest.mark.sqlite
def test_closed_backend_takes_nothing(db_path, make_jobs, select) -> None:
    backend = RedunBackendDb(f"sqlite:///{db_path}")
    backend.load()
    backend.record(make_jobs(1))
    backend.close()
    backend.close()
    assert count(select, "call_node") == 1
    assert not Path(f"{db_path}-wal").exists()


CRASHING = """
import sys, time
from redun.backends.base import Records
from redun.backends.db import RedunBackendDb

backend = RedunBackendDb(sys.argv[1])
backend.load()
task = "t" * 40
kind = "application/python-pickle"
first = Records()
first.values.append((task, "redun.Task", kind, b"task"))
first.tasks.append((task, "leaf", "bench", ""))
first.executions.append(("exec", "[]", "root"))
first.job_starts.append(("root", time.time(), task, None, "exec"))
backend.record(first)
number = 0
while True:
    records = Records()
    for _ in range(50):
        number += 1
        key = f"{number * 7919 % 1000003:020x}{number:020x}"
        value, call, job = "a" + key[1:], "b" + key[1:], f"job-{key}"
        parent = f"parent-{(number + 49) // 50}"
        if number % 50 == 1:
            records.job_starts.append((parent, time.time(), task, "root", "exec"))
        records.values.append((value, "builtins.int", kind, b"x" * 200))
        records.evaluations.append(("c" + key[1:], task, call, value))
        records.call_nodes.append((call, "bench.leaf", task, "d" + key[1:], value, time.time()))
        records.subtree_tasks.append((call, task))
        records.arguments.append(("e" + key[1:], call, value, 0, None))
        records.job_starts.append((job, time.time(), task, parent, "exec"))
        records.job_ends.append((job, time.time(), False, call))
    backend.record(records)
    if number == 1000:
        print("running", flush=True)
"""


@pytest.mark.each_repo
@pytest.mark.parametrize("delay", [0.05, 0.3])
def test_kill_leaves_a_clean_and_closed_repo(
    repo_kind: str, shared_repo_uri: str, delay: float, select
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", CRASHING, shared_repo_uri], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "running\n"
    wait_until(lambda: count(select, "job") > 500)
    time.sleep(delay)  # somewhere within a flush
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    if repo_kind == "sqlite":  # PostgreSQL checks references itself
        assert select("PRAGMA integrity_check") == [("ok",)]
        assert select("PRAGMA foreign_key_check") == []
    backend = RedunBackendDb(shared_repo_uri)
    backend.load()
    before = backend.session.query(Job).count()
    assert before > 500
    assert backend.get_value(backend.record_value("still works")) == ("still works", True)
    backend.close()
