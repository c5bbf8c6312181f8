"""Lines about tasks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import TYPE_CHECKING

from redun.cli.render.parts import doc_lines, format_tags, indent, short

if TYPE_CHECKING:
    from redun.backends.db.query import TaskView


def task_line(task: TaskView, detail: bool = False) -> str:
    """One task on one line; in detail with the whole hash."""
    return f"Task {task.hash if detail else short(task.hash)} {task.name} {format_tags(task.tags)}"


def task_lines(task: TaskView, first_job: tuple[str, dt.datetime] | None = None) -> Iterator[str]:
    """
    One task: itself, its documentation, its source.

    Parameters
    ----------
    first_job : id and start of the first job that ran it, if that is to be told.
    """
    yield task_line(task, detail=True)
    if first_job:
        job_id, start_time = first_job
        yield f"  First Job {short(job_id)} {start_time.astimezone()}"
    yield from indent(doc_lines(task.tags))
    yield ""
    yield from indent(task.source.split("\n"))
