"""The files that workflows took and gave, by path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import click
from textual.binding import BindingType

from redun.backends.db.query.listings import file_page
from redun.cli.render.parts import short
from redun.console.filters import PAGE, Filters
from redun.console.screen import FILTER, REPL, Content, PagedScreen
from redun.console.text import Row, one_line

if TYPE_CHECKING:
    from redun.backends.db import RedunBackendDb

COLUMNS = ("File path", "Hash")


class FilesScreen(PagedScreen):
    """One row a file and content; enter shows what is known of it."""

    BINDINGS: ClassVar[list[BindingType]] = [FILTER, REPL]
    filters = Filters(
        [click.Option(["--prefix"], metavar="P", help="Files whose path starts so."), PAGE]
    )

    def _page(self, backend: RedunBackendDb, count: int) -> list[tuple[str, str]]:
        return file_page(backend.source, self.values["prefix"], self.skipped, count)

    def read(self, backend: RedunBackendDb) -> Content:
        """Reads the page, and whether there is another."""
        rows = [
            Row((one_line(path), one_line(short(value_hash))), f"values/{value_hash}")
            for path, value_hash in self._page(backend, self.page_size + 1)
        ]
        return Content({"rows": self.sheet(COLUMNS, rows)})

    def repl_names(self, backend: RedunBackendDb) -> dict[str, Any]:
        """The values and the files of the page."""
        from redun.backends.db.orm import File, Value

        hashes = [value_hash for _path, value_hash in self._page(backend, self.page_size)]
        session = backend.session
        return {
            "values": [session.get(Value, key) for key in hashes],
            "files": [session.get(File, key) for key in hashes],
        }
