"""Finding one record for a screen, and reading what several screens tell about it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

# Previews show the library's own values (files, tasks, expressions, errors) only if their classes
# are loaded: looking at a repo never imports a class because a record names it.
import redun.expression
import redun.file
import redun.handle
import redun.model.failure
import redun.task
from redun.backends.db.query import RecordQuery
from redun.backends.db.query.conditions import PRIMARY_KEYS, id_prefix
from redun.backends.db.query.ids import find_execution, find_file_use, is_execution_reference
from redun.backends.db.query.listings import file_page
from redun.console.repo import UnknownRecord

if TYPE_CHECKING:
    from redun.backends.db.source import Source

#: First part of the path of a record of each type.
PLACES = {
    "Execution": "executions",
    "Job": "jobs",
    "Task": "tasks",
    "Value": "values",
}

OLDEST_JOB = "SELECT id FROM job WHERE call_hash = ? ORDER BY start_time, id LIMIT 1"


def require_id(source: Source, record_type: str, text: str) -> str:
    """
    The id of the record of a type that an id, or a prefix that only one has, means.

    Raises `UnknownRecord` if there is none, or several.
    """
    if record_type == "Execution" and is_execution_reference(text):
        try:
            found = find_execution(source, text)
        except ValueError as error:
            raise UnknownRecord(str(error)) from error
        if found:
            return found
    table, key = PRIMARY_KEYS[record_type]
    if source.cell(f"SELECT 1 FROM {table} WHERE {key} = ?", (text,)):
        return text
    frame = f"SELECT {key} FROM {table} WHERE {{}} LIMIT 2"
    similar = id_prefix(key, text, source.dialect).within(frame)
    matches = source.cells(similar.text, similar.parameters) if text else []
    if len(matches) == 1:
        return str(matches[0])
    if matches:
        raise UnknownRecord(f"Several records of type {record_type} begin with {text}")
    raise UnknownRecord(f"Unknown {record_type} {text}")


def find_place(source: Source, text: str) -> list[str] | None:
    """
    The words that lead to what a text means: a record's id or prefix, `-`, `~N`, the name of a task,
    or the path of a file or a prefix of one. None if it means nothing.

    Raises `UnknownRecord` for `~N` out of range.
    """
    if is_execution_reference(text):
        return [f"executions/{require_id(source, 'Execution', text)}"]
    file = find_file_use(source, text)
    if file:
        return [f"values/{file.value_hash}"]
    query = RecordQuery(source).like_id(text) if text else RecordQuery(source).empty()
    found = [(name, key) for name, keys in query.slice_ids(0, 3) for key in keys]
    exact = [(name, key) for name, key in found if key == text]
    found = exact or found
    # A task is a value as well.
    if len({key for _name, key in found}) == 1:
        return place_of(source, *found[0])
    if found:
        return ["search", text]
    if text and file_page(source, text, 0, 1):
        return ["files", "--prefix", text]
    return None


def place_of(source: Source, record_type: str, key: str) -> list[str]:
    """The words that lead to a record; to a call by its oldest job, or else by its result."""
    if record_type != "CallNode":
        return [f"{PLACES[record_type]}/{key}"]
    job_id = source.cell(OLDEST_JOB, (key,))
    if job_id:
        return [f"jobs/{job_id}"]
    return [f"values/{source.cell('SELECT value_hash FROM call_node WHERE call_hash = ?', (key,))}"]


def call_target(source: Source, call_hash: str) -> str:
    """Like `place_of`, for a call, as the target of a row."""
    return shlex.join(place_of(source, "CallNode", call_hash))


def traceback_lines(error_value: Any) -> list[str]:
    """The lines of the traceback in a stored error."""
    traceback = getattr(error_value, "traceback", None)
    if isinstance(traceback, redun.model.failure.Traceback):
        return [part for text in traceback.format() for part in text.rstrip("\n").split("\n")]
    return []
