"""One value: what gave it, what took it, what is in it, and the value itself."""

from __future__ import annotations

import pprint
import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import BindingType

from redun.backends.db.parsing import PreviewValue
from redun.backends.db.previews import previews
from redun.backends.db.query import RecordQuery, ValueView, Views
from redun.backends.db.query.conditions import ERROR_TYPE
from redun.backends.db.shown import full_repr
from redun.console.links import tag_links
from redun.console.records import require_id, traceback_lines
from redun.console.screen import PAGE_SIZE, REPL, Content, RedunScreen
from redun.console.text import Row, heading, line, plain, tag_row, text_rows

if TYPE_CHECKING:
    from redun.backends.db import RedunBackendDb
    from redun.backends.db.source import Source

#: Jobs are counted up to here: a value like None may be the result of any number.
MAX_COUNTED = 1000

#: Characters of a value that are shown.
MAX_SHOWN = 200_000

WIDTH = 100

SUBVALUES = """
SELECT value_hash FROM subvalue WHERE parent_value_hash = ? ORDER BY value_hash LIMIT ?
"""


class ValueScreen(RedunScreen):
    """Everything about a value."""

    BINDINGS: ClassVar[list[BindingType]] = [REPL]

    def _record_id(self, source: Source) -> str:
        return require_id(source, "Value", self.path.partition("/")[2])

    def read(self, backend: RedunBackendDb) -> Content:
        """Reads all there is to tell."""
        source = backend.source
        value_hash = self._record_id(source)
        self.path = f"values/{value_hash}"
        views = Views(source)
        (view,) = views.values([value_hash])
        kind = "File" if view.path is not None else "Value"
        rows = [heading(f"{kind} {value_hash} {view.path or view.type}")]
        rows.append(tag_row("Tags", view.tags))
        rows += [line(f"Link: {name} {address}", address) for name, address in tag_links(view.tags)]
        rows.append(line())
        rows += _job_links(source, value_hash)
        rows.append(line("  Upstream dataflow", f"upstreams/{value_hash}"))
        rows += _subvalue_rows(source, views, value_hash)
        rows.append(line())
        rows += _shown_rows(source, view)
        return Content.of_rows(rows)

    def repl_names(self, backend: RedunBackendDb) -> dict[str, Any]:
        """The record, and the value in it."""
        from redun.backends.db.orm import Value

        value = backend.session.get(Value, self._record_id(backend.session))
        return {"value": value, "obj": value.value_parsed if value else None}


def _job_links(source: Source, value_hash: str) -> Iterator[Row]:
    """Ways to the jobs that gave the value, and to those that took it."""
    query = RecordQuery(source)
    for title, option, jobs in (
        ("Upstream", "--result", query.filter_results([value_hash])),
        ("Downstream", "--arg", query.filter_arguments([value_hash])),
    ):
        number = sum(len(ids) for _name, ids in jobs.slice_ids(0, MAX_COUNTED + 1))
        shown = f"{MAX_COUNTED}+" if number > MAX_COUNTED else number
        target = shlex.join(["search", "--job", option, value_hash]) if number else None
        yield line(f"  {title} jobs ({shown})", target)


def _subvalue_rows(source: Source, views: Views, value_hash: str) -> Iterator[Row]:
    parts = source.cells(SUBVALUES, (value_hash, PAGE_SIZE + 1))
    if not parts:
        return
    yield line()
    yield heading("Subvalues")
    for view in views.values(parts[:PAGE_SIZE]):
        shown = view.path if view.path is not None else view.shown
        yield line(f"  {view.value_hash[:8]} {view.type} {shown}", f"values/{view.value_hash}")
    if len(parts) > PAGE_SIZE:
        yield line(f"  ... only the first {PAGE_SIZE} are shown")


def _shown_rows(source: Source, view: ValueView) -> Iterator[Row]:
    """The value over as many lines as it needs."""
    ((_hash, preview),) = previews(source, [view.value_hash])
    if isinstance(preview, PreviewValue) and preview.size < 0:
        yield line("The data of this value is missing from the value store.")
        yield line("hint: does `value_store_path` need to be configured?")
    elif isinstance(preview, PreviewValue):
        yield line("This value is too large to show, or of a type that can't be read here:")
    yield from text_rows(plain(pretty(preview)[:MAX_SHOWN]))
    if view.type == ERROR_TYPE:
        yield line()
        yield heading("Traceback:")
        yield from map(line, traceback_lines(preview))


def pretty(value: Any) -> str:
    """A value over several lines if it is long; never fails."""
    try:
        return pprint.pformat(value, width=WIDTH, sort_dicts=False)
    except Exception:  # a stored value may be of any class and depth
        return full_repr(value)
