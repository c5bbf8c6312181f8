"""Values that a workflow reads from its surroundings instead of its arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redun.expression import SchedulerExpression
from redun.promise import Promise
from redun.task import get_context_value, scheduler_task

if TYPE_CHECKING:
    from redun.engine.scheduler import Scheduler
    from redun.model.job import Job

__all__ = ["get_context", "get_context_value"]


@scheduler_task(namespace="redun")
def get_context(
    scheduler: Scheduler,
    parent_job: Job,
    sexpr: SchedulerExpression,
    var_path: str,
    default: Any = None,
) -> Promise:
    """Read a value from the context of the enclosing job.

    Parameters
    ----------
    var_path : dotted path, such as `"project.name"`.
    default : returned where the path leads nowhere.
    """
    return scheduler.evaluate(parent_job.get_context(), parent_job=parent_job).then(
        lambda context: get_context_value(context, var_path, default)
    )
