"""From what a person types to a record: ids and their prefixes, `-`, `~N`, task names, file paths."""

from __future__ import annotations

import os
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from redun.backends.db.orm import Execution, File, Job
from redun.backends.db.query.callgraph import CallGraphQuery
from redun.backends.db.query.tables import (
    ARGUMENT,
    CALL_NODE,
    EXECUTION,
    FILE,
    JOB,
    SUBVALUE,
)


def infer_id(session: Session, id: str, include_files: bool = True, required: bool = False) -> Any:
    """
    The record that a text means.

    Parameters
    ----------
    session : the unit of work to read with.
    id : a file path, `-` (newest execution), `~N` (N-th newest), an id or its prefix, or the bare
        name of a task.
    include_files : whether a path may be meant; it is if it exists or contains `:`.
    required : whether there must be exactly one record; otherwise the first is taken.

    Returns
    -------
    A row; `(File, Job, "result" or "arg")` for a file; None if nothing matches.

    Raises
    ------
    ValueError
        For `~N` out of range, and with `required` for no or several matches.
    """
    if include_files and may_be_path(id):
        found = find_file(session, id)
        if found:
            return found
    if is_execution_reference(id):
        execution_id = find_execution(session, id)
        return session.get(Execution, execution_id) if execution_id else None
    query = CallGraphQuery(session).like_id(id)
    return query.one() if required else query.first()


def may_be_path(text: str) -> bool:
    """Whether a text is to be tried as the path of a file."""
    return ":" in text or os.path.exists(text)


def is_execution_reference(text: str) -> bool:
    """Whether a text is `-` or `~N`."""
    return text == "-" or (len(text) > 1 and text[0] == "~")


def find_execution(session: Session, reference: str) -> str | None:
    """
    The id of the execution that `-` or `~N` means; None for `-` in an empty repo.

    Raises `ValueError` if N is no number, too small or too large.
    """
    if reference != "-" and not reference[1:].isdecimal():
        raise ValueError(f"Execution index must be a whole number: {reference}")
    index = 1 if reference == "-" else int(reference[1:])
    if index < 1:
        raise ValueError("Execution index should >= 1.")
    query = (
        sa.select(EXECUTION.c.id)
        .select_from(EXECUTION)
        .join(JOB, JOB.c.id == EXECUTION.c.job_id)
        .order_by(JOB.c.start_time.desc(), EXECUTION.c.id)
    )
    found = session.execute(query.offset(index - 1).limit(1)).scalar()
    if found is None and reference != "-":
        raise ValueError(f"Execution index too high: {index}")
    return found


def find_entities(session: Session, text: str, limit: int) -> list[tuple[str, str]]:
    """
    Type and full id of the records that a text means: an id, its prefix, or a task's name.

    A task and its value have the same hash, and are the task. At most `limit` are given.
    """
    found: list[tuple[str, str]] = []
    by_name = CallGraphQuery(session).filter_types(["Task"]).filter_task_names([text])
    for query in (CallGraphQuery(session).like_id(text).limit(2 * limit), by_name.limit(limit)):
        for name, ids in query.ids():
            found += [(name, record_id) for record_id in ids]
    tasks = {record_id for name, record_id in found if name == "Task"}
    unique = dict.fromkeys(
        (name, record_id) for name, record_id in found if name != "Value" or record_id not in tasks
    )
    return list(unique)[:limit]


def find_execution_ids(session: Session, references: list[str]) -> list[str]:
    """The executions that ids, their prefixes, `-` and `~N` mean; what matches none is left out."""
    found: list[str] = []
    for reference in references:
        if is_execution_reference(reference):
            execution_id = find_execution(session, reference)
            found += [execution_id] if execution_id else []
        else:
            query = CallGraphQuery(session).filter_types(["Execution"]).like_id(reference)
            found += [ids[0] for ids in query.select("id")]
    return list(dict.fromkeys(found))


def find_file(session: Session, path: str) -> tuple[File, Job, str] | None:
    """
    The file recorded under exactly this path, with the job that tells most about it.

    That is the latest job to give the file, alone or within its result: `(file, job, "result")`.
    If none gave it, the latest to take it: `(file, job, "arg")`. None if the path isn't recorded.
    """
    whole = sa.select(FILE.c.value_hash.label("holder"), FILE.c.value_hash.label("file"))
    inside = (
        sa.select(SUBVALUE.c.parent_value_hash, SUBVALUE.c.value_hash)
        .select_from(SUBVALUE)
        .join(FILE, FILE.c.value_hash == SUBVALUE.c.value_hash)
    )
    found = sa.union_all(whole.where(FILE.c.path == path), inside.where(FILE.c.path == path))
    either = found.subquery()
    # Of jobs that ended or started together, the one that has the file within something is told.
    results = (
        sa.select(either.c.file, JOB.c.id)
        .select_from(either)
        .join(CALL_NODE, CALL_NODE.c.value_hash == either.c.holder)
        .join(JOB, JOB.c.call_hash == CALL_NODE.c.call_hash)
        .order_by(JOB.c.end_time.desc().nulls_last(), either.c.file == either.c.holder, JOB.c.id)
    )
    arguments = (
        sa.select(either.c.file, JOB.c.id)
        .select_from(either)
        .join(ARGUMENT, ARGUMENT.c.value_hash == either.c.holder)
        .join(JOB, JOB.c.call_hash == ARGUMENT.c.call_hash)
        .order_by(JOB.c.start_time.desc(), either.c.file == either.c.holder, JOB.c.id)
    )
    for query, kind in ((results, "result"), (arguments, "arg")):
        row = session.execute(query.limit(1)).first()
        if row:
            file, job = session.get(File, row[0]), session.get(Job, row[1])
            assert file is not None
            assert job is not None
            return file, job, kind
    return None
