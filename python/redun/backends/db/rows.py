"""
Rows of records, of either database in one form: read in bulk, and written with what follows from them.

Rows are tuples in the order of `COLUMNS`; moments are texts `YYYY-MM-DD HH:MM:SS.ffffff` in UTC, JSON
is compact sorted text, an empty payload lies in the value store.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

from redun.backends.db.codec import json_text

Row: TypeAlias = tuple[Any, ...]

#: Rows by table.
TableRows: TypeAlias = dict[str, list[Row]]

#: Tables in the order of writing, referred-to ones first, with their columns.
COLUMNS = {
    "value": ("value_hash", "type", "format", "value"),
    "task": ("hash", "name", "namespace", "source"),
    "file": ("value_hash", "path"),
    "subvalue": ("value_hash", "parent_value_hash"),
    "call_node": ("call_hash", "task_name", "task_hash", "args_hash", "value_hash", "timestamp"),
    "call_edge": ("parent_id", "child_id", "call_order"),
    "argument": ("arg_hash", "call_hash", "value_hash", "arg_position", "arg_key"),
    "argument_result": ("arg_hash", "result_call_hash"),
    "call_subtree_task": ("call_hash", "task_hash"),
    "execution": ("id", "args", "job_id"),
    "job": (
        "id",
        "start_time",
        "end_time",
        "task_hash",
        "cached",
        "call_hash",
        "parent_id",
        "execution_id",
    ),
    "tag": ("tag_hash", "entity_type", "entity_id", "key", "value", "is_current"),
    "tag_edit": ("parent_id", "child_id"),
}

#: The tables that the records of a kind consist of, each with the column that says whose row it is.
TABLES = {
    "Execution": (("execution", "id"),),
    "Job": (("job", "id"),),
    "CallNode": (
        ("call_node", "call_hash"),
        ("call_edge", "parent_id"),
        ("argument", "call_hash"),
        ("call_subtree_task", "call_hash"),
    ),
    "Value": (
        ("value", "value_hash"),
        ("task", "hash"),
        ("file", "value_hash"),
        ("subvalue", "parent_value_hash"),
    ),
    "Tag": (("tag", "tag_hash"), ("tag_edit", "child_id")),
}

#: Payload that is read at once, in bytes.
MAX_BYTES = 16 * 1024 * 1024

SIZES = "SELECT value_hash, length(value) FROM value WHERE value_hash {in_ids}"
UPSTREAM = (
    "SELECT argument_result.arg_hash, argument_result.result_call_hash FROM argument "
    "JOIN argument_result ON argument_result.arg_hash = argument.arg_hash "
    "WHERE argument.call_hash {in_ids}"
)

_MOMENTS = {"timestamp", "start_time", "end_time"}


class RowReader:
    """
    Reads the rows of records.

    Parameters
    ----------
    reader : a `Reader` of the repo.
    dialect : name of the database.
    """

    def __init__(self, reader: Any, dialect: str) -> None:
        self._reader = reader
        self._postgres = dialect == "postgresql"
        self._texts = {
            (table, key): self._select(table, key)
            for tables in TABLES.values()
            for table, key in tables
        }

    def _select(self, table: str, key: str) -> str:
        cells = ", ".join(self._cell(table, name) for name in COLUMNS[table])
        return f'SELECT {cells} FROM "{table}" WHERE "{key}" {{in_ids}}'

    def _cell(self, table: str, name: str) -> str:
        if not self._postgres:
            return f'"{name}"'
        if name in _MOMENTS:
            return f"to_char(\"{name}\" AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')"
        if (table, name) in (("tag", "value"), ("tag", "entity_type")):
            return f'CAST("{name}" AS VARCHAR)'
        return f'"{name}"'

    def read(self, kind: str, ids: Sequence[str]) -> Iterator[TableRows]:
        """
        The rows of records of a kind, in pieces that fit in memory.

        Each piece is about the next of the ids, as many as its `ids`, `[(number,)]`, says.
        """
        if kind != "Value":
            yield self._read(kind, ids)
            return
        for chunk in self._chunks(ids):
            yield self._read(kind, chunk)

    def _chunks(self, ids: Sequence[str]) -> Iterator[Sequence[str]]:
        sizes = dict(self._reader.rows(SIZES, list(ids)))
        start = size = 0
        for end, value_hash in enumerate(ids):
            length = sizes.get(value_hash, 0)
            if size + length > MAX_BYTES and end > start:
                yield ids[start:end]
                start, size = end, 0
            size += length
        yield ids[start:]

    def _read(self, kind: str, ids: Sequence[str]) -> TableRows:
        found: TableRows = {"ids": [(len(ids),)]}
        for table, key in TABLES[kind]:
            found[table] = self._reader.rows(self._texts[table, key], list(ids))
        if kind == "CallNode":
            found["argument_result"] = self._reader.rows(UPSTREAM, list(ids))
        if self._postgres:
            if kind == "Value":
                found["value"] = [(*row[:3], bytes(row[3])) for row in found["value"]]
            elif kind == "Tag":
                found["tag"] = [
                    (*row[:4], json_text(json.loads(row[4])), row[5]) for row in found["tag"]
                ]
        return found


def merge(into: TableRows, rows: TableRows) -> None:
    """Adds rows to others."""
    for table, more in rows.items():
        into.setdefault(table, []).extend(more)


def grouped(rows: Sequence[Row], key: int) -> dict[str, list[Row]]:
    """Rows by one of their cells."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row[key]].append(row)
    return found


def open_jobs(rows: TableRows) -> TableRows:
    """The rows of jobs as if they had not ended."""
    return {
        "job": [
            (job_id, start, None, task, False, None, parent, execution)
            for job_id, start, _, task, _, _, parent, execution in rows["job"]
        ]
    }


def subtrees(
    calls: Sequence[tuple[str, str]],
    edges: Sequence[Row],
    below: Sequence[tuple[str, str]],
) -> list[Row]:
    """
    Rows of `call_subtree_task`, derived from the call graph.

    Parameters
    ----------
    calls : (call, task) of the calls that need such rows.
    edges : (parent, child, ...) of these calls.
    below : (parent, task) for the tasks below children that have their rows already.
    """
    tasks: dict[str, set[str]] = {call: {task} for call, task in calls}
    for parent, task in below:
        tasks[parent].add(task)
    children: dict[str, list[str]] = defaultdict(list)
    for parent, child, *_ in edges:
        if parent in tasks and child in tasks:
            children[parent].append(child)
    done: set[str] = set()
    for call in tasks:
        path = [] if call in done else [(call, iter(children.get(call, ())))]
        done.add(call)
        while path:
            parent, rest = path[-1]
            for child in rest:
                if child not in done:
                    done.add(child)
                    path.append((child, iter(children.get(child, ()))))
                    break
                tasks[parent] |= tasks[child]
            else:
                path.pop()
                if path:
                    tasks[path[-1][0]] |= tasks[parent]
    return [(call, task) for call in tasks for task in sorted(tasks[call])]
