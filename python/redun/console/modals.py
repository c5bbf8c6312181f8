"""What opens above a screen: its filter, and the menu."""

from __future__ import annotations

import shlex
from typing import ClassVar

import click
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Label, OptionList, Static
from textual.widgets.option_list import Option

from redun.console.filters import Filters, Values, split_words
from redun.console.text import plain

MENU = (
    ("Executions", "executions"),
    ("Execution namespaces", "executions/namespace"),
    ("Tasks", "tasks"),
    ("Files", "files"),
    ("Search", "search"),
    ("REPL", "repl"),
)


class FilterModal(ModalScreen["Values | None"]):
    """
    Asks for the options of a screen; answers with None if it is cancelled.

    Parameters
    ----------
    filters : the options there are.
    values : the present ones.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Cancel")]

    def __init__(self, filters: Filters, values: Values) -> None:
        super().__init__()
        self._filters = filters
        self._values = values

    def compose(self) -> ComposeResult:
        """Called by Textual for the parts of the screen."""
        with Vertical(id="dialog"):
            yield Label("Filter:")
            text = shlex.join(self._filters.words(self._values))
            yield Input(text, placeholder="Enter filters...", select_on_focus=False)
            yield Static(id="problem")
            yield Static(plain("\n".join(self._filters.help_lines())), id="help")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Called by Textual for enter."""
        event.stop()
        try:
            words = split_words(event.value)
            # Another filter starts with its first page, unless a page is asked for.
            values = self._filters.parse(words)
        except click.UsageError as error:
            self.query_one("#problem", Static).update(plain(error.format_message(), "red"))
            return
        if values.get("page") == self._values.get("page") and values != self._values:
            values = {**values, "page": 1} if "page" in values else values
        self.dismiss(values)


class MenuModal(ModalScreen["str | None"]):
    """Asks which screen to go to; answers with its path."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,m", "dismiss(None)", "Back"),
        Binding("q", "app.quit", "Quit"),
    ]

    def compose(self) -> ComposeResult:
        """Called by Textual for the parts of the screen."""
        with Vertical(id="dialog"):
            yield Label("Menu:")
            yield OptionList(*(Option(name, id=path) for name, path in MENU))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Called by Textual for enter."""
        self.dismiss(event.option_id)
