"""
Reading a repo with SQL text, whoever holds the connection.

Statements are written once for both databases: parameters are `?`, and `{in_ids}` after a column asks
whether it is among the strings of a list, which is one parameter however long it is. If none of these
occurs twice and the column has an index, `{asked}` before the first table and `{is_asked}` after the column
do the same: SQLite then looks up one after the other, without sorting them into a table first.
"""

from __future__ import annotations

import datetime as dt
import functools
import json
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from typing import Any, TypeAlias

from redun.backends.db.codec import (
    from_json_text,
    from_jsonb,
    json_text,
    jsonb_text,
    moment_text,
)
from redun.backends.db.text import json_strings, plain_text, utf8_text

Row: TypeAlias = tuple[Any, ...]
Parameters: TypeAlias = Sequence[Any]

#: Rows fetched at a time; they may hold payloads of a megabyte each.
FETCH = 200

#: Keys in one statement, which takes them all as one parameter.
CHUNK = 20000

_MARKS = {
    "sqlite": {
        "{in_ids}": "IN (SELECT value FROM json_each(?))",
        # CROSS JOIN keeps the order.
        "{asked}": "(SELECT value AS asked FROM json_each(?)) CROSS JOIN ",
        "{is_asked}": "= asked",
    },
    "postgresql": {"{in_ids}": "= ANY(?)", "{asked}": "", "{is_asked}": "= ANY(?)"},
}


class Source(ABC):
    """Answers SQL statements that read. It sees what has been committed."""

    @property
    @abstractmethod
    def dialect(self) -> str:
        """Whose SQL it speaks: `sqlite` or `postgresql`."""

    @property
    @abstractmethod
    def type_registry(self) -> Any:
        """The registry of value types, which previews use; None for the process's own."""

    @property
    @abstractmethod
    def value_store(self) -> Any:
        """Where payloads are that rows don't hold; None without a value store."""

    @abstractmethod
    def batches(
        self, statement: str, parameters: Parameters = (), size: int = FETCH
    ) -> Iterator[list[Row]]:
        """
        The rows of a statement, `size` at a time, none of them empty.

        Parameters
        ----------
        statement : SQL; see the module.
        parameters : one for each `?` and `{in_ids}`, in their order.
        """

    def rows(self, statement: str, parameters: Parameters = ()) -> list[Row]:
        """All rows of a statement."""
        return [row for rows in self.batches(statement, parameters) for row in rows]

    def first_row(self, statement: str, parameters: Parameters = ()) -> Row | None:
        """The first row of a statement that limits itself to one; None without any."""
        return next(iter(self.rows(statement, parameters)), None)

    def cells(self, statement: str, parameters: Parameters = ()) -> list[Any]:
        """The first column of all rows."""
        return [row[0] for row in self.rows(statement, parameters)]

    def cell(self, statement: str, parameters: Parameters = ()) -> Any:
        """The first column of the first row; None without any."""
        row = self.first_row(statement, parameters)
        return None if row is None else row[0]

    def rows_among(
        self, statement: str, keys: Collection[str], parameters: Parameters = ()
    ) -> Iterator[Row]:
        """
        The rows of a statement for any number of keys.

        Parameters
        ----------
        statement : its last parameter is the list for `{in_ids}`.
        parameters : those before.
        """
        # Sorted, so that the same question reads the same rows in the same order.
        ordered = sorted(keys)
        for start in range(0, len(ordered), CHUNK):
            given = (*parameters, ordered[start : start + CHUNK])
            for rows in self.batches(statement, given):
                yield from rows

    def document(self, stored: Any) -> Any:
        """The JSON document in a column."""
        return from_json_text(stored) if self.dialect == "sqlite" else from_jsonb(stored)

    def document_parameter(self, value: Any) -> Any:
        """A JSON document as a parameter, to be compared with a column of such."""
        text = json_text(value)
        if self.dialect == "sqlite":
            return text
        from psycopg.types.json import Jsonb

        return Jsonb(json.loads(jsonb_text(text)))


@functools.lru_cache(maxsize=512)
def render(statement: str, dialect: str) -> str:
    """A statement in the words of a database and its driver."""
    text = statement
    for mark, words in _MARKS[dialect].items():
        text = text.replace(mark, words)
    return text if dialect == "sqlite" else text.replace("%", "%%").replace("?", "%s")


def bind(parameters: Parameters, dialect: str) -> tuple[Any, ...]:
    """The parameters of a rendered statement, as the driver takes them."""
    return tuple(map(_for_sqlite if dialect == "sqlite" else _for_postgresql, parameters))


# What a database can't hold is asked for in the form in which it would have been recorded.


def _for_sqlite(value: Any) -> Any:
    if isinstance(value, str):
        return utf8_text(value)
    if isinstance(value, list):
        return json_strings(value)
    return moment_text(value) if isinstance(value, dt.datetime) else value


def _for_postgresql(value: Any) -> Any:
    if isinstance(value, str):
        return plain_text(value)
    return list(map(plain_text, value)) if isinstance(value, list) else value


class DriverSource(Source):
    """
    Reads on one connection of a driver, which is not in a transaction of its own.

    Parameters
    ----------
    connection : of the driver.
    dialect : `sqlite` or `postgresql`.
    type_registry : of value types.
    value_store : where payloads are that rows don't hold.
    """

    def __init__(
        self,
        connection: Any,
        dialect: str,
        type_registry: Any = None,
        value_store: Any = None,
    ) -> None:
        self._connection = connection
        self._dialect = dialect
        self._registry = type_registry
        self._value_store = value_store

    @property
    def dialect(self) -> str:
        return self._dialect

    @property
    def type_registry(self) -> Any:
        return self._registry

    @property
    def value_store(self) -> Any:
        return self._value_store

    def batches(
        self, statement: str, parameters: Parameters = (), size: int = FETCH
    ) -> Iterator[list[Row]]:
        cursor = self._connection.cursor()
        try:
            cursor.execute(render(statement, self._dialect), bind(parameters, self._dialect))
            while rows := cursor.fetchmany(size):
                yield rows
        finally:
            cursor.close()

    def close(self) -> None:
        """Lets go of the connection."""
        self._connection.close()


class Transaction(DriverSource):
    """A transaction that is under way: reads, writes, and sees what it has written."""

    def execute(self, statement: str, parameters: Parameters = ()) -> int:
        """Runs a statement that writes; returns how many rows it wrote."""
        cursor = self.cursor()
        try:
            cursor.execute(render(statement, self._dialect), bind(parameters, self._dialect))
            return max(int(cursor.rowcount), 0)
        finally:
            cursor.close()

    def cursor(self) -> Any:
        """A cursor of the driver, to be closed by the caller."""
        return self._connection.cursor()
