"""Lines about values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redun.cli.render.parts import format_tags, short

if TYPE_CHECKING:
    from redun.backends.db.query import ValueView


def value_line(value: ValueView) -> str:
    """One value on one line, with its preview."""
    return f"Value {short(value.value_hash)} {value.type} {value.shown} {format_tags(value.tags)}"


def value_head_line(value: ValueView) -> str:
    """The line above a value that is shown whole."""
    return f"Value {short(value.value_hash)} {value.type} {format_tags(value.tags)}"
