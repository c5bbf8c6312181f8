"""Where a value comes from."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import Binding, BindingType

from redun.backends.db.dataflow import (
    DataflowNode,
    DataflowSectionDOM,
    dataflow_of_value,
    make_dataflow_dom,
)
from redun.backends.db.dataflow.dom import call_of
from redun.backends.db.dataflow.nodes import key_of
from redun.backends.db.dataflow.text import display_dataflow
from redun.backends.db.previews import previews
from redun.backends.db.shown import shown_repr
from redun.console.filters import Values
from redun.console.records import require_id
from redun.console.screen import REPL, Content, RedunScreen, Sheet
from redun.console.text import Row, heading, line

if TYPE_CHECKING:
    from redun.backends.db import RedunBackendDb
    from redun.backends.db.source import Source


#: How many values and calls are looked at, and how many times as many after each `More`.
LOOKED_AT = 500
MORE = 4

JOBS = "SELECT call_hash, start_time, id FROM job WHERE call_hash {in_ids}"


class UpstreamScreen(RedunScreen):
    """The sections of the dataflow; their lines lead to calls and values."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("n", "more", "More"), REPL]

    def __init__(self, path: str, values: Values | None = None) -> None:
        super().__init__(path, values)
        self._limit = LOOKED_AT

    def read(self, backend: RedunBackendDb) -> Content:
        """Walks upstream, as far as the limit allows."""
        source = backend.source
        value_hash = require_id(source, "Value", self.path.partition("/")[2])
        self.path = f"upstreams/{value_hash}"
        ((_key, preview),) = previews(source, [value_hash])
        rows = [
            heading(f"Upstream dataflow {value_hash}"),
            line(),
            line(f"value = <{value_hash[:8]}> {shown_repr(preview)}", f"values/{value_hash}"),
            line(),
        ]
        edges = list(dataflow_of_value(source, value_hash, self._limit))
        rows += _section_rows(source, list(make_dataflow_dom(edges)))
        known = {key_of(edge.src) for edge in edges}
        more = any(edge.dest and key_of(edge.dest) not in known for edge in edges)
        if more:
            rows.append(line(f"... more than {self._limit} values and calls: n shows more of them"))
        return Content({"rows": Sheet(rows=rows, more=more)})

    def show(self, content: Content) -> None:
        """Puts what was read on the screen."""
        super().show(content)
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Called by Textual: `More` is a key only where there is more."""
        if action == "more":
            return self.content is not None and self.content.has_more
        return super().check_action(action, parameters)

    def action_more(self) -> None:
        """Walks further."""
        self._limit *= MORE
        self.reload()

    def repl_names(self, backend: RedunBackendDb) -> dict[str, Any]:
        """The value."""
        from redun.backends.db.orm import Value

        value_hash = require_id(backend.source, "Value", self.path.partition("/")[2])
        return {"value": backend.session.get(Value, value_hash)}


def _section_rows(source: Source, sections: list[DataflowSectionDOM]) -> Iterator[Row]:
    jobs = _oldest_jobs(source, sections)
    targets = itertools.chain.from_iterable(_targets(section, jobs) for section in sections)
    return map(line, display_dataflow(sections), targets)


def _oldest_jobs(source: Source, sections: list[DataflowSectionDOM]) -> dict[str, str]:
    """The first job of each call that sections show."""
    calls = {
        call.call_hash
        for section in sections
        for node in _nodes(section)
        if (call := call_of(node)) is not None
    }
    oldest: dict[str, tuple[Any, str]] = {}
    for call_hash, start, job_id in source.rows_among(JOBS, calls):
        oldest[call_hash] = min((start, job_id), oldest.get(call_hash, (start, job_id)))
    return {call_hash: job_id for call_hash, (_start, job_id) in oldest.items()}


def _targets(section: DataflowSectionDOM, jobs: dict[str, str]) -> Iterator[str | None]:
    """Where each line of a section leads; the last is empty."""
    for node in _nodes(section):
        call = call_of(node)
        if call is None:
            yield None
        else:
            job_id = jobs.get(call.call_hash)
            yield f"jobs/{job_id}" if job_id else f"values/{call.value_hash}"
    for arg in section.args:
        yield f"values/{arg.value.value_hash}"
    yield None


def _nodes(section: DataflowSectionDOM) -> Iterator[DataflowNode | None]:
    """The nodes of a section's first lines."""
    yield section.assign.node
    for step in section.routing:
        yield step.node
