"""What a task may know about the job that runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redun.value import Value

if TYPE_CHECKING:
    from redun.model.job import Job

__all__ = ["JobInfo"]


class JobInfo(Value):
    """What a task may know about the job that runs it.

    Given as a default argument (`info: JobInfo = JobInfo()`), it is filled in just before the task
    runs and left out of the hash of the arguments.
    """

    __module__ = "redun.scheduler"
    type_name = "redun.scheduler.JobInfo"
    not_hashed_as_argument = True

    def __init__(
        self,
        execution_id: str = "",
        job_id: str = "",
        eval_hash: str = "",
        args_hash: str = "",
        options: dict[str, Any] | None = None,
    ) -> None:
        self.execution_id = execution_id
        self.job_id = job_id
        self.eval_hash = eval_hash
        self.args_hash = args_hash
        self.options = options if options is not None else {}

    def __repr__(self) -> str:
        return f"JobInfo(execution_id={self.execution_id!r}, job_id={self.job_id!r})"

    def __getstate__(self) -> dict[str, Any]:
        return {
            "execution_id": self.execution_id,
            "job_id": self.job_id,
            "eval_hash": self.eval_hash,
            "args_hash": self.args_hash,
            "options": self.options,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.execution_id = state["execution_id"]
        self.job_id = state["job_id"]
        self.eval_hash = state["eval_hash"]
        self.args_hash = state["args_hash"]
        self.options = state.get("options", {})

    @classmethod
    def from_job(cls, job: Job) -> JobInfo:
        """Describe a job that is about to run."""
        return cls(
            execution_id=job.execution.id if job.execution else "",
            job_id=job.id,
            eval_hash=job.eval_hash or "",
            args_hash=job.args_hash or "",
            options=dict(job.get_options()),
        )
