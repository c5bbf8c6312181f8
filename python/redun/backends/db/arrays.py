"""
Writing many rows to PostgreSQL with one statement for each table, however many they are.

The rows go over column by column, each as an array in PostgreSQL's text form: one parameter a
column, so that the text of a statement is always the same and is prepared once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import sqlalchemy as sa

from redun.backends.db.codec import HASH_LEN, jsonb_text
from redun.backends.db.orm import JSON, Base, DateTimeUTC
from redun.backends.db.statements import Lengths
from redun.backends.db.text import is_utf8, plain_text

#: Payload in one statement, in bytes. It is sent as twice as many hexadecimal digits, and a server
#: takes no message of a gigabyte.
MAX_BYTES = 16 * 1024 * 1024

#: Bytes of an entry of an index; a server takes some more.
MAX_INDEXED = 2600

#: Bytes of a character, or of the escape of one that can't be held, at most.
MAX_CHARACTER = 6

Rows: TypeAlias = Sequence[tuple[Any, ...]]

NO_LENGTHS: Lengths = {}


def text_array(values: Sequence[str | None]) -> str:
    """
    The array of some texts.

    What PostgreSQL can't hold in a text (NUL, lone surrogates) is written as an escape.
    """
    try:
        joined = '","'.join(values)  # type: ignore[arg-type]
        plain = "\\" not in joined and joined.count('"') == 2 * (len(values) - 1)
    except TypeError:  # a NULL among them
        plain = False
    array = f'{{"{joined}"}}' if plain else "{" + ",".join(map(_quoted, values)) + "}"
    if "\0" in array or not is_utf8(array):
        return text_array([None if value is None else plain_text(value) for value in values])
    return array


def _quoted(value: str | None) -> str:
    if value is None:
        return "NULL"
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _bytes_array(values: Sequence[bytes]) -> str:
    return "{" + ",".join([f'"\\\\x{value.hex()}"' for value in values]) + "}"


def _number_array(values: Sequence[int | None]) -> str:
    return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"


def _flag_array(values: Sequence[bool]) -> str:
    return "{" + ",".join(["t" if value else "f" for value in values]) + "}"


def _moment_array(values: Sequence[str | None]) -> str:
    return text_array([value and value + "+00" for value in values])


def _json_array(values: Sequence[str]) -> str:
    return text_array([jsonb_text(value) for value in values])


def _limited_array(length: int, size: int | None) -> Callable[[Sequence[str | None]], str]:
    """What makes arrays of texts that are cut to `length` characters and `size` bytes."""
    # A character that can't be held becomes an escape of several.
    shortest = (length if size is None else min(length, size)) // MAX_CHARACTER

    def cut(value: str | None) -> str | None:
        if value is None or len(value) <= shortest:
            return value
        value = plain_text(value)[:length]
        return value if size is None else value.encode()[:size].decode(errors="ignore")

    return lambda values: text_array([cut(value) for value in values])


def _array_of(
    column: sa.Column[Any], lengths: Lengths
) -> tuple[str, Callable[[Sequence[Any]], str]]:
    """The type of a column as an array, without length, and what makes one."""
    kinds: tuple[tuple[Any, str, Callable[[Sequence[Any]], str]], ...] = (
        (JSON, "jsonb", _json_array),
        (DateTimeUTC, "timestamptz", _moment_array),
        (sa.LargeBinary, "bytea", _bytes_array),
        (sa.Boolean, "boolean", _flag_array),
        (sa.Integer, "integer", _number_array),
    )
    for kind, name, render in kinds:
        if isinstance(column.type, kind):
            return name, render
    if isinstance(column.type, sa.Enum):
        return str(column.type.name), text_array
    length = lengths.get((column.table.name, column.name))
    if length is None or length == HASH_LEN:
        return "varchar", text_array
    return "varchar", _limited_array(length, MAX_INDEXED if column.index else None)


class ArrayStatement:
    """
    A statement that takes rows as arrays of columns.

    Parameters
    ----------
    text : with `{rows}` where the statement reads from a table of the rows.
    table : name of the table whose columns they are.
    columns : names of the columns, in the order in which rows have them.
    lengths : how many characters columns hold; longer texts are cut.
    """

    def __init__(
        self, text: str, table: str, columns: Sequence[str], lengths: Lengths = NO_LENGTHS
    ) -> None:
        known = Base.metadata.tables[table].c
        arrays = [_array_of(known[name], lengths) for name in columns]
        marks = ", ".join([f"%s::{name}[]" for name, _ in arrays])
        self._text = text.format(rows=f"unnest({marks}) AS given ({', '.join(columns)})")
        self._renderers = [render for _, render in arrays]
        payloads = [isinstance(known[name].type, sa.LargeBinary) for name in columns]
        self._payload = payloads.index(True) if any(payloads) else None

    def run(self, cursor: Any, rows: Rows) -> None:
        """Runs the statement for all rows."""
        for chunk in self._chunks(rows):
            columns = zip(*chunk, strict=True)
            arrays = [
                render(values) for render, values in zip(self._renderers, columns, strict=True)
            ]
            cursor.execute(self._text, arrays)

    def _chunks(self, rows: Rows) -> Iterator[Rows]:
        if self._payload is None:
            yield rows
            return
        start, size = 0, 0
        for end, row in enumerate(rows):
            length = len(row[self._payload])
            if size + length > MAX_BYTES and end > start:
                yield rows[start:end]
                start, size = end, 0
            size += length
        yield rows[start:]


class ArrayInsert(ArrayStatement):
    """
    Inserts rows, given as tuples in the order of `columns`.

    Parameters
    ----------
    table : name of the table.
    columns : names of the columns.
    on_conflict : what follows `ON CONFLICT`; by default rows that exist are left alone.
    lengths : how many characters columns hold; longer texts are cut.
    """

    def __init__(
        self,
        table: str,
        columns: Sequence[str],
        on_conflict: str = "DO NOTHING",
        lengths: Lengths = NO_LENGTHS,
    ) -> None:
        into = f"INSERT INTO {table} ({', '.join(columns)})"
        super().__init__(
            f"{into} SELECT * FROM {{rows}} ON CONFLICT {on_conflict}", table, columns, lengths
        )
        self._single = (
            f"{into} VALUES ({', '.join(['%s'] * len(columns))}) ON CONFLICT {on_conflict}"
        )

    def run(self, cursor: Any, rows: Rows) -> None:
        """Inserts the rows."""
        for chunk in self._chunks(rows):
            if self._payload is not None and len(chunk[0][self._payload]) > MAX_BYTES:
                # As it is: twice as many digits may be more than a message can hold.
                row = [plain_text(cell) if isinstance(cell, str) else cell for cell in chunk[0]]
                cursor.execute(self._single, row)
            else:
                super().run(cursor, chunk)
