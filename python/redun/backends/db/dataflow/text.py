"""A dataflow document as lines of text, or as plain data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from redun.backends.db.dataflow.dom import DataflowArg, DataflowSectionDOM, call_of
from redun.backends.db.dataflow.nodes import DataflowNode
from redun.backends.db.orm import Job
from redun.backends.db.shown import shown_repr


def display_dataflow(dom: Iterable[DataflowSectionDOM]) -> Iterator[str]:
    """Lines of text, an empty one after each section."""
    for section in dom:
        assign = section.assign
        arrow = f"{assign.var_name} <-- "
        yield arrow + _node_text(assign.prefix, assign.node_display, assign.node)
        indent = " " * len(assign.var_name)
        for step in section.routing:
            yield f"{indent} <-- " + _node_text(step.prefix, step.node_display, step.node)
        width = max((len(arg.var_name) for arg in section.args), default=0)
        for arg in section.args:
            shown = display_value(arg)
            yield f"  {arg.var_name:<{width}} = <{arg.value.value_hash[:8]}> {shown}"
        yield ""


def serialize_dataflow(dom: Iterable[DataflowSectionDOM]) -> Iterator[dict[str, Any]]:
    """
    One JSON-ready dictionary for each section.

    A step's `hash` is that of its call, its job the newest of that call; all are None where no
    call is meant.
    """
    for section in dom:
        assign = section.assign
        yield {
            "assign": {
                "var_name": assign.var_name,
                "prefix": assign.prefix,
                "display": assign.node_display,
                **_place(assign.node),
            },
            "routing": [
                {"prefix": step.prefix, "display": step.node_display, **_place(step.node)}
                for step in section.routing
            ],
            "args": [
                {
                    "var_name": arg.var_name,
                    "hash": arg.value.value_hash,
                    "value_display": display_value(arg),
                }
                for arg in section.args
            ],
        }


def display_value(arg: DataflowArg) -> str:
    """The value of a variable, cut to 200 characters."""
    return shown_repr(arg.value.preview)


def _node_text(prefix: str, display: str, node: DataflowNode | None) -> str:
    call = call_of(node)
    words = [prefix] if prefix else []
    if call is not None:
        words.append(f"<{call.call_hash[:8]}>")
    return " ".join([*words, display])


def _place(node: DataflowNode | None) -> dict[str, str | None]:
    """Where a step happened: its call, and the newest job of that call."""
    call = call_of(node)
    if call is None:
        return {"hash": None, "job_id": None, "execution_id": None}
    job: Job | None = max(call.jobs, key=lambda job: job.start_time, default=None)
    return {
        "hash": call.call_hash,
        "job_id": job.id if job else None,
        "execution_id": job.execution_id if job else None,
    }
