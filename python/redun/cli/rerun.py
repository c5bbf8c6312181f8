"""`redun run --rerun`: the recorded call of an earlier job or execution."""

from __future__ import annotations

from typing import Any

from redun.backends.db.query.conditions import any_of, starts_with
from redun.backends.db.query.ids import find_execution, is_execution_reference
from redun.backends.db.query.views import full_name
from redun.backends.db.source import Source
from redun.bootstrap.errors import RedunClientError


def recorded_call(backend: Any, record_id: str) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
    """Task name and arguments of an earlier job.

    Parameters
    ----------
    backend
        The opened repo.
    record_id
        Id or prefix of a job, or of an execution (its root job is meant); `-` is the latest
        execution, `~N` the N-th latest.

    Raises
    ------
    RedunClientError
        If there is no such job, it has no recorded call, or an argument cannot be restored.
    """
    source = backend.source
    job_id = _find_job(source, record_id)
    row = source.first_row(_JOB, (job_id,)) if job_id else None
    if row is None:
        raise RedunClientError(
            f'Unknown job or execution "{record_id}"',
            hints=["`redun log` lists the latest executions"],
        )
    call_hash, namespace, name = row
    if call_hash is None:
        raise RedunClientError(
            f'Job "{job_id}" has not finished, so its arguments are not recorded',
            hints=["`redun log` lists the executions that have finished"],
        )
    args, kwargs = _recorded_arguments(backend, call_hash)
    return full_name(namespace, name), args, kwargs


_JOB = """
SELECT call_node.call_hash, task.namespace, task.name FROM job
JOIN task ON task.hash = job.task_hash
LEFT JOIN call_node ON call_node.call_hash = job.call_hash WHERE job.id = ?
"""

_ROOT = "SELECT job_id FROM execution WHERE id = ?"

_ARGUMENTS = "SELECT arg_position, arg_key, value_hash FROM argument WHERE call_hash = ?"


def _find_job(source: Source, record_id: str) -> str | None:
    """The id of the job that is meant, which for an execution is its root job."""
    if is_execution_reference(record_id):
        if record_id.strip("~0") == "":
            raise RedunClientError("Execution index should >= 1.", hints=["`~1` is the latest"])
        try:
            found = find_execution(source, record_id)
        except ValueError:
            return None
        return source.cell(_ROOT, (found,)) if found else None
    if not record_id:
        return None
    for query in ("SELECT id FROM job WHERE {}", "SELECT job_id FROM execution WHERE {}"):
        # Ids of executions may be chosen, so nothing in them is a wildcard.
        texts = dict.fromkeys((record_id, record_id.lower()))
        alike = any_of(starts_with("id", text, source.dialect) for text in texts)
        condition = alike.within(f"{query} LIMIT 1")
        job_id: str | None = source.cell(condition.text, condition.parameters)
        if job_id is not None:
            return job_id
    return None


def _recorded_arguments(backend: Any, call_hash: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    positional = {}
    kwargs = {}
    for position, key, value_hash in backend.source.rows(_ARGUMENTS, (call_hash,)):
        value, found = backend.get_value(value_hash)
        if not found:
            name = key if key is not None else position
            raise RedunClientError(
                f"Unable to rerun task. Cannot fetch previous argument '{name}' from database."
            )
        if key is not None:
            kwargs[key] = value
        else:
            positional[position] = value
    return tuple(positional[position] for position in sorted(positional)), kwargs
