"""Selecting rows by long lists of keys without a statement per key."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import sqlalchemy as sa

#: Keys in one statement: below the smallest limit on bound parameters (999), with room for others.
CHUNK = 500


def in_chunks(
    session: Any, query: sa.Select[Any], column: Any, keys: Collection[Any]
) -> Iterator[Any]:
    """The rows of a query whose `column` is one of `keys`, in as few statements as limits allow."""
    # Sorted, so that the same question reads the same rows in the same order.
    ordered = sorted(keys)
    for start in range(0, len(ordered), CHUNK):
        yield from session.execute(query.where(column.in_(ordered[start : start + CHUNK])))
