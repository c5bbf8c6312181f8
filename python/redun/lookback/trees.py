"""The jobs of an execution as plain facts, and which job of one execution matches which of another."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any

from redun.backends.db.codec import to_moment
from redun.backends.db.query.views import ERROR_TYPE, full_name, job_status
from redun.backends.db.source import Row, Source


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


_COLUMNS = """
SELECT job.id, job.parent_id, job.execution_id, job.start_time, job.end_time, job.cached,
    job.task_hash, task.namespace, task.name, job.call_hash,
    call_node.args_hash, call_node.value_hash,
"""

_TABLES = """
FROM job
LEFT JOIN task ON task.hash = job.task_hash
LEFT JOIN call_node ON call_node.call_hash = job.call_hash
"""

_JOBS = f"""{_COLUMNS}
    (SELECT type FROM value WHERE value.value_hash = call_node.value_hash) = '{ERROR_TYPE}'
{_TABLES}"""

_BY_ID = f"{_JOBS} WHERE job.id {{in_ids}}"

# Errors are few: knowing them all costs less than looking at the result of each job.
_OF_EXECUTION = f"""{_COLUMNS}
    call_node.value_hash IN (SELECT value_hash FROM value WHERE type = '{ERROR_TYPE}')
{_TABLES}
WHERE job.execution_id = ?
ORDER BY job.start_time
"""

# The jobs are chosen before anything is joined to them: there may be very many.
_OF_TASK = f"""{_JOBS} WHERE job.id IN (
    SELECT job.id FROM task JOIN job ON job.task_hash = task.hash
    WHERE task.name = ? AND task.namespace = ? AND {{condition}}
    ORDER BY job.start_time DESC, job.id LIMIT ?
)
ORDER BY job.start_time DESC, job.id
"""

_EARLIER = _OF_TASK.format(condition="job.start_time < ?")

_FINISHED = _OF_TASK.format(condition="job.call_hash IS NOT NULL")

_COMPUTED = """
SELECT call_node.task_hash, call_node.args_hash, job.start_time, job.id
FROM call_node JOIN job ON job.call_hash = call_node.call_hash
WHERE NOT job.cached AND job.start_time <= ? AND call_node.args_hash {in_ids}
"""


class _Reader:
    """Makes facts of rows. Texts that many jobs have in common are kept once."""

    def __init__(self) -> None:
        self._shared: dict[Any, Any] = {}

    def facts(self, row: Row) -> JobFacts:
        job_id, parent, execution, start, end, cached, task_hash, namespace, name, *call = row
        call_hash, args_hash, value_hash, failed = call
        share: Callable[[Any, Any], Any] = self._shared.setdefault
        status = job_status(end, cached, ERROR_TYPE if failed else None)
        key = (namespace, name)
        task_name = self._shared.get(key) or share(key, full_name(namespace, name))
        return JobFacts(
            job_id, share(parent, parent), share(execution, execution), to_moment(start), to_moment(end),
            status, bool(cached), share(task_hash, task_hash), task_name,
            call_hash, args_hash, value_hash,
        )  # fmt: skip


def get_jobs(source: Source, ids: Iterable[str]) -> dict[str, JobFacts]:
    """Jobs by id."""
    facts = _Reader().facts
    return {row[0]: facts(row) for row in source.rows_among(_BY_ID, list(ids))}


def earlier_jobs(source: Source, task_name: str, before: dt.datetime, limit: int) -> list[JobFacts]:
    """
    The jobs of a task that started last.

    Parameters
    ----------
    task_name : full name.
    before : only jobs that had started by then.
    limit : how many at most.
    """
    namespace, _, name = task_name.rpartition(".")
    rows = source.rows(_EARLIER, (name, namespace, before, limit))
    return list(map(_Reader().facts, rows))


def finished_jobs(source: Source, task_name: str, limit: int) -> list[JobFacts]:
    """The jobs of a task, by its full name, that started last of those that have ended."""
    namespace, _, name = task_name.rpartition(".")
    return list(map(_Reader().facts, source.rows(_FINISHED, (name, namespace, limit))))


def computing_jobs(source: Source, jobs: Collection[JobFacts]) -> dict[str, JobFacts]:
    """
    The jobs that computed what cached jobs took: those of the same call that ran last before.

    Returned by the ids of the cached jobs; one is left out if nothing is recorded.
    """
    if not jobs:
        return {}
    asked: dict[tuple[str, str], list[JobFacts]] = defaultdict(list)
    for job in jobs:
        if job.args_hash is not None:
            asked[job.task_hash, job.args_hash].append(job)
    latest: dict[str, tuple[dt.datetime, str]] = {}
    bound = max(job.start for job in jobs)
    hashes = {args_hash for _task, args_hash in asked}
    for task_hash, args_hash, started, job_id in source.rows_among(_COMPUTED, hashes, (bound,)):
        start: dt.datetime = to_moment(started)
        for job in asked.get((task_hash, args_hash), ()):
            known = latest.get(job.id)
            if start <= job.start and (known is None or start > known[0]):
                latest[job.id] = (start, job_id)
    found = get_jobs(source, {job_id for _start, job_id in latest.values()})
    return {key: found[job_id] for key, (_start, job_id) in latest.items()}


class JobTree:
    """
    All jobs of one execution.

    Parameters
    ----------
    source : the repo to read.
    execution_id : whose jobs.
    """

    def __init__(self, source: Source, execution_id: str) -> None:
        facts = _Reader().facts
        self.execution_id = execution_id
        #: By id, first started first.
        self.jobs = {
            row[0]: facts(row)
            for rows in source.batches(_OF_EXECUTION, (execution_id,))
            for row in rows
        }
        #: By id of the parent; those whose parent is elsewhere are under None.
        self.children: dict[str | None, list[JobFacts]] = defaultdict(list)
        for job in self.jobs.values():
            parent = job.parent_id if job.parent_id in self.jobs else None
            self.children[parent].append(job)


_EARLIER_ROOT = """
SELECT job.execution_id
FROM task
JOIN job ON job.task_hash = task.hash
JOIN execution ON execution.job_id = job.id
WHERE task.name = ? AND task.namespace = ? AND job.start_time < ? AND job.execution_id <> ?
ORDER BY job.start_time DESC LIMIT 1
"""


def earlier_execution(source: Source, tree: JobTree) -> str | None:
    """The execution of the same root task that started last before this one, or None."""
    roots = tree.children[None]
    if not roots:
        return None
    root = roots[0]
    namespace, _, name = root.task_name.rpartition(".")
    found: str | None = source.cell(_EARLIER_ROOT, (name, namespace, root.start, tree.execution_id))
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
