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

from redun.backends.db.codec import to_moment
from redun.backends.db.previews import previews
from redun.backends.db.query.conditions import ERROR_TYPE
from redun.backends.db.shown import shown_repr
from redun.backends.db.source import Source

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
    source : what to read with.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._shown: dict[str, str] = {}

    def executions(self, ids: Collection[str]) -> list[ExecutionView]:
        """Views of executions, in the order of their ids."""
        tags = self.tags(ids)
        found = {}
        for row in self._source.rows_among(_EXECUTIONS, ids):
            execution_id, args, job_id, root_id, start, end, cached, result_type = row
            status = job_status(end, cached, result_type) if root_id else "FAILED"
            if status == "CACHED":
                status = "DONE"
            times = to_moment(start), to_moment(end)
            view = ExecutionView(execution_id, json.loads(args), job_id, status, *times)
            view.tags = tags[execution_id]
            found[execution_id] = view
        return [found[execution_id] for execution_id in ids if execution_id in found]

    def jobs(self, ids: Collection[str]) -> list[JobView]:
        """Views of jobs, in the order of their ids."""
        rows = self._source.rows_among(f"{_JOBS} WHERE job.id {{in_ids}}", ids)
        found = {view.id: view for view in map(_job_view, rows)}
        views = [found[job_id] for job_id in ids if job_id in found]
        self._complete(views)
        return views

    def jobs_of_execution(self, execution_id: str) -> list[JobView]:
        """Views of all jobs of an execution, first started first."""
        statement = f"{_JOBS} WHERE job.execution_id = ? ORDER BY job.start_time"
        views = [_job_view(row) for row in self._source.rows(statement, (execution_id,))]
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
        return [(row[0], row[1]) for row in self._source.rows(_ANCESTORS, (job_id,))]

    def call_nodes(self, hashes: Collection[str]) -> list[CallNodeView]:
        """Views of calls, in the order of their hashes."""
        names: dict[str, str] = dict(self._source.rows_among(_CALL_NODES, hashes))
        tags = self.tags(hashes)
        return [CallNodeView(key, names[key], tags[key]) for key in hashes if key in names]

    def tasks(self, hashes: Collection[str]) -> list[TaskView]:
        """Views of tasks, in the order of their hashes."""
        tags = self.tags(hashes)
        found = {
            key: TaskView(key, full_name(namespace, name), source, tags[key])
            for key, namespace, name, source in self._source.rows_among(_TASKS, hashes)
        }
        return [found[key] for key in hashes if key in found]

    def values(self, hashes: Collection[str]) -> list[ValueView]:
        """Views of values, in the order of their hashes."""
        shown = self.previews(hashes)
        tags = self.tags(hashes)
        found = {
            key: ValueView(key, type_name, shown[key], path, tags[key])
            for key, type_name, path in self._source.rows_among(_VALUES, hashes)
        }
        return [found[key] for key in hashes if key in found]

    def files(self, hashes: Collection[str]) -> list[ValueView]:
        """Views of values that are files, by path; of each path only the first."""
        first: dict[str, str] = {}
        for key, path in self._source.rows_among(_FILES, hashes):
            first[path] = min(key, first.get(path, key))
        tags = self.tags(list(first.values()))
        return [
            ValueView(key, "redun.File", "", path, tags[key]) for path, key in sorted(first.items())
        ]

    def tags(self, entity_ids: Collection[str]) -> dict[str, TagPairs]:
        """The current tags of entities."""
        found: dict[str, TagPairs] = defaultdict(list)
        document = self._source.document
        for entity_id, key, value in self._source.rows_among(_TAGS, set(entity_ids)):
            found[entity_id].append((key, document(value)))
        return found

    def arguments(self, calls: Collection[str]) -> dict[str, list[tuple[str | None, str]]]:
        """The shown arguments of calls: by position, then by key."""
        rows = list(self._source.rows_among(_ARGUMENTS, calls))
        shown = self.previews({row[3] for row in rows})
        found: dict[str, list[tuple[str | None, str]]] = defaultdict(list)
        rows.sort(key=lambda row: (row[2] is not None, row[1] or 0, row[2] or ""))
        for call_hash, _position, key, value_hash in rows:
            found[call_hash].append((key, shown[value_hash]))
        return found

    def previews(self, hashes: Collection[str]) -> dict[str, str]:
        """What values look like, in at most 200 characters each."""
        missing = {key for key in hashes if key not in self._shown}
        for key, preview in previews(self._source, missing):
            self._shown[key] = shown_repr(preview)
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


_EXECUTIONS = """
SELECT execution.id, execution.args, execution.job_id, job.id, job.start_time, job.end_time,
    job.cached, value.type
FROM execution
LEFT JOIN job ON job.id = execution.job_id
LEFT JOIN call_node ON call_node.call_hash = job.call_hash
LEFT JOIN value ON value.value_hash = call_node.value_hash
WHERE execution.id {in_ids}
"""

_JOBS = """
SELECT job.id, job.start_time, job.end_time, job.cached, job.task_hash, job.call_hash, job.parent_id,
    job.execution_id, task.namespace, task.name, value.type
FROM job
LEFT JOIN task ON task.hash = job.task_hash
LEFT JOIN call_node ON call_node.call_hash = job.call_hash
LEFT JOIN value ON value.value_hash = call_node.value_hash
"""

_ANCESTORS = """
WITH RECURSIVE above(id, depth) AS (
    SELECT job.parent_id, 1 FROM job WHERE job.id = ?
    UNION ALL
    SELECT job.parent_id, above.depth + 1 FROM job, above WHERE job.id = above.id
)
SELECT job.id, task.name FROM job
JOIN above ON above.id = job.id
LEFT JOIN task ON task.hash = job.task_hash
ORDER BY above.depth
"""

_CALL_NODES = "SELECT call_hash, task_name FROM call_node WHERE call_hash {in_ids}"

_TASKS = "SELECT hash, namespace, name, source FROM task WHERE hash {in_ids}"

_VALUES = """
SELECT value.value_hash, value.type, file.path FROM value
LEFT JOIN file ON file.value_hash = value.value_hash
WHERE value.value_hash {in_ids}
"""

_FILES = "SELECT value_hash, path FROM file WHERE value_hash {in_ids}"

_TAGS = "SELECT entity_id, key, value FROM tag WHERE is_current AND entity_id {in_ids}"

_ARGUMENTS = """
SELECT call_hash, arg_position, arg_key, value_hash FROM argument WHERE call_hash {in_ids}
"""


def _job_view(row: Any) -> JobView:
    job_id, start, end, cached, task_hash, call_hash, parent, execution, namespace, name, kind = row
    status = job_status(end, cached, kind)
    task_name = full_name(namespace, name)
    times = to_moment(start), to_moment(end)
    return JobView(job_id, *times, status, task_hash, task_name, call_hash, parent, execution)
