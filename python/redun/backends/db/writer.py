"""Writing the rows of records: in one transaction, with what follows from them."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

from redun.backends.db.lengths import column_lengths
from redun.backends.db.repo import Repo
from redun.backends.db.rows import COLUMNS, Row, TableRows, grouped, subtrees
from redun.backends.db.source import Transaction, bind, render
from redun.backends.db.statements import Insert, Statement
from redun.backends.records import UNRECORDED

#: Kinds by the table that has a row for each record.
MAIN_TABLES = {
    "execution": "Execution",
    "job": "Job",
    "call_node": "CallNode",
    "value": "Value",
    "tag": "Tag",
}

#: A job ends once; what is known about its end stays.
END_JOB = (
    "(id) DO UPDATE SET end_time = excluded.end_time, cached = excluded.cached, "
    "call_hash = excluded.call_hash WHERE job.end_time IS NULL AND excluded.end_time IS NOT NULL"
)

#: Page cache of a connection that records are copied to, in KiB: keys are random, and every row
#: touches another page of each index.
CACHE_KIB = 65536

#: Tags that others replace stop being current, whichever of them came first.
SUPERSEDE = (
    "UPDATE tag SET is_current = FALSE WHERE tag_hash {in_ids} AND is_current "
    "AND EXISTS (SELECT 1 FROM tag_edit WHERE tag_edit.parent_id = tag.tag_hash)"
)

#: Tasks below the children of calls.
BELOW = (
    "SELECT DISTINCT call_edge.parent_id, call_subtree_task.task_hash FROM call_edge "
    "JOIN call_subtree_task ON call_subtree_task.call_hash = call_edge.child_id "
    "WHERE call_edge.parent_id {in_ids}"
)


class RecordWriter:
    """
    Writes rows of records into a repo.

    Parameters
    ----------
    repo : where to.
    """

    def __init__(self, repo: Repo) -> None:
        self._repo = repo
        self._sqlite = repo.database.dialect == "sqlite"
        self._inserts: dict[str, Statement] = {}

    def compile(self, transaction: Transaction) -> None:
        """Makes the statements; called within a transaction, the first of which pays for it."""
        if self._inserts:
            return
        insert: Any = Insert
        if self._sqlite:
            transaction.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
        else:
            from redun.backends.db.arrays import ArrayInsert

            insert = functools.partial(ArrayInsert, lengths=column_lengths(transaction))
        for table, columns in COLUMNS.items():
            conflict = END_JOB if table == "job" else "DO NOTHING"
            self._inserts[table] = insert(table, columns, conflict)

    def write(self, transaction: Transaction, rows: TableRows) -> dict[str, int]:
        """
        Writes rows and what follows from them; returns how many records were new or ended, by kind.

        Rows of calls without any in `call_subtree_task` get those that the call graph gives, and those
        in `UNRECORDED`.
        """
        self.compile(transaction)
        cursor = _Counter(transaction.cursor())
        try:
            self._send_payloads(rows)
            counts: dict[str, int] = {}
            for table in COLUMNS:
                if table == "call_subtree_task":
                    self._add_subtrees(cursor, rows)
                some = rows.get(table)
                if not some:
                    continue
                cursor.count = 0
                self._inserts[table].run(cursor, _ordered(table, some))
                if table in MAIN_TABLES and cursor.count:
                    counts[MAIN_TABLES[table]] = cursor.count
            self._supersede(cursor, rows)
            return counts
        finally:
            cursor.close()

    def _send_payloads(self, rows: TableRows) -> None:
        """Large payloads go to the value store, before the rows that say so."""
        payloads = self._repo.payloads
        values = rows.get("value", ())
        large = [(row[0], row[3]) for row in values if len(row[3]) >= payloads.store_from]
        if large:
            payloads.send(large)
            sent = {value_hash for value_hash, _ in large}
            rows["value"] = [(*row[:3], b"") if row[0] in sent else row for row in values]

    def _add_subtrees(self, cursor: Any, rows: TableRows) -> None:
        given = rows.setdefault("call_subtree_task", [])
        known = {row[0] for row in given}
        calls = [(row[0], row[2]) for row in rows.get("call_node", ()) if row[0] not in known]
        if not calls:
            return
        lacking = {call for call, _ in calls}
        edges = [row for row in rows.get("call_edge", ()) if row[0] in lacking]
        parents = list({row[0] for row in edges})
        below = self._select(cursor, BELOW, parents) if parents else []
        tasks = grouped(given, 0)
        below += [(row[0], task) for row in edges for _, task in tasks.get(row[1], ())]
        below += [row for row in rows.get(UNRECORDED, ()) if row[0] in lacking]
        given += subtrees(calls, edges, below)

    def _supersede(self, cursor: Any, rows: TableRows) -> None:
        tags = {row[0] for row in rows.get("tag", ())}
        tags.update(row[0] for row in rows.get("tag_edit", ()))
        if tags:
            self._execute(cursor, SUPERSEDE, list(tags))

    def _select(self, cursor: Any, statement: str, ids: list[str]) -> list[Any]:
        self._execute(cursor, statement, ids)
        return list(cursor.fetchall())

    def _execute(self, cursor: Any, statement: str, ids: list[str]) -> None:
        dialect = self._repo.database.dialect
        cursor.execute(render(statement, dialect), bind((ids,), dialect))


def _ordered(table: str, rows: list[Row]) -> list[Row]:
    """
    Rows in the order of their keys, so that they walk through the pages of an index once and so that
    two who write the same rows don't wait for each other. Jobs stay parents first.
    """
    if table in ("job", "execution"):
        # One statement may not change a row twice: the last of equal ids counts.
        last = {row[0]: row for row in rows}
        return list(last.values()) if len(last) < len(rows) else rows
    if table == "tag":
        # Which tags are replaced is told by `tag_edit`.
        rows = [(*row[:5], True) for row in rows]
    return sorted(rows, key=_first)


def _first(row: Row) -> Any:
    return row[0]


class _Counter:
    """A cursor that adds up how many rows its statements wrote."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor
        self.count = 0

    def execute(self, *args: Any) -> Any:
        result = self._cursor.execute(*args)
        self.count += max(self._cursor.rowcount, 0)
        return result

    def fetchall(self) -> Any:
        return self._cursor.fetchall()

    def close(self) -> None:
        self._cursor.close()


def total(counts: Iterator[dict[str, int]]) -> dict[str, int]:
    """Counts by kind, added up."""
    sums: dict[str, int] = {}
    for some in counts:
        for kind, count in some.items():
            sums[kind] = sums.get(kind, 0) + count
    return sums
