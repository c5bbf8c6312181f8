"""Lines about calls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from redun.cli.render.parts import format_tags, indent, short

if TYPE_CHECKING:
    from redun.backends.db.query import CallNodeView


def format_args(args: Iterable[tuple[str | None, str]]) -> str:
    """Shown arguments as in a call: those with a key as `key=value`."""
    return ", ".join(shown if key is None else f"{key}={shown}" for key, shown in args)


def call_node_line(call: CallNodeView, detail: bool = False) -> str:
    """One call on one line; in detail with the whole hash."""
    call_hash = call.call_hash if detail else short(call.call_hash)
    return f"CallNode {call_hash} {call.task_name} {format_tags(call.tags)}"


def call_node_lines(
    call: CallNodeView,
    args: Iterable[tuple[str | None, str]],
    result: str,
    failed: bool,
    parents: Iterable[CallNodeView] = (),
    children: Iterable[CallNodeView] = (),
) -> Iterator[str]:
    """
    One call: arguments, result, and the calls around it.

    Parameters
    ----------
    args : shown arguments, each with its key or None.
    result : the shown result or, if the call failed, error.
    """
    yield call_node_line(call, detail=True)
    yield f"  Args:   {format_args(args)}"
    yield f"  {'Raised' if failed else 'Result'}: {result}"
    for title, others in (("Parent", parents), ("Child", children)):
        lines = [call_node_line(other) for other in others]
        if lines:
            yield f"  {title} CallNodes:"
            yield from indent(lines, 4)


def dataflow_lines(name: str, shown: str, dataflow: Iterable[str]) -> Iterator[str]:
    """
    Where a value comes from.

    Parameters
    ----------
    name : its variable.
    shown : its preview.
    dataflow : the lines of its dataflow.
    """
    yield "Upstream dataflow:"
    yield ""
    yield f"  {name} = {shown}"
    yield ""
    yield from indent(dataflow)
