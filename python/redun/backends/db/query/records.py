"""
Queries over the records of a repo: executions, jobs, calls, tasks and values at once.

A query is built from filters and then read, as ids. Filters add up (AND); the values within one
filter are alternatives (OR), except tags, which must all be there.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Iterator
from typing import Any, TypeVar

from redun.backends.db.query import conditions
from redun.backends.db.query.conditions import PRIMARY_KEYS, Condition, Conditions
from redun.backends.db.source import Source

#: Names of the record types, in the order in which they are given out.
RECORD_TYPES: tuple[str, ...] = tuple(PRIMARY_KEYS)

#: Rows fetched at a time, so that a long answer starts early and stays small in memory.
BATCH = 500

Query = TypeVar("Query", bound="RecordQuery")


class RecordQuery:
    """
    An immutable query: each filter returns a new one.

    Parameters
    ----------
    source : what to read with.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._types = frozenset(RECORD_TYPES)
        self._where: dict[str, tuple[Condition, ...]] = dict.fromkeys(RECORD_TYPES, ())
        self._order: str | None = None
        self._limit: int | None = None

    def clone(self: Query, **changes: Any) -> Query:
        """A copy with some attributes replaced: `types`, `where`, `order`, `limit`."""
        clone = copy.copy(self)
        clone._types = changes.get("types", self._types)
        clone._where = changes.get("where", self._where)
        clone._order = changes.get("order", self._order)
        clone._limit = changes.get("limit", self._limit)
        return clone

    def empty(self: Query) -> Query:
        """A query that finds nothing."""
        return self.clone(types=frozenset())

    def build(self: Query) -> Query:
        """The query itself: conditions take effect as they are added."""
        return self

    @property
    def source(self) -> Source:
        """What it reads with."""
        return self._source

    @property
    def types(self) -> list[str]:
        """The record types asked for, in the order they are given out."""
        return [name for name in RECORD_TYPES if name in self._types]

    # Filters.

    def filter_types(self: Query, names: Iterable[str]) -> Query:
        """Only these record types; replaces an earlier choice."""
        return self.clone(types=frozenset(names))

    def filter_ids(self: Query, ids: Collection[str]) -> Query:
        """Exact ids, in every type."""
        return self._add(conditions.ids_in(ids))

    def like_id(self: Query, prefix: str) -> Query:
        """Ids that start so, in every type; tasks also by their bare name."""
        return self._add(conditions.ids_like(prefix, self._source.dialect))

    def filter_execution_ids(self: Query, ids: Collection[str]) -> Query:
        """Executions, and everything their jobs ran, took and gave."""
        return self._add(conditions.executions_in(ids))

    def filter_execution_statuses(self: Query, statuses: Iterable[str]) -> Query:
        """
        Executions by status, newest first. DONE includes those answered from the cache.

        Raises `NotImplementedError` for an unknown status.
        """
        return self._add(conditions.execution_statuses(statuses)).order_by("time")

    def filter_job_statuses(self: Query, statuses: Iterable[str]) -> Query:
        """
        Jobs by status.

        Raises `NotImplementedError` for an unknown status, `AssertionError` for none at all.
        """
        return self._add(conditions.job_statuses(statuses))

    def filter_task_names(self: Query, names: Iterable[str]) -> Query:
        """Jobs and tasks by task name, full or bare."""
        return self._add_only(conditions.task_names(names))

    def filter_task_hashes(self: Query, hashes: Iterable[str]) -> Query:
        """Jobs and tasks by task hash."""
        return self._add_only(conditions.task_hashes(hashes))

    def filter_arguments(self: Query, value_hashes: Iterable[str]) -> Query:
        """Jobs that took one of these values, alone or inside an argument."""
        return self._add_only(conditions.arguments_in(value_hashes))

    def filter_results(self: Query, value_hashes: Iterable[str]) -> Query:
        """Jobs that gave one of these values, alone or inside a result."""
        return self._add_only(conditions.results_in(value_hashes))

    def filter_value_types(self: Query, names: Iterable[str]) -> Query:
        """Values of exactly these types."""
        return self._add(conditions.value_types(names))

    def filter_file_paths(self: Query, patterns: Iterable[str]) -> Query:
        """Values that are files with such a path; `*` stands for anything."""
        return self._add(conditions.file_paths(patterns))

    def filter_tags(self: Query, tags: Iterable[tuple[str, Any]]) -> Query:
        """Records of any type that have all these current tags."""
        return self._add(conditions.tagged(tags, self._source))

    def filter_execution_tags(self: Query, tags: Iterable[tuple[str, Any]]) -> Query:
        """Executions with all these current tags, and everything their jobs ran, took and gave."""
        return self._add(conditions.executions_tagged(tags, self._source))

    def order_by(self: Query, order: str) -> Query:
        """`time`: executions and jobs newest first. Raises `NotImplementedError` for others."""
        if order != "time":
            raise NotImplementedError(order)
        return self.clone(order=order)

    def limit(self: Query, number: int) -> Query:
        """At most so many records over all types."""
        return self.clone(limit=number)

    # Reading.

    def ids(self) -> Iterator[tuple[str, list[str]]]:
        """Type and ids of the rows found, type after type, in batches that keep the order."""
        for name, limit in self.types_limited():
            text, parameters = self._select(name)
            if limit is not None:
                text, parameters = f"{text} LIMIT ?", [*parameters, limit]
            for rows in self._source.batches(text, parameters, BATCH):
                yield name, [row[0] for row in rows]

    def types_limited(self) -> Iterator[tuple[str, int | None]]:
        """The types asked for, each with the number of rows still wanted (None: all)."""
        left = self._limit
        for name in self.types:
            if left is not None and left <= 0:
                return
            yield name, left
            if left is not None and name != self.types[-1]:
                left -= min(left, self._count(name))

    def count(self) -> Iterator[tuple[str, int]]:
        """Type and number of rows, for each type asked for."""
        for name in self.types:
            yield name, self._count(name)

    def slice_ids(self, skip: int, count: int) -> Iterator[tuple[str, list[str]]]:
        """Type and ids of at most `count` rows after the first `skip`, counted across all types."""
        left = count
        for name in self.types:
            if left <= 0:
                return
            text, parameters = self._select(name)
            ids = self._source.cells(f"{text} LIMIT ? OFFSET ?", [*parameters, left, skip])
            yield name, ids
            left -= len(ids)
            skip = max(0, skip - self._count(name)) if not ids else 0

    def select(self, *columns: str, flat: bool = False) -> Iterator[Any]:
        """
        Columns instead of rows: `id` and `type`, as tuples, or bare if `flat`.

        Raises `ValueError` for an unknown column.
        """
        for column in columns:
            if column not in ("id", "type"):
                raise ValueError(f"Unknown column {column!r}.")
        return self._select_columns(columns, flat)

    def _select_columns(self, columns: tuple[str, ...], flat: bool) -> Iterator[Any]:
        for name, ids in self.ids():
            for record_id in ids:
                row = tuple(record_id if column == "id" else name for column in columns)
                if flat:
                    yield from row
                else:
                    yield row

    # Plumbing.

    def _add(self: Query, extra: Conditions) -> Query:
        where = dict(self._where)
        for name, condition in extra.items():
            where[name] = (*where[name], condition)
        return self.clone(where=where)

    def _add_only(self: Query, extra: Conditions) -> Query:
        """Adds conditions that can hold only for the types they name."""
        return self._add(extra).clone(types=self._types & extra.keys())

    def _count(self, name: str) -> int:
        found = self._found(name)
        table = PRIMARY_KEYS[name][0]
        text = f"SELECT count(*) FROM {table} WHERE {found.text}"
        number: int = self._source.cell(text, found.parameters)
        return number

    def _select(self, name: str) -> tuple[str, list[Any]]:
        """The statement for the ids of one type, to which a limit may be added."""
        found = self._found(name)
        table, key = PRIMARY_KEYS[name]
        joins = _JOINS.get(name, "") if self._order else ""
        text = f"SELECT {table}.{key}, {table}.{_UNINDEXED[name]} FROM {table}{joins}"
        return f"{text} WHERE {found.text}{self._order_clause(name)}", list(found.parameters)

    def _order_clause(self, name: str) -> str:
        if self._order is None:
            return ""
        if name in _NEWEST_FIRST:
            return f" ORDER BY {_NEWEST_FIRST[name]}"
        if self._where[name] and self._source.dialect == "sqlite":
            # As recorded. The sign keeps the planner from walking the whole table in that order.
            return f" ORDER BY +{PRIMARY_KEYS[name][0]}.rowid"
        return ""

    def _found(self, name: str) -> Condition:
        """What holds of the rows of a type that are asked for."""
        return conditions.all_of(self._where[name])


_JOINS = {"Execution": " LEFT JOIN job ON job.id = execution.job_id"}

_NEWEST_FIRST = {
    "Execution": "job.start_time DESC NULLS LAST, execution.id",
    "Job": "job.start_time DESC, job.id",
}

# A column outside every index, read beside the id: rows are then read in the order they were
# recorded instead of the order of some index.
_UNINDEXED = {
    "Execution": "args",
    "Job": "cached",
    "CallNode": "timestamp",
    "Task": "source",
    "Value": "format",
}
