"""One job: where it was called, with what, what came of it, and its code."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import Binding, BindingType

from redun.backends.db.previews import previews
from redun.backends.db.query import JobView, Views
from redun.backends.db.query.conditions import ERROR_TYPE
from redun.backends.db.query.jobs import MAX_ANCESTORS, ancestors
from redun.backends.db.shown import shown_repr
from redun.cli.render.job import unfinished_lines
from redun.cli.render.parts import format_timedelta, format_timestamp, short
from redun.console.links import tag_links
from redun.console.records import require_id, traceback_lines
from redun.console.screen import REPL, Content, RedunScreen
from redun.console.text import (
    MAX_LINES,
    Row,
    heading,
    line,
    one_line,
    source_rows,
    status_text,
    tag_row,
)

if TYPE_CHECKING:
    from redun.backends.db import RedunBackendDb
    from redun.backends.db.source import Source

RESULT = """
SELECT call_node.value_hash, value.type FROM call_node
JOIN value ON value.value_hash = call_node.value_hash WHERE call_node.call_hash = ?
"""

ARGUMENTS = """
SELECT arg_key, arg_position, value_hash FROM argument WHERE call_hash = ?
ORDER BY arg_key IS NOT NULL, arg_position, arg_key LIMIT ?
"""


class JobScreen(RedunScreen):
    """Everything about a job; its lines lead to calls above it, values and code."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "parent", "Parent job"),
        Binding("c", "children", "Child jobs"),
        REPL,
    ]

    def __init__(self, path: str, values: dict[str, Any] | None = None) -> None:
        super().__init__(path, values)
        self._view: JobView | None = None

    def _record_id(self, source: Source) -> str:
        return require_id(source, "Job", self.path.partition("/")[2])

    def read(self, backend: RedunBackendDb) -> Content:
        """Reads all there is to tell."""
        source = backend.source
        job_id = self._record_id(source)
        self.path = f"jobs/{job_id}"
        views = Views(source)
        view = self._view = views.jobs([job_id])[0]
        tags = views.tags([view.execution_id])[view.execution_id]
        rows = [_title(view), *_trail(view, ancestors(source, job_id))]
        if view.end_time:
            rows.append(line(f"Duration: {format_timedelta(view.end_time - view.start_time)}"))
        rows += [tag_row("Exec Tags", tags), tag_row("Tags", view.tags)]
        rows += [
            line(f"Link: {name} {address}", address)
            for name, address in tag_links([*view.tags, *tags])
        ]
        rows += [line(), *_call_rows(source, views, view), line()]
        for task in views.tasks([view.task_hash]):
            rows.append(line(f"Task {task.hash} {task.name}", f"tasks/{task.hash}"))
            rows += source_rows(task.source)
        return Content.of_rows(rows)

    async def action_parent(self) -> None:
        """Goes to the job that called this one, or to the execution."""
        if self._view is not None:
            parent = self._view.parent_id
            path = f"jobs/{parent}" if parent else f"executions/{self._view.execution_id}"
            await self.console.open([path])

    async def action_children(self) -> None:
        """Goes to the jobs that this one called."""
        if self._view is not None:
            path = f"executions/{self._view.execution_id}"
            await self.console.open([path, "--job", self._view.id])

    def repl_names(self, backend: RedunBackendDb) -> dict[str, Any]:
        """The job, its arguments and its result."""
        from redun.backends.db.orm import Job

        session = backend.session
        job = session.get(Job, self._record_id(session))
        names: dict[str, Any] = {"job": job, "obj": job, "args": (), "kwargs": {}, "result": None}
        call = job.call_node if job else None
        if call is not None:
            positional = [arg for arg in call.arguments if arg.arg_key is None]
            positional.sort(key=lambda arg: arg.arg_position)
            names["args"] = tuple(arg.value_parsed for arg in positional)
            names["kwargs"] = {
                arg.arg_key: arg.value_parsed for arg in call.arguments if arg.arg_key is not None
            }
            names["result"] = call.value_parsed
        return names


def _title(view: JobView) -> Row:
    title = one_line(f"Job {view.id} ", "bold")
    title.append_text(status_text(view.status))
    title.append_text(one_line(f" {format_timestamp(view.start_time)} {view.task_name}"))
    return line(title)


def _trail(view: JobView, above: list[tuple[str, str]]) -> Iterator[Row]:
    """The way from the execution to the job, a line each."""
    execution = shlex.join([f"executions/{view.execution_id}"])
    yield line(f"Traceback: Exec {short(view.execution_id)}", execution)
    if len(above) >= MAX_ANCESTORS:
        yield line("  > ...")
    for job_id, name in reversed(above):
        yield line(f"  > Job {short(job_id)} {name.rpartition('.')[2]}", f"jobs/{job_id}")
    yield line(f"  > Job {short(view.id)} {view.task_name.rpartition('.')[2]}")


def _call_rows(source: Source, views: Views, view: JobView) -> Iterator[Row]:
    """Arguments and result, or what is known of a job without."""
    row = source.first_row(RESULT, (view.call_hash,)) if view.call_hash else None
    if row is None:
        yield from map(line, list(unfinished_lines())[:1])
        return
    value_hash, value_type = row
    yield line(f"CallNode: {view.call_hash}")
    yield line("Args:")
    yield from _argument_rows(source, views, view.call_hash or "")
    ((_hash, preview),) = previews(source, [value_hash])
    failed = value_type == ERROR_TYPE
    shown = shown_repr(getattr(preview, "error", preview) if failed else preview)
    yield line(f"{'Raised' if failed else 'Result'}: {shown}", f"values/{value_hash}")
    if failed:
        yield line()
        yield heading("Traceback:")
        yield from map(line, traceback_lines(preview)[:MAX_LINES])


def _argument_rows(source: Source, views: Views, call_hash: str) -> Iterator[Row]:
    """One line an argument, by position and then by name."""
    rows = source.rows(ARGUMENTS, (call_hash, MAX_LINES + 1))
    shown = views.previews({row[2] for row in rows})
    for key, position, value_hash in rows[:MAX_LINES]:
        name = position if key is None else key
        yield line(f"  {name} = {shown.get(value_hash, '')}", f"values/{value_hash}")
    if len(rows) > MAX_LINES:
        yield line("  ...")
