"""
What the filters of a call-graph query mean, as SQL conditions for each record type.

Membership is always asked with `IN (SELECT ...)`: no join can then repeat a row, so no `DISTINCT`
over whole rows is needed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, TypeAlias

import sqlalchemy as sa

from redun.backends.base import TagEntity
from redun.backends.db.query.tables import (
    ARGUMENT,
    CALL_NODE,
    EXECUTION,
    FILE,
    JOB,
    SUBVALUE,
    TAG,
    TASK,
    VALUE,
)
from redun.tags import ANY_VALUE

ERROR_TYPE = "redun.ErrorValue"
JOB_STATUSES = ("RUNNING", "FAILED", "CACHED", "DONE")
EXECUTION_STATUSES = ("RUNNING", "FAILED", "DONE")

#: Conditions of a filter, by record type. A type that the filter doesn't name is left as it is.
Conditions: TypeAlias = dict[str, sa.ColumnElement[bool]]

PRIMARY_KEYS: dict[str, Any] = {
    "Execution": EXECUTION.c.id,
    "Job": JOB.c.id,
    "CallNode": CALL_NODE.c.call_hash,
    "Task": TASK.c.hash,
    "Value": VALUE.c.value_hash,
}


def ids_in(ids: Collection[str]) -> Conditions:
    """Exact ids, in every type."""
    return {name: key.in_(list(ids)) for name, key in PRIMARY_KEYS.items()}


def ids_like(prefix: str, dialect: str) -> Conditions:
    """Ids that start so, in every type; tasks also by their bare name."""
    found = {name: id_prefix(key, prefix, dialect) for name, key in PRIMARY_KEYS.items()}
    found["Task"] = sa.or_(found["Task"], TASK.c.name == prefix)
    return found


def id_prefix(column: Any, prefix: str, dialect: str) -> sa.ColumnElement[bool]:
    """
    Ids that start so; hashes are found in upper case too. `%` and `_` match as in SQL.

    `dialect` is the name of the database's SQL dialect: SQLite doesn't use an index for LIKE, so it
    is asked for a range.
    """
    if "%" in prefix or "_" in prefix or dialect != "sqlite":
        return column.like(prefix + "%")
    if not prefix:
        return sa.true()
    spellings = sorted({prefix, prefix.lower()})
    return sa.or_(*(sa.and_(column >= text, column < _successor(text)) for text in spellings))


def _successor(text: str) -> str:
    """The smallest text that is greater than all that start with `text`."""
    return text[:-1] + chr(ord(text[-1]) + 1)


def executions_in(ids: Collection[str]) -> Conditions:
    """Executions with these ids, and everything their jobs ran, took and gave."""
    jobs = sa.select(JOB.c.id).where(JOB.c.execution_id.in_(list(ids)))
    return {"Execution": EXECUTION.c.id.in_(list(ids)), **_of_jobs(jobs)}


def executions_tagged(tags: Iterable[tuple[str, Any]]) -> Conditions:
    """Executions with all these tags, and everything their jobs ran, took and gave."""
    tagged = sa.and_(*(_has_tag(EXECUTION.c.id, key, value) for key, value in tags))
    executions = sa.select(EXECUTION.c.id).where(tagged)
    jobs = sa.select(JOB.c.id).where(JOB.c.execution_id.in_(executions))
    return {"Execution": tagged, **_of_jobs(jobs)}


def _of_jobs(jobs: sa.Select[Any]) -> Conditions:
    calls = sa.select(JOB.c.call_hash).where(JOB.c.id.in_(jobs))
    results = sa.select(CALL_NODE.c.value_hash).where(CALL_NODE.c.call_hash.in_(calls))
    arguments = sa.select(ARGUMENT.c.value_hash).where(ARGUMENT.c.call_hash.in_(calls))
    return {
        "Job": JOB.c.id.in_(jobs),
        "CallNode": CALL_NODE.c.call_hash.in_(calls),
        "Task": TASK.c.hash.in_(sa.select(JOB.c.task_hash).where(JOB.c.id.in_(jobs))),
        "Value": VALUE.c.value_hash.in_(
            sa.union(
                results,
                arguments,
                sa.select(SUBVALUE.c.value_hash).where(SUBVALUE.c.parent_value_hash.in_(results)),
                sa.select(SUBVALUE.c.value_hash).where(SUBVALUE.c.parent_value_hash.in_(arguments)),
            )
        ),
    }


def job_statuses(statuses: Iterable[str]) -> Conditions:
    """
    Jobs by status. A call that failed and was answered from the cache is both FAILED and CACHED.

    Raises `NotImplementedError` for an unknown status, `AssertionError` for none at all.
    """
    clauses = [_job_status(status) for status in statuses]
    assert clauses, "no job status to filter by"
    return {"Job": sa.or_(*clauses)}


def _job_status(status: str) -> sa.ColumnElement[bool]:
    failed = _failed(JOB.c.call_hash)
    if status == "RUNNING":
        return sa.and_(JOB.c.end_time.is_(None), JOB.c.call_hash.is_(None))
    if status == "CACHED":
        return JOB.c.cached.is_(True)
    if status == "FAILED":
        return failed
    if status == "DONE":
        return sa.and_(JOB.c.cached.is_(False), JOB.c.call_hash.is_not(None), sa.not_(failed))
    raise NotImplementedError(status)


def _failed(call_hash: Any) -> sa.ColumnElement[bool]:
    # Errors are few: finding them by the index on the type beats looking at every result.
    errors = sa.select(VALUE.c.value_hash).where(VALUE.c.type == ERROR_TYPE)
    calls = sa.select(CALL_NODE.c.call_hash).where(CALL_NODE.c.value_hash.in_(errors))
    return sa.and_(call_hash.is_not(None), call_hash.in_(calls))


def execution_statuses(statuses: Iterable[str]) -> Conditions:
    """
    Executions by the status of the root job. One that was answered from the cache is DONE, unless
    the answer was a failure; one without a root job is FAILED.

    Raises `NotImplementedError` for an unknown status, `AssertionError` for none at all.
    """
    clauses = [_execution_status(status) for status in statuses]
    assert clauses, "no execution status to filter by"
    return {"Execution": sa.or_(*clauses)}


def _execution_status(status: str) -> sa.ColumnElement[bool]:
    failed = _failed(JOB.c.call_hash)
    if status == "FAILED":
        roots = sa.select(JOB.c.id)
        return sa.or_(EXECUTION.c.job_id.in_(roots.where(failed)), EXECUTION.c.job_id.not_in(roots))
    if status == "RUNNING":
        running = sa.and_(JOB.c.end_time.is_(None), sa.not_(failed))
        return EXECUTION.c.job_id.in_(sa.select(JOB.c.id).where(running))
    if status in ("DONE", "CACHED"):
        done = sa.and_(JOB.c.end_time.is_not(None), sa.not_(failed))
        if status == "CACHED":
            done = sa.and_(done, JOB.c.cached.is_(True))
        return EXECUTION.c.job_id.in_(sa.select(JOB.c.id).where(done))
    raise NotImplementedError(status)


def task_names(names: Iterable[str]) -> Conditions:
    """Jobs and tasks by task name: full, or without namespace to find it in any."""
    clauses = []
    for fullname in names:
        namespace, dot, name = fullname.rpartition(".")
        clause: sa.ColumnElement[bool] = TASK.c.name == name
        if dot:
            clause = sa.and_(clause, TASK.c.namespace == namespace)
        clauses.append(clause)
    matches = sa.or_(*clauses)
    jobs = JOB.c.task_hash.in_(sa.select(TASK.c.hash).where(matches))
    return {"Job": jobs, "Task": matches}


def task_hashes(hashes: Iterable[str]) -> Conditions:
    """Jobs and tasks by task hash."""
    wanted = list(hashes)
    return {"Job": JOB.c.task_hash.in_(wanted), "Task": TASK.c.hash.in_(wanted)}


def arguments_in(value_hashes: Iterable[str]) -> Conditions:
    """Jobs that took one of these values, alone or inside an argument."""
    holders = _holders(value_hashes)
    calls = sa.select(ARGUMENT.c.call_hash).where(ARGUMENT.c.value_hash.in_(holders))
    return {"Job": JOB.c.call_hash.in_(calls)}


def results_in(value_hashes: Iterable[str]) -> Conditions:
    """Jobs that gave one of these values, alone or inside a result."""
    holders = _holders(value_hashes)
    calls = sa.select(CALL_NODE.c.call_hash).where(CALL_NODE.c.value_hash.in_(holders))
    return {"Job": JOB.c.call_hash.in_(calls)}


def _holders(value_hashes: Iterable[str]) -> sa.CompoundSelect[Any]:
    """The values themselves and those that contain them."""
    wanted = list(value_hashes)
    return sa.union(
        sa.select(VALUE.c.value_hash).where(VALUE.c.value_hash.in_(wanted)),
        sa.select(SUBVALUE.c.parent_value_hash).where(SUBVALUE.c.value_hash.in_(wanted)),
    )


def value_types(names: Iterable[str]) -> Conditions:
    """Values of exactly these types."""
    return {"Value": VALUE.c.type.in_(list(names))}


def file_paths(patterns: Iterable[str]) -> Conditions:
    """Values that are files with a path like one of these; `*` stands for anything."""
    likes = [FILE.c.path.like(pattern.replace("*", "%")) for pattern in patterns]
    return {"Value": VALUE.c.value_hash.in_(sa.select(FILE.c.value_hash).where(sa.or_(*likes)))}


def tagged(tags: Iterable[tuple[str, Any]]) -> Conditions:
    """Records of any type that have all these current tags; `ANY_VALUE` asks for the key alone."""
    pairs = list(tags)
    return {
        name: sa.and_(*(_has_tag(key, *pair) for pair in pairs))
        for name, key in PRIMARY_KEYS.items()
    }


def _has_tag(entity_id: Any, key: str, value: Any) -> sa.ColumnElement[bool]:
    entities = sa.select(TAG.c.entity_id).where(
        TAG.c.key == key, TAG.c.is_current, TAG.c.entity_type != TagEntity.Null
    )
    if value is not ANY_VALUE:
        entities = entities.where(TAG.c.value == sa.literal(value, TAG.c.value.type))
    return entity_id.in_(entities)
