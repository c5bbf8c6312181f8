"""The jobs of one execution: how many have which status, and pages of them, as a tree or a list."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict, deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.orm import Session

from redun.backends.db.bulk import in_chunks
from redun.backends.db.query.conditions import ERROR_TYPE, job_statuses, task_names
from redun.backends.db.query.tables import CALL_NODE, JOB, TASK, VALUE
from redun.backends.db.query.views import full_name

#: Ancestors that are read of a job at most; a chain of calls may be of any length.
MAX_ANCESTORS = 50


@dataclass
class TaskTally:
    """The jobs of one task in an execution: its versions, and how many jobs have which status."""

    name: str
    hashes: set[str] = field(default_factory=set)
    statuses: Counter[str] = field(default_factory=Counter)


def tally_jobs(session: Session, execution_id: str) -> list[TaskTally]:
    """The number of jobs by task and status in an execution, by task name."""
    columns = (JOB.c.task_hash, JOB.c.cached, JOB.c.end_time.is_(None))
    query = sa.select(*columns, sa.func.count()).where(JOB.c.execution_id == execution_id)
    # Errors are few. Only they have their results looked at.
    errors = sa.select(VALUE.c.value_hash).where(VALUE.c.type == ERROR_TYPE)
    failed = JOB.c.call_hash.in_(
        sa.select(CALL_NODE.c.call_hash).where(CALL_NODE.c.value_hash.in_(errors))
    )
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for rows, is_failed in ((query, False), (query.where(failed), True)):
        for task_hash, cached, unfinished, number in session.execute(rows.group_by(*columns)):
            status = "RUNNING" if unfinished else "CACHED" if cached else "DONE"
            counts[task_hash][status] += -number if is_failed else number
            if is_failed:
                counts[task_hash]["FAILED"] += number
    names = sa.select(TASK.c.hash, TASK.c.namespace, TASK.c.name)
    found: dict[str, TaskTally] = {}
    for task_hash, namespace, name in in_chunks(session, names, TASK.c.hash, counts):
        tally = found.setdefault(full := full_name(namespace, name), TaskTally(full))
        tally.hashes.add(task_hash)
        tally.statuses.update(counts[task_hash])
    return [found[name] for name in sorted(found)]


def job_page(
    session: Session,
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
    query = sa.select(JOB.c.id).where(JOB.c.execution_id == execution_id)
    if statuses:
        query = query.where(job_statuses(statuses)["Job"])
    if tasks:
        query = query.where(task_names(tasks)["Job"])
    query = query.order_by(JOB.c.start_time, JOB.c.id)
    return list(session.scalars(query.offset(skip).limit(count)))


def ancestors(session: Session, job_id: str) -> list[tuple[str, str]]:
    """Ids and full task names of the nearest `MAX_ANCESTORS` jobs above a job, nearest first."""
    first = sa.select(JOB.c.parent_id.label("id"), sa.literal(1).label("depth"))
    above = first.where(JOB.c.id == job_id).cte("above", recursive=True)
    further = sa.select(JOB.c.parent_id, above.c.depth + 1)
    further = further.where(JOB.c.id == above.c.id, above.c.depth < MAX_ANCESTORS)
    lineage = above.union_all(further)
    query = (
        sa.select(JOB.c.id, TASK.c.namespace, TASK.c.name)
        .select_from(JOB)
        .join(lineage, lineage.c.id == JOB.c.id)
        .outerjoin(TASK, TASK.c.hash == JOB.c.task_hash)
        .order_by(lineage.c.depth)
    )
    return [(row[0], full_name(row[1], row[2])) for row in session.execute(query)]


#: A job's place among its siblings.
Key = tuple[dt.datetime, str]

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
    session : the unit of work to read with.
    execution_id : the execution.
    root : the job to start with; None for all the execution's jobs.
    start : where another walk over the same jobs stood, to go on from there.
    """

    def __init__(
        self,
        session: Session,
        execution_id: str,
        root: str | None = None,
        start: Checkpoint | None = None,
    ) -> None:
        self._session = session
        self._execution_id = execution_id
        self._levels = [_Level(0, None)]
        if start is not None:
            self._levels = [_Level(*level) for level in start]
        elif root is not None:
            row = session.execute(sa.select(JOB.c.start_time, JOB.c.id).where(JOB.c.id == root))
            self._levels[0].waiting.extend(((time, job_id), True) for time, job_id in row)
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
        query = sa.select(JOB.c.start_time, JOB.c.id, _HAS_CHILDREN)
        query = query.where(JOB.c.parent_id == level.parent)
        if level.parent is None:
            query = query.where(JOB.c.execution_id == self._execution_id)
        if level.after is not None:
            time, job_id = level.after
            same = sa.and_(JOB.c.start_time == time, JOB.c.id > job_id)
            query = query.where(sa.or_(JOB.c.start_time > time, same))
        query = query.order_by(JOB.c.start_time, JOB.c.id).limit(level.batch)
        rows = self._session.execute(query).all()
        level.waiting.extend(((time, job_id), bool(parent)) for time, job_id, parent in rows)
        level.exhausted = len(rows) < level.batch
        level.batch = min(2 * level.batch, MAX_BATCH)


_CHILD = JOB.alias("child")
_HAS_CHILDREN = sa.exists().where(_CHILD.c.parent_id == JOB.c.id)
