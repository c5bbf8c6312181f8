"""What columns hold, as Python sees it: moments, JSON documents, and the sizes that are fixed."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import Any, overload

#: Length of every content hash in a repo: lower-case hex digits.
HASH_LEN = 40

#: Payloads above this many bytes are described instead of shown.
MAX_VALUE_SIZE_PREVIEW = 1000000

#: Key of the object that holds a document which `jsonb` can't hold.
WRAPPED_JSON = "redun.json"

# What only texts have that `jsonb` might not take as they are.
_SUSPICIOUS = re.compile(r"\\u(?:0000|d[89a-f])|NaN|Infinity|^\{\"redun\.json\":").search


def json_text(value: Any) -> str:
    """
    The compact, sorted, ASCII JSON text that tag values are stored, compared and hashed as.

    Raises `TypeError` for what JSON can't express.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def jsonb_text(text: str) -> str:
    """
    The JSON text that a `jsonb` column gets for a document.

    `jsonb` has neither NaN and infinities nor all texts: no NUL, no lone surrogates. A document with
    one of those is wrapped as text in an object with the key `WRAPPED_JSON`, and so is such an object.
    """
    if not _SUSPICIOUS(text) or _fits_jsonb(json.loads(text)):
        return text
    return json_text({WRAPPED_JSON: text})


def _fits_jsonb(document: Any) -> bool:
    if isinstance(document, dict) and document.keys() == {WRAPPED_JSON}:
        return False
    try:
        text = json.dumps(document, allow_nan=False, ensure_ascii=False)
        text.encode()
    except ValueError:
        return False
    return "\\u0000" not in text.replace("\\\\", "")


def from_json_text(stored: str | None) -> Any:
    """The document that a column of SQLite holds as text."""
    return None if stored is None else json.loads(stored)


def from_jsonb(stored: Any) -> Any:
    """The document that a driver makes of a `jsonb` column."""
    if isinstance(stored, dict) and stored.keys() == {WRAPPED_JSON}:
        return json.loads(stored[WRAPPED_JSON])
    return stored


#: Of texts without a zone: whole seconds, and with microseconds.
_MOMENT_LENGTHS = (19, 26)


@overload
def to_moment(stored: str | dt.datetime) -> dt.datetime: ...
@overload
def to_moment(stored: str | dt.datetime | None) -> dt.datetime | None: ...
def to_moment(stored: str | dt.datetime | None) -> dt.datetime | None:
    """The moment, in UTC, that a column holds: as text on SQLite, whose moments have no zone."""
    if stored is None:
        return None
    if isinstance(stored, str) and len(stored) in _MOMENT_LENGTHS:
        # Parsing the zone, too, takes far less time than setting it.
        return dt.datetime.fromisoformat(stored + "+00:00")
    moment = dt.datetime.fromisoformat(stored) if isinstance(stored, str) else stored
    if moment.tzinfo is None:
        return moment.replace(tzinfo=dt.timezone.utc)
    return moment.astimezone(dt.timezone.utc)


def moment_text(moment: dt.datetime) -> str:
    """How SQLite repos hold a moment: `YYYY-MM-DD HH:MM:SS.ffffff`, in UTC."""
    return moment.astimezone(dt.timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f")


def short(identifier: str) -> str:
    """The first 8 characters of a hash or id, as reprs show it."""
    return identifier[:8]
