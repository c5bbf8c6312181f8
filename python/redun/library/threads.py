"""Evaluation in the background: `fork_thread` starts it, `join_thread` waits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redun.expression import Expression, SchedulerExpression
from redun.hashing import hash_struct
from redun.promise import Promise
from redun.task import scheduler_task
from redun.value import Value, get_type_registry

if TYPE_CHECKING:
    from redun.engine.scheduler import Scheduler
    from redun.model.job import Job

__all__ = ["Thread", "fork_thread", "join_thread"]


class Thread(Value):
    """An evaluation in the background.

    Parameters
    ----------
    expr : what is evaluated; it alone identifies and restores the thread.
    promise_id : by which the scheduler knows the evaluation under way; None if there is none, as for a
        thread that was read from the repo.
    """

    __module__ = "redun.scheduler"
    type_name = "redun.Thread"

    def __init__(self, expr: Any, promise_id: int | None = None) -> None:
        self.expr = expr
        self.promise_id = promise_id

    def __repr__(self) -> str:
        return f"Thread({self.expr!r})"

    def __getstate__(self) -> dict[str, Any]:
        return {"expr": self.expr}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.expr = state["expr"]
        self.promise_id = None

    def get_hash(self, data: bytes | None = None) -> str:
        """Return the hash, which is that of the expression under another tag."""
        return hash_struct(["Thread", get_type_registry().get_hash(self.expr)])

    def is_valid(self) -> bool:
        """Whether the expression can still be evaluated."""
        return not isinstance(self.expr, Expression) or bool(self.expr.is_valid())


@scheduler_task(namespace="redun")
def fork_thread(
    scheduler: Scheduler, parent_job: Job, sexpr: SchedulerExpression, expr: Any
) -> Promise:
    """Start to evaluate an expression and return a `Thread` at once.

    A failure matters to whoever joins the thread only. What nobody waits for when the workflow ends is
    dropped.
    """
    promise_id = scheduler.track_promise(scheduler.evaluate(expr, parent_job=parent_job))
    result: Promise = Promise()
    result.do_resolve(Thread(expr, promise_id))
    return result


@scheduler_task(namespace="redun")
def join_thread(
    scheduler: Scheduler, parent_job: Job, sexpr: SchedulerExpression, thread: Any
) -> Promise:
    """Wait for a thread and return its value.

    A thread that was joined before, or that a cached result holds, is evaluated again here, which
    most often finds its value in the cache.
    """

    def on_thread(forked: Thread) -> Promise:
        promise = scheduler.pop_promise(forked.promise_id)
        if promise is not None:
            return promise
        return scheduler.evaluate(forked.expr, parent_job=parent_job)

    return scheduler.evaluate(thread, parent_job=parent_job).then(on_thread)
