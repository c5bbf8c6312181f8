"""From what a person types to the execution or job that a command about the past is to treat."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from redun.bootstrap.errors import RedunClientError

if TYPE_CHECKING:
    from redun.backends.db import RedunBackendDb
    from redun.backends.db.query import RecordQuery

#: Matches of an ambiguous id that are listed.
SUGGESTIONS = 5

#: Names of tasks that an unknown text is compared with.
MAX_NAMES = 1000

_WORDS = {
    "Execution": "execution",
    "Job": "job",
    "CallNode": "call",
    "Task": "task",
    "Value": "value",
}


def require_execution(backend: RedunBackendDb, reference: str) -> str:
    """
    The id of the one execution that an id, a prefix, `-` or `~N` means.

    Raises `RedunClientError` if there is none, or several.
    """
    execution_id, job_id = find_execution_or_job(backend, reference)
    if job_id is not None:
        raise RedunClientError(
            f"`{reference}` is a job, and an execution is needed",
            hints=[f"its execution is {execution_id}"],
        )
    return execution_id


def find_execution_or_job(backend: RedunBackendDb, reference: str) -> tuple[str, str | None]:
    """
    The one execution or job that an id, a prefix, `-` or `~N` means.

    Returns (execution id, job id or None). Raises `RedunClientError` if there is none, or several.
    """
    from redun.backends.db.query import RecordQuery
    from redun.backends.db.query.ids import find_execution, is_execution_reference

    source = backend.source
    if is_execution_reference(reference):
        try:
            found = find_execution(source, reference)
        except ValueError as error:
            raise RedunClientError(
                str(error), hints=["`redun log` lists the executions; `~1` is the latest"]
            ) from error
        if found is None:
            raise RedunClientError(
                "Nothing has run in this repo", hints=["`redun run SCRIPT TASK` runs a workflow"]
            )
        return found, None
    query = RecordQuery(source).filter_types(["Execution", "Job"] if reference else [])
    exact, alike = query.filter_ids([reference]), query.like_id(reference)
    matches = _first_matches(exact) or _first_matches(alike)
    if not matches:
        raise RedunClientError(
            f"No execution or job matches `{reference}`",
            hints=["`redun log` lists the executions, `redun log -` the jobs of the latest"],
        )
    if len(matches) > 1:
        names = [f"{name} {record_id}" for name, record_id in matches]
        number = sum(count for _name, count in alike.count())
        raise RedunClientError(
            f"`{reference}` is ambiguous: {number} executions and jobs match",
            hints=["give more of the id, for example of " + ", ".join(names)],
        )
    name, record_id = matches[0]
    if name == "Execution":
        return record_id, None
    return source.cell("SELECT execution_id FROM job WHERE id = ?", (record_id,)), record_id


def _first_matches(query: RecordQuery) -> list[tuple[str, str]]:
    """Type and id of as many of the records that a query finds as are suggested."""
    found = query.slice_ids(0, SUGGESTIONS)
    return [(name, record_id) for name, ids in found for record_id in ids]


def notes_on_matches(text: str, matches: Sequence[tuple[str, str]]) -> list[str]:
    """
    What to say if the id that was meant can't be told.

    Parameters
    ----------
    text : what was typed.
    matches : record type and id of all records that it matched. A task and its value, which have
        the same hash, are one; so are the versions of a task that was named.

    Returns
    -------
    A note and a hint, or nothing if the text means one record.
    """
    tasks = {record_id for name, record_id in matches if name == "Task"}
    found = [
        (name, record_id)
        for name, record_id in matches
        if record_id.startswith((text, text.lower()))
        and not (name == "Value" and record_id in tasks)
    ]
    if len(found) < 2:
        return []
    counts = Counter(_WORDS[name] for name, _id in found)
    kinds = ", ".join(f"{count} {word}{'s' * (count > 1)}" for word, count in counts.items())
    length = max(8, len(text) + 4)
    examples = [f"{name} {record_id[:length]}" for name, record_id in found[:SUGGESTIONS]]
    return [
        f"note: `{text}` is ambiguous: {len(found)} records match ({kinds})",
        "hint: give more of the id, for example of " + ", ".join(examples),
    ]


def hints_on_nothing(backend: RedunBackendDb, text: str) -> list[str]:
    """What to say if nothing recorded matches a text: an id, a name, a path, `-`."""
    if text == "-":
        return ["hint: nothing has run in this repo; `redun run SCRIPT TASK` runs a workflow"]
    hints = [f"hint: nothing recorded matches `{text}`"]
    if os.path.exists(text):
        hints.append("hint: the path exists, but no job gave or took a file of exactly this path")
    elif near := _near_names(backend, text):
        hints.append(
            "hint: did you mean the task " + " or ".join(f"`{name}`" for name in near) + "?"
        )
    return hints


def _near_names(backend: RedunBackendDb, text: str) -> list[str]:
    """Names of tasks that look like a text."""
    from difflib import get_close_matches

    known = "SELECT DISTINCT name FROM task WHERE name <> '' LIMIT ?"
    names = backend.source.cells(known, (MAX_NAMES,))
    return get_close_matches(text.rpartition(".")[2], names, n=2, cutoff=0.75)
