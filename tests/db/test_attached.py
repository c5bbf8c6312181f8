"""Copying between two files of SQLite within the database: the same as copying by rows, but for the cost."""

from __future__ import annotations

import hashlib
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redun.backends.base import Records, TagEntity
from redun.backends.db import RedunBackendDb, attached
from redun.backends.db.records import RecordRows
from redun.sync.store import Part
from redun.sync.transfer import transfer

TASKS = [letter * 40 for letter in "tuv"]
PICKLE = "application/python-pickle"
START = 1_700_000_000.0

#: Signs of life stay where they were given, settings and versions belong to the repo.
CELLS = {
    "execution": "id, args, job_id",
    **dict.fromkeys(
        (
            *("job", "call_node", "call_edge", "argument", "argument_result", "call_subtree_task"),
            *("value", "task", "file", "subvalue", "tag", "tag_edit"),
        ),
        "*",
    ),
}

Open = Callable[..., RedunBackendDb]


def open_repo(path: Path, **config: str) -> RedunBackendDb:
    backend = RedunBackendDb(f"sqlite:///{path}", config)
    backend.load()
    return backend


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """Opens repos in files, which are closed after the test."""
    backends = []

    def opened(name: str, **config: str) -> RedunBackendDb:
        backends.append(open_repo(tmp_path / name, **config))
        return backends[-1]

    yield opened
    for backend in backends:
        backend.close()


@pytest.fixture
def by_rows(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Notes each time that something is copied by rows."""
    times: list[int] = []
    copy = RecordRows._copy_rows

    def noted(self: Any, *args: Any) -> Any:
        times.append(1)
        return copy(self, *args)

    monkeypatch.setattr(RecordRows, "_copy_rows", noted)
    return times


def rows(path: Path) -> dict[str, list[Any]]:
    """All rows of a repo but those that are its own, sorted."""
    connection = sqlite3.connect(path)
    try:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        return {
            table: sorted(connection.execute(f"SELECT {cells} FROM {table}"), key=repr)
            for table, cells in CELLS.items()
        }
    finally:
        connection.close()


def key(text: str) -> str:
    return hashlib.sha1(text.encode()).hexdigest()


def begin(name: str, jobs: int) -> Records:
    """An execution whose jobs have started."""
    records = Records()
    for task in TASKS:
        records.values.append((task, "redun.Task", PICKLE, b"task"))
        records.tasks.append((task, f"f_{task[0]}", "ns", "def f(): ..."))
    records.executions.append((name, "[]", f"{name}-0"))
    for number in range(jobs):
        parent = f"{name}-{(number - 1) // 3}" if number else None
        records.job_starts.append((f"{name}-{number}", START, TASKS[number % 3], parent, name))
    return records


def end(name: str, jobs: int) -> Records:
    """What its jobs did, children first: calls of calls, arguments from results, files, values in values."""
    records = Records()
    for number in reversed(range(jobs)):
        call, value, inner = (key(f"{name}{kind}{number}") for kind in "cvi")
        task = TASKS[number % 3]
        records.values += [
            (inner, "redun.File", PICKLE, b""),
            (value, "builtins.list", PICKLE, b"\x00" * number),
        ]
        records.files.append((inner, f"data/{number % 2}"))
        records.subvalues.append((inner, value))
        records.call_nodes.append((call, "ns.f", task, key("args"), value, START))
        children = [child for child in range(1, jobs) if (child - 1) // 3 == number]
        for order, child in enumerate(children):
            records.call_edges.append((call, key(f"{name}c{child}"), order))
        records.subtree_tasks += [(call, task)]
        argument = key(f"{name}a{number}")
        records.arguments.append((argument, call, value, 0, None))
        if children:
            records.argument_results.append((argument, key(f"{name}c{children[0]}")))
        records.job_ends.append((f"{name}-{number}", START + 5, bool(number % 2), call))
    return records


def forget_subtrees(path: Path, tasks: list[str]) -> None:
    """Leaves a repo as an import by the original does: without tasks below calls."""
    connection = sqlite3.connect(path)
    with connection:
        connection.executemany(
            "DELETE FROM call_subtree_task WHERE task_hash = ?", [(task,) for task in tasks]
        )
    connection.close()


@settings(max_examples=12, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=3),
    ended=st.integers(0, 3),
    before=st.integers(0, 3),
    forgotten=st.lists(st.sampled_from(TASKS), unique=True),
    labels=st.integers(0, 3),
    batch=st.sampled_from([3, 7, 1000]),
    payload=st.sampled_from([0, 9, 1000]),
    seconds=st.sampled_from([-1.0, 60.0]),
)
def test_what_arrives_is_what_arrives_by_rows(
    sizes: list[int],
    ended: int,
    before: int,
    forgotten: list[str],
    labels: int,
    batch: int,
    payload: int,
    seconds: float,
) -> None:
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr("redun.backends.records.MAX_PAYLOAD", payload)
        patch.setattr(attached, "VALUES_AT_ONCE", 1 + payload // 3)
        patch.setattr(attached, "MAX_PAGES", payload // 9)
        patch.setattr(attached, "MAX_SECONDS", seconds)
        paths = [Path(name, file) for file in ("source.db", "direct.db", "by_rows.db")]
        source, direct, by_rows = backends = [open_repo(path) for path in paths]

        def record(records: Records) -> None:
            source.record(records)
            source.flush()

        def push() -> None:
            forget_subtrees(paths[0], forgotten)
            counts = []
            for target in (direct, by_rows):
                if target is by_rows:
                    target.records._repo.payloads.store = NoStore()
                counts.append(transfer(source.records, target.records, batch=batch, verify=False))
            assert counts[0] == counts[1]
            assert rows(paths[1]) == rows(paths[2])

        for number, jobs in enumerate(sizes):
            record(begin(f"e{number}", jobs))
            if number < before:
                push()
            if number < ended:
                record(end(f"e{number}", jobs))
        for label in range(labels):
            source.record_tags(TagEntity.Execution, "e0", [("label", label)], update=True)
            if label == 1:
                push()
        push()
        assert rows(paths[1])["tag"] == rows(paths[0])["tag"]
        assert rows(paths[1])["job"] == rows(paths[0])["job"]
        for backend in backends:
            backend.close()


class NoStore:
    """A value store that has nothing and is given nothing."""

    def read_many(self, _hashes: Any) -> dict[str, bytes]:
        return {}

    def put_many(self, _items: Any, _is_new: Any) -> None:
        return


def test_files_with_odd_names_are_attached(opened: Open, by_rows: list[int]) -> None:
    source, target = opened("a b#c%41'.db"), opened("d%3f&é.db")
    source.record(begin("e", 3))
    assert transfer(source.records, target.records, verify=False).by_kind["Job"] == 3
    assert by_rows == []


@pytest.mark.parametrize("store", ["source", "target"])
def test_payloads_of_a_value_store_go_by_rows(
    opened: Open, by_rows: list[int], tmp_path: Path, store: str
) -> None:
    values = {"value_store_path": str(tmp_path / "values"), "value_store_min_size": "0"}
    source = opened("source.db", **(values if store == "source" else {}))
    target = opened("target.db", **(values if store == "target" else {}))
    source.record(begin("e", 3))
    assert transfer(source.records, target.records, verify=False).total == 7
    assert by_rows == [1]


def test_a_source_that_can_not_be_attached_is_read_by_rows(
    opened: Open, by_rows: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = opened("source.db"), opened("target.db")
    source.record(begin("e", 3))
    monkeypatch.setattr(attached, "SOURCE_CACHE_KIB", "no number;")
    assert transfer(source.records, target.records, verify=False).total == 7
    assert by_rows == [1]


def test_a_source_stays_writable_while_it_is_read(opened: Open, tmp_path: Path) -> None:
    source, target = opened("source.db"), opened("target.db")
    source.record(begin("e", 3))
    source.flush()
    writer = sqlite3.connect(tmp_path / "source.db", timeout=0, isolation_level=None)
    with target.records.receiver(source.records, verify=False) as receive:
        assert receive is not None
        writer.execute("BEGIN IMMEDIATE")
        assert receive([Part("Value", TASKS)]) == {"Value": 3}
        writer.execute("COMMIT")
    writer.close()


def test_the_source_is_never_written(opened: Open, tmp_path: Path) -> None:
    source, target = opened("source.db"), opened("target.db")
    source.flush()
    link = attached.AttachedCopy(target.records._repo, source.records._repo, target.retry)
    connection = link._connect()
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("DELETE FROM source.value")
    connection.close()


def test_every_transaction_leaves_the_target_closed(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = 40
    source, target = opened("source.db"), opened("target.db")
    source.record(begin("e", jobs))
    source.record(end("e", jobs))
    source.flush()
    # A transaction ends wherever it may.
    monkeypatch.setattr(attached, "VALUES_AT_ONCE", 1)
    monkeypatch.setattr(attached, "MAX_SECONDS", -1.0)
    committed = []
    copy_some = attached._Work._copy_some

    def checked(work: attached._Work) -> int:
        # Another connection sees what a crash at this point would leave.
        committed.append(len(rows(tmp_path / "target.db")["value"]))
        return copy_some(work)

    monkeypatch.setattr(attached._Work, "_copy_some", checked)
    transfer(source.records, target.records, verify=False)
    assert committed[: 2 * jobs] == list(range(2 * jobs))
    assert rows(tmp_path / "target.db") == rows(tmp_path / "source.db")
