"""
The database of a repo: makes connections of its driver, and an engine for who needs SQLAlchemy.

Repos on SQLite are read and written with the driver alone: importing SQLAlchemy takes longer than
most of what is asked of a repo. Migrations and the ORM use the engine, and so does PostgreSQL.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from redun.backends.db import sqlite
from redun.backends.db.errors import RedunDatabaseError
from redun.backends.db.source import FETCH, DriverSource, Parameters, Row
from redun.backends.db.uri import find_sqlite_path, is_memory

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

DIALECTS = ("sqlite", "postgresql")


class Database(ABC):
    """
    Where a repo is.

    `dialect` is `sqlite` or `postgresql`. `shared` says that there is one connection for everybody,
    a repo in memory. `error` is the base class of the driver's errors. `place` tells one database
    from another. `path` is the absolute one of a file that is opened without options, else None.
    """

    dialect: str
    shared: bool
    error: type[Exception]
    place: tuple[Any, ...]
    path: str | None = None

    @property
    @abstractmethod
    def engine(self) -> Engine:
        """The engine, made when first asked for. Nothing is opened yet."""

    @abstractmethod
    def connect(self) -> Any:
        """A connection of the driver for the caller's own use, outside of any transaction."""

    @abstractmethod
    def streamed(self, statement: str, parameters: Parameters, size: int) -> Iterator[list[Row]]:
        """The rows of a statement in the driver's words, as they come, `size` at a time."""

    @abstractmethod
    def close(self) -> None:
        """Lets go of the database; what was connected by `connect` stays."""

    @contextmanager
    def driver_errors(self, statement: str | None = None, connection: Any = None) -> Iterator[None]:
        """
        Makes errors of the driver those that SQLAlchemy makes of them.

        Parameters
        ----------
        connection : in use; if it turns out to be broken, the error says so.
        """
        try:
            yield
        except self.error as error:
            from sqlalchemy.exc import DBAPIError

            broken = getattr(connection, "closed", False) or getattr(connection, "broken", False)
            raise DBAPIError.instance(
                statement,
                None,
                error,
                self.error,
                hide_parameters=True,
                connection_invalidated=bool(broken),
                dialect=self.engine.dialect,
            ) from error


class DatabaseSource(DriverSource):
    """
    Reads on a connection of its own, which it makes when first asked something.

    Parameters
    ----------
    database : where the repo is.
    type_registry : of value types.
    value_store : where payloads are that rows don't hold.
    """

    def __init__(
        self, database: Database, type_registry: Any = None, value_store: Any = None
    ) -> None:
        super().__init__(None, database.dialect, type_registry, value_store)
        self._database = database

    def batches(
        self, statement: str, parameters: Parameters = (), size: int = FETCH
    ) -> Iterator[list[Row]]:
        if self._connection is None:
            with self._database.driver_errors():
                self._connection = self._database.connect()
        with self._database.driver_errors(statement, self._connection):
            yield from super().batches(statement, parameters, size)

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and not self._database.shared:
            connection.close()


class SqliteDatabase(Database):
    """
    A repo in SQLite.

    Parameters
    ----------
    path : of the file; "" for a database in memory.
    """

    dialect = "sqlite"
    error = sqlite3.Error

    def __init__(self, path: str) -> None:
        self.shared = is_memory(path)
        self.place = ("sqlite", id(self) if self.shared else os.path.realpath(path))
        self.path = None if self.shared else os.path.abspath(path)
        self._engine: Engine | None = None
        self._shared_connection: Any = None
        # Connections for streaming that nobody uses at present.
        self._idle: list[Any] = []
        self._lock = threading.Lock()

    @property
    def engine(self) -> Engine:
        if self._engine is None:
            from redun.backends.db.engines import create_sqlite_engine

            self._engine = create_sqlite_engine(self.path, self.connect)
        return self._engine

    def connect(self) -> Any:
        if self.path is not None:
            return sqlite.connect(self.path)
        with self._lock:
            if self._shared_connection is None:
                self._shared_connection = sqlite.connect_memory()
            return self._shared_connection

    def streamed(self, statement: str, parameters: Parameters, size: int) -> Iterator[list[Row]]:
        with self.driver_errors(statement):
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            if connection is None:
                connection = self.connect()
            cursor = connection.cursor()
            try:
                cursor.execute(statement, parameters)
                while rows := cursor.fetchmany(size):
                    yield rows
            finally:
                cursor.close()
                if not self.shared:
                    with self._lock:
                        self._idle.append(connection)

    def close(self) -> None:
        idle, self._idle = self._idle, []
        for connection in (*idle, self._shared_connection):
            if connection is not None:
                connection.close()
        self._shared_connection = None
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None


class EngineDatabase(Database):
    """
    A repo behind an engine of SQLAlchemy.

    Parameters
    ----------
    engine : of the repo.

    Raises `RedunDatabaseError` for a database that repos can't be in.
    """

    shared = False

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        url = engine.url
        self.dialect = url.get_backend_name()
        if self.dialect not in DIALECTS:
            raise RedunDatabaseError(
                f"[backend] db_uri: repos can't be in `{self.dialect}`.",
                hints=("Use sqlite:///PATH or postgresql://HOST/DATABASE.",),
            )
        self.error = engine.dialect.loaded_dbapi.Error
        self.place = (self.dialect, url.host, url.port, url.database)

    @property
    def engine(self) -> Engine:
        return self._engine

    def connect(self) -> Any:
        pooled = self._engine.raw_connection()
        # Its mode is changed, so it is no longer one of the pool.
        pooled.detach()
        driver: Any = pooled.dbapi_connection
        if self.dialect == "sqlite":
            driver.isolation_level = None
        else:
            driver.autocommit = True
        return driver

    def streamed(self, statement: str, parameters: Parameters, size: int) -> Iterator[list[Row]]:
        with self.driver_errors(statement):
            pooled = self._engine.raw_connection()
            try:
                driver: Any = pooled.dbapi_connection
                # Without a name, a cursor of PostgreSQL has all rows sent at once.
                named = {} if self.dialect == "sqlite" else {"name": "redun_rows"}
                cursor = driver.cursor(**named)
                cursor.execute(statement, parameters)
                while rows := cursor.fetchmany(size):
                    yield rows
                cursor.close()
            finally:
                pooled.close()

    def close(self) -> None:
        self._engine.dispose()


def open_database(db_uri: str, config: Mapping[str, Any]) -> Database:
    """
    The database that a configuration names. Nothing is opened yet.

    Raises `RedunDatabaseError` for a URI that can't be used, `MissingExtraError` if the driver isn't
    installed.
    """
    path = find_sqlite_path(db_uri, config)
    if path is not None:
        return SqliteDatabase(path)
    from redun.backends.db.engines import create_db_engine, get_engine_url

    return EngineDatabase(create_db_engine(get_engine_url(db_uri, config)))
