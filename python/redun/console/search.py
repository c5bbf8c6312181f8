"""Looking for records of any type, with the filters of `redun log`."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

import click
from textual.binding import BindingType
from textual.widget import Widget
from textual.widgets import Input

from redun.backends.db.query import RECORD_TYPES, RecordQuery, Views
from redun.bootstrap.errors import UsageError
from redun.cli.commands.log import make_selection, query_options
from redun.cli.render.call_node import call_node_line
from redun.cli.render.execution import execution_line
from redun.cli.render.file import file_line
from redun.cli.render.job import job_line
from redun.cli.render.task import task_line
from redun.cli.render.value import value_line
from redun.console.filters import PAGE, Filters, split_words
from redun.console.grid import Grid
from redun.console.inputs import HistoryInput
from redun.console.records import PLACES, call_target
from redun.console.screen import FILTER, REPL, Content, PagedScreen
from redun.console.text import Row, line

if TYPE_CHECKING:
    from redun.backends.db import RedunBackendDb
    from redun.backends.db.query.records import Query
    from redun.backends.db.source import Source


def _query_parameters() -> list[click.Parameter]:
    """The options of `redun log` that select records."""

    @query_options
    def collect(**_options: Any) -> None:
        """Holds the options."""

    return click.command("search")(collect).params


class SearchScreen(PagedScreen):
    """An input line and what it finds."""

    BINDINGS: ClassVar[list[BindingType]] = [FILTER, REPL]
    filters = Filters([*_query_parameters(), PAGE], takes_ids=True)

    def compose_body(self) -> Iterable[Widget]:
        """The parts between header and footer."""
        yield HistoryInput(self.query_text, "An id, a prefix, or filters...", id="query")
        yield Grid("rows")

    @property
    def query_text(self) -> str:
        """The query as it is typed."""
        return shlex.join(self.filters.words({**self.values, "page": 1}))

    def focus_body(self) -> None:
        """A query that is there already leads to its results, an empty one is to be typed."""
        if self.query_text:
            self.query_one("#rows", Grid).focus()
        else:
            self.query_one("#query", HistoryInput).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Called by Textual for enter in the input line."""
        self.query_one("#query", HistoryInput).remember(event.value)
        try:
            values = self.filters.parse(split_words(event.value))
        except click.UsageError as error:
            self.say(error.format_message())
            return
        self.apply(values)
        self.query_one("#rows", Grid).focus()

    def show(self, content: Content) -> None:
        """Puts what was read on the screen."""
        self.query_one("#query", HistoryInput).value = self.query_text
        super().show(content)

    def read(self, backend: RedunBackendDb) -> Content:
        """Reads the page, and whether there is another."""
        source = backend.source
        views = Views(source)
        rows: list[Row] = []
        query = self._query(RecordQuery(source))
        if query is not None:
            for name, ids in query.slice_ids(self.skipped, self.page_size + 1):
                rows += _record_rows(source, views, name, ids)
        return Content({"rows": self.sheet(("Search results",), rows)})

    def _query(self, query: Query) -> Query | None:
        """The query, narrowed; None for an empty one. Raises `click.UsageError` for a wrong filter."""
        if not self.query_text:
            return None
        try:
            selection = make_selection(self.values)
        except UsageError as error:
            raise click.UsageError("; ".join((str(error), *error.hints))) from error
        if not self.values["ids"]:
            return selection.narrow(query)
        query = selection.narrow(query, selection.wanted_types(frozenset(RECORD_TYPES)))
        for record_id in self.values["ids"]:
            query = query.like_id(record_id)
        return query

    def repl_names(self, backend: RedunBackendDb) -> dict[str, Any]:
        """The query and the records of the page."""
        from redun.backends.db.query import CallGraphQuery

        query = self._query(CallGraphQuery(backend.session))
        found = query.page(self.values["page"] - 1, self.page_size) if query else ()
        return {"search_query": query, "results": list(found)}


def _record_rows(source: Source, views: Views, name: str, ids: list[str]) -> Iterator[Row]:
    """One row a record."""
    if name == "Execution":
        for execution in views.executions(ids):
            yield line(execution_line(execution), f"executions/{execution.id}")
    elif name == "Job":
        for job in views.jobs(ids):
            yield line(job_line(job), f"jobs/{job.id}")
    elif name == "CallNode":
        for call in views.call_nodes(ids):
            yield line(call_node_line(call), call_target(source, call.call_hash))
    elif name == "Task":
        for task in views.tasks(ids):
            yield line(task_line(task), f"{PLACES[name]}/{task.hash}")
    else:
        for value in views.values(ids):
            shown = file_line(value) if value.path is not None else value_line(value)
            yield line(shown, f"{PLACES[name]}/{value.value_hash}")
