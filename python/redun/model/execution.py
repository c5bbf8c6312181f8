"""One run of a workflow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redun.model.ids import new_id

if TYPE_CHECKING:
    from redun.model.job import Job

__all__ = ["Execution"]


class Execution:
    """One run of a workflow: its id, its root job and the context it was started with.

    Parameters
    ----------
    id : UUID text; a fresh one by default.
    context : the base context that `get_context` reads.
    """

    __module__ = "redun.scheduler"

    def __init__(self, id: str | None = None, context: dict[str, Any] | None = None) -> None:
        self.id = id or new_id()
        self.job: Job | None = None
        self.context = context or {}

    def add_job(self, job: Job) -> None:
        """Offer a job of this execution; the first one offered is the root job."""
        if self.job is None:
            self.job = job
