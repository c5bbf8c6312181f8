"""The namespaces of root tasks, each with its executions."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, ClassVar

import click
from textual.binding import Binding, BindingType

from redun.backends.db.query.listings import NAMESPACE_ORDERS, namespace_page
from redun.cli.render.parts import format_timestamp
from redun.console.filters import PAGE, Filters
from redun.console.screen import FILTER, REPL, Content, PagedScreen
from redun.console.text import Row, one_line

if TYPE_CHECKING:
    from redun.backends.db import RedunBackendDb

COLUMNS = ("Execution namespace", "Executions", "Most recent")


class NamespacesScreen(PagedScreen):
    """One row a namespace, in a chosen order."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "sort('namespace')", "Sort by namespace"),
        Binding("c", "sort('count')", "Sort by count"),
        Binding("t", "sort('time')", "Sort by time"),
        FILTER,
        REPL,
    ]
    filters = Filters(
        [
            click.Option(
                ["--sort"],
                type=click.Choice(NAMESPACE_ORDERS),
                default="time",
                help="By name, by number of executions, or latest first.",
            ),
            PAGE,
        ]
    )

    def read(self, backend: RedunBackendDb) -> Content:
        """Reads the page, and whether there is another."""
        rows = []
        found = namespace_page(
            backend.source, self.values["sort"], self.skipped, self.page_size + 1
        )
        for name, number, latest in found:
            cells = (
                one_line(name or "no namespace"),
                one_line(number),
                one_line(format_timestamp(latest)),
            )
            rows.append(Row(cells, shlex.join(["executions", "--namespace", name])))
        return Content({"rows": self.sheet(COLUMNS, rows)})

    def action_sort(self, order: str) -> None:
        """Shows the namespaces in another order."""
        self.apply({**self.values, "sort": order, "page": 1})

    def repl_names(self, backend: RedunBackendDb) -> dict[str, Any]:
        """The namespaces of the page, and what is told of each."""
        found = namespace_page(backend.source, self.values["sort"], self.skipped, self.page_size)
        return {"results": found, "namespaces": [row[0] for row in found]}
