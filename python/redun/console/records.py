"""Finding one record for a screen, and reading what several screens tell about it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

# Previews show the library's own values (files, tasks, expressions, errors) only if their classes
# are loaded: looking at a repo never imports a class because a record names it.
import redun.expression
import redun.file
import redun.handle
import redun.model.failure
import redun.task
from redun.backends.db.query import CallGraphQuery
from redun.backends.db.query.conditions import PRIMARY_KEYS, id_prefix
from redun.backends.db.query.ids import find_execution, find_file, is_execution_reference
from redun.backends.db.query.listings import file_page
from redun.backends.db.query.tables import CALL_NODE, JOB, RECORD_TABLES
from redun.console.repo import UnknownRecord

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

#: First part of the path of a record of each type.
PLACES = {
    "Execution": "executions",
    "Job": "jobs",
    "Task": "tasks",
    "Value": "values",
}


def require_id(session: Session, record_type: str, text: str) -> str:
    """
    The id of the record of a type that an id, or a prefix that only one has, means.

    Raises `UnknownRecord` if there is none, or several.
    """
    key = PRIMARY_KEYS[record_type]
    if record_type == "Execution" and is_execution_reference(text):
        try:
            found = find_execution(session, text)
        except ValueError as error:
            raise UnknownRecord(str(error)) from error
        if found:
            return found
    exact = sa.select(key).select_from(RECORD_TABLES[record_type]).where(key == text)
    if session.execute(exact).first():
        return text
    similar = sa.select(key).where(id_prefix(key, text, session.get_bind().dialect.name)).limit(2)
    matches = list(session.scalars(similar)) if text else []
    if len(matches) == 1:
        return str(matches[0])
    if matches:
        raise UnknownRecord(f"Several records of type {record_type} begin with {text}")
    raise UnknownRecord(f"Unknown {record_type} {text}")


def find_place(session: Session, text: str) -> list[str] | None:
    """
    The words that lead to what a text means: a record's id or prefix, `-`, `~N`, the name of a task,
    or the path of a file or a prefix of one. None if it means nothing.

    Raises `UnknownRecord` for `~N` out of range.
    """
    if is_execution_reference(text):
        return [f"executions/{require_id(session, 'Execution', text)}"]
    file = find_file(session, text)
    if file:
        return [f"values/{file[0].value_hash}"]
    query = CallGraphQuery(session).like_id(text) if text else CallGraphQuery(session).empty()
    found = [(name, key) for name, keys in query.slice_ids(0, 3) for key in keys]
    exact = [(name, key) for name, key in found if key == text]
    found = exact or found
    # A task is a value as well.
    if len({key for _name, key in found}) == 1:
        return place_of(session, *found[0])
    if found:
        return ["search", text]
    if text and file_page(session, text, 0, 1):
        return ["files", "--prefix", text]
    return None


def place_of(session: Session, record_type: str, key: str) -> list[str]:
    """The words that lead to a record; to a call by its oldest job, or else by its result."""
    if record_type != "CallNode":
        return [f"{PLACES[record_type]}/{key}"]
    jobs = sa.select(JOB.c.id).where(JOB.c.call_hash == key).order_by(JOB.c.start_time, JOB.c.id)
    job_id = session.scalars(jobs.limit(1)).first()
    if job_id:
        return [f"jobs/{job_id}"]
    result = sa.select(CALL_NODE.c.value_hash).where(CALL_NODE.c.call_hash == key)
    return [f"values/{session.scalars(result).one()}"]


def call_target(session: Session, call_hash: str) -> str:
    """Like `place_of`, for a call, as the target of a row."""
    return shlex.join(place_of(session, "CallNode", call_hash))


def traceback_lines(error_value: Any) -> list[str]:
    """The lines of the traceback in a stored error."""
    traceback = getattr(error_value, "traceback", None)
    if isinstance(traceback, redun.model.failure.Traceback):
        return [part for text in traceback.format() for part in text.rstrip("\n").split("\n")]
    return []
