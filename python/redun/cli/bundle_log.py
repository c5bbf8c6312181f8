"""What `redun log` shows of a bundle: its executions."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from redun.backends.db.query import ExecutionView
from redun.backends.verify import parse_timestamp
from redun.cli.render.execution import execution_line

if TYPE_CHECKING:
    from redun.sync.bundle import BundleStore


def bundle_lines(store: BundleStore) -> Iterator[str]:
    """One line for each execution that has a root job, the one that started last first."""
    executions = store.newest_executions()
    tags = _current_tags(store, {execution["id"] for execution, _ in executions})
    for execution, job in executions:
        # A cached root job makes the execution done.
        status = "RUNNING" if job["end_time"] is None else job.get("status") or "DONE"
        view = ExecutionView(
            id=execution["id"],
            args=_words(execution["args"]),
            job_id=job["id"],
            status="DONE" if status == "CACHED" else status,
            start_time=parse_timestamp(job["start_time"]),
            end_time=None,
            tags=tags[execution["id"]],
        )
        yield execution_line(view)


def _words(text: str) -> list[str]:
    """The command line of an execution; what isn't a list of words is shown as it is."""
    try:
        words = json.loads(text)
    except (ValueError, RecursionError):
        words = None
    return [str(word) for word in words] if isinstance(words, list) else ["", text]


def _current_tags(store: BundleStore, wanted: set[str]) -> dict[str, list[tuple[str, Any]]]:
    """Keys and values of the tags of executions that no other tag replaces."""
    replaced: set[str] = set()
    found: list[dict[str, Any]] = []
    for record in _tags(store):
        replaced.update(record["parents"])
        if record["entity_id"] in wanted:
            found.append(record)
    tags: dict[str, list[tuple[str, Any]]] = defaultdict(list)
    for record in found:
        if record["tag_hash"] not in replaced:
            tags[record["entity_id"]].append((record["key"], record["value"]))
    return tags


def _tags(store: BundleStore) -> Iterable[dict[str, Any]]:
    for ids in store.tag_ids():
        yield from store.get("Tag", ids)
