"""Patterns of paths over object stores: `*`, `?`, `[...]` within a segment, `**` over any number."""

from __future__ import annotations

import re
from fnmatch import translate

_MAGIC = re.compile(r"[*?[]")


def has_magic(text: str) -> bool:
    """Whether a text holds a wildcard."""
    return _MAGIC.search(text) is not None


def literal_prefix(pattern: str) -> str:
    """What precedes the first wildcard."""
    found = _MAGIC.search(pattern)
    return pattern[: found.start()] if found else pattern


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """A regular expression for whole keys.

    As in `glob.glob(recursive=True)` a segment `**` stands for any number of segments, none included.
    Other than there, names that begin with a dot are matched: in object stores they are not hidden.
    """
    parts = []
    segments = pattern.split("/")
    for index, segment in enumerate(segments):
        last = index == len(segments) - 1
        if segment == "**":
            parts.append(".*" if last else "(?:[^/]*/)*")
        else:
            parts.append(_segment(segment) + ("" if last else "/"))
    return re.compile("".join(parts), re.DOTALL)


def _segment(segment: str) -> str:
    """The expression of one segment, which no slash is part of."""
    parts = []
    for piece in re.split(r"(\*+|\?|\[!?\]?[^\]/]*\])", segment):
        if piece.startswith("*"):
            parts.append("[^/]*")
        elif piece == "?":
            parts.append("[^/]")
        elif piece.startswith("[") and piece.endswith("]") and len(piece) > 2:
            parts.append(f"(?!/)(?:{translate(piece)[4:-3]})")
        else:
            parts.append(re.escape(piece))
    return "".join(parts)
