from __future__ import annotations

import pickle
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from redun.backends.db import REDUN_DB_VERSIONS, Execution, Job, RedunBackendDb, parse_db_version
from redun.task import Task

HASH = "0123456789abcdef0123456789abcdef0123456{}".format


@pytest.fixture
def migrate(db_path: Path) -> Iterator[Callable[[str], None]]:
    backend = RedunBackendDb(f"sqlite:///{db_path}")
    yield lambda version: backend.migrate(parse_db_version(version))
    backend.close()


@pytest.fixture
def sql(db_path: Path) -> Callable[..., list[tuple[Any, ...]]]:
    def run(statement: str, *params: Any) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(db_path)) as connection, connection:
            return connection.execute(statement, params).fetchall()

    return run


def insert_runs(sql: Callable[..., Any]) -> None:
    """Two runs as version 1 to 2.2 held them: a tree of three jobs, and a job without execution."""
    sql("INSERT INTO task VALUES (?, 'main', 'ns', 'def main(): ...')", HASH("1"))
    sql("INSERT INTO task VALUES (?, 'script_task', 'redun', '')", HASH("2"))
    for job, parent in (("a", None), ("b", "a"), ("c", "b"), ("lost", None), ("lost2", "lost")):
        sql(
            "INSERT INTO job (id, start_time, end_time, task_hash, cached, parent_id) "
            "VALUES (?, '2022-01-02 03:04:05.678901', NULL, ?, 0, ?)",
            job,
            HASH("1"),
            parent,
        )
    sql("INSERT INTO execution (id, args, job_id) VALUES ('exec', '[]', 'a')")


def test_companion_values_are_made_for_tasks(migrate, sql) -> None:
    migrate("2.0")
    insert_runs(sql)
    sql("INSERT INTO value VALUES (?, 'redun.Task', 'x', 'as it was')", HASH("2"))
    migrate("2.1")
    rows = dict(sql("SELECT value_hash, value FROM value"))
    assert rows[HASH("2")] == "as it was"
    task = pickle.loads(rows[HASH("1")])
    assert isinstance(task, Task)
    assert (task.fullname, task.hash) == ("ns.main", HASH("1"))
    assert sql("SELECT type, format FROM value WHERE value_hash = ?", HASH("1")) == [
        ("redun.Task", "application/python-pickle")
    ]
    migrate("2.0")
    assert len(sql("SELECT * FROM value")) == 2


def test_jobs_get_the_execution_of_their_root(migrate, sql) -> None:
    migrate("2.2")
    insert_runs(sql)
    migrate("2.3")
    assert set(sql("SELECT execution_id FROM job")) == {(None,)}
    migrate("3.0")
    jobs = dict(sql("SELECT id, execution_id FROM job"))
    assert (jobs["a"], jobs["b"], jobs["c"]) == ("exec", "exec", "exec")
    assert jobs["lost"] == jobs["lost2"] != "exec"
    assert sql("SELECT args, job_id FROM execution WHERE id = ?", jobs["lost"]) == [
        ('"Stub Execution"', "lost")
    ]
    with pytest.raises(sqlite3.IntegrityError, match="NOT NULL"):
        sql("UPDATE job SET execution_id = NULL")
    migrate("2.3")
    sql("UPDATE job SET execution_id = NULL WHERE id = 'c'")
    migrate("2.2")
    with pytest.raises(sqlite3.OperationalError, match="execution_id"):
        sql("SELECT execution_id FROM job")


def test_chains_of_jobs_of_any_length_get_their_execution(migrate, sql, db_path) -> None:
    migrate("2.2")
    insert_runs(sql)
    connection = sqlite3.connect(db_path)
    connection.executemany(
        "INSERT INTO job (id, start_time, task_hash, cached, parent_id) "
        "VALUES (?, '2022-01-02 03:04:05', ?, 0, ?)",
        [(f"c{n}", HASH("1"), f"c{n - 1}" if n else "c") for n in range(3000)],
    )
    connection.commit()
    connection.close()
    migrate("3.0")
    assert sql("SELECT COUNT(*) FROM job WHERE execution_id = 'exec'") == [(3003,)]


@pytest.fixture
def tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("tokyo")
def test_times_of_jobs_become_utc(migrate, sql) -> None:
    migrate("2.2")
    insert_runs(sql)
    sql("UPDATE job SET end_time = '2022-01-02 12:00:00' WHERE id = 'a'")
    migrate("3.3")
    before = sql("SELECT id, start_time, end_time FROM job ORDER BY id")
    migrate("3.4")
    assert sql("SELECT start_time, end_time FROM job WHERE id = 'a'") == [
        ("2022-01-01 18:04:05.678901", "2022-01-02 03:00:00")
    ]
    assert sql("SELECT end_time FROM job WHERE id = 'b'") == [(None,)]
    migrate("3.3")
    assert sql("SELECT id, start_time, end_time FROM job ORDER BY id") == before


def test_rows_survive_all_versions_up_and_down(migrate, sql, db_path) -> None:
    migrate("1.0")
    insert_runs(sql)
    sql("INSERT INTO value VALUES (?, 'builtins.int', 'application/python-pickle', 'x')", HASH("3"))
    sql("INSERT INTO file VALUES (?, 'a.txt')", HASH("3"))
    sql("INSERT INTO subvalue VALUES (?, ?)", HASH("3"), HASH("3"))
    for version in REDUN_DB_VERSIONS[1:]:
        migrate(str(version))
    sql(
        "INSERT INTO tag VALUES (?, 'Job', 'a', 'k', '1', 1)",
        HASH("4"),
    )
    assert sql("PRAGMA foreign_key_check") == []
    assert sql("PRAGMA integrity_check") == [("ok",)]
    backend = RedunBackendDb(f"sqlite:///{db_path}")
    backend.load(migrate=False)
    execution = backend.session.get(Execution, "exec")
    assert sorted(job.id for job in execution.jobs) == ["a", "b", "c"]
    assert backend.session.get(Job, "c").parent_job.id == "b"
    backend.close()
    for version in reversed(REDUN_DB_VERSIONS[:-1]):
        migrate(str(version))
    assert len(sql("SELECT * FROM job")) == 5
    assert sql("SELECT path FROM file") == [("a.txt",)]
    migrate("latest")
    assert sql("SELECT COUNT(*) FROM tag") == [(0,)]
    assert sql("PRAGMA foreign_key_check") == []


def test_failed_migration_leaves_the_database_as_it_was(migrate, sql, schema_of, db_path) -> None:
    migrate("3.2")
    sql("CREATE INDEX ix_value_type ON value (type)")
    before = schema_of(db_path)
    with pytest.raises(Exception, match="ix_value_type"):
        migrate("3.5")
    assert schema_of(db_path) == before
    assert sql("SELECT version_num FROM alembic_version") == [("eb7b95e4e8bf",)]


@pytest.mark.parametrize("version", ["", "3.3"])
def test_processes_that_open_one_new_repo_at_once_all_succeed(
    db_path: Path, version: str, migrate, read_rows
) -> None:
    if version:
        migrate(version)
    program = (
        "import sys; from redun.backends.db import RedunBackendDb\n"
        "backend = RedunBackendDb(sys.argv[1])\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "backend.load(); backend.record_value(sys.argv[2]); backend.close()\n"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, f"sqlite:///{db_path}", f"value {number}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.communicate("go\n", timeout=60)
    assert [process.returncode for process in processes] == [0, 0, 0, 0]
    assert len(read_rows(db_path, "SELECT * FROM value")) == 4
    assert len(read_rows(db_path, "SELECT * FROM redun_version")) == (2 if version else 1)
