"""Connections to a repo: engine, session, transactions, and the one retry around them."""

from __future__ import annotations

import functools
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import URL, Engine
from sqlalchemy.exc import DBAPIError, OperationalError

from redun.backends.db.postgres import create_postgres_engine
from redun.backends.db.sqlite import create_sqlite_engine

Result = TypeVar("Result")

#: What SQLite says when trying again is no use.
LASTING = ("attempt to write a readonly database", "no such table", "no such column")


def create_db_engine(url: URL) -> Engine:
    """
    Builds the engine of a repo. Nothing is opened yet.

    Raises `MissingExtraError` if the driver isn't installed.
    """
    echo = bool(os.environ.get("REDUN_DB_ECHO"))
    if url.get_backend_name() == "postgresql":
        return create_postgres_engine(url, echo)
    if url.get_backend_name() == "sqlite":
        return create_sqlite_engine(url, echo)
    return sa.create_engine(url, echo=echo)


class Retry:
    """
    Runs whole transactions again when the database is locked or the connection broke.

    Parameters
    ----------
    retries : how often to try again.
    backoff : seconds; the n-th wait takes `backoff * 2**n`.
    backoff_max : the longest wait, in seconds.
    logger : gets the warnings and the final error; None for none.
    sleep : waits that many seconds.
    """

    def __init__(
        self,
        retries: int = 3,
        backoff: float = 1.0,
        backoff_max: float = 60.0,
        logger: logging.Logger | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.retries = retries
        self.backoff = backoff
        self.backoff_max = backoff_max
        self.logger = logger
        self.sleep = sleep
        self._given_up: BaseException | None = None

    def run(
        self,
        name: str,
        operation: Callable[[], Result],
        rollback: Callable[[], object],
        is_passing: Callable[[BaseException], bool] | None = None,
    ) -> Result:
        """
        Calls `operation` until it works.

        Parameters
        ----------
        name : of the operation, for messages.
        rollback : undoes a failed attempt.
        is_passing : whether an error is worth another attempt; by default `is_operational`.

        Raises `sqlalchemy.exc.OperationalError` or the driver's own after the last attempt.
        """
        is_passing = is_passing or is_operational
        attempts = self.retries + 1
        for attempt in range(1, attempts + 1):
            try:
                return operation()
            except Exception as error:
                rollback()
                # What an operation within this one has given up on isn't tried again.
                if not is_passing(error) or error is self._given_up:
                    raise
                if attempt == attempts:
                    self._given_up = error
                    self._log(
                        logging.ERROR,
                        f"Database operation {name} failed "
                        f"(max attempts reached {attempts}): {describe(error)}",
                    )
                    raise
                delay = min(self.backoff * 2**attempt, self.backoff_max)
                self._log(
                    logging.WARNING,
                    f"Database operation {name} failed (attempt {attempt}/{attempts}), "
                    f"retrying in {delay:.1f}s: {describe(error)}",
                )
                self.sleep(delay)
        raise AssertionError("unreachable")

    def _log(self, level: int, message: str) -> None:
        if self.logger is not None:
            self.logger.log(level, message)


@contextmanager
def driver_errors(engine: Engine, statement: str | None = None) -> Iterator[None]:
    """Makes errors of the driver, where it is used directly, those that SQLAlchemy makes of them."""
    kind: Any = engine.dialect.loaded_dbapi.Error
    try:
        yield
    except kind as error:
        raise DBAPIError.instance(
            statement, None, error, kind, hide_parameters=True, dialect=engine.dialect
        ) from error


def is_operational(error: BaseException) -> bool:
    """Whether the database, rather than the statement, was at fault: worth another attempt."""
    if any(text in str(error) for text in LASTING):
        return False
    if isinstance(error, OperationalError) or is_lost(error):
        return True
    # Errors of the driver itself, whose classes have the same names in every driver.
    return any(kind.__name__ == "OperationalError" for kind in type(error).__mro__)


def describe(error: BaseException) -> str:
    """An error in one line, without the statement and the values in it."""
    return " ".join(str(getattr(error, "orig", None) or error).split())


def is_lost(error: BaseException) -> bool:
    """Whether the connection broke, or none could be made."""
    if not isinstance(error, DBAPIError):
        return False
    # Without a code: the server didn't answer at all.
    state = getattr(error.orig, "sqlstate", "") or getattr(error.orig, "pgcode", "")
    no_answer = isinstance(error, OperationalError) and not state and error.statement is None
    return error.connection_invalidated or no_answer


def use_acquire(method: Callable[..., Result]) -> Callable[..., Result]:
    """A backend method that runs while holding the backend's lock."""

    @functools.wraps(method)
    def locked(self: Any, *args: Any, **kwargs: Any) -> Result:
        with self.lock:
            return method(self, *args, **kwargs)

    return locked


def db_retry(method: Callable[..., Result]) -> Callable[..., Result]:
    """
    A backend method that is run again as a whole when the database is locked.

    Only the outermost of nested methods tries again: the others are part of its transaction.
    """

    @functools.wraps(method)
    def retried(self: Any, *args: Any, **kwargs: Any) -> Result:
        with self.lock:
            if self.retrying:
                return method(self, *args, **kwargs)
            self.retrying = True
            try:
                return self.retry.run(
                    method.__name__,
                    lambda: method(self, *args, **kwargs),
                    self.rollback,
                )
            finally:
                self.retrying = False

    return retried


class Reader:
    """
    Runs fixed statements over lists of ids on a connection of its own, without ORM.

    Statements are written for `format`: `{in_ids}` stands for the test that a column is among the
    ids, as in `WHERE hash {in_ids}`. However many ids there are, they are one parameter, so that a
    statement is prepared once and no limit on parameters applies.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._sqlite = engine.dialect.name == "sqlite"
        self._in_ids = "IN (SELECT value FROM json_each(?))" if self._sqlite else "= ANY(%s)"
        self._connection: Any = None
        self._texts: dict[str, str] = {}

    def rows(self, statement: str, ids: Sequence[str]) -> list[tuple[Any, ...]]:
        """
        All rows that a statement gives for these ids.

        If the connection broke, that is raised, and the next call makes a new one.
        """
        text = self._texts.get(statement)
        if text is None:
            text = self._texts[statement] = statement.format(in_ids=self._in_ids)
        with driver_errors(self._engine, text):
            if self._connection is None:
                self._connect()
            cursor = self._connection.cursor()
            try:
                cursor.execute(text, (self.among(ids)[1],))
                return list(cursor.fetchall())
            except Exception as error:
                if not self._sqlite and is_operational(error):
                    self._connection.invalidate(error)
                    self._connection = None
                raise
            finally:
                with suppress(Exception):
                    cursor.close()

    def among(self, ids: Sequence[str]) -> tuple[str, Any]:
        """What stands for `{in_ids}`, and the parameter that goes with it."""
        return self._in_ids, _json_list(ids) if self._sqlite else list(ids)

    def close(self) -> None:
        """Lets go of the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> None:
        self._connection = self._engine.raw_connection()
        if not self._sqlite:
            # Looking up is all that it does, and no transaction should stay open meanwhile. For that
            # its mode is changed, so that it is no longer one of the pool.
            self._connection.detach()
            self._connection.dbapi_connection.autocommit = True


def _json_list(ids: Sequence[str]) -> str:
    import json

    return json.dumps(list(ids))
