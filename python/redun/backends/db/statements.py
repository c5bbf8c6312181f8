"""SQL text for writing many rows at once."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, Protocol, TypeAlias

from redun.backends.db.text import utf8_rows

#: Rows in one INSERT. The driver lets other threads run during each statement; a statement per row
#: would hand the interpreter over and back for every row. Few sizes keep the statements prepared.
INSERT_SIZES = (64, 16, 4, 1)


#: (table, column) -> length in characters, of columns with a limit.
Lengths: TypeAlias = Mapping[tuple[str, str], int]


class Statement(Protocol):
    """Writes rows."""

    def run(self, cursor: Any, rows: Sequence[tuple[Any, ...]]) -> None:
        """Runs the statement for all rows."""


class Insert:
    """
    Inserts rows on SQLite, given as tuples in the order of `columns`, in statements of many rows.

    Parameters
    ----------
    table : name of the table.
    columns : names of the columns.
    on_conflict : what follows `ON CONFLICT`; by default rows that exist are left alone.
    """

    def __init__(self, table: str, columns: Sequence[str], on_conflict: str = "DO NOTHING") -> None:
        # SQLite keeps a journal for each statement that could fail in its middle and be taken
        # back. Whoever writes here rolls back the whole transaction, so that is a waste: OR FAIL.
        into = f"INSERT OR FAIL INTO {table} ({', '.join(columns)})"
        row = "(" + ", ".join(["?"] * len(columns)) + ")"
        self._texts = {
            size: f"{into} VALUES {', '.join([row] * size)} ON CONFLICT {on_conflict}"
            for size in INSERT_SIZES
        }

    def run(self, cursor: Any, rows: Sequence[tuple[Any, ...]]) -> None:
        """Inserts the rows; lone surrogates in texts become escapes."""
        try:
            self._run(cursor, rows)
        except UnicodeEncodeError:
            # Rows that are there already are left alone, so that all may be given once more.
            self._run(cursor, utf8_rows(rows))

    def _run(self, cursor: Any, rows: Sequence[tuple[Any, ...]]) -> None:
        start, count = 0, len(rows)
        for size, text in self._texts.items():
            while count - start >= size:
                chunk = rows[start : start + size]
                cursor.execute(text, tuple(chain.from_iterable(chunk)))
                start += size


class Update:
    """
    Changes rows on SQLite, given as tuples of the new values of `columns` and the one of `key`.

    Parameters
    ----------
    table : name of the table.
    columns : names of what changes.
    key : name of the primary key.
    """

    def __init__(self, table: str, columns: Sequence[str], key: str) -> None:
        changes = ", ".join([f"{name} = ?" for name in columns])
        self._text = f"UPDATE {table} SET {changes} WHERE {key} = ?"

    def run(self, cursor: Any, rows: Sequence[tuple[Any, ...]]) -> None:
        """Changes the rows."""
        cursor.executemany(self._text, rows)


class TimestampText:
    """Renders epoch seconds as SQLite repos hold moments: `YYYY-MM-DD HH:MM:SS.ffffff`, UTC."""

    def __init__(self) -> None:
        self._second = -1
        self._prefix = ""

    def __call__(self, moment: float) -> str:
        micros = round(moment * 1_000_000)
        second, fraction = divmod(micros, 1_000_000)
        if second != self._second:
            self._prefix = time.strftime("%Y-%m-%d %H:%M:%S.", time.gmtime(second))
            self._second = second
        return f"{self._prefix}{fraction:06d}"
