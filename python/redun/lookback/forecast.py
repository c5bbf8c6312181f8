"""What a run would do: a dry run that leaves no trace, continued where the repo knows how it went on."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from redun.backends.db.source import Source
from redun.engine.listener import SchedulerListener
from redun.engine.report import describe_call
from redun.lookback.trees import JobFacts, JobTree, finished_jobs
from redun.lookback.unrecorded import Unrecorded
from redun.model.errors import DryRunResult

if TYPE_CHECKING:
    from redun.engine.scheduler import Scheduler
    from redun.model.job import Job

__all__ = ["CACHED", "LIKELY", "RUN", "WAITS", "PlannedJob", "forecast"]

CACHED = "cached"
RUN = "run"
WAITS = "waits"
LIKELY = "likely"

# Earlier jobs of a task whose mean duration is what its next job is taken to need.
SAMPLE = 20

# Recorded executions whose job trees are kept while jobs below others are looked up.
KEPT_TREES = 8


@dataclass(slots=True)
class PlannedJob:
    """
    One job of a run that was not made.

    Parameters
    ----------
    task : full name of the task.
    call : the call with its arguments, as far as they are known.
    state : `cached`: its result is there; `run`: it would run; `waits`: it has arguments that jobs
        must compute which would run; `likely`: an earlier call of the job above it had such a job.
    reason : why it would run, in a few words, or what it waits for.
    depth : how many jobs are above it.
    seconds : how long such a job took lately; None if none is recorded, 0 for `cached`.
    """

    task: str
    call: str
    state: str
    reason: str = ""
    depth: int = 0
    seconds: float | None = None


def forecast(
    scheduler: Scheduler, expr: Any, context: dict[str, Any] | None = None
) -> list[PlannedJob]:
    """
    What `scheduler.run(expr)` would do; nothing is run and nothing is recorded.

    Parents come before their children. Raises what evaluating cached results raises, such as a
    recorded failure within `catch`.
    """
    repo: Any = scheduler.backend
    watcher = _Watcher()
    scheduler.backend = Unrecorded(repo)  # type: ignore[assignment]
    scheduler.listeners.append(watcher)
    try:
        scheduler.run(expr, dryrun=True, context=context)
    except DryRunResult:
        pass
    finally:
        scheduler.backend = repo
        scheduler.listeners.remove(watcher)
    return _Outlook(repo.source, watcher).planned()


class _Watcher(SchedulerListener):
    """Notes what becomes of the jobs of a dry run."""

    def __init__(self) -> None:
        self.jobs: dict[str, PlannedJob] = {}
        self.parents: dict[str, str | None] = {}
        self.args_hashes: dict[str, str | None] = {}

    def job_cached(self, job: Job) -> None:
        """Its result is there, and those of the jobs below it."""
        self._note(job, CACHED)

    def job_missed(self, job: Job, reason: str) -> None:
        """It would run."""
        self._note(job, RUN, reason)

    def dry_run_stopped(self, jobs: list[Job]) -> None:
        """These wait for results, or for jobs below them."""
        for job in jobs:
            if job.id not in self.jobs:
                self._note(job, CACHED if job.was_cached else WAITS)

    def _note(self, job: Job, state: str, reason: str = "") -> None:
        parent = job.parent_job
        self.jobs[job.id] = PlannedJob(job.task.fullname, describe_call(job), state, reason)
        self.parents[job.id] = parent.id if parent is not None else None
        self.args_hashes[job.id] = job.args_hash


class _Outlook:
    """Puts the jobs in order, and goes on where the dry run stopped with what is recorded."""

    def __init__(self, source: Source, watcher: _Watcher) -> None:
        self._source = source
        self._watcher = watcher
        self._earlier: dict[str, list[JobFacts]] = {}
        self._trees: dict[str, JobTree] = {}

    def planned(self) -> list[PlannedJob]:
        """All jobs, parents before their children."""
        watcher = self._watcher
        children: dict[str | None, list[str]] = defaultdict(list)
        for job_id, parent in watcher.parents.items():
            children[parent if parent in watcher.jobs else None].append(job_id)
        found: list[PlannedJob] = []
        stack = [(0, job_id) for job_id in reversed(children[None])]
        while stack:
            depth, job_id = stack.pop()
            job = watcher.jobs[job_id]
            job.depth = depth
            job.seconds = 0.0 if job.state == CACHED else self._seconds(job.task)
            found.append(job)
            if job.state in (RUN, WAITS):
                found += self._likely(job, watcher.args_hashes[job_id])
            stack += [(depth + 1, child) for child in reversed(children[job_id])]
        return found

    def _likely(self, job: PlannedJob, args_hash: str | None) -> list[PlannedJob]:
        """The jobs below the recorded call that is most like a job, latest first."""
        earlier = self._earlier_jobs(job.task)
        same = [one for one in earlier if args_hash and one.args_hash == args_hash]
        model = next(iter(same or earlier), None)
        if model is None:
            return []
        tree = self._tree(model.execution_id)
        found = []
        stack = [(job.depth + 1, child) for child in reversed(tree.children.get(model.id, []))]
        while stack:
            depth, child = stack.pop()
            seconds = self._seconds(child.task_name)
            call = f"{child.task_name}(...)"
            reason = f"as in Exec {model.execution_id[:8]}"
            found.append(PlannedJob(child.task_name, call, LIKELY, reason, depth, seconds))
            below = reversed(tree.children.get(child.id, []))
            stack += [(depth + 1, grandchild) for grandchild in below]
        return found

    def _tree(self, execution_id: str) -> JobTree:
        if execution_id not in self._trees:
            if len(self._trees) >= KEPT_TREES:
                self._trees.clear()
            self._trees[execution_id] = JobTree(self._source, execution_id)
        return self._trees[execution_id]

    def _earlier_jobs(self, task: str) -> list[JobFacts]:
        """The latest jobs of a task that have ended."""
        if task not in self._earlier:
            self._earlier[task] = finished_jobs(self._source, task, SAMPLE)
        return self._earlier[task]

    def _seconds(self, task: str) -> float | None:
        """How long jobs of a task took, without those below them, on average."""
        times = [
            (job.end - job.start).total_seconds()
            for job in self._earlier_jobs(task)
            if job.end is not None and not job.cached
        ]
        return sum(times) / len(times) if times else None
