"""What failed in a run that kept going."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from redun.engine.report import MAX_REPR, describe_call
from redun.utils import trim_string

if TYPE_CHECKING:
    from redun.model.job import Job

__all__ = ["Failures"]


@dataclass
class Failure:
    """An error: of which job, and how far up it has spread."""

    error: BaseException
    job_id: str
    call: str
    top: Job


class Failures:
    """The errors of a run from which the workflow has not recovered."""

    def __init__(self) -> None:
        self._failures: dict[int, Failure] = {}

    def note(self, job: Job, error: BaseException) -> None:
        """A job has failed with an error: its own, or that of a job below."""
        known = self._failures.get(id(error))
        if known is not None:
            known.top = job
            return
        call = trim_string(describe_call(job), MAX_REPR)
        self._failures[id(error)] = Failure(error, job.id, call, job)

    def forget(self, error: BaseException) -> None:
        """The workflow has recovered from an error."""
        self._failures.pop(id(error), None)

    def summary(self) -> list[str]:
        """Return one line for each failure, in the order in which they came, below a title."""
        lines = []
        for failure in self._failures.values():
            above = failure.top.parent_job
            if above is not None and above.status in ("DONE", "CACHED"):
                continue  # an asynchronous task has caught it
            error = failure.error
            text = trim_string(" ".join(f"{type(error).__name__}: {error}".split()), MAX_REPR)
            lines.append(f"***   Job {failure.job_id[:8]}:  {failure.call}: {text}")
        if not lines:
            return []
        jobs = "1 job" if len(lines) == 1 else f"{len(lines)} jobs"
        return [f"*** {jobs} failed:", *lines]
