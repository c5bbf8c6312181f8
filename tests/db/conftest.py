"""Fixtures for tests of the database backend."""

from __future__ import annotations

import functools
import itertools
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from redun.backends.base import Records
from redun.backends.db import RedunBackendDb

START = 1_700_000_000.0


@pytest.fixture
def backend(repo_uri: str) -> Iterator[RedunBackendDb]:
    """An open repo, on SQLite in memory."""
    backend = RedunBackendDb(repo_uri)
    backend.load()
    yield backend
    backend.close()


@pytest.fixture
def db_path(tmp_path: Path) -> Path:
    """Where the repo of `file_backend` is on SQLite."""
    return tmp_path / "redun.db"


@pytest.fixture
def file_backend(shared_repo_uri: str) -> Iterator[RedunBackendDb]:
    """An open repo that others can open too, on SQLite in a file."""
    backend = RedunBackendDb(shared_repo_uri)
    backend.load()
    yield backend
    backend.close()


@pytest.fixture
def read_rows() -> Callable[..., list[tuple[Any, ...]]]:
    """Runs a query on a database file as somebody else would, and returns the rows."""

    def read(path: Path, query: str, *params: Any) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(path)
        try:
            return connection.execute(query, params).fetchall()
        finally:
            connection.close()

    return read


@pytest.fixture
def select(shared_repo_uri: str, rows_of: Callable[..., Any]) -> Callable[..., Any]:
    """Runs a query on the repo of `file_backend` as somebody else would, and returns the rows."""
    return functools.partial(rows_of, shared_repo_uri)


@pytest.fixture
def database_uri(repo_kind: str, request: pytest.FixtureRequest) -> str:
    """The URI of a database without any tables."""
    if repo_kind == "sqlite":
        return f"sqlite:///{request.getfixturevalue('db_path')}"
    uri: str = request.getfixturevalue("empty_postgres_uri")
    return uri


@pytest.fixture
def sql(database_uri: str, rows_of: Callable[..., Any]) -> Callable[..., Any]:
    """Runs a statement on the database behind the backend's back; `?` stands for parameters."""
    return functools.partial(rows_of, database_uri)


@pytest.fixture
def schema_of() -> Callable[[str], dict[str, Any]]:
    """What a database says about its tables, free of naming and spelling on SQLite."""

    def describe(uri: str) -> dict[str, Any]:
        if uri.startswith("sqlite"):
            return sqlite_schema(uri.removeprefix("sqlite:///"))
        return postgres_schema(uri)

    return describe


POSTGRES_SCHEMA = {
    "columns": """
        SELECT table_name, column_name, udt_name, character_maximum_length, is_nullable,
            column_default, ordinal_position
        FROM information_schema.columns WHERE table_schema = 'public'
    """,
    "constraints": """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    """,
    "indexes": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "triggers": "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
    "functions": r"""
        SELECT proname, regexp_replace(prosrc, '\s+', ' ', 'g') FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace
    """,
    "enums": "SELECT enumtypid::regtype::text, enumlabel, enumsortorder FROM pg_enum",
}


def postgres_schema(uri: str) -> dict[str, Any]:
    """The schema by kind of thing; columns are numbered as they came."""
    import psycopg

    with psycopg.connect(uri) as connection:
        found = {
            kind: sorted(map(repr, connection.execute(query).fetchall()))
            for kind, query in POSTGRES_SCHEMA.items()
        }
    assert found["columns"]
    return found


def sqlite_schema(path: str) -> dict[str, Any]:
    """The schema by table."""
    connection = sqlite3.connect(path)
    tables: dict[str, Any] = {}
    names = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
    for (table,) in connection.execute(names).fetchall():
        sql = connection.execute(
            "SELECT sql FROM sqlite_master WHERE name = ? AND type = 'table'", (table,)
        ).fetchone()[0]
        indexes = []
        for _, name, unique, origin, partial in connection.execute(
            f"PRAGMA index_list('{table}')"
        ).fetchall():
            columns = connection.execute(f"PRAGMA index_info('{name}')").fetchall()
            indexes.append([name, unique, origin, partial, [column[2] for column in columns]])
        columns = connection.execute(f"PRAGMA table_info('{table}')").fetchall()
        references = connection.execute(f"PRAGMA foreign_key_list('{table}')").fetchall()
        tables[table] = {
            "columns": [list(column[1:]) for column in columns],
            "indexes": sorted(indexes),
            "references": sorted(list(reference[2:]) for reference in references),
            "deferred": sql.count("DEFERRABLE INITIALLY DEFERRED"),
            "deferred_name": "CONSTRAINT ct_job_execution_id FOREIGN KEY" in sql,
        }
    connection.close()
    return tables


@pytest.fixture
def make_hash() -> Callable[[], str]:
    """Makes up a new hash at each call."""
    numbers = itertools.count(1)
    return lambda: f"{next(numbers):040x}"


@pytest.fixture
def make_jobs(make_hash: Callable[[], str]) -> Callable[..., Records]:
    """
    Makes up the records of a run: `count` finished child jobs of a root job that is running.

    With `root=False` only the children, for an execution that was made before.
    """

    def make(count: int, root: bool = True, execution: str = "exec") -> Records:
        records = Records()
        task = "t" * 40
        root_job = f"root-{execution}"
        if root:
            records.values.append((task, "redun.Task", "application/python-pickle", b"task"))
            records.tasks.append((task, "leaf", "bench", "def leaf(x): ..."))
            records.executions.append((execution, '["run"]', root_job))
            records.job_starts.append((root_job, START, task, None, execution))
        for _ in range(count):
            argument, result, call, args_hash, job = (make_hash() for _ in range(5))
            for value in (argument, result):
                records.values.append(
                    (value, "builtins.int", "application/python-pickle", b"\x80\x03K\x01.")
                )
            records.evaluations.append((make_hash(), task, args_hash, result))
            records.call_nodes.append((call, "bench.leaf", task, args_hash, result, START + 1))
            records.subtree_tasks.append((call, task))
            records.arguments.append((make_hash(), call, argument, 0, None))
            job_id = f"{execution}-{job}"
            records.job_starts.append((job_id, START + 1, task, root_job, execution))
            records.job_ends.append((job_id, START + 2.25, False, call))
        return records

    return make
