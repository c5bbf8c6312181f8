"""Text of values that may be huge or deep, cut to a length.

`repr` builds the whole text first and recurses with the depth of its argument. Here the text is made
piece by piece from a stack, and the work ends as soon as enough of it is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

__all__ = ["ELLIPSIS", "bounded_repr", "format_arguments", "render_call"]

ELLIPSIS = "..."
MAX_ARGUMENT_LENGTH = 10_000
SCALARS = frozenset({int, str, float, bool, bytes, type(None)})

# A piece is (True, text) or (False, value still to be rendered).
Pieces = Iterator[tuple[bool, Any]]


def bounded_repr(value: Any, max_length: int) -> str:
    """Return `repr(value)`, cut to a length with `...` at the end.

    Lists, tuples, sets, dicts and objects with a method `_repr_pieces` are opened without recursion;
    anything else contributes its own `repr`. A `repr` that fails is replaced with a placeholder.

    Parameters
    ----------
    value : any object.
    max_length : in characters, at least 3.
    """
    if type(value) in SCALARS:
        return _trim(_leaf_repr(value, max_length), max_length)
    out: list[str] = []
    length = 0
    stack: list[Pieces] = [iter(((False, value),))]
    while stack:
        for is_text, item in stack[-1]:
            if not is_text:
                pieces = _open(item)
                if pieces is not None:
                    stack.append(pieces)
                    break
                item = _leaf_repr(item, max_length)
            out.append(item)
            length += len(item)
            if length > max_length:
                return _trim("".join(out), max_length)
        else:
            stack.pop()
    return "".join(out)


def _trim(text: str, max_length: int) -> str:
    return text if len(text) <= max_length else text[: max_length - len(ELLIPSIS)] + ELLIPSIS


def format_arguments(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """Return arguments as they would be written in a call, keywords sorted by name."""
    return "".join(
        item if is_text else bounded_repr(item, MAX_ARGUMENT_LENGTH)
        for is_text, item in arguments_pieces(args, kwargs)
    )


def render_call(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Pieces:
    """Yield the pieces of `name(args, key=value)`, keywords sorted by name."""
    yield True, f"{name}("
    yield from arguments_pieces(args, kwargs)
    yield True, ")"


def arguments_pieces(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Pieces:
    """Yield the pieces of `1, 'a', key=value`, keywords sorted by name."""
    separator = ""
    for arg in args:
        if separator:
            yield True, separator
        yield False, arg
        separator = ", "
    for key in sorted(kwargs):
        yield True, f"{separator}{key}="
        yield False, kwargs[key]
        separator = ", "


def _open(value: Any) -> Pieces | None:
    cls = type(value)
    if cls is list:
        return _sequence("[", value, "]")
    if cls is tuple:
        return _sequence("(", value, ",)" if len(value) == 1 else ")")
    if cls is dict:
        return _mapping(value)
    if cls is set and value:
        return _sequence("{", value, "}")
    pieces = getattr(cls, "_repr_pieces", None)
    return None if pieces is None else pieces(value)


def _sequence(opening: str, items: Any, closing: str) -> Pieces:
    yield True, opening
    for index, item in enumerate(items):
        if index:
            yield True, ", "
        yield False, item
    yield True, closing


def _mapping(items: dict[Any, Any]) -> Pieces:
    yield True, "{"
    for index, (key, item) in enumerate(items.items()):
        if index:
            yield True, ", "
        yield False, key
        yield True, ": "
        yield False, item
    yield True, "}"


def _leaf_repr(value: Any, max_length: int) -> str:
    if type(value) in (str, bytes) and len(value) > max_length:
        return repr(value[: max_length + 1])
    try:
        return repr(value)
    except Exception as error:  # a log line must not fail for an object that cannot show itself
        return f"<{type(value).__name__}: {type(error).__name__} in repr>"
