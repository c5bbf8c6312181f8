"""A dataflow document as lines of text, or as plain data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, cast

from redun.backends.db.dataflow.dom import DataflowSectionDOM, call_of
from redun.backends.db.dataflow.nodes import DataflowNode, source_of
from redun.backends.db.previews import previews
from redun.backends.db.shown import shown_repr

#: Sections whose values are read together.
BATCH = 500

_JOBS = "SELECT call_hash, start_time, id, execution_id FROM job WHERE call_hash {in_ids}"

#: Of a call, its newest job and the execution of that.
Place = tuple[str, str]


def display_dataflow(dom: Iterable[DataflowSectionDOM]) -> Iterator[str]:
    """Lines of text, an empty one after each section."""
    for sections in _batches(dom):
        shown = _shown_values(sections)
        for section in sections:
            yield from _display(section, shown)


def _display(section: DataflowSectionDOM, shown: dict[str, str]) -> Iterator[str]:
    assign = section.assign
    arrow = f"{assign.var_name} <-- "
    yield arrow + _node_text(assign.prefix, assign.node_display, assign.node)
    indent = " " * len(assign.var_name)
    for step in section.routing:
        yield f"{indent} <-- " + _node_text(step.prefix, step.node_display, step.node)
    width = max((len(arg.var_name) for arg in section.args), default=0)
    for arg in section.args:
        value_hash = arg.value.value_hash
        yield f"  {arg.var_name:<{width}} = <{value_hash[:8]}> {shown[value_hash]}"
    yield ""


def serialize_dataflow(dom: Iterable[DataflowSectionDOM]) -> Iterator[dict[str, Any]]:
    """
    One JSON-ready dictionary for each section.

    A step's `hash` is that of its call, its job the newest of that call; all are None where no
    call is meant.
    """
    for sections in _batches(dom):
        shown = _shown_values(sections)
        jobs = _newest_jobs(sections)
        for section in sections:
            assign = section.assign
            yield {
                "assign": {
                    "var_name": assign.var_name,
                    "prefix": assign.prefix,
                    "display": assign.node_display,
                    **_place(assign.node, jobs),
                },
                "routing": [
                    {
                        "prefix": step.prefix,
                        "display": step.node_display,
                        **_place(step.node, jobs),
                    }
                    for step in section.routing
                ],
                "args": [
                    {
                        "var_name": arg.var_name,
                        "hash": arg.value.value_hash,
                        "value_display": shown[arg.value.value_hash],
                    }
                    for arg in section.args
                ],
            }


def _batches(dom: Iterable[DataflowSectionDOM]) -> Iterator[list[DataflowSectionDOM]]:
    sections = iter(dom)
    while batch := list(islice(sections, BATCH)):
        yield batch


def _shown_values(sections: list[DataflowSectionDOM]) -> dict[str, str]:
    """The values of variables by their hashes, each cut to 200 characters."""
    values = {arg.value.value_hash: arg.value for section in sections for arg in section.args}
    source = next(map(source_of, values.values()), None)
    if source is not None:
        return {key: shown_repr(preview) for key, preview in previews(source, values)}
    # Rows of the ORM that have been taken out of their session.
    return {key: shown_repr(cast(Any, value).preview) for key, value in values.items()}


def _newest_jobs(sections: list[DataflowSectionDOM]) -> dict[str, Place]:
    """Of each call that the sections show, where it ran last."""
    nodes = [section.assign.node for section in sections]
    nodes += [step.node for section in sections for step in section.routing]
    calls = {call.call_hash: call for call in map(call_of, nodes) if call is not None}
    source = next(map(source_of, calls.values()), None)
    if source is None:
        return {}
    newest: dict[str, tuple[Any, ...]] = {}
    for row in source.rows_among(_JOBS, calls):
        if row[0] not in newest or row[1] > newest[row[0]][1]:
            newest[row[0]] = row
    return {call_hash: (row[2], row[3]) for call_hash, row in newest.items()}


def _node_text(prefix: str, display: str, node: DataflowNode | None) -> str:
    call = call_of(node)
    words = [prefix] if prefix else []
    if call is not None:
        words.append(f"<{call.call_hash[:8]}>")
    return " ".join([*words, display])


def _place(node: DataflowNode | None, jobs: dict[str, Place]) -> dict[str, str | None]:
    """Where a step happened: its call, and the newest job of that call."""
    call = call_of(node)
    if call is None:
        return {"hash": None, "job_id": None, "execution_id": None}
    job_id, execution_id = jobs.get(call.call_hash, (None, None))
    return {"hash": call.call_hash, "job_id": job_id, "execution_id": execution_id}
