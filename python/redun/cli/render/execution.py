"""Lines about executions."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from redun.cli.render.job import job_line
from redun.cli.render.parts import (
    doc_lines,
    format_status,
    format_tags,
    format_timedelta,
    format_timestamp,
    short,
)
from redun.utils import format_table

if TYPE_CHECKING:
    from redun.backends.db.query import ExecutionView, JobView

TABLE_STATUSES = ("PENDING", "RUNNING", "FAILED", "CACHED", "DONE")
RULE = "-" * 80

# Levels below this one are not moved further right: the text would grow with the square of the depth.
MAX_INDENTED_LEVEL = 500


def execution_line(execution: ExecutionView, detail: bool = False) -> str:
    """One execution on one line; in detail with the whole id."""
    execution_id = execution.id if detail else short(execution.id)
    status = format_status(execution.status)
    time = format_timestamp(execution.start_time)
    args = " ".join(execution.args[1:])
    return f"Exec {execution_id} {status} {time}:  {args} {format_tags(execution.tags)}"


def execution_lines(execution: ExecutionView, jobs: Sequence[JobView]) -> Iterator[str]:
    """
    One execution: itself, a table of its jobs by task and status, and the tree of its jobs.

    Parameters
    ----------
    jobs : all its jobs, first started first.
    """
    yield execution_line(execution, detail=True)
    start, end = _span(execution, jobs)
    if start and end:
        yield f"Duration: {format_timedelta(end - start)}"
    yield from doc_lines(execution.tags)
    yield ""
    yield from status_table(end or start, jobs)
    yield ""
    counts = Counter(job.status for job in jobs)
    shown = ", ".join(f"{status}: {counts[status]}" for status in ("DONE", "CACHED", "FAILED"))
    yield f"Jobs: {len(jobs)} ({shown})"
    yield RULE
    yield from job_tree(jobs)


def _span(
    execution: ExecutionView, jobs: Sequence[JobView]
) -> tuple[dt.datetime | None, dt.datetime | None]:
    """When the execution ran; of one that isn't done, when its jobs did."""
    if execution.status == "DONE":
        return execution.start_time, execution.end_time
    starts = [job.start_time for job in jobs]
    ends = [job.end_time for job in jobs if job.end_time]
    return min(starts, default=execution.start_time), max(ends, default=None)


def status_table(time: dt.datetime | None, jobs: Sequence[JobView]) -> Iterator[str]:
    """How many jobs of each task have each status, in all and by task."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for job in jobs:
        counts[job.task_name][job.status] += 1
    total: Counter[str] = sum(counts.values(), Counter())
    rows: list[list[object]] = [["TASK", *TABLE_STATUSES, "TOTAL"]]
    for name, tally in (("ALL", total), *sorted(counts.items())):
        rows.append([name, *(tally[status] for status in TABLE_STATUSES), tally.total()])
    yield f"| JOB STATUS {_table_time(time)}"
    for line in format_table(rows, "lrrrrrr", min_width=7):
        yield f"| {line}"


def _table_time(time: dt.datetime | None) -> str:
    return time.astimezone().strftime("%Y/%m/%d %H:%M:%S") if time else ""


def job_tree(jobs: Sequence[JobView]) -> Iterator[str]:
    """One line a job, children below their parents, deeper ones further right."""
    known = {job.id for job in jobs}
    children: dict[str | None, list[JobView]] = defaultdict(list)
    for job in jobs:
        children[job.parent_id if job.parent_id in known else None].append(job)
    stack = [(0, job) for job in reversed(children[None])]
    while stack:
        level, job = stack.pop()
        yield "  " * min(level, MAX_INDENTED_LEVEL) + job_line(job)
        stack.extend((level + 1, child) for child in reversed(children[job.id]))
