"""Showing records: reads what is needed, in bulk, and has it rendered."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from redun.backends.db.dataflow import display_dataflow, make_dataflow_dom, walk_dataflow
from redun.backends.db.orm import Argument, CallEdge, CallNode, File, Job, Subvalue, Value
from redun.backends.db.query import JobView, ValueView, Views
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
        self._backend = backend
        self._session = backend.session
        self._views = Views(self._session)

    def lines(self, record_type: str, ids: list[str]) -> Iterator[str]:
        """One line a record, in the order of the ids."""
        views = self._views
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
        call = self._session.get(CallNode, job.call_hash) if job.call_hash else None
        if call is None:
            yield from indent(unfinished_lines())
            yield from indent(self._task_of(job.task_hash))
            return
        yield from indent(self._call(call, with_neighbours=False))
        if job.status == "FAILED":
            yield from indent(error_lines(_traceback(call.value.preview)))

    def call_node(self, call_hash: str) -> Iterator[str]:
        """A call, the calls around it, its task, and where its result comes from."""
        call = self._session.get(CallNode, call_hash)
        if call is not None:
            yield from self._call(call, with_neighbours=True)

    def _call(self, call: CallNode, with_neighbours: bool) -> Iterator[str]:
        views, value = self._views, call.value
        failed = value.type == "redun.ErrorValue"
        result = value.value_parsed
        if failed:
            result = getattr(result, "error", result)
        parents = self._neighbours(call, CallEdge.parent_id, CallEdge.child_id)
        children = self._neighbours(call, CallEdge.child_id, CallEdge.parent_id)
        yield from call_node_lines(
            views.call_nodes([call.call_hash])[0],
            views.arguments([call.call_hash])[call.call_hash],
            shown_repr(result),
            failed,
            views.call_nodes(parents) if with_neighbours else (),
            views.call_nodes(children) if with_neighbours else (),
        )
        yield ""
        yield from self._task_of(call.task_hash)
        yield ""
        yield from self._dataflow(value, "result")

    def _neighbours(self, call: CallNode, other: Any, this: Any) -> list[str]:
        query = sa.select(other).where(this == call.call_hash).order_by(CallEdge.call_order)
        return list(self._session.scalars(query))

    def task(self, task_hash: str) -> Iterator[str]:
        """A task and the first job that ran it."""
        query = (
            sa.select(Job.id, Job.start_time)
            .where(Job.task_hash == task_hash)
            .order_by(Job.start_time)
            .limit(1)
        )
        row = self._session.execute(query).first()
        yield from self._task_of(task_hash, (row[0], row[1]) if row else None)

    def _task_of(
        self, task_hash: str, first_job: tuple[str, dt.datetime] | None = None
    ) -> Iterator[str]:
        for view in self._views.tasks([task_hash]):
            yield from task_lines(view, first_job)

    def value(self, value_hash: str) -> Iterator[str]:
        """A value, whole, and where it comes from."""
        for view in self._views.values([value_hash]):
            row = self._session.get(Value, value_hash)
            if view.path is None:
                yield value_head_line(view)
                yield full_repr(row.value_parsed)
            else:
                yield from self._file_value(view)
            yield ""
            yield from self._dataflow(row, "value")

    def _file_value(self, view: ValueView) -> Iterator[str]:
        yield file_line(view)
        if self._first_producer(view.value_hash):
            return
        consumer = self._latest_consumer(view.value_hash)
        if consumer:
            yield from self._file_role(False, consumer)

    def file_path(self, file: File, produced: bool) -> Iterator[str]:
        """
        A file, and the job that first gave it or, if none did, last took it.

        Parameters
        ----------
        produced : whether a job gave it.
        """
        file_hash = file.value_hash
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
        query = sa.select(Job.id).join(CallNode, CallNode.call_hash == Job.call_hash)
        query = query.where(CallNode.value_hash.in_(_holders(file_hash)))
        return self._session.scalars(query.order_by(Job.end_time, Job.id).limit(1)).first()

    def _latest_consumer(self, file_hash: str) -> str | None:
        """The job that started last of those that took a file, alone or within something."""
        query = sa.select(Job.id).join(Argument, Argument.call_hash == Job.call_hash)
        query = query.where(Argument.value_hash.in_(_holders(file_hash)))
        return self._session.scalars(query.order_by(Job.start_time.desc(), Job.id).limit(1)).first()

    def _dataflow(self, value: Value, name: str) -> Iterator[str]:
        shown = full_repr(value.preview)
        edges = walk_dataflow(self._backend, value)
        yield from dataflow_lines(name, shown, display_dataflow(make_dataflow_dom(edges, name)))


def _holders(value_hash: str) -> sa.CompoundSelect[Any]:
    """A value and the values that contain it."""
    return sa.union(
        sa.select(Value.value_hash).where(Value.value_hash == value_hash),
        sa.select(Subvalue.parent_value_hash).where(Subvalue.value_hash == value_hash),
    )


def _traceback(value: Any) -> Iterator[str]:
    """The lines of the traceback in a stored error."""
    traceback = getattr(value, "traceback", None)
    if isinstance(traceback, redun.model.failure.Traceback):
        yield from traceback.format()
