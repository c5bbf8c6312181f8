"""
What is needed to show records, read in bulk: a fixed number of statements for each batch.

A view holds plain data. Values are shown through the restricted preview, so that looking at a repo
runs no code out of it.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from redun.backends.db.bulk import in_chunks
from redun.backends.db.codec import MAX_VALUE_SIZE_PREVIEW
from redun.backends.db.orm import Value
from redun.backends.db.parsing import PreviewValue, preview_payload
from redun.backends.db.query.tables import (
    ARGUMENT,
    CALL_NODE,
    EXECUTION,
    FILE,
    JOB,
    TAG,
    TASK,
    VALUE,
)
from redun.backends.db.shown import shown_repr

ERROR_TYPE = "redun.ErrorValue"

TagPairs = list[tuple[str, Any]]


@dataclass(slots=True)
class ExecutionView:
    """One execution. `args` is its command line; `start_time` that of the root job."""

    id: str
    args: list[str]
    job_id: str
    status: str
    start_time: dt.datetime | None
    end_time: dt.datetime | None
    tags: TagPairs = field(default_factory=list)


@dataclass(slots=True)
class JobView:
    """One job. `args` are the shown arguments of its call, each with its key or None."""

    id: str
    start_time: dt.datetime
    end_time: dt.datetime | None
    status: str
    task_hash: str
    task_name: str
    call_hash: str | None
    parent_id: str | None
    execution_id: str
    args: list[tuple[str | None, str]] = field(default_factory=list)
    tags: TagPairs = field(default_factory=list)


@dataclass(slots=True)
class CallNodeView:
    """One call, for a line."""

    call_hash: str
    task_name: str
    tags: TagPairs = field(default_factory=list)


@dataclass(slots=True)
class TaskView:
    """One version of a task. `name` is the full name."""

    hash: str
    name: str
    source: str
    tags: TagPairs = field(default_factory=list)


@dataclass(slots=True)
class ValueView:
    """One value. `shown` is its preview, `path` that of a file."""

    value_hash: str
    type: str
    shown: str
    path: str | None = None
    tags: TagPairs = field(default_factory=list)


class Views:
    """
    Reads views; remembers the values it has shown.

    Parameters
    ----------
    session : the unit of work to read with.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._registry = getattr(getattr(session, "backend", None), "type_registry", None)
        self._shown: dict[str, str] = {}

    def executions(self, ids: Collection[str]) -> list[ExecutionView]:
        """Views of executions, in the order of their ids."""
        query = (
            sa.select(
                EXECUTION.c.id,
                EXECUTION.c.args,
                EXECUTION.c.job_id,
                JOB.c.id,
                JOB.c.start_time,
                JOB.c.end_time,
                JOB.c.cached,
                VALUE.c.type,
            )
            .select_from(EXECUTION)
            .outerjoin(JOB, JOB.c.id == EXECUTION.c.job_id)
            .outerjoin(CALL_NODE, CALL_NODE.c.call_hash == JOB.c.call_hash)
            .outerjoin(VALUE, VALUE.c.value_hash == CALL_NODE.c.value_hash)
        )
        tags = self.tags(ids)
        found = {}
        for row in in_chunks(self._session, query, EXECUTION.c.id, ids):
            execution_id, args, job_id, root_id, start, end, cached, result_type = row
            status = job_status(end, cached, result_type) if root_id else "FAILED"
            if status == "CACHED":
                status = "DONE"
            view = ExecutionView(execution_id, json.loads(args), job_id, status, start, end)
            view.tags = tags[execution_id]
            found[execution_id] = view
        return [found[execution_id] for execution_id in ids if execution_id in found]

    def jobs(self, ids: Collection[str]) -> list[JobView]:
        """Views of jobs, in the order of their ids."""
        found = {
            view.id: view for view in map(_job_view, in_chunks(self._session, _JOBS, JOB.c.id, ids))
        }
        views = [found[job_id] for job_id in ids if job_id in found]
        self._complete(views)
        return views

    def jobs_of_execution(self, execution_id: str) -> list[JobView]:
        """Views of all jobs of an execution, first started first."""
        query = _JOBS.where(JOB.c.execution_id == execution_id).order_by(JOB.c.start_time)
        views = [_job_view(row) for row in self._session.execute(query).all()]
        self._complete(views)
        return views

    def _complete(self, views: list[JobView]) -> None:
        """Adds arguments and tags to views of jobs."""
        args = self.arguments({view.call_hash for view in views if view.call_hash})
        tags = self.tags([view.id for view in views])
        for view in views:
            view.tags = tags[view.id]
            if view.call_hash:
                view.args = args[view.call_hash]

    def ancestors(self, job_id: str) -> list[tuple[str, str]]:
        """Ids and bare task names of the jobs above a job, nearest first."""
        first = sa.select(JOB.c.parent_id.label("id"), sa.literal(1).label("depth"))
        above = first.where(JOB.c.id == job_id).cte("above", recursive=True)
        further = sa.select(JOB.c.parent_id, above.c.depth + 1).where(JOB.c.id == above.c.id)
        lineage = above.union_all(further)
        query = (
            sa.select(JOB.c.id, TASK.c.name)
            .select_from(JOB)
            .join(lineage, lineage.c.id == JOB.c.id)
            .outerjoin(TASK, TASK.c.hash == JOB.c.task_hash)
            .order_by(lineage.c.depth)
        )
        return [(row[0], row[1]) for row in self._session.execute(query)]

    def call_nodes(self, hashes: Collection[str]) -> list[CallNodeView]:
        """Views of calls, in the order of their hashes."""
        query = sa.select(CALL_NODE.c.call_hash, CALL_NODE.c.task_name)
        names = dict(map(tuple, in_chunks(self._session, query, CALL_NODE.c.call_hash, hashes)))
        tags = self.tags(hashes)
        return [CallNodeView(key, names[key], tags[key]) for key in hashes if key in names]

    def tasks(self, hashes: Collection[str]) -> list[TaskView]:
        """Views of tasks, in the order of their hashes."""
        query = sa.select(TASK.c.hash, TASK.c.namespace, TASK.c.name, TASK.c.source)
        tags = self.tags(hashes)
        found = {
            key: TaskView(key, full_name(namespace, name), source, tags[key])
            for key, namespace, name, source in in_chunks(self._session, query, TASK.c.hash, hashes)
        }
        return [found[key] for key in hashes if key in found]

    def values(self, hashes: Collection[str]) -> list[ValueView]:
        """Views of values, in the order of their hashes."""
        shown = self.previews(hashes)
        query = (
            sa.select(VALUE.c.value_hash, VALUE.c.type, FILE.c.path)
            .select_from(VALUE)
            .outerjoin(FILE, FILE.c.value_hash == VALUE.c.value_hash)
        )
        tags = self.tags(hashes)
        found = {
            key: ValueView(key, type_name, shown[key], path, tags[key])
            for key, type_name, path in in_chunks(self._session, query, VALUE.c.value_hash, hashes)
        }
        return [found[key] for key in hashes if key in found]

    def files(self, hashes: Collection[str]) -> list[ValueView]:
        """Views of values that are files, by path; of each path only the first."""
        query = sa.select(FILE.c.value_hash, FILE.c.path)
        first: dict[str, str] = {}
        for key, path in in_chunks(self._session, query, FILE.c.value_hash, hashes):
            first[path] = min(key, first.get(path, key))
        tags = self.tags(list(first.values()))
        return [
            ValueView(key, "redun.File", "", path, tags[key]) for path, key in sorted(first.items())
        ]

    def tags(self, entity_ids: Collection[str]) -> dict[str, TagPairs]:
        """The current tags of entities."""
        found: dict[str, TagPairs] = defaultdict(list)
        query = sa.select(TAG.c.entity_id, TAG.c.key, TAG.c.value).where(TAG.c.is_current)
        for entity_id, key, value in in_chunks(
            self._session, query, TAG.c.entity_id, set(entity_ids)
        ):
            found[entity_id].append((key, value))
        return found

    def arguments(self, calls: Collection[str]) -> dict[str, list[tuple[str | None, str]]]:
        """The shown arguments of calls: by position, then by key."""
        query = sa.select(
            ARGUMENT.c.call_hash, ARGUMENT.c.arg_position, ARGUMENT.c.arg_key, ARGUMENT.c.value_hash
        )
        rows = [tuple(row) for row in in_chunks(self._session, query, ARGUMENT.c.call_hash, calls)]
        shown = self.previews({row[3] for row in rows})
        found: dict[str, list[tuple[str | None, str]]] = defaultdict(list)
        rows.sort(key=lambda row: (row[2] is not None, row[1] or 0, row[2] or ""))
        for call_hash, _position, key, value_hash in rows:
            found[call_hash].append((key, shown[value_hash]))
        return found

    def previews(self, hashes: Collection[str]) -> dict[str, str]:
        """What values look like, in at most 200 characters each."""
        missing = {key for key in hashes if key not in self._shown}
        size = sa.func.length(VALUE.c.value)
        payload = sa.case((size <= MAX_VALUE_SIZE_PREVIEW, VALUE.c.value), else_=None)
        query = sa.select(VALUE.c.value_hash, VALUE.c.type, VALUE.c.format, size, payload)
        elsewhere = []
        for key, type_name, format_name, length, data in in_chunks(
            self._session, query, VALUE.c.value_hash, missing
        ):
            if length == 0:
                elsewhere.append(key)
                continue
            preview = (
                PreviewValue(type_name, key, length)
                if data is None
                else preview_payload(self._registry, type_name, format_name, data, key)
            )
            self._shown[key] = shown_repr(preview)
        for (value,) in in_chunks(self._session, sa.select(Value), VALUE.c.value_hash, elsewhere):
            self._shown[value.value_hash] = shown_repr(value.preview)
        return self._shown


def job_status(end_time: Any, cached: bool, result_type: str | None) -> str:
    """`FAILED`, `RUNNING`, `CACHED` or `DONE`, by the rules of `Job.status`."""
    if result_type == ERROR_TYPE:
        return "FAILED"
    if end_time is None:
        return "RUNNING"
    return "CACHED" if cached else "DONE"


def full_name(namespace: str | None, name: str | None) -> str:
    """`namespace.name`, or the bare name."""
    return f"{namespace}.{name}" if namespace else name or ""


_JOBS = (
    sa.select(
        JOB.c.id,
        JOB.c.start_time,
        JOB.c.end_time,
        JOB.c.cached,
        JOB.c.task_hash,
        JOB.c.call_hash,
        JOB.c.parent_id,
        JOB.c.execution_id,
        TASK.c.namespace,
        TASK.c.name,
        VALUE.c.type,
    )
    .select_from(JOB)
    .outerjoin(TASK, TASK.c.hash == JOB.c.task_hash)
    .outerjoin(CALL_NODE, CALL_NODE.c.call_hash == JOB.c.call_hash)
    .outerjoin(VALUE, VALUE.c.value_hash == CALL_NODE.c.value_hash)
)


def _job_view(row: Any) -> JobView:
    job_id, start, end, cached, task_hash, call_hash, parent, execution, namespace, name, kind = row
    status = job_status(end, cached, kind)
    task_name = full_name(namespace, name)
    return JobView(job_id, start, end, status, task_hash, task_name, call_hash, parent, execution)
