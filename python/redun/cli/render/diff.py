"""Lines about what differs between two executions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from redun.cli.render.parts import format_timedelta, indent, short
from redun.utils import format_table

if TYPE_CHECKING:
    from redun.lookback.causes import Cause
    from redun.lookback.diff import Diff, JobDiff
    from redun.lookback.trees import JobFacts

MARKS = {"new": "+", "gone": "-", "changed": "~"}

#: Tasks whose time changed by less than this many seconds are not listed.
SHORTEST = 0.05


def span_line(diff: Diff) -> str:
    """How long both executions took."""
    before, after = (_duration(span) for span in diff.spans())
    return f"Duration: {before} -> {after}"


def code_lines(changes: dict[str, Cause]) -> Iterator[str]:
    """How the code of tasks differs."""
    if changes:
        yield "Code:"
        for cause in changes.values():
            yield f"  {cause.text}"
            yield from indent(cause.detail, 4)
        yield ""


def job_lines(job: JobDiff) -> Iterator[str]:
    """How one job differs; nothing if it does not."""
    mark = MARKS.get(job.change)
    if mark is None:
        return
    ids = " -> ".join(short(side.id) for side in (job.before, job.after) if side is not None)
    shown = job.after or job.before
    assert shown is not None
    times = [_job_duration(side) for side in (job.before, job.after) if side is not None]
    yield f"{mark} {shown.task_name}  Job {ids}  {' -> '.join(times)}".rstrip()
    if job.status:
        yield f"    status: {job.status[0]} -> {job.status[1]}"
    if job.code:
        yield "    code changed"
    for cause in job.arguments:
        yield f"    {cause.text}"
        yield from indent(cause.detail, 6)
    if job.result and job.result[0] != job.result[1]:
        yield f"    result: {job.result[0]} -> {job.result[1]}"
    elif job.result:
        yield f"    result changed: {job.result[1]}"
    for path, change in job.files:
        yield f"    file {path}: {change}"


def duration_lines(durations: dict[str, tuple[float, float]]) -> Iterator[str]:
    """Time by task, of the tasks where it changed."""
    rows = [
        [name, f"{old:.2f}", f"{new:.2f}", f"{new - old:+.2f}"]
        for name, (old, new) in durations.items()
        if abs(new - old) >= SHORTEST
    ]
    if rows:
        yield "Seconds of jobs that ran:"
        for line in format_table([["TASK", "BEFORE", "AFTER", "CHANGE"], *rows], "lrrr"):
            yield f"  {line}"
        yield ""


def job_record(job: JobDiff) -> dict[str, Any]:
    """One job as a JSON object."""
    shown = job.after or job.before
    assert shown is not None
    return {
        "type": "job",
        "change": job.change,
        "task": shown.task_name,
        "before": _side(job.before),
        "after": _side(job.after),
        "code": job.code,
        "arguments": [cause.facts for cause in job.arguments],
        "result": list(job.result) if job.result else None,
        "files": [{"path": path, "change": change} for path, change in job.files],
    }


def _side(job: JobFacts | None) -> dict[str, Any] | None:
    if job is None:
        return None
    seconds = (job.end - job.start).total_seconds() if job.end else None
    return {
        "job_id": job.id,
        "status": job.status,
        "seconds": seconds,
        "value_hash": job.value_hash,
    }


def _job_duration(job: JobFacts) -> str:
    if job.cached:
        return "cached"
    return _duration(job.end - job.start if job.end else None)


def _duration(span: dt.timedelta | None) -> str:
    return format_timedelta(span) if span is not None else "unfinished"
