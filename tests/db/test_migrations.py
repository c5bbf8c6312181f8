from __future__ import annotations

import pickle
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from redun.backends.base import Records, TagEntity
from redun.backends.db import REDUN_DB_VERSIONS, Execution, RedunBackendDb, parse_db_version
from redun.task import Task

pytestmark = pytest.mark.each_repo

HASH = "0123456789abcdef0123456789abcdef0123456{}".format


@pytest.fixture
def migrate(database_uri: str) -> Iterator[Callable[[str], None]]:
    backend = RedunBackendDb(database_uri)
    yield lambda version: backend.migrate(parse_db_version(version))
    backend.close()


def insert_runs(sql: Callable[..., Any]) -> None:
    """Two runs as version 1 to 2.2 held them: a tree of three jobs, and a job without execution."""
    sql("INSERT INTO task VALUES (?, 'main', 'ns', 'def main(): ...')", HASH("1"))
    sql("INSERT INTO task VALUES (?, 'script_task', 'redun', '')", HASH("2"))
    for job, parent in (("a", None), ("b", "a"), ("c", "b"), ("lost", None), ("lost2", "lost")):
        sql(
            "INSERT INTO job (id, start_time, end_time, task_hash, cached, parent_id) "
            "VALUES (?, '2022-01-02 03:04:05.678901', NULL, ?, FALSE, ?)",
            job,
            HASH("1"),
            parent,
        )
    sql("INSERT INTO execution (id, args, job_id) VALUES ('exec', '[]', 'a')")


def test_companion_values_are_made_for_tasks(migrate, sql) -> None:
    migrate("2.0")
    insert_runs(sql)
    sql("INSERT INTO value VALUES (?, 'redun.Task', 'x', ?)", HASH("2"), b"as it was")
    migrate("2.1")
    rows = dict(sql("SELECT value_hash, value FROM value"))
    assert rows[HASH("2")] == b"as it was"
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
    with pytest.raises((sqlite3.IntegrityError, psycopg.IntegrityError), match=r"(?i)not.null"):
        sql("UPDATE job SET execution_id = NULL")
    migrate("2.3")
    sql("UPDATE job SET execution_id = NULL WHERE id = 'c'")
    migrate("2.2")
    with pytest.raises((sqlite3.Error, psycopg.Error), match="execution_id"):
        sql("SELECT execution_id FROM job")


def test_chains_of_jobs_of_any_length_get_their_execution(migrate, sql) -> None:
    migrate("2.2")
    insert_runs(sql)
    sql(
        "INSERT INTO job (id, start_time, task_hash, cached, parent_id) "
        "WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < 2999)"
        "SELECT 'c' || n, start_time, task_hash, cached, 'c' || CASE WHEN n > 0 "
        "THEN CAST(n - 1 AS VARCHAR) ELSE '' END FROM numbers, job WHERE id = 'b'"
    )
    migrate("3.0")
    assert sql("SELECT COUNT(*) FROM job WHERE execution_id = 'exec'") == [(3003,)]


@pytest.fixture
def tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.sqlite
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


def table_rows(engine: sa.Engine) -> dict[str, list[tuple[Any, ...]]]:
    """All rows by table, except the log of migrations and the revision."""
    with engine.connect() as connection:
        names = sorted(sa.inspect(connection).get_table_names())
        tables = [name for name in names if name not in ("redun_version", "alembic_version")]
        return {
            name: sorted(map(tuple, connection.execute(sa.text(f"SELECT * FROM {name}"))), key=repr)
            for name in tables
        }


def fill(backend: RedunBackendDb, records: Records) -> None:
    """Puts rows in every table."""
    call, other = (row[0] for row in records.call_nodes)
    value, other_value = records.values[1][0], records.values[2][0]
    records.subvalues.append((value, other_value))
    records.files.append((value, "a.txt"))
    records.handles += [(key * 40, "ns.conn", value, "", key == "h") for key in "hi"]
    records.handle_edges.append(("h" * 40, "i" * 40))
    records.call_edges.append((call, other, 3))
    records.argument_results.append((records.arguments[0][0], other))
    records.arguments.append(("e" * 40, call, value, None, "key"))
    backend.record(records)
    backend.record_updated_time("exec")
    backend.record_tags(TagEntity.Job, "root-exec", [("k", {"a": [1, "b"]})])
    backend.record_tags(TagEntity.Job, "root-exec", [("k", 2)], update=True)
    assert all(table_rows(backend.engine).values())


def test_rows_survive_all_versions_up_and_down(database_uri, make_jobs) -> None:
    backend = RedunBackendDb(database_uri)
    backend.load(migrate=True)
    fill(backend, make_jobs(2))
    backend.close()
    backend.create_engine()
    expected = table_rows(backend.engine)
    for version in reversed(REDUN_DB_VERSIONS[:-1]):
        backend.migrate(version)
        assert backend.get_db_version() is version
        backend.migrate()
        if version < parse_db_version("3.5"):
            ((*execution, _),) = expected["execution"]
            expected["execution"] = [(*execution, None)]
        if version < parse_db_version("3.1"):
            expected["tag"] = expected["tag_edit"] = []
        if version < parse_db_version("2.0"):
            expected["evaluation"] = []
        assert table_rows(backend.engine) == expected, f"down to {version} and up again"
    backend.close()
    backend.load()
    assert backend.hash_scheme == "blake3"
    execution = backend.session.get(Execution, "exec")
    assert sorted(job.id for job in execution.jobs) == sorted(row[0] for row in expected["job"])
    backend.close()


@pytest.mark.parametrize("scheme", ["blake3", "redun1"])
def test_downgraded_repo_keeps_its_hash_scheme(database_uri, scheme: str, caplog) -> None:
    backend = RedunBackendDb(database_uri, config={"hash_scheme": scheme})
    backend.load(migrate=True)
    value_hash = backend.record_value([1])
    backend.close()
    backend.migrate(parse_db_version("3.5"))
    assert ("This repo stays hashed as 'blake3'" in caplog.text) == (scheme == "blake3")
    for migrate in (False, True):
        again = RedunBackendDb(database_uri)
        again.load(migrate)
        assert again.hash_scheme == scheme
        assert again.record_value([1]) == value_hash
        again.close()
    backend.close()


def test_what_older_versions_have_no_room_for_stays(database_uri, sql, make_jobs) -> None:
    backend = RedunBackendDb(database_uri)
    backend.load(migrate=True)
    records = make_jobs(1)
    argument, long_name = records.arguments[0], "n" * 300
    records.arguments.append(("a" * 40, argument[1], argument[2], None, long_name))
    backend.record(records)
    large = "".join(map(str, range(5000)))
    backend.record_tags(TagEntity.Job, "root-exec", [("doc", large)])
    backend.close()
    backend.migrate(parse_db_version("3.5"))
    assert sql("SELECT arg_key FROM argument WHERE arg_key IS NOT NULL") == [(long_name,)]
    backend.load(migrate=True)
    assert backend.get_tags(["root-exec"])["root-exec"]["doc"] == [large]
    backend.close()


def test_failed_migration_leaves_the_database_as_it_was(
    migrate, sql, schema_of, database_uri
) -> None:
    migrate("3.2")
    sql("CREATE INDEX ix_value_type ON value (type)")
    before = schema_of(database_uri)
    with pytest.raises(Exception, match="ix_value_type"):
        migrate("3.5")
    assert schema_of(database_uri) == before
    assert sql("SELECT version_num FROM alembic_version") == [("eb7b95e4e8bf",)]


@pytest.mark.parametrize("version", ["", "3.3"])
def test_processes_that_open_one_new_repo_at_once_all_succeed(
    database_uri: str, version: str, migrate, sql
) -> None:
    if version:
        migrate(version)
    program = (
        "import sys; from redun.backends.db import RedunBackendDb\n"
        "backend = RedunBackendDb(sys.argv[1])\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "backend.load(migrate=True); backend.record_value(sys.argv[2]); backend.close()\n"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, database_uri, f"value {number}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(3)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert sql("SELECT COUNT(*) FROM value") == [(3,)]
    assert sql("SELECT COUNT(*) FROM redun_version") == [(2 if version else 1,)]
