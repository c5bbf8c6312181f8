"""From what a person types to the execution or job that a command about the past is to treat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redun.bootstrap.errors import RedunClientError

if TYPE_CHECKING:
    from redun.backends.db import RedunBackendDb

#: Matches of an ambiguous id that are listed.
SUGGESTIONS = 5


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
    from redun.backends.db.query import CallGraphQuery
    from redun.backends.db.query.ids import find_execution, is_execution_reference

    session = backend.session
    if is_execution_reference(reference):
        try:
            found = find_execution(session, reference)
        except ValueError as error:
            raise RedunClientError(
                str(error), hints=["`redun log` lists the executions; `~1` is the latest"]
            ) from error
        if found is None:
            raise RedunClientError(
                "Nothing has run in this repo", hints=["`redun run SCRIPT TASK` runs a workflow"]
            )
        return found, None
    query = CallGraphQuery(session).filter_types(["Execution", "Job"]).like_id(reference)
    matches = [(name, record_id) for name, ids in query.ids() for record_id in ids]
    exact = [match for match in matches if match[1] == reference]
    matches = exact or matches
    if not matches:
        raise RedunClientError(
            f"No execution or job matches `{reference}`",
            hints=["`redun log` lists the executions, `redun log -` the jobs of the latest"],
        )
    if len(matches) > 1:
        names = [f"{name} {record_id}" for name, record_id in matches[:SUGGESTIONS]]
        raise RedunClientError(
            f"`{reference}` is ambiguous: {len(matches)} executions and jobs match",
            hints=["give more of the id, for example of " + ", ".join(names)],
        )
    name, record_id = matches[0]
    if name == "Execution":
        return record_id, None
    from redun.lookback.trees import get_jobs

    return get_jobs(session, [record_id])[record_id].execution_id, record_id
