"""`redun run --rerun`: the recorded call of an earlier job or execution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redun.bootstrap.errors import RedunClientError

if TYPE_CHECKING:
    from redun.backends.db import CallNode, Job


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
    job = _find_job(backend.session, record_id)
    if job is None:
        raise RedunClientError(
            f'Unknown job or execution "{record_id}"',
            hints=["`redun log` lists the latest executions"],
        )
    if job.call_node is None:
        raise RedunClientError(
            f'Job "{job.id}" has not finished, so its arguments are not recorded',
            hints=["`redun log` lists the executions that have finished"],
        )
    args, kwargs = _recorded_arguments(backend, job.call_node)
    return job.task.fullname, args, kwargs


def _find_job(session: Any, record_id: str) -> Job | None:
    from redun.backends.db import Execution, Job

    position = _execution_position(record_id)
    if position is not None:
        query = session.query(Job).join(Execution, Execution.job_id == Job.id)
        job: Job | None = query.order_by(Job.start_time.desc()).offset(position).first()
        return job
    prefix = record_id.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    job = session.query(Job).filter(Job.id.like(prefix, escape="\\")).first()
    if job is None:
        execution = session.query(Execution).filter(Execution.id.like(prefix, escape="\\")).first()
        job = execution.job if execution else None
    return job


def _execution_position(record_id: str) -> int | None:
    """How many executions are later than the one meant; `None` if an id is meant."""
    if record_id == "-":
        return 0
    number = record_id.removeprefix("~")
    if number == record_id or not number.isdigit():
        return None
    if int(number) < 1:
        raise RedunClientError("Execution index should >= 1.", hints=["`~1` is the latest"])
    return int(number) - 1


def _recorded_arguments(
    backend: Any, call_node: CallNode
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    positional = {}
    kwargs = {}
    for argument in call_node.arguments:
        value, found = backend.get_value(argument.value_hash)
        name = argument.arg_key if argument.arg_key is not None else argument.arg_position
        if not found:
            raise RedunClientError(
                f"Unable to rerun task. Cannot fetch previous argument '{name}' from database."
            )
        if argument.arg_key is not None:
            kwargs[argument.arg_key] = value
        else:
            positional[argument.arg_position] = value
    return tuple(positional[position] for position in sorted(positional)), kwargs
