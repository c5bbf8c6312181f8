"""Text as databases take it: what they can't hold made so that they can, and lists."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from redun._core import json_strings

__all__ = ["is_utf8", "json_strings", "plain_text", "utf8_rows", "utf8_text"]


def is_utf8(text: str) -> bool:
    """Whether a text can be encoded; names of files that aren't UTF-8 can't."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def utf8_text(text: str) -> str:
    """The text with lone surrogates as escapes: `\\udc80`."""
    return text if is_utf8(text) else text.encode(errors="backslashreplace").decode()


def plain_text(text: str) -> str:
    """The text as PostgreSQL can hold it: also without NUL, which becomes `\\x00`."""
    return utf8_text(text.replace("\0", "\\x00"))


def utf8_rows(rows: Iterable[Iterable[Any]]) -> list[tuple[Any, ...]]:
    """Rows with all their texts as `utf8_text`."""
    return [tuple([utf8_text(cell) if isinstance(cell, str) else cell for cell in r]) for r in rows]
