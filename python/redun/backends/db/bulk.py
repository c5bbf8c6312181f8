"""Selecting rows by long lists of keys without a statement per key."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from typing import Any

import sqlalchemy as sa

#: Rows fetched at a time; they may hold payloads of a megabyte each.
FETCH = 200

#: Keys in one statement where each is a bound parameter: below the smallest limit on those (999).
CHUNK = 500

#: Keys in one statement on SQLite, which takes them all as one parameter.
JSON_CHUNK = 20000


def in_chunks(
    session: Any, query: sa.Select[Any], column: Any, keys: Collection[str]
) -> Iterator[Any]:
    """The rows of a query whose `column` is one of `keys`, in as few statements as limits allow."""
    # Sorted, so that the same question reads the same rows in the same order.
    ordered = sorted(keys)
    on_sqlite = session.get_bind().dialect.name == "sqlite"
    size = JSON_CHUNK if on_sqlite else CHUNK
    for start in range(0, len(ordered), size):
        chunk = ordered[start : start + size]
        among = _listed(chunk) if on_sqlite else chunk
        result = session.execute(query.where(column.in_(among)))
        for rows in result.partitions(FETCH):
            yield from rows


def _listed(keys: list[str]) -> sa.Select[Any]:
    """Keys as a table: naming each as a parameter costs more than looking it up."""
    text = sa.literal(json.dumps(keys), sa.String())
    return sa.select(sa.func.json_each(text).table_valued("value").c.value)
