"""The jobs of an execution as plain facts, and which job of one execution matches which of another."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from redun.backends.db.bulk import in_chunks
from redun.backends.db.query.tables import CALL_NODE, EXECUTION, JOB, TASK, VALUE
from redun.backends.db.query.views import full_name, job_status


@dataclass(slots=True)
class JobFacts:
    """
    One job. `status` is `RUNNING`, `FAILED`, `CACHED` or `DONE`; `cached` says whether its task was
    spared, which it may be in a job that failed because of another.

    What is known of its call only (`call_hash`, `args_hash`, `value_hash`) is None while it runs.
    """

    id: str
    parent_id: str | None
    execution_id: str
    start: dt.datetime
    end: dt.datetime | None
    status: str
    cached: bool
    task_hash: str
    task_name: str
    call_hash: str | None
    args_hash: str | None
    value_hash: str | None


_FACTS = (
    sa.select(
        JOB.c.id,
        JOB.c.parent_id,
        JOB.c.execution_id,
        JOB.c.start_time,
        JOB.c.end_time,
        JOB.c.cached,
        JOB.c.task_hash,
        TASK.c.namespace,
        TASK.c.name,
        JOB.c.call_hash,
        CALL_NODE.c.args_hash,
        CALL_NODE.c.value_hash,
        VALUE.c.type,
    )
    .select_from(JOB)
    .outerjoin(TASK, TASK.c.hash == JOB.c.task_hash)
    .outerjoin(CALL_NODE, CALL_NODE.c.call_hash == JOB.c.call_hash)
    .outerjoin(VALUE, VALUE.c.value_hash == CALL_NODE.c.value_hash)
)


def _facts(row: Any) -> JobFacts:
    job_id, parent, execution, start, end, cached, task_hash, namespace, name, *call = row
    call_hash, args_hash, value_hash, result_type = call
    status = job_status(end, cached, result_type)
    task_name = full_name(namespace, name)
    return JobFacts(
        job_id, parent, execution, start, end, status, bool(cached), task_hash, task_name,
        call_hash, args_hash, value_hash,
    )  # fmt: skip


def get_jobs(session: Any, ids: Iterable[str]) -> dict[str, JobFacts]:
    """Jobs by id."""
    return {row[0]: _facts(row) for row in in_chunks(session, _FACTS, JOB.c.id, list(ids))}


def find_jobs(session: Any, *conditions: Any, limit: int) -> list[JobFacts]:
    """The jobs that started last of those that meet conditions on the tables of `_FACTS`."""
    query = _FACTS.where(*conditions).order_by(JOB.c.start_time.desc(), JOB.c.id).limit(limit)
    return [_facts(row) for row in session.execute(query)]


class JobTree:
    """
    All jobs of one execution.

    Parameters
    ----------
    session : the unit of work to read with.
    execution_id : whose jobs.
    """

    def __init__(self, session: Any, execution_id: str) -> None:
        query = _FACTS.where(JOB.c.execution_id == execution_id).order_by(JOB.c.start_time)
        self.execution_id = execution_id
        #: By id, first started first.
        self.jobs = {row[0]: _facts(row) for row in session.execute(query)}
        #: By id of the parent; those whose parent is elsewhere are under None.
        self.children: dict[str | None, list[JobFacts]] = defaultdict(list)
        for job in self.jobs.values():
            parent = job.parent_id if job.parent_id in self.jobs else None
            self.children[parent].append(job)


def earlier_execution(session: Any, tree: JobTree) -> str | None:
    """The execution of the same root task that started last before this one, or None."""
    roots = tree.children[None]
    if not roots:
        return None
    root = roots[0]
    namespace, _, name = root.task_name.rpartition(".")
    query = (
        sa.select(JOB.c.execution_id)
        .select_from(JOB)
        .join(EXECUTION, EXECUTION.c.job_id == JOB.c.id)
        .join(TASK, TASK.c.hash == JOB.c.task_hash)
        .where(
            TASK.c.name == name,
            sa.func.coalesce(TASK.c.namespace, "") == namespace,
            JOB.c.start_time < root.start,
            JOB.c.execution_id != tree.execution_id,
        )
        .order_by(JOB.c.start_time.desc())
        .limit(1)
    )
    found: str | None = session.execute(query).scalar()
    return found


def match(before: JobTree, after: JobTree) -> dict[str, str]:
    """
    Which job of `before` each job of `after` repeats: ids by ids; jobs without a counterpart are
    left out.

    Roots match. Below two jobs that match, children with the same task match: first those with the
    same code and arguments, then those with the same arguments, then the rest in order; at last
    tasks that differ by their namespace alone.
    """
    pairs: dict[str, str] = {}
    pending = deque([(before.children[None], after.children[None])])
    while pending:
        old, new = pending.popleft()
        for old_job, new_job in _pair(old, new):
            pairs[new_job.id] = old_job.id
            pending.append(
                (before.children.get(old_job.id, []), after.children.get(new_job.id, []))
            )
    return pairs


_KEYS: tuple[Callable[[JobFacts], Any], ...] = (
    lambda job: job.args_hash and (job.task_name, job.task_hash, job.args_hash),
    lambda job: job.args_hash and (job.task_name, job.args_hash),
    lambda job: job.task_name,
    lambda job: job.task_name.rpartition(".")[2],
)


def _pair(old: list[JobFacts], new: list[JobFacts]) -> Iterable[tuple[JobFacts, JobFacts]]:
    """Pairs two lists of siblings, the most alike first."""
    for key in _KEYS:
        waiting: dict[Any, deque[JobFacts]] = defaultdict(deque)
        for job in old:
            if key(job):
                waiting[key(job)].append(job)
        rest = []
        taken: set[str] = set()
        for job in new:
            queue = waiting.get(key(job))
            if queue:
                partner = queue.popleft()
                taken.add(partner.id)
                yield partner, job
            else:
                rest.append(job)
        old = [job for job in old if job.id not in taken]
        new = rest
        if not old or not new:
            return
