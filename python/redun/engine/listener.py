"""What a scheduler tells those who listen to it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redun.model.job import Job

__all__ = ["SchedulerListener", "notify"]


class SchedulerListener:
    """Hears of the jobs of a run; override what is of interest and add it to `Scheduler.listeners`.

    All methods are called in the scheduler's thread, between its steps, so they should be quick. They
    read the job and change nothing. An error that one raises is logged and ignored.
    """

    __module__ = "redun.scheduler"

    def job_queued(self, job: Job) -> None:
        """A job has all that its arguments wait for. Those are in `job.eval_args` from its start on."""

    def job_started(self, job: Job) -> None:
        """A job is handed to its executor; again for each further attempt."""

    def job_cached(self, job: Job) -> None:
        """A job has ended with a result that was there before, `job.value`."""

    def job_missed(self, job: Job, reason: str) -> None:
        """In a dry run: a job would run; `reason` says in a few words why it isn't cached."""

    def dry_run_stopped(self, jobs: list[Job]) -> None:
        """A dry run can go no further; `jobs` have not ended, parents before their children."""

    def job_done(self, job: Job) -> None:
        """A job and all jobs below it have ended, with the result `job.value`."""

    def job_failed(self, job: Job, error: BaseException) -> None:
        """A job has ended with an error, its own or that of a job below it."""


def notify(
    listeners: Sequence[SchedulerListener],
    tell: Callable[[SchedulerListener], None],
    logger: logging.Logger,
) -> None:
    """Tell all listeners of one event, whatever they make of it."""
    for listener in listeners:
        try:
            tell(listener)
        except Exception:
            logger.exception("A listener of the scheduler failed: %r", listener)
