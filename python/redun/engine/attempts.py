"""Attempts at a job: its timeout, and further attempts after a failure.

The policy is the engine's, so that it is the same for every executor. A job that is tried again stays
submitted as far as the state machine knows: it holds its limits until its last attempt has ended,
also during the delay between two attempts.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from redun.utils.nested import leaves, substitute

if TYPE_CHECKING:
    from redun.executors.base import Executor
    from redun.model.job import Job

__all__ = ["RETRIES_TAG", "Attempts"]

RETRIES_TAG = "redun.retries"


class Attempts:
    """Timeouts and retries of the jobs of one run, all on one list of times.

    Parameters
    ----------
    report : told of each retry: (job, error, delay in seconds).
    """

    def __init__(self, report: Callable[[Job, BaseException, float], None]) -> None:
        self._report = report
        self._count = 0
        self._running: dict[Job, Executor | None] = {}  # None: between two attempts
        # (when on the monotonic clock, tie-breaker, job, its attempt)
        self._times: list[tuple[float, int, Job, int]] = []

    def submitted(self, job: Job, executor: Executor) -> None:
        """An attempt is about to be submitted."""
        self._running[job] = executor
        if job.plan.retries and not leaves(job.eval_args):
            # A task may change its arguments before it fails: each attempt gets its own.
            job.args = substitute(job.eval_args, {})
        if job.plan.timeout is not None and not executor.keeps_time():
            self.begun(job)

    def begun(self, job: Job) -> None:
        """An attempt begins: its time runs."""
        if self._running.get(job) is not None and job.plan.timeout is not None:
            self._call_at(job.plan.timeout, job)

    def ended(self, job: Job) -> None:
        """The task of a job has returned."""
        self._running.pop(job, None)

    def failed(self, job: Job, error: BaseException) -> bool:
        """An attempt has failed; returns whether there will be another one."""
        if self._running.pop(job, None) is None:
            return False
        job.attempt += 1
        if job.attempt > job.plan.retries:
            return False
        others = [tag for tag in job.job_tags or () if tag[0] != RETRIES_TAG]
        job.job_tags = [*others, (RETRIES_TAG, job.attempt)]
        self._running[job] = None
        self._report(job, error, job.plan.retry_delay)
        self._call_at(job.plan.retry_delay, job)
        return True

    # -- time ------------------------------------------------------------------------------------

    def _call_at(self, delay: float, job: Job) -> None:
        self._count += 1
        heapq.heappush(self._times, (time.monotonic() + delay, self._count, job, job.attempt))

    def patience(self, limit: float | None) -> float | None:
        """Return how many seconds may pass until something is due, at most `limit`."""
        if not self._times:
            return limit
        left = max(0.0, self._times[0][0] - time.monotonic())
        return left if limit is None else min(left, limit)

    def is_due(self) -> bool:
        """Whether a timeout or a delay is over."""
        return bool(self._times) and self._times[0][0] <= time.monotonic()

    def due(self) -> list[tuple[Job, Executor | None]]:
        """Return jobs to submit again (without an executor), and jobs that took too long."""
        found: list[tuple[Any, Any]] = []
        while self.is_due():
            _, _, job, attempt = heapq.heappop(self._times)
            if job in self._running and job.attempt == attempt and job._status is None:
                found.append((job, self._running[job]))
        return found


def too_long(job: Job) -> TimeoutError:
    """Return the error of a job that took longer than its option `timeout` allows."""
    return TimeoutError(f"{job.task.fullname}() took longer than {job.plan.timeout:g} seconds.")
