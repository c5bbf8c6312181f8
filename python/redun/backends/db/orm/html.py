"""How rows look in a notebook: a title and a table of facts. Stored text is escaped, never run."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

from redun.backends.db.parsing import show
from redun.utils import trim_string

MAX_SHOWN = 500
CELL = 'style="text-align:left;vertical-align:top"'


def facts_table(title: str, facts: Iterable[tuple[str, Any]]) -> str:
    """
    A table with a title.

    Parameters
    ----------
    facts : names with what is known; those with None or "" are left out.
    """
    rows = "".join(
        f"<tr><th {CELL}>{escape(name)}</th><td {CELL}>{escape(str(value))}</td></tr>"
        for name, value in facts
        if value is not None and value != ""
    )
    return f"<table><caption {CELL}><b>{escape(title)}</b></caption>{rows}</table>"


def shown_value(value: Any) -> str:
    """A previewed value, in at most 500 characters."""
    return trim_string(show(value), MAX_SHOWN)


def shown_tags(tags: Iterable[Any]) -> str:
    """Tags as `key=value`, sorted."""
    return ", ".join(sorted(f"{tag.key}={tag.value!r}" for tag in tags))
