"""Small text helpers: canonical JSON, booleans, trimming, tables, merging of dicts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")

# "Nothing given", where None is a value.
NULL: Any = object()


def json_dumps(value: Any) -> str:
    """Canonical JSON: sorted keys, no spaces, ASCII only. Part of tag hashes.

    Raises
    ------
    TypeError
        A value without a JSON form, or keys that cannot be ordered.
    """
    import json

    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def str2bool(text: str) -> bool:
    """Parse `true` or `false`, whatever the case.

    Raises
    ------
    ValueError
        Any other text.
    """
    lowered = text.lower()
    if lowered == "true":
        return True
    if lowered == "false":
        return False
    raise ValueError(f"Cannot parse bool: {lowered!r}")


def trim_string(text: str, max_length: int = 200, ellipsis: str = "...") -> str:
    """Cut `text` to at most `max_length` characters, the ellipsis included."""
    assert max_length >= len(ellipsis)
    if len(text) > max_length:
        return text[: max_length - len(ellipsis)] + ellipsis
    return text


def merge_dicts(dicts: list[T]) -> T:
    """Merge dicts recursively; later ones win, and win whole where a value is not a dict."""
    if not dicts:
        return {}  # type: ignore[return-value]
    if not all(isinstance(item, dict) for item in dicts):
        return dicts[-1]
    grouped: dict[Any, list] = {}
    for item in dicts:
        for key, value in item.items():  # type: ignore[attr-defined]
            grouped.setdefault(key, []).append(value)
    return {key: merge_dicts(values) for key, values in grouped.items()}  # type: ignore[return-value]


def format_table(table: list[list], justs: str, min_width: int = 0) -> Iterator[str]:
    """Lines of a table, one space between columns and a blank line after the first row.

    Parameters
    ----------
    table
        Rows of equal length; cells are shown by `str`.
    justs
        One letter a column: `l` left, `r` right.
    min_width
        Least width of a column in characters.
    """
    if not table:
        return
    cells = [[str(cell) for cell in row] for row in table]
    widths = [max(min_width, *map(len, column)) for column in zip(*cells, strict=True)]
    for index, row in enumerate(cells):
        yield " ".join(map(_justify, row, justs, widths))
        if index == 0:
            yield ""


def _justify(text: str, just: str, width: int) -> str:
    if just == "l":
        return text.ljust(width)
    if just == "r":
        return text.rjust(width)
    raise NotImplementedError(just)


def assert_never(value: NoReturn) -> NoReturn:
    """Mark a branch that no value reaches; the type checker proves it."""
    raise AssertionError(f"Unhandled value: {value!r}")
