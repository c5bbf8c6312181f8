"""From what a person types to a record: ids and their prefixes, `-`, `~N`, task names, file paths."""

from __future__ import annotations

import os
from typing import NamedTuple

from redun.backends.db.query.records import RecordQuery
from redun.backends.db.source import Source


class FileUse(NamedTuple):
    """A recorded file, and a job that gave it (`produced`) or took it."""

    value_hash: str
    job_id: str
    produced: bool


def find_record(source: Source, text: str) -> tuple[str, str] | None:
    """
    Type and id of the first record that `-`, `~N`, an id, its prefix or the bare name of a task means.

    None if nothing matches. Raises `ValueError` for `~N` out of range.
    """
    if is_execution_reference(text):
        execution_id = find_execution(source, text)
        return ("Execution", execution_id) if execution_id else None
    found = RecordQuery(source).like_id(text).limit(1).ids() if text else ()
    return next(((name, ids[0]) for name, ids in found), None)


def may_be_path(text: str) -> bool:
    """Whether a text is to be tried as the path of a file."""
    return ":" in text or os.path.exists(text)


def is_execution_reference(text: str) -> bool:
    """Whether a text is `-` or `~N`."""
    return text == "-" or (len(text) > 1 and text[0] == "~")


_NEWEST = """SELECT execution.id FROM execution JOIN job ON job.id = execution.job_id
ORDER BY job.start_time DESC, execution.id LIMIT 1 OFFSET ?"""


def find_execution(source: Source, reference: str) -> str | None:
    """
    The id of the execution that `-` or `~N` means; None for `-` in an empty repo.

    Raises `ValueError` if N is no number, too small or too large.
    """
    if reference != "-" and not reference[1:].isdecimal():
        raise ValueError(f"Execution index must be a whole number: {reference}")
    index = 1 if reference == "-" else int(reference[1:])
    if index < 1:
        raise ValueError("Execution index should >= 1.")
    found: str | None = source.cell(_NEWEST, (index - 1,))
    if found is None and reference != "-":
        raise ValueError(f"Execution index too high: {index}")
    return found


def find_entities(source: Source, text: str, limit: int) -> list[tuple[str, str]]:
    """
    Type and full id of the records that a text means: an id, its prefix, or a task's name.

    A task and its value have the same hash, and are the task. At most `limit` are given, and none
    for an empty text.
    """
    if not text:
        return []
    found: list[tuple[str, str]] = []
    by_name = RecordQuery(source).filter_types(["Task"]).filter_task_names([text])
    for query in (RecordQuery(source).like_id(text).limit(2 * limit), by_name.limit(limit)):
        for name, ids in query.ids():
            found += [(name, record_id) for record_id in ids]
    tasks = {record_id for name, record_id in found if name == "Task"}
    unique = dict.fromkeys(
        (name, record_id) for name, record_id in found if name != "Value" or record_id not in tasks
    )
    return list(unique)[:limit]


def find_execution_ids(source: Source, references: list[str]) -> list[str]:
    """The executions that ids, their prefixes, `-` and `~N` mean; what matches none is left out."""
    found: list[str] = []
    for reference in references:
        if is_execution_reference(reference):
            execution_id = find_execution(source, reference)
            found += [execution_id] if execution_id else []
        else:
            query = RecordQuery(source).filter_types(["Execution"]).like_id(reference)
            found += query.select("id", flat=True)
    return list(dict.fromkeys(found))


# Values that are or contain a file of a path, each with the file.
_HOLDERS = """(
    SELECT file.value_hash AS holder, file.value_hash AS file FROM file WHERE file.path = ?
    UNION ALL
    SELECT subvalue.parent_value_hash, subvalue.value_hash FROM subvalue
    JOIN file ON file.value_hash = subvalue.value_hash WHERE file.path = ?
) AS holders"""

# Of jobs that ended or started together, the one that has the file within something is told.
_RESULTS = f"""SELECT holders.file, job.id FROM {_HOLDERS}
JOIN call_node ON call_node.value_hash = holders.holder
JOIN job ON job.call_hash = call_node.call_hash
ORDER BY job.end_time DESC NULLS LAST, holders.file = holders.holder, job.id LIMIT 1"""

_ARGUMENTS = f"""SELECT holders.file, job.id FROM {_HOLDERS}
JOIN argument ON argument.value_hash = holders.holder
JOIN job ON job.call_hash = argument.call_hash
ORDER BY job.start_time DESC, holders.file = holders.holder, job.id LIMIT 1"""


def find_file_use(source: Source, path: str) -> FileUse | None:
    """
    The file recorded under exactly this path, with the job that tells most about it.

    That is the latest job to give the file, alone or within its result; if none gave it, the latest
    to take it. None if the path isn't recorded.
    """
    for statement, produced in ((_RESULTS, True), (_ARGUMENTS, False)):
        row = source.first_row(statement, (path, path))
        if row is not None:
            return FileUse(row[0], row[1], produced)
    return None
