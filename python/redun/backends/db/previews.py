"""What values look like, read with SQL text. Nothing that is stored is executed."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from redun.backends.db.codec import MAX_VALUE_SIZE_PREVIEW
from redun.backends.db.parsing import PreviewValue, preview_payload
from redun.backends.db.source import Source

SELECT_PREVIEWS = f"""
SELECT value_hash, type, format, length(value),
    CASE WHEN length(value) <= {MAX_VALUE_SIZE_PREVIEW} THEN value END
FROM value WHERE value_hash {{in_ids}}
"""

SELECT_VALUE = "SELECT type, format, value FROM value WHERE value_hash = ?"


def previews(source: Source, hashes: Collection[str]) -> Iterator[tuple[str, Any]]:
    """
    Hash and preview of values, as `Value.preview` gives it; those not recorded are left out.

    A payload above `MAX_VALUE_SIZE_PREVIEW` bytes is only described.
    """
    registry = source.type_registry
    for key, type_name, format_name, size, data in source.rows_among(SELECT_PREVIEWS, hashes):
        if size == 0:
            size, data = _stored_payload(source.value_store, key)
        if size > MAX_VALUE_SIZE_PREVIEW:
            yield key, PreviewValue(type_name, key, size)
        else:
            yield key, preview_payload(registry, type_name, format_name, data, key)


def _stored_payload(store: Any, value_hash: str) -> tuple[int, Any]:
    """Size, -1 if it isn't there, and unless it is too large to be shown the payload."""
    size = store.size(value_hash) if store is not None else -1
    wanted = 0 <= size <= MAX_VALUE_SIZE_PREVIEW
    return size, store.read(value_hash) if wanted else None


def parsed_value(source: Source, value_hash: str) -> Any:
    """
    A value of any size, as `Value.value_parsed` gives it.

    None if it isn't recorded, or its payload is in a value store and can't be had.
    """
    row = source.first_row(SELECT_VALUE, (value_hash,))
    if row is None:
        return None
    type_name, format_name, data = row
    if not data:
        data = source.value_store.read(value_hash) if source.value_store is not None else None
        if data is None:
            return None
    return preview_payload(source.type_registry, type_name, format_name, data, value_hash)
