"""The application: which screen is open, and how one gets from one to another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import click
from textual.app import App
from textual.binding import Binding, BindingType

from redun.console.executions import ExecutionsScreen
from redun.console.filters import Values
from redun.console.modals import FilterModal, MenuModal
from redun.console.records import find_place
from redun.console.repl import ReplScreen
from redun.console.repo import Repo
from redun.console.routes import make_screen
from redun.console.screen import RedunScreen, expected_errors

if TYPE_CHECKING:
    from redun.backends.db import RedunBackendDb

START = "executions"


class RedunConsole(App[None]):
    """
    The console.

    Parameters
    ----------
    backend : the repo's open backend, which is the console's alone.
    words : a path, or what means a record, and options; empty for the executions.
    """

    TITLE = "redun"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+p", "save", "Screenshot", show=False, priority=True)
    ]
    CSS = """
    #header { border: solid $foreground; height: auto; padding: 0; }
    #note { height: auto; }
    #head, #links, .title { height: auto; }
    .title { text-style: bold; }
    #foot { dock: bottom; height: 1; background: $panel; }
    #foot Footer { dock: none; width: 1fr; }
    #page { width: auto; background: $success; color: $text; }
    #query { margin: 0; }
    #log { height: 1fr; }
    FilterModal, MenuModal { align: center middle; }
    #dialog { width: 80%; max-width: 100; height: auto; max-height: 90%; padding: 1 2;
        background: $panel; border: solid $primary; overflow-y: auto; }
    #dialog Label, #problem, #help { height: auto; }
    """

    def __init__(self, backend: RedunBackendDb, words: Sequence[str] = ()) -> None:
        super().__init__()
        self.repo = Repo(backend)
        self._words = list(words)

    async def on_mount(self) -> None:
        """Called by Textual at the start."""
        words = self._words
        if words and words[0] == START:
            await self.push_screen(
                ExecutionsScreen(START, ExecutionsScreen.filters.parse(words[1:]))
            )
            return
        await self.push_screen(ExecutionsScreen(START))
        if words:
            await self.open(words)

    def on_unmount(self) -> None:
        """Called by Textual at the end."""
        self.repo.close()

    async def open(self, words: Sequence[str]) -> None:
        """Goes to a path, or to what a word means."""
        try:
            screen = make_screen(words)
            if screen is None:
                found = await self.repo.read(lambda backend: find_place(backend.source, words[0]))
                screen = make_screen([*found, *words[1:]]) if found else None
        except click.UsageError as error:
            self.notify(error.format_message(), severity="error", markup=False)
            return
        except expected_errors() as error:
            self.notify(str(error), severity="error", markup=False)
            return
        if screen is None:
            self.notify(f"Nothing recorded matches {words[0]}", severity="warning", markup=False)
        else:
            await self.push_screen(screen)

    async def action_back(self) -> None:
        """Closes the screen, unless it is the first."""
        # Below the first is the one that Textual begins with.
        if len(self.screen_stack) > 2:
            await self.pop_screen()

    async def action_menu(self) -> None:
        """Asks for a screen to go to."""
        await self.push_screen(MenuModal(), self._go)

    async def _go(self, path: str | None) -> None:
        if path:
            await self.open([path])

    async def action_filter(self) -> None:
        """Asks for the options of the screen."""
        screen = self.screen
        if isinstance(screen, RedunScreen) and not screen.filters.is_empty:

            def apply(values: Values | None) -> None:
                if values is not None:
                    screen.apply(values)

            await self.push_screen(FilterModal(screen.filters, screen.values), apply)

    async def action_repl(self) -> None:
        """Opens the REPL with the names of the screen."""
        source = self.screen if isinstance(self.screen, RedunScreen) else None
        await self.push_screen(ReplScreen("repl", source=source))

    def action_save(self) -> None:
        """Saves a picture of the screen in the current directory."""
        try:
            path = self.save_screenshot()
        except OSError as error:
            self.notify(f"The screen can't be saved: {error}", severity="error", markup=False)
        else:
            self.notify(f"Saved {path}", markup=False)
