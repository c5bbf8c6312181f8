"""Pieces of text that screens have in common."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from rich.text import Text

from redun.cli.render.parts import format_tags

#: Colours of a status: green, red, blue and yellow behind it.
COLORS = {
    "DONE": "#ffffff on #2e7d32",
    "FAILED": "#ffffff on #c62828",
    "CACHED": "#ffffff on #1565c0",
    "RUNNING": "#000000 on #f9a825",
}

#: What a terminal might obey: everything below a space but tab and line feed, and its like.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

MAX_LINES = 2000


@dataclass(frozen=True)
class Row:
    """
    One row of a table.

    Parameters
    ----------
    cells : one text for each column.
    target : where enter leads: a path with its options, or an `https` address; None for nowhere.
    targets : the same for each column, of tables where a cell is chosen.
    """

    cells: tuple[Text, ...]
    target: str | None = None
    targets: tuple[str | None, ...] = field(default=())


def plain(text: object, style: str = "") -> Text:
    """A text as it is, without markup; control characters of a terminal become `\\x1b` and so on."""
    return Text(_visible(str(text)).expandtabs(4), style=style)


def _visible(text: str) -> str:
    return _CONTROLS.sub(lambda match: f"\\x{ord(match[0]):02x}", text.replace("\r\n", "\n"))


def one_line(text: object, style: str = "") -> Text:
    """Like `plain`, with line feeds shown as `\\n`."""
    return plain(str(text).replace("\n", "\\n"), style)


def status_text(status: str) -> Text:
    """A status on its colour, six characters wide."""
    shown = "RUN " if status == "RUNNING" else status
    return Text(f" {shown:^6} ", style=COLORS.get(status, ""))


def line(text: object = "", target: str | None = None, style: str = "") -> Row:
    """A row with one cell."""
    cell = text if isinstance(text, Text) else one_line(text, style)
    if target is not None and not style:
        cell.stylize("underline")
    return Row((cell,), target)


def heading(text: str) -> Row:
    """A row that names those below it."""
    return line(text, style="bold")


def text_rows(text: Text) -> Iterator[Row]:
    """One row for each line of a text; what is beyond `MAX_LINES` is only counted."""
    lines = text.split("\n", allow_blank=True)
    for part in lines[:MAX_LINES]:
        yield Row((part,))
    if len(lines) > MAX_LINES:
        yield line(f"... {len(lines) - MAX_LINES} more lines", style="dim")


def source_rows(source: str) -> Iterator[Row]:
    """Python source with numbered lines, highlighted."""
    from rich.syntax import Syntax

    text = Syntax("", "python", theme="ansi_dark").highlight(plain(source.rstrip("\n")).plain)
    text.rstrip()
    for number, row in enumerate(text_rows(text), 1):
        yield Row((Text(f"{number:>4} ", style="dim").append_text(row.cells[0]),))


def tag_row(title: str, tags: Iterable[tuple[str, Any]]) -> Row:
    """`Tags: k=v, k2=v2`."""
    return line(f"{title}: {format_tags(tags).removeprefix('(').removesuffix(')')}")
