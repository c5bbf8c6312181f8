"""Small helpers for queries with SQLAlchemy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

DEFAULT_CHUNK = 100


def get_or_create(
    session: Any,
    Model: Any,
    filter: Mapping[str, Any],
    update: Mapping[str, Any] | None = None,
) -> tuple[Any, bool]:
    """
    Finds the row that matches, or adds one.

    Parameters
    ----------
    filter : columns that identify the row.
    update : columns to set, also on a row that exists.

    Returns the row, and whether it is new.
    """
    row = session.query(Model).filter_by(**filter).first()
    created = row is None
    if created:
        row = Model(**filter, **(update or {}))
        session.add(row)
    else:
        for name, value in (update or {}).items():
            setattr(row, name, value)
    return row, created


def query_filter_in(
    query: Any, column: Any, values: Iterable[Any], chunk: int = DEFAULT_CHUNK
) -> Iterator[Any]:
    """Yields the query once for each `chunk` of the values, restricted to rows that have one."""
    remaining = iter(values)
    while part := list(islice(remaining, chunk)):
        yield query.filter(column.in_(part))


def filter_in(
    query: Any, column: Any, values: Iterable[Any], chunk: int = DEFAULT_CHUNK
) -> Iterator[Any]:
    """Yields the rows of a query whose column has one of the values, `chunk` values at a time."""
    for subquery in query_filter_in(query, column, values, chunk):
        yield from subquery
