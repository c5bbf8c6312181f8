"""The critical path of an execution: the jobs that would have had to be faster for it to end earlier."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import sqlalchemy as sa

from redun.backends.db import orm
from redun.backends.db.bulk import in_chunks
from redun.backends.db.query.tables import ARGUMENT
from redun.lookback.trees import JobFacts, JobTree

ARGUMENT_RESULT: Any = orm.ArgumentResult.__table__


def critical_path(session: Any, tree: JobTree) -> list[JobFacts]:
    """
    The chain of jobs that the end of an execution waited for, first started first.

    From the end backwards: of a job that called others, the one that ended last; of a job whose
    arguments were computed by others, the one of them that ended last. Jobs that called others
    stand for the time before their first call, so they are left out unless they called none.
    """
    upstream = _upstream(session, tree)
    path: list[JobFacts] = []
    pending = [job for job in tree.children.get(None, ()) if job.end is not None][:1]
    seen = {job.id for job in pending}
    while pending:
        job = pending.pop()
        below = _last(tree.children.get(job.id, []))
        before = _last(upstream.get(job.id, []))
        if below is None:
            path.append(job)
        # What the job waited for comes before the jobs below it, and so later in the walk.
        for other in (before, below):
            if other is not None and other.id not in seen:
                seen.add(other.id)
                pending.append(other)
    path.reverse()
    return path


def _last(jobs: list[JobFacts]) -> JobFacts | None:
    """The job that ended last."""
    ended = [job for job in jobs if job.end is not None]
    return max(ended, key=lambda job: (job.end, job.start), default=None)


def _upstream(session: Any, tree: JobTree) -> dict[str, list[JobFacts]]:
    """For each job the jobs with the same parent from whose results its arguments were computed."""
    calls = {job.call_hash for job in tree.jobs.values() if job.call_hash}
    query = sa.select(ARGUMENT.c.call_hash, ARGUMENT_RESULT.c.result_call_hash).join(
        ARGUMENT_RESULT, ARGUMENT_RESULT.c.arg_hash == ARGUMENT.c.arg_hash
    )
    sources: dict[str, list[str]] = defaultdict(list)
    for call, result in in_chunks(session, query, ARGUMENT.c.call_hash, calls):
        sources[call].append(result)
    by_call: dict[tuple[str | None, str], list[JobFacts]] = defaultdict(list)
    for job in tree.jobs.values():
        if job.call_hash:
            by_call[job.parent_id, job.call_hash].append(job)
    return {
        job.id: [
            other
            for call in sources.get(job.call_hash or "", ())
            for other in by_call.get((job.parent_id, call), ())
            if other.id != job.id
        ]
        for job in tree.jobs.values()
    }
