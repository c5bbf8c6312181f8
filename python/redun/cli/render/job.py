"""Lines about jobs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from redun.cli.render.call_node import format_args
from redun.cli.render.parts import (
    format_status,
    format_tags,
    format_timedelta,
    format_timestamp,
    indent,
    short,
)

if TYPE_CHECKING:
    from redun.backends.db.query import JobView


def job_line(job: JobView, detail: bool = False) -> str:
    """One job on one line; in detail with the whole id."""
    job_id = job.id if detail else short(job.id)
    call = f"{job.task_name}({format_args(job.args)})"
    time = format_timestamp(job.start_time)
    return f"Job {job_id} {format_status(job.status)} {time}:  {call} {format_tags(job.tags)}"


def job_head_lines(job: JobView, ancestors: Sequence[tuple[str, str]]) -> Iterator[str]:
    """
    One job: itself, the way to it, how long it took.

    Parameters
    ----------
    ancestors : ids and bare task names of the jobs above it, nearest first.
    """
    yield job_line(job, detail=True)
    yield trace_line(job, ancestors)
    if job.status == "DONE" and job.end_time:
        yield f"Duration: {format_timedelta(job.end_time - job.start_time)}"


def trace_line(job: JobView, ancestors: Sequence[tuple[str, str]]) -> str:
    """The way from the execution to a job; of the jobs above only the nearest is named."""
    steps = [f"Exec {short(job.execution_id)}"]
    if len(ancestors) > 1:
        skipped = len(ancestors) - 1
        steps.append(f"({skipped} {'Job' if skipped == 1 else 'Jobs'})")
    for job_id, name in ancestors[:1]:
        steps.append(f"Job {short(job_id)} {name}")
    steps.append(f"Job {short(job.id)} {job.task_name.rpartition('.')[2]}")
    return "Traceback: " + " > ".join(steps)


def unfinished_lines() -> Iterator[str]:
    """What stands in place of the call of a job that has none."""
    yield "CallNode UNKNOWN: Job has not finished or has been killed."
    yield ""


def error_lines(traceback: Iterable[str]) -> Iterator[str]:
    """The traceback of a failed job."""
    yield "Traceback:"
    yield from indent(traceback, 0)
