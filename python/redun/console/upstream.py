"""Where a value comes from."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import BindingType

from redun.backends.db.dataflow import (
    DataflowNode,
    DataflowSectionDOM,
    dataflow_of_value,
    make_dataflow_dom,
)
from redun.backends.db.dataflow.dom import call_of
from redun.backends.db.dataflow.text import display_dataflow
from redun.backends.db.previews import previews
from redun.backends.db.shown import shown_repr
from redun.console.records import call_target, require_id
from redun.console.screen import REPL, Content, RedunScreen
from redun.console.text import MAX_LINES, Row, heading, line

if TYPE_CHECKING:
    from redun.backends.db import RedunBackendDb
    from redun.backends.db.source import Source


class UpstreamScreen(RedunScreen):
    """The sections of the dataflow; their lines lead to calls and values."""

    BINDINGS: ClassVar[list[BindingType]] = [REPL]

    def read(self, backend: RedunBackendDb) -> Content:
        """Walks upstream."""
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
        found = _section_rows(source, value_hash)
        rows += itertools.islice(found, MAX_LINES)
        if next(found, None) is not None:
            rows.append(line(f"... only the first {MAX_LINES} lines are shown"))
        return Content.of_rows(rows)

    def repl_names(self, backend: RedunBackendDb) -> dict[str, Any]:
        """The value."""
        from redun.backends.db.orm import Value

        value_hash = require_id(backend.source, "Value", self.path.partition("/")[2])
        return {"value": backend.session.get(Value, value_hash)}


def _section_rows(source: Source, value_hash: str) -> Iterator[Row]:
    for section in make_dataflow_dom(dataflow_of_value(source, value_hash)):
        yield from map(line, display_dataflow([section]), _targets(source, section))


def _targets(source: Source, section: DataflowSectionDOM) -> Iterator[str | None]:
    """Where each line of a section leads; the last is empty."""
    for node in (section.assign.node, *(step.node for step in section.routing)):
        yield _call_target(source, node)
    for arg in section.args:
        yield f"values/{arg.value.value_hash}"
    yield None


def _call_target(source: Source, node: DataflowNode | None) -> str | None:
    call = call_of(node)
    return call_target(source, call.call_hash) if call is not None else None
