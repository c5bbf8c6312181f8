from __future__ import annotations

import datetime as dt
import threading
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError, OperationalError

from redun import Handle, task
from redun.backends.base import Records, get_backend_from_config
from redun.backends.db import (
    CallNode,
    Execution,
    Job,
    RedunBackendDb,
    RedunDatabaseError,
    Subvalue,
    Task,
    Value,
    get_abs_path,
    with_defer_constraints,
)
from redun.backends.db import File as FileRow
from redun.backends.db import Handle as HandleRow
from redun.db_utils import filter_in, get_or_create, query_filter_in
from redun.file import Dir, File
from redun.hashing import get_scheme, hash_struct

pytestmark = pytest.mark.each_repo

redun_namespace = "dbtest"


@task(version="1")
def sample(x: int) -> int:
    return x


@task(version="1")
def other(x: int) -> int:
    return x


class Conn(Handle):
    opened = 0

    def __init__(self, name: str) -> None:
        type(self).opened += 1


def make_job(job_id: str, parent: Any = None, **attrs: Any) -> Any:
    attrs = {"was_cached": False, "call_hash": None, **attrs}
    return SimpleNamespace(
        id=job_id, task=sample, execution=SimpleNamespace(id="exec"), parent_job=parent, **attrs
    )


# Options.


def test_options_and_their_defaults() -> None:
    backend = RedunBackendDb()
    assert backend.db_uri == "sqlite:///.redun/redun.db"
    assert (backend.automigrate, backend.max_value_size) == (True, 1000000000)
    assert RedunBackendDb("postgresql://host/db").automigrate is False
    assert RedunBackendDb("sqlite://").automigrate is False
    backend = RedunBackendDb("sqlite:///a.db", config={"db_uri": "b", "automigrate": "False"})
    assert (backend.db_uri, backend.automigrate) == ("sqlite:///a.db", False)
    with pytest.raises(ValueError, match="Cannot parse bool: 'maybe'"):
        RedunBackendDb(config={"automigrate": "maybe"})


def test_backend_from_config() -> None:
    assert get_backend_from_config(None).db_uri == "sqlite:///:memory:"
    backend = get_backend_from_config({"db_uri": "sqlite:///x.db", "max_value_size": "7"})
    assert (backend.db_uri, backend.max_value_size) == ("sqlite:///x.db", 7)


def test_credentials_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    from redun.backends.db.engines import get_engine_url

    def url(db_uri: str, **config: str) -> str:
        return get_engine_url(db_uri, config).render_as_string(hide_password=False)

    with pytest.raises(RedunDatabaseError, match="Do not include passwords in DB URIs"):
        url("postgresql://me:secret@host/db")
    monkeypatch.setenv("REDUN_DB_PASSWORD", "a b/c")
    assert url("postgresql://host/db") == "postgresql+psycopg://host/db"
    assert url("postgresql+psycopg2://me@host/db") == "postgresql+psycopg2://me:a b%2Fc@host/db"
    monkeypatch.setenv("OTHER_USER", "you")
    assert url("postgresql://me@host/db", db_username_env="OTHER_USER") == (
        "postgresql+psycopg://you:a b%2Fc@host/db"
    )
    assert url("sqlite:///a.db") == "sqlite:///a.db"


def test_get_abs_path() -> None:
    assert get_abs_path("/root", "a/b") == "/root/a/b"
    assert get_abs_path("/root", "/a") == "/a"
    assert get_abs_path("/root", "s3://bucket/a") == "s3://bucket/a"


def test_database_that_cannot_be_opened(tmp_path) -> None:
    with pytest.raises(OperationalError, match="unable to open database file"):
        RedunBackendDb(f"sqlite:///{tmp_path}/missing/redun.db").load()
    assert not (tmp_path / "missing").exists()
    (tmp_path / "text").write_text("This is no database, but long enough to look like a file." * 9)
    with pytest.raises(DatabaseError, match="file is not a database"):
        RedunBackendDb(f"sqlite:///{tmp_path}/text").load()


def test_using_a_repo_that_is_not_open() -> None:
    backend = RedunBackendDb("sqlite:///:memory:")
    assert backend.session is None
    for use in (backend.flush, backend.clone, lambda: backend.record(Records())):
        with pytest.raises(RedunDatabaseError, match="loaded"):
            use()


@pytest.mark.sqlite
def test_file_repos_use_a_write_ahead_log(file_backend, db_path, read_rows) -> None:
    assert read_rows(db_path, "PRAGMA journal_mode") == [("wal",)]
    with file_backend.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 1


# Sessions.


def test_session_sees_what_was_committed(file_backend, make_jobs) -> None:
    file_backend.record(make_jobs(0))
    file_backend.flush()
    job = file_backend.session.get(Job, "root-exec")
    assert job.end_time is None
    file_backend.record(Records(job_ends=[("root-exec", 1.7e9, False, None)]))
    file_backend.flush()
    assert file_backend.session.get(Job, "root-exec") is job
    assert job.end_time is not None


def test_reading_does_not_hold_up_the_writer(file_backend, make_jobs) -> None:
    session = file_backend.session
    assert session.query(Value).all() == []
    file_backend.record(make_jobs(3))
    file_backend.flush()
    assert session.query(CallNode).count() == 3


def test_session_can_be_replaced(file_backend) -> None:
    session = file_backend.Session()
    file_backend.session = session
    assert file_backend.session is session
    with file_backend.with_session() as current:
        assert current is session


def test_clone_shares_the_repo_but_not_the_session(file_backend) -> None:
    clone = file_backend.clone()
    value_hash = clone.record_value("shared")
    assert clone.session is not file_backend.session
    assert clone.engine is file_backend.engine
    assert clone.session.get(Value, value_hash).value_parsed == "shared"
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(clone.get_value(value_hash)))
    thread.start()
    thread.join()
    assert found == [("shared", True)]
    clone.session.close()


@pytest.mark.sqlite
def test_with_defer_constraints_restores_the_checks(file_backend) -> None:
    session = file_backend.session

    def write_and_fail() -> None:
        with with_defer_constraints(session):
            session.add(Subvalue(value_hash="a" * 40, parent_value_hash="b" * 40))
            session.commit()
            raise KeyError

    with pytest.raises(KeyError):
        write_and_fail()
    assert session.execute(sa.text("PRAGMA foreign_keys")).scalar() == 1
    assert session.query(Subvalue).count() == 1


# Values.


def test_values_are_recorded_once(backend: RedunBackendDb) -> None:
    value_hash = backend.record_value([1, "a"])
    assert backend.record_value([1, "a"]) == value_hash
    assert backend.get_value(value_hash) == ([1, "a"], True)
    assert backend.get_value("f" * 40) == (None, False)
    row = backend.session.get(Value, value_hash)
    assert (row.type, row.format) == ("builtins.list", "application/python-pickle")


def test_values_inside_values_are_linked(backend: RedunBackendDb, workdir) -> None:
    (workdir / "d").mkdir()
    (workdir / "d" / "x").write_text("x")
    file = File("a.txt")
    whole = backend.record_value({"files": [file, [file]], "dir": Dir("d"), "task": sample})
    session = backend.session
    kinds = sorted(child.type for child in session.get(Value, whole).children)
    assert kinds == ["redun.Dir", "redun.File", "redun.File", "redun.Task"]
    assert {row.path for row in session.query(FileRow)} == {"a.txt", "d/x"}
    assert session.get(Task, sample.hash).fullname == "dbtest.sample"


def test_too_large_value_is_refused() -> None:
    backend = RedunBackendDb("sqlite:///:memory:", config={"max_value_size": "100"})
    backend.load()
    backend.record_value("x" * 50)
    with pytest.raises(RedunDatabaseError, match=r"Value 'x+\.\.\. is too large \(> 100\)"):
        backend.record_value("x" * 300)
    backend.close()


def test_value_whose_class_is_gone_is_no_value(backend: RedunBackendDb) -> None:
    rows = {
        "1" * 40: b"\x80\x03cno_such_module\nFoo\n)\x81.",
        "2" * 40: b"\x80\x03cpathlib\nNoSuchClass\n)\x81.",
    }
    records = Records(
        values=[(key, "x.Foo", "application/python-pickle", rows[key]) for key in rows]
    )
    backend.record(records)
    assert [backend.get_value(value_hash) for value_hash in rows] == [(None, False)] * 2


def test_value_stored_elsewhere_is_missing_without_its_store(
    backend: RedunBackendDb, caplog: pytest.LogCaptureFixture
) -> None:
    backend.record(Records(values=[("1" * 40, "builtins.int", "application/python-pickle", b"")]))
    with caplog.at_level("WARNING", "redun"):
        assert [backend.get_value("1" * 40) for _ in range(2)] == [(None, False)] * 2
    (record,) = caplog.records
    assert "11111111" in record.message
    assert "Set `value_store_path` in [backend]" in record.message


# Calls.


def test_call_node_with_arguments(backend: RedunBackendDb) -> None:
    result = backend.record_value(7)
    upstream = sample(1)
    upstream.call_hash = backend.record_call_node(
        "dbtest.sample", sample.hash, "a" * 40, ((1,), {}), ((1,), {}), result, [], [sample]
    )
    call_hash = backend.record_call_node(
        "dbtest.other",
        other.hash,
        "b" * 40,
        (([upstream, upstream + 1],), {"z": 1, "b": upstream}),
        (([7, 8], 5), {"z": 1, "b": 7, "default": None}),
        result,
        ["f" * 40, upstream.call_hash],
        [sample, other],
    )
    node = backend.session.get(CallNode, call_hash)
    arguments = {
        (row.arg_position, row.arg_key): (
            row.value_parsed,
            [call.call_hash for call in row.upstream],
        )
        for row in node.arguments
    }
    assert arguments == {
        (0, None): ([7, 8], [upstream.call_hash]),
        (None, "b"): (7, [upstream.call_hash]),
        (None, "z"): (1, []),
        (None, "default"): (None, []),
    }
    (first,) = (row for row in node.arguments if row.arg_position == 0)
    assert first.arg_hash == hash_struct(["Argument", call_hash, "0", "None", first.value_hash])
    # The child that isn't recorded leaves its place empty.
    assert [(edge.child_id, edge.call_order) for edge in node.child_edges] == [
        (upstream.call_hash, 1)
    ]
    assert backend.get_subtree_tasks(call_hash) == {sample.hash, other.hash}
    assert backend.get_subtree_tasks("f" * 40) == set()
    again = backend.record_call_node(
        "dbtest.other",
        other.hash,
        "b" * 40,
        ((), {}),
        ((), {}),
        result,
        [upstream.call_hash, "f" * 40],
        [],
    )
    assert again == call_hash
    assert len(node.arguments) == 4


# Runs.


def test_jobs_of_an_execution(repo_kind, file_backend: RedunBackendDb, select) -> None:
    start = dt.datetime(2022, 1, 1, 12, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    file_backend.record_execution("exec", ["redun", "run", "é"])
    assert file_backend.session.get(Execution, "exec") is None
    file_backend.record_updated_time("exec")
    root, child = make_job("root"), make_job("child")
    child.parent_job = root
    row = file_backend.record_job_start(root, start)
    assert (row.id, row.status, row.start_time) == ("root", "RUNNING", start)
    assert row.execution.args == '["redun", "run", "\\u00e9"]'
    assert row.execution.updated_time is not None
    file_backend.record_job_end(child, start + dt.timedelta(seconds=1))
    file_backend.record_job_end(root, start + dt.timedelta(seconds=2))
    assert row.duration == dt.timedelta(seconds=2)
    assert file_backend.get_job("child") == {
        "job_id": "child",
        "parent_id": "root",
        "execution_id": "exec",
    }
    assert file_backend.get_job("missing") is None
    file_backend.record_job_end(root, start + dt.timedelta(seconds=3))
    assert file_backend.session.get(Job, "root").duration == dt.timedelta(seconds=3)
    moments = [start + dt.timedelta(seconds=1), start]
    if repo_kind == "sqlite":
        moments = ["2022-01-01 10:00:01.000000", "2022-01-01 10:00:00.000000"]
    assert [row[0] for row in select("SELECT start_time FROM job ORDER BY id")] == moments
    before = file_backend.session.get(Execution, "exec").updated_time
    file_backend.record_updated_time("exec")
    file_backend.record_updated_time("missing")
    file_backend.session.expire_all()
    assert file_backend.session.get(Execution, "exec").updated_time > before


def test_jobs_that_cannot_be_recorded(backend: RedunBackendDb) -> None:
    with pytest.raises(KeyError, match="exec"):
        backend.record_job_start(make_job("root"))
    backend.record_execution("exec", [])
    with pytest.raises(ValueError, match="timezone naive datetimes are not allowed"):
        backend.record_job_start(make_job("root"), dt.datetime(2022, 1, 1))
    backend.record_job_start(make_job("root"))
    assert backend.get_job("root") is not None


# Handles.


def test_handle_states(backend: RedunBackendDb) -> None:
    fresh = Conn("conn")
    assert backend.is_valid_handle(fresh) is None
    forked = fresh.fork("1")
    result = forked.apply_call("c" * 40)
    backend.advance_handle([forked], result)
    assert [backend.is_valid_handle(state) for state in (fresh, forked, result)] == [True] * 3
    rows = {row.hash: row for row in backend.session.query(HandleRow)}
    assert len(rows) == 3
    assert rows[forked.__handle__.hash].parents == [rows[fresh.__handle__.hash]]
    assert rows[result.__handle__.hash].parents == [rows[forked.__handle__.hash]]
    assert rows[fresh.__handle__.hash].children == [rows[forked.__handle__.hash]]
    assert {row.key for row in rows.values()} == {"", "1"}
    assert rows[fresh.__handle__.hash].values[0].type.endswith("Conn")


def test_rollback_makes_what_came_later_invalid(backend: RedunBackendDb) -> None:
    first = Conn("conn")
    second, third, fork = first.apply_call("1" * 40), first.apply_call("2" * 40), first.fork("x")
    stranger = Conn("stranger").apply_call("3" * 40)
    backend.advance_handle([first], second)
    backend.advance_handle([second], third)
    backend.advance_handle([first], fork)
    backend.advance_handle([first], stranger)

    def valid() -> list[bool | None]:
        states = (first, second, third, fork, stranger)
        return [backend.is_valid_handle(state) for state in states]

    assert valid() == [True] * 5
    backend.rollback_handle(second)
    assert valid() == [True, True, False, True, True]
    backend.rollback_handle(first)
    assert valid() == [True, False, False, False, True]
    backend.advance_handle([first], second)
    assert valid() == [True, True, False, False, True]
    opened = Conn.opened
    assert "Conn" in repr(
        backend.session.query(Value).filter_by(value_hash=third.__handle__.hash).one()
    )
    assert Conn.opened == opened


# Hash schemes.


def test_each_repo_hashes_in_its_own_scheme(backend: RedunBackendDb) -> None:
    original = RedunBackendDb("sqlite:///:memory:", config={"hash_scheme": "redun1"})
    original.load()
    assert original.record_value([1, 2]) == "7bc9b6e02dac5c672b997d1bc846267161c0c170"
    assert backend.record_value([1, 2]) != original.record_value([1, 2])
    assert get_scheme() == "blake3"
    original.close()


# db_utils.


def test_get_or_create(backend: RedunBackendDb) -> None:
    session = backend.session
    row, created = get_or_create(
        session, Task, {"hash": "a" * 40}, {"name": "n", "namespace": "", "source": ""}
    )
    assert (row.name, created) == ("n", True)
    session.commit()
    same, created = get_or_create(session, Task, {"hash": "a" * 40}, {"name": "m"})
    assert (same, created, row.name) == (row, False, "m")
    session.rollback()


def test_filter_in_asks_in_chunks(backend: RedunBackendDb) -> None:
    hashes = [backend.record_value(number) for number in range(7)]
    query = backend.session.query(Value)
    queries = list(query_filter_in(query, Value.value_hash, iter(hashes), chunk=3))
    assert [len(part.all()) for part in queries] == [3, 3, 1]
    found = filter_in(query, Value.value_hash, [*hashes, "missing"], chunk=2)
    assert sorted(row.value_parsed for row in found) == list(range(7))
