"""The unit of work for queries with the ORM, which also answers SQL text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from redun.backends.db.connection import is_lost
from redun.backends.db.source import FETCH, Parameters, Row, Source, bind, render

Result = TypeVar("Result")


class RedunSession(Session, Source):
    """
    A unit of work that knows its backend, which rows use to deserialize what they hold.

    A query that finds the connection broken is run again on a new one, unless the session holds
    changes: those would be lost with the transaction they are in.
    """

    backend: Any = None
    _changed = False

    def execute(self, statement: Any, *args: Any, **kwargs: Any) -> Any:
        return self._again(super().execute, statement, *args, **kwargs)

    def scalar(self, statement: Any, *args: Any, **kwargs: Any) -> Any:
        return self._again(super().scalar, statement, *args, **kwargs)

    def scalars(self, statement: Any, *args: Any, **kwargs: Any) -> Any:
        return self._again(super().scalars, statement, *args, **kwargs)

    def flush(self, objects: Any = None) -> None:
        self._changed = self._changed or self.has_changes
        super().flush(objects)

    def commit(self) -> None:
        super().commit()
        self._changed = False

    def rollback(self) -> None:
        super().rollback()
        self._changed = False

    @property
    def has_changes(self) -> bool:
        """Whether something waits to be committed."""
        return self._changed or bool(self.new or self.dirty or self.deleted)

    # As a `Source`.

    @property
    def dialect(self) -> str:
        return self.get_bind().dialect.name

    @property
    def type_registry(self) -> Any:
        return getattr(self.backend, "type_registry", None)

    @property
    def value_store(self) -> Any:
        return getattr(self.backend, "value_store", None)

    def batches(
        self, statement: str, parameters: Parameters = (), size: int = FETCH
    ) -> Iterator[list[Row]]:
        text, bound = render(statement, self.dialect), bind(parameters, self.dialect)

        def run() -> Any:
            # Without streaming, PostgreSQL's driver has all rows sent at once.
            streaming = {"stream_results": True, "max_row_buffer": size}
            return self.connection().exec_driver_sql(text, bound, execution_options=streaming)

        for rows in self._retried(run).partitions(size):
            yield [tuple(row) for row in rows]

    def _again(
        self, run: Callable[..., Result], statement: Any, *args: Any, **kwargs: Any
    ) -> Result:
        if not getattr(statement, "is_select", False):
            return run(statement, *args, **kwargs)
        return self._retried(lambda: run(statement, *args, **kwargs))

    def _retried(self, query: Callable[[], Result]) -> Result:
        retry = getattr(self.backend, "retry", None)
        if retry is None or self.has_changes:
            return query()
        return cast(Result, retry.run("query", query, super().rollback, is_lost))


class SessionSource(Source):
    """
    Reads in any session.

    Parameters
    ----------
    session : a session of SQLAlchemy on a repo.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def dialect(self) -> str:
        return self._session.get_bind().dialect.name

    @property
    def type_registry(self) -> Any:
        return None

    @property
    def value_store(self) -> Any:
        return None

    def batches(
        self, statement: str, parameters: Parameters = (), size: int = FETCH
    ) -> Iterator[list[Row]]:
        text, bound = render(statement, self.dialect), bind(parameters, self.dialect)
        for rows in self._session.connection().exec_driver_sql(text, bound).partitions(size):
            yield [tuple(row) for row in rows]


def as_source(session: Any) -> Source:
    """A session, or what reads already, as something that reads with SQL text."""
    return session if isinstance(session, Source) else SessionSource(session)


@contextmanager
def with_defer_constraints(session: Session) -> Iterator[None]:
    """Suspends the checking of references on SQLite for the time of one transaction."""
    if session.get_bind().dialect.name != "sqlite":
        yield
        return
    session.execute(sa.text("PRAGMA foreign_keys=OFF"))
    try:
        yield
    finally:
        # The pragma does nothing inside a transaction, so a failed one is undone first.
        if not session.is_active:
            session.rollback()
        session.execute(sa.text("PRAGMA foreign_keys=ON"))
