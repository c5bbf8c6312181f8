"""
Queries over the records of a repo: executions, jobs, calls, tasks and values at once.

A query is built from filters and then read. Filters add up (AND); the values within one filter are
alternatives (OR), except tags, which must all be there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from redun.backends.db.orm import CallNode, Execution, Job, Tag, Task, Value
from redun.backends.db.query import conditions
from redun.backends.db.query.conditions import Conditions
from redun.backends.db.query.tables import (
    CALL_NODE,
    EXECUTION,
    JOB,
    RECORD_TABLES,
    TASK,
    VALUE,
)

#: Rows fetched at a time, so that a long answer starts early and stays small in memory.
BATCH = 500


class _Alias:
    """A class attribute that is an alias of a model, made when first asked for."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._alias: Any = None

    def __get__(self, instance: Any, owner: Any) -> Any:
        if self._alias is None:
            self._alias = aliased(self._model)
        return self._alias


class CallGraphQuery:
    """
    An immutable query: each filter returns a new one.

    Parameters
    ----------
    session : the unit of work to read with.
    """

    MODEL_CLASSES: ClassVar[dict[str, Any]] = {
        "Execution": Execution,
        "Job": Job,
        "CallNode": CallNode,
        "Task": Task,
        "Value": Value,
    }
    MODEL_NAMES: ClassVar[list[str]] = list(MODEL_CLASSES)
    MODEL_PKS: ClassVar[dict[Any, Any]] = {
        Execution: Execution.id,
        Job: Job.id,
        CallNode: CallNode.call_hash,
        Task: Task.hash,
        Value: Value.value_hash,
    }
    ExecTag: ClassVar[Any] = _Alias(Tag)

    def __init__(self, session: Session) -> None:
        self._session = session
        self._dialect = session.get_bind().dialect.name
        self._types = frozenset(self.MODEL_NAMES)
        self._where: dict[str, tuple[Any, ...]] = dict.fromkeys(self.MODEL_NAMES, ())
        self._order: str | None = None
        self._limit: int | None = None

    def clone(self, **changes: Any) -> CallGraphQuery:
        """A copy with some attributes replaced: `types`, `where`, `order`, `limit`."""
        copy = CallGraphQuery(self._session)
        copy._types = changes.get("types", self._types)
        copy._where = changes.get("where", self._where)
        copy._order = changes.get("order", self._order)
        copy._limit = changes.get("limit", self._limit)
        return copy

    def empty(self) -> CallGraphQuery:
        """A query that finds nothing."""
        return self.clone(types=frozenset())

    def build(self) -> CallGraphQuery:
        """The query itself: conditions take effect as they are added."""
        return self

    @property
    def types(self) -> list[str]:
        """The record types asked for, in the order they are given out."""
        return [name for name in self.MODEL_NAMES if name in self._types]

    @property
    def subqueries(self) -> list[sa.Select[Any]]:
        """One statement for each type asked for."""
        return [self._select(name, self.MODEL_CLASSES[name]) for name in self.types]

    # Filters.

    def filter_types(self, names: Iterable[str]) -> CallGraphQuery:
        """Only these record types; replaces an earlier choice."""
        return self.clone(types=frozenset(names))

    def filter_ids(self, ids: Collection[str]) -> CallGraphQuery:
        """Exact ids, in every type."""
        return self._add(conditions.ids_in(ids))

    def like_id(self, prefix: str) -> CallGraphQuery:
        """Ids that start so, in every type; tasks also by their bare name."""
        return self._add(conditions.ids_like(prefix, self._dialect))

    def filter_execution_ids(self, ids: Collection[str]) -> CallGraphQuery:
        """Executions, and everything their jobs ran, took and gave."""
        return self._add(conditions.executions_in(ids))

    def filter_execution_statuses(self, statuses: Iterable[str]) -> CallGraphQuery:
        """
        Executions by status, newest first. DONE includes those answered from the cache.

        Raises `NotImplementedError` for an unknown status.
        """
        return self._add(conditions.execution_statuses(statuses)).order_by("time")

    def filter_job_statuses(self, statuses: Iterable[str]) -> CallGraphQuery:
        """
        Jobs by status.

        Raises `NotImplementedError` for an unknown status, `AssertionError` for none at all.
        """
        return self._add(conditions.job_statuses(statuses))

    def filter_task_names(self, names: Iterable[str]) -> CallGraphQuery:
        """Jobs and tasks by task name, full or bare."""
        return self._add_only(conditions.task_names(names))

    def filter_task_hashes(self, hashes: Iterable[str]) -> CallGraphQuery:
        """Jobs and tasks by task hash."""
        return self._add_only(conditions.task_hashes(hashes))

    def filter_arguments(self, value_hashes: Iterable[str]) -> CallGraphQuery:
        """Jobs that took one of these values, alone or inside an argument."""
        return self._add_only(conditions.arguments_in(value_hashes))

    def filter_results(self, value_hashes: Iterable[str]) -> CallGraphQuery:
        """Jobs that gave one of these values, alone or inside a result."""
        return self._add_only(conditions.results_in(value_hashes))

    def filter_value_types(self, names: Iterable[str]) -> CallGraphQuery:
        """Values of exactly these types."""
        return self._add(conditions.value_types(names))

    def filter_file_paths(self, patterns: Iterable[str]) -> CallGraphQuery:
        """Values that are files with such a path; `*` stands for anything."""
        return self._add(conditions.file_paths(patterns))

    def filter_tags(self, tags: Iterable[tuple[str, Any]]) -> CallGraphQuery:
        """Records of any type that have all these current tags."""
        return self._add(conditions.tagged(tags))

    def filter_execution_tags(self, tags: Iterable[tuple[str, Any]]) -> CallGraphQuery:
        """Executions with all these current tags, and everything their jobs ran, took and gave."""
        return self._add(conditions.executions_tagged(tags))

    def order_by(self, order: str) -> CallGraphQuery:
        """`time`: executions and jobs newest first. Raises `NotImplementedError` for others."""
        if order != "time":
            raise NotImplementedError(order)
        return self.clone(order=order)

    def limit(self, number: int) -> CallGraphQuery:
        """At most so many records over all types."""
        return self.clone(limit=number)

    # Reading.

    def all(self) -> Iterator[Any]:
        """The rows found, type after type."""
        for name in self.types_limited():
            statement = self._select(name[0], self.MODEL_CLASSES[name[0]]).limit(name[1])
            yield from self._session.scalars(statement.execution_options(yield_per=BATCH))

    def ids(self) -> Iterator[tuple[str, list[str]]]:
        """Type and ids of the rows found, type after type, in batches that keep the order."""
        for name, limit in self.types_limited():
            columns = self._select(name, *_LISTED[name]).limit(limit)
            result = self._session.execute(columns.execution_options(yield_per=BATCH))
            for rows in result.partitions():
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

    def first(self) -> Any:
        """The first row, or None."""
        return next(iter(self.limit(1).all()), None)

    def one(self) -> Any:
        """The only row. Raises `ValueError` if there are none or several."""
        (row,) = self.limit(2).all()
        return row

    def one_or_none(self) -> Any:
        """The only row, or None if there is none. Raises `ValueError` if there are several."""
        rows = list(self.limit(2).all())
        if not rows:
            return None
        (row,) = rows
        return row

    def count(self) -> Iterator[tuple[str, int]]:
        """Type and number of rows, for each type asked for."""
        for name in self.types:
            yield name, self._count(name)

    def page(self, page: int, page_size: int) -> Iterator[Any]:
        """The rows of one page, counted from 0 across all types."""
        models = {name: (model,) for name, model in self.MODEL_CLASSES.items()}
        for _name, rows in self._slices(page * page_size, page_size, models):
            yield from (row[0] for row in rows)

    def slice_ids(self, skip: int, count: int) -> Iterator[tuple[str, list[str]]]:
        """Type and ids of at most `count` rows after the first `skip`, counted across all types."""
        for name, rows in self._slices(skip, count, _LISTED):
            yield name, [row[0] for row in rows]

    def _slices(
        self, skip: int, left: int, columns: dict[str, tuple[Any, ...]]
    ) -> Iterator[tuple[str, list[Any]]]:
        for name in self.types:
            if left <= 0:
                return
            statement = self._select(name, *columns[name]).offset(skip).limit(left)
            rows = list(self._session.execute(statement))
            yield name, rows
            left -= len(rows)
            skip = max(0, skip - self._count(name)) if not rows else 0

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

    def _add(self, extra: Conditions) -> CallGraphQuery:
        where = dict(self._where)
        for name, condition in extra.items():
            where[name] = (*where[name], condition)
        return self.clone(where=where)

    def _add_only(self, extra: Conditions) -> CallGraphQuery:
        """Adds conditions that can hold only for the types they name."""
        return self._add(extra).clone(types=self._types & extra.keys())

    def _count(self, name: str) -> int:
        statement = sa.select(sa.func.count()).select_from(RECORD_TABLES[name])
        return self._session.execute(statement.where(*self._where[name])).scalar_one()

    def _select(self, name: str, *columns: Any) -> sa.Select[Any]:
        table = RECORD_TABLES[name]
        statement = sa.select(*columns).select_from(table).where(*self._where[name])
        if self._order != "time":
            return statement
        if name == "Job":
            return statement.order_by(JOB.c.start_time.desc(), JOB.c.id)
        if name == "Execution":
            statement = statement.outerjoin(JOB, JOB.c.id == EXECUTION.c.job_id)
            return statement.order_by(JOB.c.start_time.desc().nulls_last(), EXECUTION.c.id)
        if self._where[name] and self._dialect == "sqlite":
            # As recorded. The sign keeps the planner from walking the whole table in that order.
            return statement.order_by(sa.text(f"+{table.name}.rowid"))
        return statement


# Beside the id, a column outside every index: rows are then read in the order they were recorded
# instead of the order of some index.
_LISTED: dict[str, tuple[Any, ...]] = {
    "Execution": (EXECUTION.c.id, EXECUTION.c.args),
    "Job": (JOB.c.id, JOB.c.cached),
    "CallNode": (CALL_NODE.c.call_hash, CALL_NODE.c.timestamp),
    "Task": (TASK.c.hash, TASK.c.source),
    "Value": (VALUE.c.value_hash, VALUE.c.format),
}
