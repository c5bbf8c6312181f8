"""Tags on values, jobs and executions, and options handed down to a whole expression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from redun.expression import QuotedExpression, SchedulerExpression, TaskExpression, quote
from redun.promise import Promise
from redun.task import scheduler_task, task

if TYPE_CHECKING:
    from redun.engine.scheduler import Scheduler
    from redun.model.job import Job

__all__ = ["apply_tags", "with_export_options"]

Tags = Sequence[tuple[str, Any]]


@scheduler_task(namespace="redun")
def apply_tags(
    scheduler: Scheduler,
    parent_job: Job,
    sexpr: SchedulerExpression,
    value: Any,
    tags: Tags = (),
    job_tags: Tags = (),
    execution_tags: Tags = (),
) -> Promise:
    """Evaluate a value and tag it; returns the value.

    Parameters
    ----------
    value : the value to tag.
    tags : (key, value) pairs for the value.
    job_tags : pairs for the job in whose body this stands.
    execution_tags : pairs for the execution.
    """

    def on_value(evaluated: Sequence[Any]) -> Any:
        result, value_tags, for_job, for_execution = evaluated
        run = scheduler.current_run
        if value_tags:
            value_hash = run.journal.whole_value(result)
            parent_job.value_tags = [
                *(parent_job.value_tags or ()),
                (value_hash, [tuple(pair) for pair in value_tags]),
            ]
        parent_job.job_tags = [*(parent_job.job_tags or ()), *map(tuple, for_job)]
        parent_job.execution_tags = [*(parent_job.execution_tags or ()), *map(tuple, for_execution)]
        return result

    return scheduler.evaluate(
        [value, list(tags), list(job_tags), list(execution_tags)], parent_job=parent_job
    ).then(on_value)


# The source is given, so that importing this module need not read it.
@task(
    namespace="redun",
    name="with_export_options",
    source="def with_export_options(expr):\n    return expr.eval()\n",
)
def _with_export_options(expr: QuotedExpression) -> Any:
    """Evaluate a quoted expression under the exported options of this call."""
    return expr.eval()


def with_export_options(expr: Any, options: dict[str, Any]) -> TaskExpression:
    """Return an expression evaluated with options that all calls below it inherit.

    Parameters
    ----------
    expr : the expression, quoted or not.
    options : task options.
    """
    quoted = expr if isinstance(expr, QuotedExpression) else quote(expr)
    return _with_export_options.export_options(**options)(quoted)
