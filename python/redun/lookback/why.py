"""Why jobs ran: compares each with what the same call was in the execution before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from redun.lookback.causes import (
    ARGUMENT,
    NEW_CALL,
    NEW_TASK,
    Cause,
    Comparison,
    noted_cause,
)
from redun.lookback.facts import Facts
from redun.lookback.trees import (
    JobFacts,
    JobTree,
    computing_jobs,
    earlier_execution,
    earlier_jobs,
    match,
)

if TYPE_CHECKING:
    from redun.backends.db import RedunBackendDb

__all__ = ["Answer", "Why"]

# Earlier calls of a task that are looked at to find the one most like a call.
RECENT_CALLS = 50


@dataclass(slots=True)
class Answer:
    """
    Why one job ran.

    Parameters
    ----------
    job : the job.
    before : the earlier job it is compared with, or None.
    causes : why it ran; empty for a job whose result was reused.
    reused : the job that computed what this one reused, or None.
    upstream : jobs of the same execution that the causes come from.
    """

    job: JobFacts
    before: JobFacts | None
    causes: list[Cause] = field(default_factory=list)
    reused: JobFacts | None = None
    upstream: list[str] = field(default_factory=list)


class Why:
    """
    Answers about the jobs of one execution.

    Parameters
    ----------
    backend : the open repo.
    execution_id : the execution.
    against : the execution to compare with; by default the one before it with the same root task.
    """

    def __init__(
        self, backend: RedunBackendDb, execution_id: str, against: str | None = None
    ) -> None:
        self._source = backend.source
        self._facts = Facts(self._source)
        self._comparison = Comparison(self._facts, backend.hash_scheme)
        self.tree = JobTree(self._source, execution_id)
        earlier = against or earlier_execution(self._source, self.tree)
        self.before = JobTree(self._source, earlier) if earlier else None
        self._pairs = match(self.before, self.tree) if self.before else {}
        self._by_call: dict[str, list[str]] = defaultdict(list)
        for job in self.tree.jobs.values():
            if job.call_hash:
                self._by_call[job.call_hash].append(job.id)
        self._earlier: dict[str, list[JobFacts]] = {}
        self._cache_off = self._facts.reasons([execution_id]).get(execution_id)

    def executed(self) -> list[JobFacts]:
        """The jobs that ran, first started first."""
        return [job for job in self.tree.jobs.values() if not job.cached]

    def answers(self, jobs: Iterable[JobFacts]) -> Iterator[Answer]:
        """Why each of several jobs of this execution ran."""
        jobs = list(jobs)
        before = self._counterparts(jobs)
        reasons = self._facts.reasons([job.id for job in jobs])
        self._load(jobs, before)
        origins = computing_jobs(self._source, [job for job in jobs if job.cached])
        for job in jobs:
            if job.cached:
                yield Answer(job, before.get(job.id), reused=origins.get(job.id))
            else:
                yield self._answer(job, before.get(job.id), reasons.get(job.id))

    def chain(self, job: JobFacts) -> list[Answer]:
        """
        Why a job ran, and why the jobs ran from which its changes come, down to the first causes.

        The job itself comes first, then those it is due to, nearest first.
        """
        seen = {job.id}
        found: list[Answer] = []
        pending = [job]
        while pending:
            answers = list(self.answers(pending))
            found += answers
            ids = [key for answer in answers for key in answer.upstream if key not in seen]
            ids = list(dict.fromkeys(ids))
            seen.update(ids)
            pending = [self.tree.jobs[key] for key in ids]
        return found

    # -- one job ---------------------------------------------------------------------------------

    def _answer(self, job: JobFacts, before: JobFacts | None, reason: Any) -> Answer:
        reason = self._cache_off or reason
        if before is None:
            causes = [noted_cause(reason)] if reason else [self._first_call(job)]
            return Answer(job, None, causes)
        causes = self._comparison.causes(before, job, reason)
        return Answer(job, before, causes, upstream=self._upstream(job, causes))

    def _first_call(self, job: JobFacts) -> Cause:
        if self._earlier_jobs(job):
            text = f"{job.task_name} was not called with these arguments before"
            return Cause(NEW_CALL, text, facts={"task": job.task_name})
        text = f"{job.task_name} has not run before"
        return Cause(NEW_TASK, text, facts={"task": job.task_name})

    def _upstream(self, job: JobFacts, causes: list[Cause]) -> list[str]:
        """The jobs that changed arguments come from: those that computed them, else the caller."""
        found: list[str] = []
        for cause in causes:
            made = [key for call in cause.calls for key in self._by_call.get(call, ())]
            changed = [key for key in made if self._changed(key)]
            parent = job.parent_id
            if cause.kind == ARGUMENT and not changed and parent in self.tree.jobs:
                changed = [parent] if parent else []
            found += changed
        return [key for key in dict.fromkeys(found) if key != job.id]

    def _changed(self, job_id: str) -> bool:
        """Whether a job's result isn't what it was before."""
        job, before = self.tree.jobs[job_id], self._pairs.get(job_id)
        if before is None or self.before is None:
            return True
        return self.before.jobs[before].value_hash != job.value_hash

    # -- what to compare with --------------------------------------------------------------------

    def _counterparts(self, jobs: list[JobFacts]) -> dict[str, JobFacts]:
        """The earlier job to compare each job with."""
        found = {}
        for job in jobs:
            partner = self._pairs.get(job.id)
            if partner is not None and self.before is not None:
                found[job.id] = self.before.jobs[partner]
                continue
            best = _most_alike(job, self._earlier_jobs(job))
            # A further call of a task that the run before also had is new, not a changed one.
            if best is not None and (self.before is None or best.args_hash == job.args_hash):
                found[job.id] = best
        return found

    def _earlier_jobs(self, job: JobFacts) -> list[JobFacts]:
        """Jobs of the same task in executions before this one, latest first."""
        name = job.task_name
        if name not in self._earlier:
            start = min((root.start for root in self.tree.children[None]), default=job.start)
            self._earlier[name] = earlier_jobs(self._source, name, start, RECENT_CALLS)
        return self._earlier[name]

    def _load(self, jobs: list[JobFacts], before: dict[str, JobFacts]) -> None:
        """Reads what the comparisons will ask for."""
        pairs = [(before[job.id], job) for job in jobs if job.id in before and not job.cached]
        both = [job for pair in pairs for job in pair]
        self._facts.load_tasks({job.task_hash for job in both})
        self._facts.load_calls((job.call_hash, job.task_hash) for job in both if job.call_hash)
        values: set[str] = set()
        for old, new in pairs:
            values |= self._facts.changed_arguments(old.call_hash, new.call_hash)
        self._facts.load_values(values)


def _most_alike(job: JobFacts, candidates: list[JobFacts]) -> JobFacts | None:
    """The latest of the jobs with the same arguments, else the latest of all."""
    for candidate in candidates:
        if job.args_hash and candidate.args_hash == job.args_hash:
            return candidate
    return candidates[0] if candidates else None


def group(answers: Iterable[Answer]) -> list[list[Answer]]:
    """Answers of the same task for the same kinds of causes, together; in order of appearance."""
    groups: dict[Any, list[Answer]] = {}
    for answer in answers:
        key = (answer.job.task_name, tuple(cause.kind for cause in answer.causes))
        groups.setdefault(key, []).append(answer)
    return list(groups.values())
