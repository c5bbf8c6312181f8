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
from redun.backends.db.orm import (
    Argument,
    CallNode,
    Execution,
    File,
    Job,
    Subvalue,
    Tag,
    Task,
    Value,
)
from redun.tags import ANY_VALUE

ERROR_TYPE = "redun.ErrorValue"
JOB_STATUSES = ("RUNNING", "FAILED", "CACHED", "DONE")
EXECUTION_STATUSES = ("RUNNING", "FAILED", "DONE")

#: Conditions of a filter, by record type. A type that the filter doesn't name is left as it is.
Conditions: TypeAlias = dict[str, sa.ColumnElement[bool]]

PRIMARY_KEYS: dict[str, Any] = {
    "Execution": Execution.id,
    "Job": Job.id,
    "CallNode": CallNode.call_hash,
    "Task": Task.hash,
    "Value": Value.value_hash,
}


def ids_in(ids: Collection[str]) -> Conditions:
    """Exact ids, in every type."""
    return {name: key.in_(list(ids)) for name, key in PRIMARY_KEYS.items()}


def ids_like(prefix: str, dialect: str) -> Conditions:
    """Ids that start so, in every type; tasks also by their bare name."""
    found = {name: id_prefix(key, prefix, dialect) for name, key in PRIMARY_KEYS.items()}
    found["Task"] = sa.or_(found["Task"], Task.name == prefix)
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
    return sa.or_(
        *(sa.and_(column >= text, column < _successor(text)) for text in spellings)
    )


def _successor(text: str) -> str:
    """The smallest text that is greater than all that start with `text`."""
    return text[:-1] + chr(ord(text[-1]) + 1)


def executions_in(ids: Collection[str]) -> Conditions:
    """Executions with these ids, and everything their jobs ran, took and gave."""
    jobs = sa.select(Job.id).where(Job.execution_id.in_(list(ids)))
    return {"Execution": Execution.id.in_(list(ids)), **_of_jobs(jobs)}


def executions_tagged(tags: Iterable[tuple[str, Any]]) -> Conditions:
    """Executions with all these tags, and everything their jobs ran, took and gave."""
    tagged = sa.and_(*(_has_tag(Execution.id, key, value) for key, value in tags))
    executions = sa.select(Execution.id).where(tagged)
    jobs = sa.select(Job.id).where(Job.execution_id.in_(executions))
    return {"Execution": tagged, **_of_jobs(jobs)}


def _of_jobs(jobs: sa.Select[Any]) -> Conditions:
    calls = sa.select(Job.call_hash).where(Job.id.in_(jobs))
    results = sa.select(CallNode.value_hash).where(CallNode.call_hash.in_(calls))
    arguments = sa.select(Argument.value_hash).where(Argument.call_hash.in_(calls))
    return {
        "Job": Job.id.in_(jobs),
        "CallNode": CallNode.call_hash.in_(calls),
        "Task": Task.hash.in_(sa.select(Job.task_hash).where(Job.id.in_(jobs))),
        "Value": Value.value_hash.in_(
            sa.union(
                results,
                arguments,
                sa.select(Subvalue.value_hash).where(Subvalue.parent_value_hash.in_(results)),
                sa.select(Subvalue.value_hash).where(Subvalue.parent_value_hash.in_(arguments)),
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
    failed = _failed(Job.call_hash)
    if status == "RUNNING":
        return sa.and_(Job.end_time.is_(None), Job.call_hash.is_(None))
    if status == "CACHED":
        return Job.cached.is_(True)
    if status == "FAILED":
        return failed
    if status == "DONE":
        return sa.and_(Job.cached.is_(False), Job.call_hash.is_not(None), sa.not_(failed))
    raise NotImplementedError(status)


def _failed(call_hash: Any) -> sa.ColumnElement[bool]:
    # Errors are few: finding them by the index on the type beats looking at every result.
    errors = sa.select(Value.value_hash).where(Value.type == ERROR_TYPE)
    calls = sa.select(CallNode.call_hash).where(CallNode.value_hash.in_(errors))
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
    failed = _failed(Job.call_hash)
    if status == "FAILED":
        roots = sa.select(Job.id)
        return sa.or_(
            Execution.job_id.in_(roots.where(failed)), Execution.job_id.not_in(roots)
        )
    if status == "RUNNING":
        running = sa.and_(Job.end_time.is_(None), sa.not_(failed))
        return Execution.job_id.in_(sa.select(Job.id).where(running))
    if status in ("DONE", "CACHED"):
        done = sa.and_(Job.end_time.is_not(None), sa.not_(failed))
        if status == "CACHED":
            done = sa.and_(done, Job.cached.is_(True))
        return Execution.job_id.in_(sa.select(Job.id).where(done))
    raise NotImplementedError(status)


def task_names(names: Iterable[str]) -> Conditions:
    """Jobs and tasks by task name: full, or without namespace to find it in any."""
    clauses = []
    for fullname in names:
        namespace, dot, name = fullname.rpartition(".")
        clause: sa.ColumnElement[bool] = Task.name == name
        if dot:
            clause = sa.and_(clause, Task.namespace == namespace)
        clauses.append(clause)
    matches = sa.or_(*clauses)
    jobs = Job.task_hash.in_(sa.select(Task.hash).where(matches))
    return {"Job": jobs, "Task": matches}


def task_hashes(hashes: Iterable[str]) -> Conditions:
    """Jobs and tasks by task hash."""
    wanted = list(hashes)
    return {"Job": Job.task_hash.in_(wanted), "Task": Task.hash.in_(wanted)}


def arguments_in(value_hashes: Iterable[str]) -> Conditions:
    """Jobs that took one of these values, alone or inside an argument."""
    holders = _holders(value_hashes)
    calls = sa.select(Argument.call_hash).where(Argument.value_hash.in_(holders))
    return {"Job": Job.call_hash.in_(calls)}


def results_in(value_hashes: Iterable[str]) -> Conditions:
    """Jobs that gave one of these values, alone or inside a result."""
    holders = _holders(value_hashes)
    calls = sa.select(CallNode.call_hash).where(CallNode.value_hash.in_(holders))
    return {"Job": Job.call_hash.in_(calls)}


def _holders(value_hashes: Iterable[str]) -> sa.CompoundSelect[Any]:
    """The values themselves and those that contain them."""
    wanted = list(value_hashes)
    return sa.union(
        sa.select(Value.value_hash).where(Value.value_hash.in_(wanted)),
        sa.select(Subvalue.parent_value_hash).where(Subvalue.value_hash.in_(wanted)),
    )


def value_types(names: Iterable[str]) -> Conditions:
    """Values of exactly these types."""
    return {"Value": Value.type.in_(list(names))}


def file_paths(patterns: Iterable[str]) -> Conditions:
    """Values that are files with a path like one of these; `*` stands for anything."""
    likes = [File.path.like(pattern.replace("*", "%")) for pattern in patterns]
    return {"Value": Value.value_hash.in_(sa.select(File.value_hash).where(sa.or_(*likes)))}


def tagged(tags: Iterable[tuple[str, Any]]) -> Conditions:
    """Records of any type that have all these current tags; `ANY_VALUE` asks for the key alone."""
    pairs = list(tags)
    return {
        name: sa.and_(*(_has_tag(key, *pair) for pair in pairs))
        for name, key in PRIMARY_KEYS.items()
    }


def _has_tag(entity_id: Any, key: str, value: Any) -> sa.ColumnElement[bool]:
    entities = sa.select(Tag.entity_id).where(
        Tag.key == key, Tag.is_current, Tag.entity_type != TagEntity.Null
    )
    if value is not ANY_VALUE:
        entities = entities.where(Tag.value == sa.literal(value, Tag.value.type))
    return entity_id.in_(entities)
