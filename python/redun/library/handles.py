"""Bring several states of a handle together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redun.expression import SchedulerExpression
from redun.handle import Handle
from redun.promise import Promise
from redun.task import scheduler_task

if TYPE_CHECKING:
    from redun.engine.scheduler import Scheduler
    from redun.model.job import Job

__all__ = ["merge_handles"]


@scheduler_task(namespace="redun")
def merge_handles(
    scheduler: Scheduler, parent_job: Job, sexpr: SchedulerExpression, handles_expr: Any
) -> Promise:
    """Return the first of several handles of one name, once all of them are there.

    The others are recorded as further parents of it.
    """

    def on_handles(handles: list[Handle]) -> Handle:
        assert handles, "merge_handles() needs at least one handle."
        names = {handle.__handle__.name for handle in handles}
        assert len(names) == 1, f"merge_handles() needs handles of one name, not {sorted(names)}."
        merged = handles[0]
        if parent_job.recording_provenance():
            scheduler.current_run.journal.hand_over()
            scheduler.backend.advance_handle(handles[1:], merged)
        return merged

    return scheduler.evaluate(handles_expr, parent_job=parent_job).then(on_handles)
