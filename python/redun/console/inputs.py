"""A line to type in that remembers what was typed."""

from __future__ import annotations

from typing import Any, ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import Input


class HistoryInput(Input):
    """
    An input line; up and down go through earlier ones.

    Parameters
    ----------
    value, placeholder, id : see `Input`.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "older", "Older", show=False),
        Binding("down", "newer", "Newer", show=False),
    ]

    def __init__(self, value: str = "", placeholder: str = "", id: str | None = None) -> None:
        super().__init__(value, placeholder, id=id, select_on_focus=False)
        self._lines: list[str] = []
        self._place = 0
        self._draft = ""

    def remember(self, text: str) -> None:
        """Adds a line to the history."""
        if text and self._lines[-1:] != [text]:
            self._lines.append(text)
        self._place, self._draft = len(self._lines), ""

    def action_older(self) -> None:
        """Called by Textual for up."""
        self._go(self._place - 1)

    def action_newer(self) -> None:
        """Called by Textual for down."""
        self._go(self._place + 1)

    def _go(self, place: int) -> None:
        if not 0 <= place <= len(self._lines):
            return
        if self._place == len(self._lines):
            self._draft = self.value
        self._place = place
        self.value = (*self._lines, self._draft)[place]
        self.cursor_position = len(self.value)


class ReplInput(HistoryInput):
    """An input line that completes names when tab is pressed."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("tab", "complete", "Complete", show=False)]

    def action_complete(self) -> None:
        """Called by Textual for tab."""
        screen: Any = self.screen
        screen.complete(self)
