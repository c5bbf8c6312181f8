"""The tasks of a repo, by name."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, ClassVar

import click
from textual.binding import BindingType

from redun.backends.db.query.listings import task_page
from redun.console.filters import PAGE, Filters
from redun.console.screen import FILTER, REPL, Content, PagedScreen
from redun.console.text import Row, one_line

if TYPE_CHECKING:
    from redun.backends.db import RedunBackendDb


class TasksScreen(PagedScreen):
    """One row a task."""

    BINDINGS: ClassVar[list[BindingType]] = [FILTER, REPL]
    filters = Filters(
        [
            click.Option(["--find"], metavar="SUB", help="Tasks with this in their full name."),
            click.Option(
                ["--namespace"], metavar="PREFIX", help="Tasks whose namespace starts so."
            ),
            PAGE,
        ]
    )

    def _page(self, backend: RedunBackendDb, count: int) -> tuple[int, list[tuple[str, int]]]:
        values = self.values
        return task_page(backend.source, values["find"], values["namespace"], self.skipped, count)

    def read(self, backend: RedunBackendDb) -> Content:
        """Reads the page, and whether there is another."""
        total, found = self._page(backend, self.page_size + 1)
        rows = [
            Row((one_line(name), one_line(versions)), shlex.join([f"tasks/name/{name}"]))
            for name, versions in found
        ]
        return Content({"rows": self.sheet((f"Task ({total})", "Versions"), rows)})

    def repl_names(self, backend: RedunBackendDb) -> dict[str, Any]:
        """Full names of the tasks of the page, and what is told of each."""
        _total, found = self._page(backend, self.page_size)
        return {"results": found, "tasks": [name for name, _versions in found]}
