"""The executions of a repo, newest first: where the console starts."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, ClassVar

import click
from textual.binding import BindingType

from redun.backends.db.query import Views
from redun.backends.db.query.listings import ExecutionFilter, execution_page
from redun.cli.render.parts import format_timedelta, format_timestamp, short
from redun.console.filters import PAGE, Filters
from redun.console.screen import FILTER, REFRESH, REPL, Content, PagedScreen
from redun.console.text import Row, one_line, status_text

if TYPE_CHECKING:
    from redun.backends.db import RedunBackendDb

COLUMNS = ("ID", "Status", "Started", "Duration", "Execution")

#: Lines of the screen that aren't rows: header, column names, footer, and one to spare.
MARGIN = 6


class ExecutionsScreen(PagedScreen):
    """One row an execution; a page is as long as the screen is high."""

    BINDINGS: ClassVar[list[BindingType]] = [FILTER, REPL, REFRESH]
    filters = Filters(
        [
            click.Option(["--id"], metavar="PREFIX", help="Executions whose id starts so."),
            click.Option(
                ["--namespace"],
                metavar="PREFIX",
                help='Executions whose root task\'s namespace starts so; "" for none.',
            ),
            click.Option(
                ["--find"], metavar="TEXT", help="Executions with this in namespace or arguments."
            ),
            PAGE,
        ]
    )

    @property
    def page_size(self) -> int:
        """Rows of a page."""
        return max(self.app.size.height - MARGIN, 1)

    def on_resize(self) -> None:
        """Called by Textual when the screen has another size."""
        if self.content is not None:
            self.reload()

    def _page(self, backend: RedunBackendDb, count: int) -> list[tuple[str, str]]:
        values = self.values
        wanted = ExecutionFilter(values["id"], values["namespace"], values["find"])
        return execution_page(backend.source, wanted, self.skipped, count)

    def read(self, backend: RedunBackendDb) -> Content:
        """Reads the page, and whether there is another."""
        namespaces = dict(self._page(backend, self.page_size + 1))
        rows = []
        for view in Views(backend.source).executions(list(namespaces)):
            over = view.start_time and view.end_time
            duration = format_timedelta(view.end_time - view.start_time) if over else ""  # type: ignore[operator]
            command = shlex.join(view.args[1:])
            cells = (
                one_line(f"Exec {short(view.id)}"),
                status_text(view.status),
                one_line(format_timestamp(view.start_time)),
                one_line(duration),
                one_line(f"[{namespaces[view.id] or 'no namespace'}] {command}"),
            )
            rows.append(Row(cells, shlex.join([f"executions/{view.id}"])))
        return Content({"rows": self.sheet(COLUMNS, rows)})

    def repl_names(self, backend: RedunBackendDb) -> dict[str, Any]:
        """The executions of the page."""
        from redun.backends.db.orm import Execution

        found = [
            backend.session.get(Execution, id) for id, _ in self._page(backend, self.page_size)
        ]
        return {"execs": found}
