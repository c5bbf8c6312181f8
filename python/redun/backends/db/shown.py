"""How a previewed value is written out."""

from __future__ import annotations

from typing import Any

from redun.utils import trim_string

MAX_SHOWN = 200


def shown_repr(value: Any) -> str:
    """The representation of a value, in at most 200 characters; never fails."""
    return trim_string(full_repr(value), MAX_SHOWN)


def full_repr(value: Any) -> str:
    """The representation of a value; never fails."""
    try:
        return repr(value)
    except RecursionError:
        return f"<{type(value).__name__}: nested too deeply to show>"
    except Exception as error:
        return f"<{type(value).__name__}: cannot be shown: {type(error).__name__}>"
