"""What all screens have in common: header, tables, footer, reading and refreshing."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, cast

import click
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import DataTable, Static

from redun.backends.db.query.listings import change_stamp
from redun.console.filters import NO_FILTERS, Filters, Values
from redun.console.footer import Keys
from redun.console.grid import Grid
from redun.console.repo import Repo, UnknownRecord
from redun.console.text import Row, one_line, plain

if TYPE_CHECKING:
    from redun.backends.db import RedunBackendDb

#: Rows of one page.
PAGE_SIZE = 100

#: Seconds between two looks at whether something has happened in the repo.
LIVE_SECONDS = 2.0

#: Every so many looks the screen is read again whatever the clocks of those who run jobs say.
FORCED = 5


@dataclass
class Sheet:
    """
    What one table is to show.

    Parameters
    ----------
    more : whether there is a further page.
    """

    columns: Sequence[str] = ("",)
    rows: list[Row] = field(default_factory=list)
    more: bool = False


@dataclass
class Content:
    """
    What a screen is to show.

    Parameters
    ----------
    sheets : by the id of the table.
    head : the text above them.
    titles : texts of further parts, by id.
    """

    sheets: dict[str, Sheet] = field(default_factory=dict)
    head: Text = field(default_factory=Text)
    titles: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of_rows(cls, rows: Iterable[Row]) -> Content:
        """Rows of text, without columns."""
        return cls({"rows": Sheet(rows=list(rows))})

    @property
    def has_more(self) -> bool:
        """Whether there is a further page."""
        return any(sheet.more for sheet in self.sheets.values())


class Console(Protocol):
    """What screens ask of the application."""

    repo: Repo

    async def open(self, words: Sequence[str]) -> None:
        """Goes to a path or record."""


class RedunScreen(Screen[None]):
    """
    One screen.

    Parameters
    ----------
    path : where it is; with its options, a command that opens it again.
    values : the options.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "app.quit", "Quit"),
        Binding("escape", "app.back", "Back"),
        Binding("m", "app.menu", "Menu"),
    ]
    filters: ClassVar[Filters] = NO_FILTERS
    show_header: ClassVar[bool] = False

    def __init__(self, path: str, values: Values | None = None) -> None:
        super().__init__()
        self.path = path
        self.values: Values = values if values is not None else self.filters.parse(())
        self.content: Content | None = None
        self._stamp: Any = None
        self._looks = 0
        self._looking = False

    @property
    def console(self) -> Console:
        """The application."""
        return cast(Console, self.app)

    @property
    def is_open(self) -> bool:
        """Whether there still is something to show it on; it may be closed while it reads."""
        return self.is_attached and bool(self.query("#note"))

    @property
    def command(self) -> str:
        """The command that opens this screen again."""
        return shlex.join(["redun", "console", self.path, *self.filters.words(self.values)])

    def compose(self) -> ComposeResult:
        """Called by Textual for the parts of the screen."""
        yield Static(one_line(self.command), id="header")
        yield Static("Loading...", id="note")
        yield from self.compose_body()
        with Horizontal(id="foot"):
            yield Keys(show_command_palette=False, compact=True)
            yield Static(id="page")

    def compose_body(self) -> Iterable[Widget]:
        """The parts between header and footer."""
        yield Grid("rows", show_header=self.show_header)

    def read(self, backend: RedunBackendDb) -> Content:
        """
        Reads what is to be shown; on another thread, so without touching the screen.

        Raises `UnknownRecord` if there is no such record.
        """
        raise NotImplementedError

    def repl_names(self, backend: RedunBackendDb) -> dict[str, Any]:
        """Variables that the REPL has when it is opened from here; on another thread."""
        return {}

    # Reading and showing.

    def on_mount(self) -> None:
        """Called by Textual once the parts are there."""
        self.focus_body()
        self.reload()
        self.set_interval(LIVE_SECONDS, self._look)

    def focus_body(self) -> None:
        """Puts the cursor where keys are wanted first."""
        self.query_one("#rows", Grid).focus()

    def reload(self) -> None:
        """Reads and shows everything again."""
        self.query_one("#header", Static).update(one_line(self.command))
        self.run_worker(self._load(), exclusive=True, group="load")

    async def _load(self) -> None:
        try:
            content = await self.console.repo.read(self.read)
        except expected_errors() as error:
            if self.is_open:
                self.say(message_of(error))
            return
        if not self.is_open:
            return
        self.say("")
        # An id may have been completed.
        self.query_one("#header", Static).update(one_line(self.command))
        if content != self.content:
            self.content = content
            self.show(content)

    def show(self, content: Content) -> None:
        """Puts what was read on the screen."""
        for name, sheet in content.sheets.items():
            self.query_one(f"#{name}", Grid).fill(sheet.columns, sheet.rows)
        for name, title in content.titles.items():
            self.query_one(f"#{name}", Static).update(plain(title))
        for part in self.query("#head").results(Static):
            part.update(content.head)
        label = f" Page {self.values['page']} " if "page" in self.values else ""
        self.query_one("#page", Static).update(label)

    def say(self, message: str) -> None:
        """Shows a message above everything; "" takes it away."""
        note = self.query_one("#note", Static)
        note.update(plain(message))
        note.display = bool(message)

    async def _look(self) -> None:
        """Reads everything again if jobs have started or ended."""
        if self._looking or not self.is_current or self.content is None:
            return
        self._looking = True
        try:
            stamp = await self.console.repo.read(lambda backend: change_stamp(backend.source))
        except expected_errors():
            return
        finally:
            self._looking = False
        self._looks += 1
        if stamp != self._stamp or self._looks % FORCED == 0:
            changed, self._stamp = self._stamp is not None, stamp
            if changed:
                self.reload()

    # Moving about.

    async def on_data_table_row_selected(self, _event: DataTable.RowSelected) -> None:
        """Called by Textual for enter on a row."""
        await self.follow(self.focused)

    async def on_data_table_cell_selected(self, _event: DataTable.CellSelected) -> None:
        """Called by Textual for enter on a cell."""
        await self.follow(self.focused)

    async def follow(self, widget: Widget | None) -> None:
        """Goes where the cursor of a table points to."""
        target = widget.target if isinstance(widget, Grid) else None
        if target is None:
            return
        if target.startswith("https://"):
            self.app.open_url(target)
        else:
            await self.console.open(shlex.split(target))

    def apply(self, values: Values) -> None:
        """Shows the same screen with other options."""
        self.values = values
        self.content = None
        self.reload()

    def action_refresh(self) -> None:
        """Reads everything again."""
        self.reload()


class PagedScreen(RedunScreen):
    """A screen whose last table has pages."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "next_page", "Next page"),
        Binding("p", "previous_page", "Previous page"),
    ]
    show_header: ClassVar[bool] = True

    @property
    def page_size(self) -> int:
        """Rows of a page."""
        return PAGE_SIZE

    @property
    def skipped(self) -> int:
        """Rows of the pages before this one."""
        skipped: int = (self.values["page"] - 1) * self.page_size
        return skipped

    def sheet(self, columns: Sequence[str], rows: Iterable[Row]) -> Sheet:
        """The table of a page, of which one row more than it holds was read."""
        found = list(rows)
        return Sheet(columns, found[: self.page_size], len(found) > self.page_size)

    def action_next_page(self) -> None:
        """Goes to the next page, if there is one."""
        if self.content is not None and self.content.has_more:
            self.turn(self.values["page"] + 1)

    def action_previous_page(self) -> None:
        """Goes to the page before, if there is one."""
        if self.values["page"] > 1:
            self.turn(self.values["page"] - 1)

    def turn(self, page: int) -> None:
        """Goes to a page."""
        for grid in self.query("#rows").results(Grid):
            grid.move_cursor(row=0)
        self.apply({**self.values, "page": page})


def expected_errors() -> tuple[type[Exception], ...]:
    """What reading may end with that is not a mistake of the program."""
    # Not loaded, SQLAlchemy can't have raised anything.
    loaded = sys.modules.get("sqlalchemy.exc")
    of_database = () if loaded is None else (loaded.SQLAlchemyError,)
    return (click.UsageError, UnknownRecord, OSError, ValueError, *of_database)


def message_of(error: BaseException) -> str:
    """What to tell of an error that is not a mistake of the program."""
    if isinstance(error, click.UsageError):
        return error.format_message()
    if isinstance(error, UnknownRecord):
        return str(error)
    first, *_ = str(getattr(error, "orig", None) or error).splitlines() or [""]
    return f"error: {type(error).__name__}: {first}"


FILTER = Binding("slash", "app.filter", "Filter", key_display="/")
REPL = Binding("r", "app.repl", "REPL")
REFRESH = Binding("ctrl+r", "refresh", "Refresh")
