"""
The records of a repo in a database, as a store that transfers copy from and to.

The methods are those of `redun.sync.store.RecordStore`, which says what they mean. Reading takes raw
rows in bulk; nothing is unpickled.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

from redun.backends.db import edges
from redun.backends.db.attached import AttachedCopy, can_attach
from redun.backends.db.connection import Retry
from redun.backends.db.errors import RedunDatabaseError
from redun.backends.db.repo import Repo
from redun.backends.db.rows import COLUMNS, MAX_BYTES, RowReader, TableRows, merge, open_jobs
from redun.backends.db.shapes import add_rows, payload_size, to_records
from redun.backends.db.source import Transaction, bind, render
from redun.backends.db.writer import BELOW, RecordWriter, total
from redun.backends.records import (
    ID_FIELDS,
    UNRECORDED,
    Edges,
    JobOwner,
    JobState,
    Part,
    Receive,
    Record,
    TagOwner,
    cut,
)
from redun.backends.verify import check_fields, verify_record

#: Ids in one statement, records in one piece.
BATCH = 2000

#: Rows fetched at once.
FETCH = 5000

RESULT_TYPES = (
    "SELECT call_node.call_hash, value.type FROM call_node "
    "JOIN value ON value.value_hash = call_node.value_hash WHERE call_node.call_hash {in_ids}"
)
CHILD_JOBS = "SELECT parent_id, id, CAST(start_time AS VARCHAR) FROM job WHERE parent_id {in_ids}"

PAYLOAD_SIZE = "SELECT sum(length(value)) FROM value WHERE value_hash {in_ids}"

#: Tasks of the calls that calls made.
CHILD_TASKS = (
    "SELECT DISTINCT call_edge.parent_id, call_node.task_hash FROM call_edge "
    "JOIN call_node ON call_node.call_hash = call_edge.child_id WHERE call_edge.parent_id {in_ids}"
)

#: The columns to look an id up in: kind, table, column.
KEYS = (
    ("Execution", "execution", "id"),
    ("Job", "job", "id"),
    ("CallNode", "call_node", "call_hash"),
    ("Value", "value", "value_hash"),
    ("Tag", "tag", "tag_hash"),
)

NEWEST_EXECUTION = (
    "SELECT execution.id FROM execution JOIN job ON job.id = execution.job_id "
    "ORDER BY job.start_time DESC LIMIT 1"
)


class RecordRows:
    """
    The records of an open repo.

    Parameters
    ----------
    repo : the repo.
    retry : how to go on when the database is locked or the connection broke.
    """

    def __init__(self, repo: Repo, retry: Retry) -> None:
        self._repo = repo
        self._retry = retry
        self._dialect = repo.database.dialect
        self._rows = RowReader(self, self._dialect)
        self._writer = RecordWriter(repo)

    def rows(self, statement: str, ids: Sequence[str]) -> list[Any]:
        """The rows a `Reader` statement gives; tried again if the connection broke."""
        return self._retry.run("read", lambda: self._repo.rows(statement, ids), lambda: None)

    def is_empty(self) -> bool:
        """Whether no records are held."""
        ((found,),) = self._select(edges.ANY, ())
        return not found

    # Lists.

    def execution_ids(self) -> Iterator[list[str]]:
        """Ids of all executions with a root job, by when it started."""
        for rows in self._stream(edges.EXECUTION_IDS):
            yield [row[0] for row in rows]

    def tag_ids(self) -> Iterator[list[str]]:
        """Ids of all tags."""
        for rows in self._stream(edges.TAG_IDS):
            yield [row[0] for row in rows]

    def open_jobs(self) -> Iterator[list[tuple[str, int]]]:
        """Ids of the jobs that have not ended, with the number of child jobs of each."""
        yield from self._stream(edges.OPEN_JOBS)

    def _stream(self, statement: str, ids: Collection[str] | None = None) -> Iterator[list[Any]]:
        """The rows of a statement, some at a time, on a connection of their own."""
        repo = self._repo
        repo.recorder.flush(everything=False)
        parameters = () if ids is None else bind((list(ids),), self._dialect)
        size = BATCH if ids is None else FETCH
        yield from repo.database.streamed(render(statement, self._dialect), parameters, size)

    # Questions.

    def find(self, ids: Collection[str]) -> dict[str, str]:
        """The kind of each of these full ids that is held."""
        found: dict[str, str] = {}
        for kind in reversed(ID_FIELDS):
            rows = self.rows(edges.PRESENT[kind], list(ids))
            found.update((row[0], kind) for row in rows)
        return {record_id: found[record_id] for record_id in ids if record_id in found}

    def resolve(self, reference: str) -> list[tuple[str, str]]:
        """(kind, id) of the records that an id, a prefix of one, or `-` means."""
        if not reference:
            return []
        if reference == "-":
            newest = self._select(NEWEST_EXECUTION, ())
            return [("Execution", row[0]) for row in newest]
        # Between the prefix and what follows all that start with it: an index serves that, and `%` and
        # `_` are nothing special.
        end = reference[:-1] + chr(ord(reference[-1]) + 1)
        collate = "" if self._dialect == "sqlite" else ' COLLATE "C"'
        found: list[tuple[str, str]] = []
        for kind, table, column in KEYS:
            text = (
                f"SELECT {column} FROM {table} "
                f"WHERE {column}{collate} >= ? AND {column}{collate} < ?"
            )
            found += [(kind, row[0]) for row in self._select(text, (reference, end))]
        return found

    def _select(self, text: str, parameters: tuple[Any, ...]) -> list[Any]:
        with self._repo.reading() as source:
            return source.rows(text, parameters)

    def has(self, kind: str, ids: Collection[str]) -> set[str]:
        """Those of the records that are held; of jobs, only those that have ended."""
        return {row[0] for row in self.rows(edges.HELD[kind], list(ids))}

    def job_states(self, ids: Collection[str]) -> dict[str, JobState]:
        """The state of those of the jobs that are held."""
        rows = self.rows(edges.JOB_STATES, list(ids))
        return {row[0]: JobState(bool(row[1]), row[2]) for row in rows}

    def job_owners(self, ids: Collection[str]) -> dict[str, JobOwner]:
        """Parent, execution and task of those of the jobs that are held."""
        return {row[0]: JobOwner(*row[1:]) for row in self.rows(edges.JOB_OWNERS, list(ids))}

    def tag_owners(self, ids: Collection[str]) -> dict[str, TagOwner]:
        """What those of the tags that are held are about."""
        return {
            row[0]: TagOwner("Value" if row[1] == "Task" else row[1], row[2])
            for row in self.rows(edges.TAG_OWNERS, list(ids))
        }

    def children(self, kind: str, ids: Collection[str]) -> Iterator[Edges]:
        """What records own, in batches."""
        for statement, kinds in edges.PAIRED.get(kind, ()):
            for rows in self._stream(statement, ids):
                yield Edges(kinds, rows)
        for edge in edges.UNPAIRED[kind]:
            child_kind = "Value" if edge.child == "Task" else edge.child
            for rows in self._stream(edge.statement, ids):
                yield Edges((child_kind,), rows)

    # Records.

    def get(self, kind: str, ids: Collection[str], payloads: bool = True) -> Iterator[Record]:
        """The records with these ids, in their order."""
        ordered = list(ids)
        for start in range(0, len(ordered), BATCH):
            batch = ordered[start : start + BATCH]
            left = iter(batch)
            for rows in self.read(kind, batch, payloads):
                records = self._to_records(kind, rows)
                # A piece holds the records of the next ids, in any order.
                for _ in range(rows["ids"][0][0]):
                    record_id = next(left)
                    if record_id in records:
                        yield records[record_id]

    def _to_records(self, kind: str, rows: TableRows) -> dict[str, Record]:
        if kind == "Job":
            calls = list({row[5] for row in rows["job"] if row[5] is not None})
            rows["result"] = self.rows(RESULT_TYPES, calls)
            rows["child"] = self.rows(CHILD_JOBS, [row[0] for row in rows["job"]])
        elif kind == "CallNode":
            rows[UNRECORDED] = self._unrecorded(rows)
        return to_records(kind, rows)

    def _unrecorded(self, rows: TableRows) -> list[tuple[str, str]]:
        """(call, task) for the tasks below calls that neither they nor calls they made stand for."""
        own = {(row[0], row[2]) for row in rows["call_node"]}
        others = {(call, task) for call, task in rows["call_subtree_task"]} - own
        if others:
            calls = list({call for call, _ in others})
            for statement in (CHILD_TASKS, BELOW):
                others.difference_update(self.rows(statement, calls))
        return sorted(others)

    def read(self, kind: str, ids: Sequence[str], payloads: bool = True) -> Iterator[TableRows]:
        """
        The rows of records of one kind, in pieces.

        Each piece has, beside tables, the number of ids that it is about: `ids` is `[(number,)]`.
        """
        for start in range(0, len(ids), BATCH):
            for rows in self._rows.read(kind, ids[start : start + BATCH]):
                if kind == "Value" and payloads:
                    self._fetch_payloads(rows)
                yield rows

    def _fetch_payloads(self, rows: TableRows) -> None:
        elsewhere = [row[0] for row in rows["value"] if not row[3]]
        if elsewhere and self._repo.payloads.store is not None:
            found = self._repo.payloads.fetch(elsewhere)
            rows["value"] = [
                (*row[:3], bytes(found[row[0]])) if row[0] in found else row
                for row in rows["value"]
            ]

    def payload_size(self, ids: Collection[str]) -> int:
        """Bytes of the payloads of these values; those in a value store don't count."""
        return sum(int(row[0] or 0) for row in self.rows(PAYLOAD_SIZE, list(ids)))

    def put(self, records: Iterable[Record], verify: bool = True) -> dict[str, int]:
        """Adds records in one transaction; returns how many were new or ended a job, by kind."""
        given = iter(records)
        return self._transact(lambda: _pieces(given, verify), again=False)

    @contextmanager
    def receiver(self, source: Any, verify: bool = True) -> Iterator[Receive | None]:
        """What copies from another database; None if the source is something else."""
        if not isinstance(source, RecordRows):
            yield None
        elif verify or not can_attach(self._repo, source._repo):
            yield lambda parts: self._copy_rows(source, parts, verify)
        else:
            with closing(AttachedCopy(self._repo, source._repo, self._retry)) as attached:
                yield (
                    lambda parts: (
                        counts
                        if (counts := attached.copy(parts)) is not None
                        else self._copy_rows(source, parts, verify)
                    )
                )

    def _copy_rows(self, source: RecordRows, parts: Sequence[Part], verify: bool) -> dict[str, int]:
        """Copies records by their rows."""

        def pieces(some: Sequence[Part]) -> Iterator[TableRows]:
            waiting: TableRows = {}
            size = 0
            for part in some:
                for rows in source.read(part.kind, part.ids):
                    if verify:
                        source._verify(part.kind, rows)
                    merge(waiting, open_jobs(rows) if part.open else rows)
                    size += payload_size(rows.get("value", ()))
                    if size >= MAX_BYTES:
                        yield waiting
                        waiting, size = {}, 0
            if waiting:
                yield waiting

        return total(
            self._transact(functools.partial(pieces, some), again=True)
            for some in cut(source.payload_size, parts)
        )

    def _verify(self, kind: str, rows: TableRows) -> None:
        for record in self._to_records(kind, rows).values():
            check_fields(record)
            verify_record(record)

    def _transact(self, pieces: Callable[[], Iterator[TableRows]], again: bool) -> dict[str, int]:
        """Writes pieces in one transaction; `again` says whether they can be had again."""
        lost = False

        def write(transaction: Transaction) -> dict[str, int]:
            nonlocal lost
            if lost:
                raise RedunDatabaseError(
                    "The transaction was lost while records were written; none of them is stored.",
                    hints=("try again: what was written before is kept",),
                )
            counts = []
            for rows in pieces():
                lost = not again
                counts.append(self._writer.write(transaction, rows))
            return total(iter(counts))

        return self._repo.recorder.transact(write)

    def close(self) -> None:
        """Nothing is held open."""


def _pieces(records: Iterable[Record], verify: bool) -> Iterator[TableRows]:
    """Rows of records that have been checked, some at a time."""
    rows = _empty()
    count = size = 0
    for index, record in enumerate(records):
        kind, _ = check_fields(record, index)
        if verify:
            verify_record(record, index)
        add_rows(record, rows)
        count += 1
        size += len(record["data"]) if kind == "Value" else 0
        if count >= BATCH or size >= MAX_BYTES:
            yield rows
            rows, count, size = _empty(), 0, 0
    if count:
        yield rows


def _empty() -> TableRows:
    return {table: [] for table in COLUMNS}
