"""The critical path of an execution: the jobs that would have had to be faster for it to end earlier."""

from __future__ import annotations

from collections import defaultdict

from redun.backends.db.source import Source
from redun.lookback.trees import JobFacts, JobTree

_UPSTREAM = """
SELECT argument.call_hash, argument_result.result_call_hash
FROM argument JOIN argument_result ON argument_result.arg_hash = argument.arg_hash
WHERE argument.call_hash {in_ids}
"""

#: Jobs on a path whose upstream is asked for one by one.
ASKED_SINGLY = 300


def critical_path(source: Source, tree: JobTree) -> list[JobFacts]:
    """
    The chain of jobs that the end of an execution waited for, first started first.

    From the end backwards: of a job that called others, the one that ended last; of a job whose
    arguments were computed by others, the one of them that ended last. Jobs that called others
    stand for the time before their first call, so they are left out unless they called none.
    """
    upstream = _Upstream(source, tree)
    path: list[JobFacts] = []
    pending = [job for job in tree.children.get(None, ()) if job.end is not None][:1]
    seen = {job.id for job in pending}
    while pending:
        job = pending.pop()
        below = _last(tree.children.get(job.id, []))
        before = _last(upstream.of(job))
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


class _Upstream:
    """
    Finds the jobs from whose results the arguments of a job were computed.

    Most paths are short, and each of their jobs is asked for by itself. In the middle of a long one
    all the others are asked for together.
    """

    def __init__(self, source: Source, tree: JobTree) -> None:
        self._source = source
        self._by_call: dict[tuple[str | None, str], list[JobFacts]] = defaultdict(list)
        for job in tree.jobs.values():
            if job.call_hash:
                self._by_call[job.parent_id, job.call_hash].append(job)
        self._upstream: dict[str, list[str]] = {}

    def of(self, job: JobFacts) -> list[JobFacts]:
        """Those that have the same parent as the job."""
        return [
            other
            for call in self._calls(job.call_hash)
            for other in self._by_call.get((job.parent_id, call), ())
            if other.id != job.id
        ]

    def _calls(self, call_hash: str | None) -> list[str]:
        if call_hash is None:
            return []
        if call_hash not in self._upstream:
            asked = {call_hash}
            if len(self._upstream) >= ASKED_SINGLY:
                asked = {call for _parent, call in self._by_call}
            self._upstream.update({key: [] for key in asked})
            for call, result in self._source.rows_among(_UPSTREAM, asked):
                self._upstream[call].append(result)
        return self._upstream[call_hash]
