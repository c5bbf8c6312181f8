"""The query API of prompts and notebooks: the same queries and look-ups, giving rows of the ORM."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from redun.backends.db import orm
from redun.backends.db.bulk import in_chunks
from redun.backends.db.query.conditions import Condition
from redun.backends.db.query.ids import (
    find_execution,
    find_file_use,
    is_execution_reference,
    may_be_path,
)
from redun.backends.db.query.records import RecordQuery
from redun.backends.db.session import as_source
from redun.backends.db.source import bind, render

__all__ = ["CallGraphQuery", "find_file", "infer_id"]


class _Alias:
    """A class attribute that is an alias of a model, made when first asked for."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._alias: Any = None

    def __get__(self, instance: Any, owner: Any) -> Any:
        if self._alias is None:
            self._alias = aliased(self._model)
        return self._alias


class CallGraphQuery(RecordQuery):
    """
    An immutable query: each filter returns a new one.

    Parameters
    ----------
    session : the unit of work to read with.
    """

    MODEL_CLASSES: ClassVar[dict[str, Any]] = {
        "Execution": orm.Execution,
        "Job": orm.Job,
        "CallNode": orm.CallNode,
        "Task": orm.Task,
        "Value": orm.Value,
    }
    MODEL_NAMES: ClassVar[list[str]] = list(MODEL_CLASSES)
    MODEL_PKS: ClassVar[dict[Any, Any]] = {
        orm.Execution: orm.Execution.id,
        orm.Job: orm.Job.id,
        orm.CallNode: orm.CallNode.call_hash,
        orm.Task: orm.Task.hash,
        orm.Value: orm.Value.value_hash,
    }
    ExecTag: ClassVar[Any] = _Alias(orm.Tag)

    def __init__(self, session: Session) -> None:
        super().__init__(as_source(session))
        self._session = session

    @property
    def subqueries(self) -> list[sa.Select[Any]]:
        """One statement for each type asked for."""
        return [self._statement(name) for name in self.types]

    def all(self) -> Iterator[Any]:
        """The rows found, type after type."""
        for name, ids in self.ids():
            yield from self._rows(name, ids)

    def first(self) -> Any:
        """The first row, or None."""
        return next(iter(self.limit(1).all()), None)

    def one(self) -> Any:
        """The only row. Raises `ValueError` if there are none or several."""
        (row,) = self.limit(2).all()
        return row

    def one_or_none(self) -> Any:
        """The only row, or None if there is none. Raises `ValueError` if there are several."""
        rows = list(self.limit(2).all())
        if not rows:
            return None
        (row,) = rows
        return row

    def page(self, page: int, page_size: int) -> Iterator[Any]:
        """The rows of one page, counted from 0 across all types."""
        for name, ids in self.slice_ids(page * page_size, page_size):
            yield from self._rows(name, ids)

    def _rows(self, name: str, ids: Collection[str]) -> Iterator[Any]:
        """Rows by their ids, in the order of those."""
        model = self.MODEL_CLASSES[name]
        key = self.MODEL_PKS[model]
        rows = in_chunks(self._session, _SELECTS[name], key, ids)
        found = {getattr(row, key.key): row for (row,) in rows}
        return (found[record_id] for record_id in ids if record_id in found)

    def _statement(self, name: str) -> sa.Select[Any]:
        statement = sa.select(self.MODEL_CLASSES[name]).where(self._clause(self._found(name)))
        if self._order and name == "Job":
            return statement.order_by(orm.Job.start_time.desc(), orm.Job.id)
        if self._order and name == "Execution":
            newest = (orm.Job.start_time.desc().nulls_last(), orm.Execution.id)
            root = orm.Job.id == orm.Execution.job_id
            return statement.outerjoin(orm.Job, root).order_by(*newest)
        return statement

    def _clause(self, condition: Condition) -> sa.TextClause:
        """A condition for statements of SQLAlchemy, which names its parameters."""
        dialect = self._source.dialect
        mark = "?" if dialect == "sqlite" else "%s"
        head, *parts = render(condition.text, dialect).split(mark)
        text = head + "".join(f":p{number}{part}" for number, part in enumerate(parts))
        values = bind(condition.parameters, dialect)
        return sa.text(text).bindparams(**{f"p{n}": value for n, value in enumerate(values)})


_SELECTS = {name: sa.select(model) for name, model in CallGraphQuery.MODEL_CLASSES.items()}


def infer_id(session: Session, id: str, include_files: bool = True, required: bool = False) -> Any:
    """
    The record that a text means.

    Parameters
    ----------
    session : the unit of work to read with.
    id : a file path, `-` (newest execution), `~N` (N-th newest), an id or its prefix, or the bare
        name of a task.
    include_files : whether a path may be meant; it is if it exists or contains `:`.
    required : whether there must be exactly one record; otherwise the first is taken.

    Returns
    -------
    A row; `(File, Job, "result" or "arg")` for a file; None if nothing matches.

    Raises
    ------
    ValueError
        For `~N` out of range, and with `required` for no or several matches.
    """
    if include_files and may_be_path(id):
        found = find_file(session, id)
        if found:
            return found
    if is_execution_reference(id):
        execution_id = find_execution(as_source(session), id)
        return session.get(orm.Execution, execution_id) if execution_id else None
    query = CallGraphQuery(session).like_id(id)
    return query.one() if required else query.first()


def find_file(session: Session, path: str) -> tuple[orm.File, orm.Job, str] | None:
    """
    The file recorded under exactly this path, with the job that tells most about it.

    That is the latest job to give the file, alone or within its result: `(file, job, "result")`.
    If none gave it, the latest to take it: `(file, job, "arg")`. None if the path isn't recorded.
    """
    use = find_file_use(as_source(session), path)
    if use is None:
        return None
    file, job = session.get(orm.File, use.value_hash), session.get(orm.Job, use.job_id)
    assert file is not None
    assert job is not None
    return file, job, "result" if use.produced else "arg"
