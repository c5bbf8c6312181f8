"""What a run tells its user: a line for each job, the table of job counts, the traceback."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from redun.expression import bounded_repr
from redun.model.failure import Frame, Traceback
from redun.model.job import Job
from redun.task import Task, format_task_call
from redun.utils import format_table

if TYPE_CHECKING:
    from redun.engine.wire import Wire

__all__ = [
    "JOB_ACTION_WIDTH",
    "Report",
    "format_job_statuses",
    "is_debugger_active",
    "settrace_patch",
    "task_traceback",
]

JOB_ACTION_WIDTH = 6
MAX_REPR = 200


class Report:
    """Writes the log of a run.

    Parameters
    ----------
    log : `Scheduler.log`.
    logger : decides whether lines are built at all.
    """

    def __init__(self, log: Callable[..., None], logger: logging.Logger) -> None:
        self._log = log
        self._logger = logger

    def started(self, job: Job, action: str, reason: str = "") -> None:
        """A job begins; `action` is Run or Dryrun, `reason` says why it is not reused."""
        if self._logger.isEnabledFor(logging.INFO):
            shown = f" ({reason})" if reason else ""
            self._line(action, job, f" on {job.plan.executor}{shown}")

    def cached(self, job: Job, call_hash: str | None) -> None:
        """A job takes a recorded result."""
        if self._logger.isEnabledFor(logging.INFO):
            shallow = "" if call_hash is None else "check_valid=shallow, "
            hash8 = None if call_hash is None else call_hash[:8]
            eval8 = (job.eval_hash or "")[:8]
            self._line("Cached", job, f" (eval_hash={eval8}, {shallow}call_hash={hash8})")

    def invalid(self, job: Job, value: Any) -> None:
        """The recorded result of a job is no longer valid."""
        if self._logger.isEnabledFor(logging.INFO):
            self._log(
                f"{'Miss':{JOB_ACTION_WIDTH}} Job {job.id[:8]}:  Cached result is no longer valid "
                f"(result={bounded_repr(value, MAX_REPR)}, "
                f"eval_hash={(job.eval_hash or '')[:8]})."
            )

    def miss(self, job: Job, reason: str) -> None:
        """Why nothing was found for a job."""
        self._log(f"{'Miss':{JOB_ACTION_WIDTH}} Job {job.id[:8]}:  {reason}")

    def retry(self, job: Job, error: BaseException, delay: float) -> None:
        """A job that failed is tried again after a delay in seconds."""
        later = f" in {delay:g} s" if delay else ""
        self._line("Retry", job, f"{later} ({job.attempt} of {job.plan.retries}): {error!r}")

    def cancelled(self, job: Job) -> None:
        """A job is cut off by the end of the run."""
        if self._logger.isEnabledFor(logging.INFO):
            self._line("Cancel", job, "")

    def rejected(self, job: Job) -> None:
        """A job has failed."""
        if self._logger.isEnabledFor(logging.INFO):
            self._log(f"*** Reject Job {job.id[:8]}:  {describe_call(job)}:")

    def _line(self, action: str, job: Job, suffix: str) -> None:
        self._log(f"{action:{JOB_ACTION_WIDTH}} Job {job.id[:8]}:  {describe_call(job)}{suffix}")


def describe_call(job: Job) -> str:
    """Return `task(name=value, ...)` of a job."""
    if job.eval_args is None:
        return f"{job.task.fullname}(...)"
    args, kwargs = job.eval_args
    return format_task_call(job.task, args, kwargs)


def task_traceback(job: Job, error: BaseException, traceback: Traceback | None) -> Traceback:
    """Return the way from the root job to the line of user code that raised.

    Parameters
    ----------
    job : the job that failed first.
    error : what it raised.
    traceback : the frames within the job, if known.
    """
    frames: list[Any] = []
    step: Job | None = job
    while step is not None:
        frames.append(_job_frame(step))
        step = step.parent_job
    frames.reverse()
    if traceback is not None:
        frames.extend(traceback.frames)
    return Traceback(error, frames, logs=traceback.logs if traceback is not None else None)


def _job_frame(job: Job) -> Frame:
    task = job.task
    code = getattr(task.func, "__code__", None)
    arguments: dict[str, Any] = {}
    if job.eval_args is not None:
        args, kwargs = job.eval_args
        arguments = {**dict(zip(task.parameters.names, args, strict=False)), **kwargs}
    return Frame(
        code.co_filename if code else "<unknown>",
        code.co_firstlineno if code else 1,
        task.func.__name__ if code else task.name,
        arguments,
        job=job,
    )


def count_jobs(wire: Wire, names: dict[str, str]) -> dict[str, list[int]]:
    """Return task name -> counts in the order of `Job.STATUSES`.

    Parameters
    ----------
    wire : the state machine of a run.
    names : task hash -> full name.
    """
    counts: dict[str, list[int]] = {}
    for task_hash, row in wire.counts().items():
        name = names.get(task_hash, task_hash[:8])
        total = counts.setdefault(name, [0] * len(Job.STATUSES))
        for index, count in enumerate((*row, sum(row))):
            total[index] += count
    return counts


def format_job_statuses(counts: dict[str, list[int]], timestamp: float | None = None) -> list[str]:
    """Return the lines of the table of job counts.

    Parameters
    ----------
    counts : task name -> counts in the order of `Job.STATUSES`.
    timestamp : seconds since the epoch; now by default.
    """
    moment = time.localtime(timestamp)
    rows = [[name, *map(str, counts[name])] for name in sorted(counts)]
    totals = [sum(column) for column in zip(*counts.values(), strict=True)] or [0] * len(
        Job.STATUSES
    )
    table = [["TASK", *Job.STATUSES], ["ALL", *map(str, totals)], *rows]
    lines = format_table(table, "l" + "r" * len(Job.STATUSES), min_width=7)
    return [
        f"| JOB STATUS {time.strftime('%Y/%m/%d %H:%M:%S', moment)}",
        *(f"| {line}" for line in lines),
    ]


def settrace_patch(tracefunc: Any) -> None:
    """Install a trace function, ignoring errors; `is_debugger_active` sees it without a patch."""
    with suppress(Exception):
        sys.settrace(tracefunc)


def is_debugger_active() -> bool:
    """Whether a debugger traces this thread; the periodic table would only disturb it."""
    if sys.gettrace() is not None:
        return True
    monitoring = getattr(sys, "monitoring", None)
    return monitoring is not None and monitoring.get_tool(monitoring.DEBUGGER_ID) is not None


def namespace_warning(tasks: Iterable[Task[..., Any]]) -> str | None:
    """Return the advice to give tasks a namespace, or None if all have one."""
    bare = [
        f"{os.path.basename(task.func.__code__.co_filename)}:{task.func.__name__}"
        for task in tasks
        if not task.namespace and hasattr(task.func, "__code__")
    ]
    if not bare:
        return None
    return (
        "Tasks will require namespace soon. Either set namespace in the `@task` decorator "
        "or with the module-level variable `redun_namespace`.\n"
        f"tasks needing namespace: {', '.join(bare)}"
    )
