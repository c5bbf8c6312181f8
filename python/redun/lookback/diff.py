"""What differs between two executions: their job trees, matched, and compared pair by pair."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from redun.lookback.causes import Cause, Comparison
from redun.lookback.facts import Facts
from redun.lookback.trees import JobFacts, JobTree, match

if TYPE_CHECKING:
    from redun.backends.db import RedunBackendDb

__all__ = ["Diff", "JobDiff"]

#: Jobs whose details are read at a time.
BATCH = 500


@dataclass(slots=True)
class JobDiff:
    """
    How a job differs from its counterpart; one of both is None for a job without one.

    Parameters
    ----------
    status : statuses before and after, if they differ.
    code : whether the task's code differs; `Diff.code` says how.
    arguments : arguments that differ.
    result : results before and after as shown, if they differ.
    files : files in the result that differ: (path, change).
    """

    before: JobFacts | None
    after: JobFacts | None
    status: tuple[str, str] | None = None
    code: bool = False
    arguments: list[Cause] = field(default_factory=list)
    result: tuple[str, str] | None = None
    files: list[tuple[str, str]] = field(default_factory=list)

    @property
    def change(self) -> str:
        """`new`, `gone`, `changed` or `same`."""
        if self.before is None:
            return "new"
        if self.after is None:
            return "gone"
        same = self.status is self.result is None and not self.code and not self.arguments
        return "same" if same else "changed"


class Diff:
    """
    The differences of two executions.

    Parameters
    ----------
    backend : the open repo.
    before, after : ids of the executions.
    """

    def __init__(self, backend: RedunBackendDb, before: str, after: str) -> None:
        source = backend.source
        self.before = JobTree(source, before)
        self.after = JobTree(source, after)
        self._facts = Facts(source)
        self._comparison = Comparison(self._facts, backend.hash_scheme)
        self._pairs = match(self.before, self.after)
        gone = self.before.jobs.keys() - set(self._pairs.values())
        #: Jobs of the first execution that the second lacks, in order.
        self.gone = [job for job in self.before.jobs.values() if job.id in gone]
        #: Jobs of the second execution that the first lacks, in order.
        self.new = [job for job in self.after.jobs.values() if job.id not in self._pairs]

    def code(self) -> dict[str, Cause]:
        """How tasks differ that matched jobs ran: by full name of the task."""
        changes: dict[str, Cause] = {}
        pairs = {
            (self.before.jobs[old].task_hash, self.after.jobs[new].task_hash)
            for new, old in self._pairs.items()
        }
        changed = sorted(pair for pair in pairs if pair[0] != pair[1])
        self._facts.load_tasks({key for pair in changed for key in pair})
        for old, new in changed:
            cause, _ = self._comparison.task_cause(old, new)
            changes[self._facts.task(new).name] = cause
        return dict(sorted(changes.items()))

    def jobs(self) -> Iterator[JobDiff]:
        """The jobs of the second execution in order, then those that are gone."""
        jobs = list(self.after.jobs.values())
        for start in range(0, len(jobs), BATCH):
            batch = jobs[start : start + BATCH]
            pairs = [(self._counterpart(job), job) for job in batch]
            self._load([(old, new) for old, new in pairs if old is not None])
            for old, new in pairs:
                yield JobDiff(None, new) if old is None else self._compare(old, new)
        for job in self.gone:
            yield JobDiff(job, None)

    def durations(self) -> dict[str, tuple[float, float]]:
        """Seconds that the jobs of each task took that weren't cached, before and after."""
        found: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        for side, tree in enumerate((self.before, self.after)):
            for job in tree.jobs.values():
                if job.end is not None and not job.cached:
                    found[job.task_name][side] += (job.end - job.start).total_seconds()
        return {name: (old, new) for name, (old, new) in sorted(found.items())}

    def spans(self) -> tuple[dt.timedelta | None, dt.timedelta | None]:
        """How long both executions took; None for one that has not ended."""
        return _span(self.before), _span(self.after)

    def _counterpart(self, job: JobFacts) -> JobFacts | None:
        partner = self._pairs.get(job.id)
        return None if partner is None else self.before.jobs[partner]

    def _load(self, pairs: list[tuple[JobFacts, JobFacts]]) -> None:
        """Reads what comparing pairs will ask for."""
        called = [pair for pair in pairs if pair[0].args_hash != pair[1].args_hash]
        both = [job for pair in called for job in pair]
        self._facts.load_calls((job.call_hash, job.task_hash) for job in both if job.call_hash)
        values: set[str] = set()
        for old, new in called:
            values |= self._facts.changed_arguments(old.call_hash, new.call_hash)
        for old, new in pairs:
            if old.value_hash != new.value_hash:
                values.update(job.value_hash for job in (old, new) if job.value_hash)
        self._facts.load_values(values)

    def _compare(self, old: JobFacts, new: JobFacts) -> JobDiff:
        found = JobDiff(old, new, code=old.task_hash != new.task_hash)
        if _outcome(old) != _outcome(new):
            found.status = (old.status, new.status)
        found.arguments = self._comparison.argument_causes(old, new, [])
        was, now = old.value_hash, new.value_hash
        if was != now:
            found.result = (self._shown(was), self._shown(now))
            if was and now:
                _, files = self._comparison.file_changes(was, now)
                found.files = [(item["path"], item["change"]) for item in files]
        return found

    def _shown(self, value_hash: str | None) -> str:
        return self._facts.shown(value_hash) if value_hash else "nothing yet"


def _outcome(job: JobFacts) -> str:
    """The status without how it was come by: cached is as good as done."""
    return "DONE" if job.status == "CACHED" else job.status


def _span(tree: JobTree) -> dt.timedelta | None:
    roots = tree.children[None]
    if not roots or roots[0].end is None:
        return None
    return roots[0].end - roots[0].start
