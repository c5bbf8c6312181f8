"""Rows of the ORM by long lists of keys, without a statement per key."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterator
from typing import Any

import sqlalchemy as sa

from redun.backends.db.source import CHUNK, FETCH
from redun.backends.db.text import json_strings


def in_chunks(
    session: Any, query: sa.Select[Any], column: Any, keys: Collection[str]
) -> Iterator[Any]:
    """
    The rows of a query whose `column` is one of `keys`, in as few statements as limits allow.

    A query that is asked again and again should be one object: what is derived from it is kept.
    """
    # Sorted, so that the same question reads the same rows in the same order.
    ordered = sorted(keys)
    sqlite = session.get_bind().dialect.name == "sqlite"
    among = _among_listed(query, column) if sqlite else _among_array(query, column)
    for start in range(0, len(ordered), CHUNK):
        chunk = ordered[start : start + CHUNK]
        given = json_strings(chunk) if sqlite else chunk
        yield from _rows(session.execute(among, {"keys": given}))


def _rows(result: Any) -> Iterator[Any]:
    for rows in result.partitions(FETCH):
        yield from rows


@functools.lru_cache(maxsize=64)
def _among_listed(query: sa.Select[Any], column: Any) -> sa.Select[Any]:
    """
    The query for keys in a JSON list, the parameter `keys`.

    Naming each key as a parameter costs more than looking it up.
    """
    listed = sa.func.json_each(sa.bindparam("keys", type_=sa.String())).table_valued("value")
    return query.where(column.in_(sa.select(listed.c.value)))


@functools.lru_cache(maxsize=64)
def _among_array(query: sa.Select[Any], column: Any) -> sa.Select[Any]:
    """The query for keys in an array, the parameter `keys`, as PostgreSQL takes it."""
    keys = sa.bindparam("keys", type_=sa.ARRAY(sa.String()))
    return query.where(column == sa.func.any(keys))
