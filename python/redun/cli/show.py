"""Showing records: reads what is needed, in bulk, and has it rendered."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from redun.backends.db.codec import to_moment
from redun.backends.db.previews import parsed_value, previews
from redun.backends.db.query import JobView, ValueView, Views
from redun.backends.db.query.conditions import ERROR_TYPE
from redun.backends.db.shown import full_repr, shown_repr
from redun.cli.render.call_node import call_node_line, call_node_lines, dataflow_lines
from redun.cli.render.execution import execution_line, execution_lines
from redun.cli.render.file import file_line, file_role_line
from redun.cli.render.job import error_lines, job_head_lines, job_line, unfinished_lines
from redun.cli.render.parts import indent
from redun.cli.render.task import task_line, task_lines
from redun.cli.render.value import value_head_line, value_line

if TYPE_CHECKING:
    from redun.backends.db import RedunBackendDb

# Previews show the library's own values (files, tasks, expressions, errors) only if their classes are
# loaded: looking at a repo never imports a class because a record names it.
import redun.expression
import redun.file
import redun.handle
import redun.model.failure
import redun.task


class Show:
    """
    Lines about records of one repo.

    Parameters
    ----------
    backend : the repo's open backend.
    """

    def __init__(self, backend: RedunBackendDb) -> None:
        self._source = backend.source
        self._views = Views(self._source)

    def lines(self, record_type: str, ids: list[str]) -> Iterator[str]:
        """One line a record, in the order of the ids."""
        # What was shown before is forgotten: a listing may be of a whole repo.
        views = self._views = Views(self._source)
        if record_type == "Execution":
            yield from map(execution_line, views.executions(ids))
        elif record_type == "Job":
            yield from map(job_line, views.jobs(ids))
        elif record_type == "CallNode":
            yield from map(call_node_line, views.call_nodes(ids))
        elif record_type == "Task":
            yield from map(task_line, views.tasks(ids))
        else:
            yield from map(value_line, views.values(ids))

    def files(self, hashes: list[str]) -> Iterator[str]:
        """One line a file, by path."""
        return map(file_line, self._views.files(hashes))

    def details(self, record_type: str, ids: list[str]) -> Iterator[str]:
        """Everything about each record, in the order of the ids."""
        self._views = Views(self._source)
        detail: Callable[[str], Iterator[str]] = {
            "Execution": self.execution,
            "Job": self._job_by_id,
            "CallNode": self.call_node,
            "Task": self.task,
            "Value": self.value,
        }[record_type]
        for record_id in ids:
            yield from detail(record_id)

    def execution(self, execution_id: str) -> Iterator[str]:
        """An execution and its jobs."""
        for view in self._views.executions([execution_id]):
            yield from execution_lines(view, self._views.jobs_of_execution(execution_id))

    def _job_by_id(self, job_id: str) -> Iterator[str]:
        for view in self._views.jobs([job_id]):
            yield from self.job(view)

    def job(self, job: JobView) -> Iterator[str]:
        """A job, its call, and if it failed why."""
        yield from job_head_lines(job, self._views.ancestors(job.id))
        yield ""
        call = self._find_call(job.call_hash) if job.call_hash else None
        if call is None:
            yield from indent(unfinished_lines())
            yield from indent(self._task_of(job.task_hash))
            return
        yield from indent(self._call(call, with_neighbours=False))
        if job.status == "FAILED":
            yield from indent(error_lines(_traceback(self._preview(call.value_hash))))

    def call_node(self, call_hash: str) -> Iterator[str]:
        """A call, the calls around it, its task, and where its result comes from."""
        call = self._find_call(call_hash)
        if call is not None:
            yield from self._call(call, with_neighbours=True)

    def _find_call(self, call_hash: str) -> _Call | None:
        row = self._source.first_row(_CALL, (call_hash,))
        return None if row is None else _Call(*row)

    def _call(self, call: _Call, with_neighbours: bool) -> Iterator[str]:
        views, source = self._views, self._source
        failed = call.result_type == ERROR_TYPE
        result = parsed_value(source, call.value_hash)
        if failed:
            result = getattr(result, "error", result)
        around: list[list[str]] = [[], []]
        if with_neighbours:
            around = [source.cells(query, (call.call_hash,)) for query in (_PARENTS, _CHILDREN)]
        yield from call_node_lines(
            views.call_nodes([call.call_hash])[0],
            views.arguments([call.call_hash])[call.call_hash],
            shown_repr(result),
            failed,
            *map(views.call_nodes, around),
        )
        yield ""
        yield from self._task_of(call.task_hash)
        yield ""
        yield from self._dataflow(call.value_hash, "result")

    def _preview(self, value_hash: str) -> Any:
        ((_key, preview),) = previews(self._source, [value_hash])
        return preview

    def task(self, task_hash: str) -> Iterator[str]:
        """A task and the first job that ran it."""
        row = self._source.first_row(_FIRST_JOB, (task_hash,))
        yield from self._task_of(task_hash, (row[0], to_moment(row[1])) if row else None)

    def _task_of(
        self, task_hash: str, first_job: tuple[str, dt.datetime] | None = None
    ) -> Iterator[str]:
        for view in self._views.tasks([task_hash]):
            yield from task_lines(view, first_job)

    def value(self, value_hash: str) -> Iterator[str]:
        """A value, whole, and where it comes from."""
        for view in self._views.values([value_hash]):
            if view.path is None:
                yield value_head_line(view)
                yield full_repr(parsed_value(self._source, value_hash))
            else:
                yield from self._file_value(view)
            yield ""
            yield from self._dataflow(value_hash, "value")

    def _file_value(self, view: ValueView) -> Iterator[str]:
        yield file_line(view)
        if self._first_producer(view.value_hash):
            return
        consumer = self._latest_consumer(view.value_hash)
        if consumer:
            yield from self._file_role(False, consumer)

    def file_path(self, file_hash: str, produced: bool) -> Iterator[str]:
        """
        A file, and the job that first gave it or, if none did, last took it.

        Parameters
        ----------
        produced : whether a job gave it.
        """
        yield from self.files([file_hash])
        find = self._first_producer if produced else self._latest_consumer
        job_id = find(file_hash)
        if job_id:
            yield from self._file_role(produced, job_id)

    def _file_role(self, produced: bool, job_id: str) -> Iterator[str]:
        yield file_role_line(produced, job_id)
        yield ""
        yield from indent(self._job_by_id(job_id))

    def _first_producer(self, file_hash: str) -> str | None:
        """The job that ended first of those that gave a file, alone or within something."""
        return self._job_of_file(_FIRST_PRODUCER, file_hash)

    def _latest_consumer(self, file_hash: str) -> str | None:
        """The job that started last of those that took a file, alone or within something."""
        return self._job_of_file(_LATEST_CONSUMER, file_hash)

    def _job_of_file(self, statement: str, file_hash: str) -> str | None:
        found: str | None = self._source.cell(statement, (file_hash, file_hash))
        return found

    def _dataflow(self, value_hash: str, name: str) -> Iterator[str]:
        from redun.backends.db.dataflow import (
            dataflow_of_value,
            display_dataflow,
            make_dataflow_dom,
        )

        shown = full_repr(self._preview(value_hash))
        edges = dataflow_of_value(self._source, value_hash)
        yield from dataflow_lines(name, shown, display_dataflow(make_dataflow_dom(edges, name)))


class _Call(NamedTuple):
    """A row of `_CALL`."""

    call_hash: str
    task_hash: str
    value_hash: str
    result_type: str


_CALL = """
SELECT call_node.call_hash, call_node.task_hash, call_node.value_hash, value.type FROM call_node
JOIN value ON value.value_hash = call_node.value_hash WHERE call_node.call_hash = ?
"""

_PARENTS = "SELECT parent_id FROM call_edge WHERE child_id = ? ORDER BY call_order"

_CHILDREN = "SELECT child_id FROM call_edge WHERE parent_id = ? ORDER BY call_order"

_FIRST_JOB = "SELECT id, start_time FROM job WHERE task_hash = ? ORDER BY start_time LIMIT 1"

# A file, and the values that contain it.
_HOLDERS = """
SELECT value.value_hash FROM value WHERE value.value_hash = ?
UNION SELECT subvalue.parent_value_hash FROM subvalue WHERE subvalue.value_hash = ?
"""

_FIRST_PRODUCER = f"""
SELECT job.id FROM job JOIN call_node ON call_node.call_hash = job.call_hash
WHERE call_node.value_hash IN ({_HOLDERS})
ORDER BY job.end_time NULLS LAST, job.id LIMIT 1
"""

_LATEST_CONSUMER = f"""
SELECT job.id FROM job JOIN argument ON argument.call_hash = job.call_hash
WHERE argument.value_hash IN ({_HOLDERS})
ORDER BY job.start_time DESC, job.id LIMIT 1
"""


def _traceback(value: Any) -> Iterator[str]:
    """The lines of the traceback in a stored error."""
    traceback = getattr(value, "traceback", None)
    if isinstance(traceback, redun.model.failure.Traceback):
        yield from traceback.format()
