"""Higher-order tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from redun.expression import SchedulerExpression
from redun.promise import Promise
from redun.task import scheduler_task

if TYPE_CHECKING:
    from redun.engine.scheduler import Scheduler
    from redun.model.job import Job

__all__ = ["seq"]

redun_namespace = "redun"


@scheduler_task()
def seq(
    scheduler: Scheduler, parent_job: Job, sexpr: SchedulerExpression, exprs: Sequence[Any]
) -> Promise:
    """Evaluate expressions strictly one after another; returns the list of their values.

    Stops at the first error.
    """
    result: Promise = Promise()
    values: list[Any] = []
    pending = iter(exprs)

    def step() -> None:
        # Expressions that are there already are taken in a loop, so that long sequences don't nest.
        for expr in pending:
            promise = scheduler.evaluate(expr, parent_job=parent_job)
            if promise.is_fulfilled:
                values.append(promise.value)
                continue
            promise.then(on_value).catch(result.do_reject)
            return
        result.do_resolve(values)

    def on_value(value: Any) -> None:
        values.append(value)
        step()

    step()
    return result
