"""Listings a page at a time: executions, namespaces, tasks and files."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from redun.backends.db.codec import to_moment
from redun.backends.db.query.conditions import (
    Condition,
    all_of,
    any_of,
    escaped,
    id_prefix,
    starts_with,
)
from redun.backends.db.query.views import full_name
from redun.backends.db.source import Source

NAMESPACE_ORDERS = ("namespace", "count", "time")

#: From so many executions on, sorting them all takes longer than looking for the newest.
MANY_EXECUTIONS = 5000


@dataclass(frozen=True)
class ExecutionFilter:
    """
    Which executions to list. None filters nothing.

    Parameters
    ----------
    id_prefix : how the id starts.
    namespace : how the namespace of the root task starts; "" for none at all.
    find : text within that namespace or the command line, in any case.
    """

    id_prefix: str | None = None
    namespace: str | None = None
    find: str | None = None


# Along the index on the start of jobs, which ends as soon as a page is full. A subquery rather than
# a join: SQLite would begin a join with the executions and sort them all.
_ALONG_STARTS = """
SELECT (SELECT execution.id FROM execution WHERE {of_job} LIMIT 1) FROM job
WHERE EXISTS (SELECT 1 FROM execution WHERE {of_job})
ORDER BY job.start_time DESC, job.id LIMIT ? OFFSET ?
"""

_SORTED = """
SELECT execution.id FROM execution LEFT JOIN job ON job.id = execution.job_id
WHERE {}
ORDER BY job.start_time DESC NULLS LAST, execution.id LIMIT ? OFFSET ?
"""

_NAMESPACES = """
SELECT execution.id, task.namespace FROM execution
JOIN job ON job.id = execution.job_id
JOIN task ON task.hash = job.task_hash
WHERE execution.id {in_ids}
"""


def execution_page(
    source: Source, wanted: ExecutionFilter, skip: int, count: int
) -> list[tuple[str, str]]:
    """
    Ids of executions and namespaces of their root tasks ("" for none), newest start first.

    Parameters
    ----------
    skip, count : how many to leave out, and how many to list at most.
    """
    conditions = _execution_conditions(source, wanted)
    ids: list[str] = []
    if source.cell("SELECT count(*) FROM execution") > MANY_EXECUTIONS:
        of_job = all_of([Condition("execution.job_id = job.id"), *conditions])
        text = _ALONG_STARTS.replace("{of_job}", of_job.text)
        ids = source.cells(text, (*of_job.parameters, *of_job.parameters, count, skip))
    if len(ids) < count:
        # Few enough to be sorted; or their end has been reached, where those without a root job are.
        query = all_of(conditions).within(_SORTED)
        ids = source.cells(query.text, (*query.parameters, count, skip))
    names: dict[str, str] = dict(source.rows_among(_NAMESPACES, ids))
    return [(execution_id, names.get(execution_id) or "") for execution_id in ids]


def _execution_conditions(source: Source, wanted: ExecutionFilter) -> list[Condition]:
    """What must hold of an execution and its root job."""
    conditions: list[Condition] = []
    if wanted.id_prefix:
        conditions.append(id_prefix("execution.id", wanted.id_prefix, source.dialect))
    if wanted.namespace is not None:
        namespace = wanted.namespace
        starts = Condition("task.namespace LIKE ? ESCAPE '/'", (escaped(namespace) + "%",))
        starts = starts if namespace else Condition("task.namespace = ''")
        conditions.append(starts.within(_OF_TASKS))
    if wanted.find:
        in_task = _contains("task.namespace", wanted.find).within(_OF_TASKS)
        conditions.append(any_of([_contains("execution.args", wanted.find), in_task]))
    return conditions


_OF_TASKS = "job.task_hash IN (SELECT task.hash FROM task WHERE {})"


def _contains(column: str, text: str) -> Condition:
    """Whether a text is within a column, in any case."""
    return Condition(f"lower({column}) LIKE lower(?) ESCAPE '/'", (f"%{escaped(text)}%",))


# Root jobs are those without a parent. They are counted by task first, of which there are few.
_BY_NAMESPACE = """
SELECT coalesce(task.namespace, '') AS space, sum(by_task.number) AS total,
    max(by_task.latest) AS latest
FROM (
    SELECT job.task_hash, count(*) AS number, max(job.start_time) AS latest
    FROM job WHERE job.parent_id IS NULL GROUP BY job.task_hash
) AS by_task
LEFT JOIN task ON task.hash = by_task.task_hash
GROUP BY space ORDER BY {order} LIMIT ? OFFSET ?
"""

_ORDERS = {
    "namespace": "space",
    "count": "total DESC, space",
    "time": "latest DESC NULLS LAST, space",
}


def namespace_page(
    source: Source, order: str, skip: int, count: int
) -> list[tuple[str, int, dt.datetime | None]]:
    """
    Namespaces of root tasks, each with its number of executions and the latest start.

    Parameters
    ----------
    order : one of `NAMESPACE_ORDERS`: by name, most executions first, or latest first.
    skip, count : how many to leave out, and how many to list at most.
    """
    statement = _BY_NAMESPACE.replace("{order}", _ORDERS[order])
    rows = source.rows(statement, (count, skip))
    return [(name, int(total), to_moment(time)) for name, total, time in rows]


_TASK_GROUPS = """
SELECT coalesce(task.namespace, '') AS space, task.name AS name, count(*) AS versions FROM task
WHERE {} GROUP BY space, task.name
"""

_FULL_NAME = """CASE WHEN coalesce(task.namespace, '') = '' THEN task.name
ELSE task.namespace || '.' || task.name END"""


def task_page(
    source: Source, find: str | None, namespace: str | None, skip: int, count: int
) -> tuple[int, list[tuple[str, int]]]:
    """
    How many tasks there are, and full names with the number of versions of some, by name.

    Parameters
    ----------
    find : text within the full name, in any case.
    namespace : how the namespace starts.
    skip, count : how many to leave out, and how many to list at most.
    """
    conditions = [_contains(f"({_FULL_NAME})", find)] if find else []
    if namespace:
        starts = "coalesce(task.namespace, '') LIKE ? ESCAPE '/'"
        conditions.append(Condition(starts, (escaped(namespace) + "%",)))
    groups = all_of(conditions).within(_TASK_GROUPS)
    total = source.cell(f"SELECT count(*) FROM ({groups.text}) AS found", groups.parameters)
    page = f"{groups.text} ORDER BY space, task.name LIMIT ? OFFSET ?"
    rows = source.rows(page, (*groups.parameters, count, skip))
    return total, [(full_name(space, name), versions) for space, name, versions in rows]


_VERSIONS = """
SELECT task.hash, count(job.id), max(job.start_time) AS latest FROM task
LEFT JOIN job ON job.task_hash = task.hash
WHERE task.name = ? AND coalesce(task.namespace, '') = ?
GROUP BY task.hash ORDER BY latest DESC NULLS LAST, task.hash LIMIT ? OFFSET ?
"""

# By the index on the time: the latest start of a task is nearly unique.
_JOB_AT = "SELECT id FROM job WHERE start_time = ? AND task_hash = ? LIMIT 1"


def task_versions(
    source: Source, fullname: str, skip: int, count: int
) -> list[tuple[str, int, tuple[str, dt.datetime] | None]]:
    """
    Hash, number of jobs, and id and start of the latest job of each version; latest used first.

    Parameters
    ----------
    fullname : the full name of the task.
    skip, count : how many to leave out, and how many to list at most.
    """
    namespace, _dot, name = fullname.rpartition(".")
    found: list[tuple[str, int, tuple[str, dt.datetime] | None]] = []
    for task_hash, number, start in source.rows(_VERSIONS, (name, namespace, count, skip)):
        # As it is stored: a moment may be written in more than one way.
        job_id = source.cell(_JOB_AT, (start, task_hash)) if start is not None else None
        found.append((task_hash, number, (job_id, to_moment(start)) if job_id else None))
    return found


def file_page(source: Source, prefix: str | None, skip: int, count: int) -> list[tuple[str, str]]:
    """
    Paths and hashes of files, by path.

    Parameters
    ----------
    prefix : how the path starts, literally.
    skip, count : how many to leave out, and how many to list at most.
    """
    query = all_of([starts_with("path", prefix, source.dialect)] if prefix else [])
    query = query.within(_FILES)
    rows = source.rows(query.text, (*query.parameters, count, skip))
    return [(path, value_hash) for path, value_hash in rows]


_FILES = "SELECT path, value_hash FROM file WHERE {} ORDER BY path, value_hash LIMIT ? OFFSET ?"


def change_stamp(source: Source) -> tuple[Any, ...]:
    """Something that differs once jobs have started or ended; read from indexes alone."""
    (row,) = source.rows(
        "SELECT (SELECT max(start_time) FROM job), (SELECT max(end_time) FROM job)"
    )
    return row
