"""Transfers whose target breaks on the way: the server stops, the connection is lost, the disk is full."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from redun.backends.base import Records
from redun.backends.db import RedunBackendDb
from redun.backends.db.errors import RedunDatabaseError
from redun.backends.db.rows import COLUMNS
from redun.backends.records import HAS_ENDED, ID_FIELDS
from redun.sync.bundle import BundleStore
from redun.sync.transfer import transfer

JOBS = 300
BATCH = 100
PICKLE = "application/python-pickle"

# Each file may grow to so many bytes, as if the disk were full then.
LITTLE_ROOM = """
import resource, sys
limit = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
"""
COMMAND = f"{LITTLE_ROOM}\nfrom redun.cli import main\nmain()"
PUSH = (
    LITTLE_ROOM
    + """
from redun.backends.db import RedunBackendDb
from redun.sync.transfer import transfer
source, target = (RedunBackendDb(uri, {"db_retries": 0}) for uri in sys.argv[1:3])
source.load(), target.load()
transfer(source.records, target.records, batch=int(sys.argv[3]), verify=False)
"""
)


def execution(name: str, jobs: int) -> Records:
    """The rows of an execution; every seventh job is the parent of the next six."""

    def key(text: object) -> str:
        return hashlib.sha1(f"{name}{text}".encode()).hexdigest()

    records, task, root = Records(), "f" * 40, f"{name}-root"
    records.values.append((task, "redun.Task", PICKLE, b"task"))
    records.tasks.append((task, "noop", "bench", "def noop(x): ..."))
    records.executions.append((name, "[]", root))
    records.job_starts.append((root, 1.7e9, task, None, name))
    for number in range(jobs):
        value, call, args, arg = (key(f"{kind}{number}") for kind in "vcag")
        parent = f"{name}-{number - number % 7}" if number % 7 else root
        records.values.append((value, "builtins.int", PICKLE, b"x" * 500))
        records.call_nodes.append((call, "bench.noop", task, args, value, 1.7e9))
        records.subtree_tasks.append((call, task))
        records.arguments.append((arg, call, value, 0, None))
        records.job_starts.append((f"{name}-{number}", 1.7e9 + number, task, parent, name))
        records.job_ends.append((f"{name}-{number}", 1.8e9, False, call))
    records.job_ends.append((root, 1.8e9, False, key("c0")))
    records.tags.append(("Execution", name, "k", 1))
    return records


def rows(backend: RedunBackendDb) -> dict[str, int]:
    """How many rows each table has."""
    with backend.engine.connect() as connection:
        return {
            table: connection.execute(sa.text(f'SELECT count(*) FROM "{table}"')).scalar_one()
            for table in COLUMNS
        }


def content(backend: RedunBackendDb) -> dict[str, dict[str, Any]]:
    """All records, by kind and id."""
    tables = ("execution", "job", "call_node", "value", "tag")
    found = {}
    for (kind, field), table in zip(ID_FIELDS.items(), tables, strict=True):
        with backend.engine.connect() as connection:
            ids = connection.execute(sa.text(f"SELECT {field} FROM {table}")).scalars().all()
        found[kind] = {record[field]: record for record in backend.records.get(kind, ids)}
    return found


def assert_closed(source: RedunBackendDb, target: RedunBackendDb) -> None:
    """What the target holds is whole: it has all that the source says belongs to it."""
    for kind, held in content(target).items():
        ended = target.records.has(kind, held)  # Of jobs, those that promise their children.
        batches = source.records.children(kind, ended)
        owned = {
            child
            for kinds, rows in batches
            for row in rows
            for name, child in zip(kinds, row[1:], strict=True)
            if child and name != HAS_ENDED
        }
        assert owned <= set(target.records.find(owned))
    jobs = content(target)["Job"].values()
    owners = {owner for job in jobs for owner in (job["execution_id"], job["parent_id"]) if owner}
    assert owners <= set(target.records.find(owners))


@pytest.fixture
def open_repo() -> Iterator[Callable[[str], RedunBackendDb]]:
    """Opens repos that are closed after the test."""
    backends = []

    def opened(uri: str) -> RedunBackendDb:
        backend = RedunBackendDb(uri)
        backend.load(migrate=True)
        backend.retry.sleep = lambda seconds: None
        backends.append(backend)
        return backend

    yield opened
    for backend in backends:
        backend.close()


@pytest.fixture
def source(
    new_repo: Callable[[str], str], open_repo: Callable[[str], RedunBackendDb]
) -> RedunBackendDb:
    backend = open_repo(new_repo("source.db"))
    for name in "ab":
        backend.record(execution(name, JOBS))
    backend.flush()
    return backend


def after_writes(backend: RedunBackendDb, number: int, act: Callable[[], object]) -> None:
    """Does something when so many pieces have been written, before their transaction ends."""
    writer: Any = backend.records._writer
    write, done = writer.write, 0

    def write_and_act(connection: Any, piece: Any) -> Any:
        nonlocal done
        counts = write(connection, piece)
        done += 1
        if done == number:
            act()
        return counts

    writer.write = write_and_act


def disconnect(backend: RedunBackendDb) -> None:
    """Ends the server's side of all connections to the database but that which says so."""
    with backend.engine.connect() as connection:
        connection.execute(
            sa.text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )
        )


@pytest.mark.parametrize("number", [1, 4, 9])
def test_server_that_crashes(
    source: RedunBackendDb, own_postgres: Any, open_repo: Any, number: int
) -> None:
    target = open_repo(own_postgres.uri())
    after_writes(target, number, own_postgres.stop)
    with pytest.raises(DBAPIError):
        transfer(source.records, target.records, batch=BATCH, verify=False)
    own_postgres.start()
    again = open_repo(own_postgres.uri())
    assert_closed(source, again)
    assert rows(again) != rows(source)
    transfer(source.records, again.records, batch=BATCH, verify=False)
    assert content(again) == content(source)
    assert rows(again) == rows(source)
    assert transfer(source.records, again.records, batch=BATCH).total == 0


@pytest.mark.parametrize("number", [1, 6])
def test_connection_that_is_lost_is_made_anew(
    source: RedunBackendDb, postgres_uri: str, open_repo: Any, number: int
) -> None:
    target = open_repo(postgres_uri)
    after_writes(target, number, lambda: disconnect(target))
    transfer(source.records, target.records, batch=BATCH, verify=False)
    assert content(target) == content(source)
    assert rows(target) == rows(source)


def test_connection_that_is_lost_while_records_come_out_of_a_bundle(
    source: RedunBackendDb, postgres_uri: str, open_repo: Any, tmp_path: Path
) -> None:
    bundle = BundleStore(str(tmp_path / "some.redun"))
    transfer(source.records, bundle, verify=False)
    bundle.flush()
    target = open_repo(postgres_uri)
    after_writes(target, 5, lambda: disconnect(target))
    with pytest.raises(RedunDatabaseError, match="none of them is stored"):
        transfer(bundle, target.records, batch=BATCH, verify=False)
    assert_closed(source, target)
    transfer(bundle, target.records, batch=BATCH, verify=False)
    bundle.close()
    assert content(target) == content(source)
    assert rows(target) == rows(source)


def push_with_little_room(program: str, *words: object) -> str:
    """Runs a program that fails for lack of room; what it says."""
    command = [sys.executable, "-c", program, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    return done.stderr


@pytest.mark.sqlite  # the disk of a server is out of reach
@pytest.mark.parametrize("room", [300_000, 1_000_000])
def test_disk_that_is_full(
    source: RedunBackendDb, tmp_path: Path, open_repo: Any, room: int
) -> None:
    uris = [f"sqlite:///{tmp_path}/{name}.db" for name in ("source", "target")]
    open_repo(uris[1]).close()
    assert "disk I/O error" in push_with_little_room(PUSH, room, *uris, BATCH)
    target = open_repo(uris[1])
    with target.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall() == []
    assert_closed(source, target)
    assert 0 < rows(target)["value"] < rows(source)["value"]
    transfer(source.records, target.records, batch=BATCH, verify=False)
    assert content(target) == content(source)
    assert rows(target) == rows(source)


@pytest.mark.sqlite  # as above
def test_full_disk_is_told_in_a_line(
    source: RedunBackendDb, tmp_path: Path, open_repo: Any
) -> None:
    there = tmp_path / "there"
    for directory, database in ((tmp_path, "source"), (there, "target")):
        directory.mkdir(exist_ok=True)
        (directory / "redun.ini").write_text(
            f"[backend]\ndb_uri = sqlite:///{tmp_path}/{database}.db\n"
            f"[repos.there]\nconfig_dir = {there}\n"
        )
    open_repo(f"sqlite:///{tmp_path}/target.db").close()
    said = push_with_little_room(COMMAND, 200_000, "--config", tmp_path, "push", "there")
    assert said.count("error: ") == said.count("hint: ") == 1
    assert "disk I/O error" in said
    assert "hint: is there room on the disk" in said
    assert "retrying" not in said
    assert "Traceback" not in said
