"""The jobs of one execution: how many have which status, and pages of them, as a tree or a list."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from redun.backends.db.query.conditions import (
    ERROR_TYPE,
    Condition,
    all_of,
    job_statuses,
    task_names,
)
from redun.backends.db.query.views import full_name
from redun.backends.db.source import Source

#: Ancestors that are read of a job at most; a chain of calls may be of any length.
MAX_ANCESTORS = 50


@dataclass
class TaskTally:
    """The jobs of one task in an execution: its versions, and how many jobs have which status."""

    name: str
    hashes: set[str] = field(default_factory=set)
    statuses: Counter[str] = field(default_factory=Counter)


# Errors are few. Only they have their results looked at.
_TALLY = """
SELECT job.task_hash, job.cached, job.end_time IS NULL AS unfinished, count(*) FROM job
WHERE job.execution_id = ? AND {} GROUP BY job.task_hash, job.cached, unfinished
"""

_FAILED = f"""job.call_hash IN (
    SELECT call_node.call_hash FROM call_node WHERE call_node.value_hash IN (
        SELECT value.value_hash FROM value WHERE value.type = '{ERROR_TYPE}'))"""

_TASK_NAMES = "SELECT hash, namespace, name FROM task WHERE hash {in_ids}"


def tally_jobs(source: Source, execution_id: str) -> list[TaskTally]:
    """The number of jobs by task and status in an execution, by task name."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for condition, is_failed in (("1 = 1", False), (_FAILED, True)):
        rows = source.rows(_TALLY.replace("{}", condition), (execution_id,))
        for task_hash, cached, unfinished, number in rows:
            status = "RUNNING" if unfinished else "CACHED" if cached else "DONE"
            counts[task_hash][status] += -number if is_failed else number
            if is_failed:
                counts[task_hash]["FAILED"] += number
    found: dict[str, TaskTally] = {}
    for task_hash, namespace, name in source.rows_among(_TASK_NAMES, counts):
        tally = found.setdefault(full := full_name(namespace, name), TaskTally(full))
        tally.hashes.add(task_hash)
        tally.statuses.update(counts[task_hash])
    return [found[name] for name in sorted(found)]


def job_page(
    source: Source,
    execution_id: str,
    statuses: Collection[str],
    tasks: Collection[str],
    skip: int,
    count: int,
) -> list[str]:
    """
    Ids of jobs of an execution, first started first.

    Parameters
    ----------
    statuses : those wanted; empty for all.
    tasks : names of the tasks wanted, full or bare; empty for all.
    skip, count : how many to leave out, and how many to list at most.

    Raises `NotImplementedError` for an unknown status.
    """
    conditions = [Condition("job.execution_id = ?", (execution_id,))]
    if statuses:
        conditions.append(job_statuses(statuses)["Job"])
    if tasks:
        conditions.append(task_names(tasks)["Job"])
    query = all_of(conditions).within(
        "SELECT job.id FROM job WHERE {} ORDER BY job.start_time, job.id LIMIT ? OFFSET ?"
    )
    return source.cells(query.text, (*query.parameters, count, skip))


_ANCESTORS = """
WITH RECURSIVE above(id, depth) AS (
    SELECT job.parent_id, 1 FROM job WHERE job.id = ?
    UNION ALL
    SELECT job.parent_id, above.depth + 1 FROM job, above
    WHERE job.id = above.id AND above.depth < ?
)
SELECT job.id, task.namespace, task.name FROM job
JOIN above ON above.id = job.id
LEFT JOIN task ON task.hash = job.task_hash
ORDER BY above.depth
"""


def ancestors(source: Source, job_id: str) -> list[tuple[str, str]]:
    """Ids and full task names of the nearest `MAX_ANCESTORS` jobs above a job, nearest first."""
    rows = source.rows(_ANCESTORS, (job_id, MAX_ANCESTORS))
    return [(row[0], full_name(row[1], row[2])) for row in rows]


#: A job's place among its siblings: its start as it is stored, and its id.
Key = tuple[Any, str]

#: Where a walk stands: depth, parent, and last visited child of each unfinished job on the way.
Checkpoint = tuple[tuple[int, str | None, Key | None], ...]

MIN_BATCH = 200
MAX_BATCH = 5000


@dataclass
class _Level:
    """The children of one job (None: the jobs without parent) that are still to be visited."""

    depth: int
    parent: str | None
    after: Key | None = None
    waiting: deque[tuple[Key, bool]] = field(default_factory=deque)
    exhausted: bool = False
    batch: int = MIN_BATCH

    @property
    def is_finished(self) -> bool:
        return self.exhausted and not self.waiting


class JobWalk:
    """
    The jobs of an execution from the root down, parents before children, a few at a time.

    What is held is the way to the present job and some of its siblings, never the tree.

    Parameters
    ----------
    source : what to read with.
    execution_id : the execution.
    root : the job to start with; None for all the execution's jobs.
    start : where another walk over the same jobs stood, to go on from there.
    """

    def __init__(
        self,
        source: Source,
        execution_id: str,
        root: str | None = None,
        start: Checkpoint | None = None,
    ) -> None:
        self._source = source
        self._execution_id = execution_id
        self._levels = [_Level(0, None)]
        if start is not None:
            self._levels = [_Level(*level) for level in start]
        elif root is not None:
            rows = source.rows("SELECT start_time, id FROM job WHERE id = ?", (root,))
            self._levels[0].waiting.extend(((time, job_id), True) for time, job_id in rows)
            self._levels[0].exhausted = True

    @property
    def checkpoint(self) -> Checkpoint:
        """Where the walk stands, between two steps."""
        return tuple((level.depth, level.parent, level.after) for level in self._levels)

    def steps(self) -> Iterator[tuple[int, str]]:
        """Level (0 at the top) and id of one job after the other."""
        while self._levels:
            level = self._levels[-1]
            if not level.waiting and not level.exhausted:
                self._fill(level)
            if not level.waiting:
                self._levels.pop()
                continue
            key, is_parent = level.waiting.popleft()
            level.after = key
            if level.is_finished:
                self._levels.pop()
            if is_parent:
                self._levels.append(_Level(level.depth + 1, key[1]))
            yield level.depth, key[1]

    def _fill(self, level: _Level) -> None:
        """Reads the next siblings; the more of them there are, the more at a time."""
        if level.parent is None:
            conditions = [
                Condition("job.parent_id IS NULL AND job.execution_id = ?", (self._execution_id,))
            ]
        else:
            conditions = [Condition("job.parent_id = ?", (level.parent,))]
        if level.after is not None:
            time, job_id = level.after
            later = "(job.start_time > ? OR (job.start_time = ? AND job.id > ?))"
            conditions.append(Condition(later, (time, time, job_id)))
        query = all_of(conditions).within(_CHILDREN)
        rows = self._source.rows(query.text, (*query.parameters, level.batch))
        level.waiting.extend(((time, job_id), bool(parent)) for time, job_id, parent in rows)
        level.exhausted = len(rows) < level.batch
        level.batch = min(2 * level.batch, MAX_BATCH)


_CHILDREN = """
SELECT job.start_time, job.id, EXISTS (SELECT 1 FROM job AS child WHERE child.parent_id = job.id)
FROM job WHERE {} ORDER BY job.start_time, job.id LIMIT ?
"""
