"""Retrying transactions, the lock around a backend's methods, and look-ups by id."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from redun.backends.db.database import Database
from redun.backends.db.source import Row, bind, render

Result = TypeVar("Result")

#: What SQLite says when trying again is no use.
LASTING = (
    "attempt to write a readonly database",
    "database or disk is full",
    "disk I/O error",
    "no such table",
    "no such column",
)


#: Marks an error after its last attempt.
GIVEN_UP = "_redun_given_up"


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
                if not is_passing(error) or hasattr(error, GIVEN_UP):
                    raise
                if attempt == attempts:
                    # Said on the error: who keeps it keeps its frames, and the connections there.
                    setattr(error, GIVEN_UP, True)
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


def is_operational(error: BaseException) -> bool:
    """Whether the database, rather than the statement, was at fault: worth another attempt."""
    if any(text in str(error) for text in LASTING):
        return False
    return _is_named(error, "OperationalError") or is_lost(error)


def _is_named(error: BaseException, name: str) -> bool:
    """Whether an error is of a kind whose name is the same in every driver and in SQLAlchemy."""
    return any(kind.__name__ == name for kind in type(error).__mro__)


def describe(error: BaseException) -> str:
    """An error in one line, without the statement and the values in it."""
    return " ".join(str(getattr(error, "orig", None) or error).split())


def is_lost(error: BaseException) -> bool:
    """Whether the connection broke, or none could be made."""
    invalidated = getattr(error, "connection_invalidated", None)
    if invalidated is None:
        return False
    # Without a code: the server didn't answer at all.
    original: Any = getattr(error, "orig", None)
    state = getattr(original, "sqlstate", "") or getattr(original, "pgcode", "")
    statement = getattr(error, "statement", None)
    no_answer = _is_named(error, "OperationalError") and not state and statement is None
    return bool(invalidated) or no_answer


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
    Runs fixed statements over lists of ids on a connection of its own.

    Statements are those of a `Source`, whose `{in_ids}` is the one parameter.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Any = None

    def rows(self, statement: str, ids: Sequence[str]) -> list[Row]:
        """
        All rows that a statement gives for these ids.

        If the connection broke, that is raised, and the next call makes a new one.
        """
        database = self._database
        with database.driver_errors():
            if self._connection is None:
                self._connection = database.connect()
        with database.driver_errors(statement, self._connection):
            cursor = self._connection.cursor()
            try:
                text = render(statement, database.dialect)
                cursor.execute(text, bind((list(ids),), database.dialect))
                return list(cursor.fetchall())
            except Exception as error:
                if database.dialect != "sqlite" and is_operational(error):
                    self.close()
                raise
            finally:
                with suppress(Exception):
                    cursor.close()

    def close(self) -> None:
        """Lets go of the connection."""
        connection, self._connection = self._connection, None
        if connection is not None and not self._database.shared:
            with suppress(Exception):
                connection.close()
