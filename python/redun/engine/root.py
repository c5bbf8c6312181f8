"""The task that stands at the root of an execution whose expression is not a plain task call."""

from typing import Any

from redun.expression import Expression, QuotedExpression, SchedulerExpression, TaskExpression
from redun.promise import Promise
from redun.task import TaskRegistry, task
from redun.utils.nested import leaves

__all__ = ["needs_root_task", "root_task"]


# The source is given, so that importing this module need not read it.
@task(
    namespace="redun",
    source='def root_task(expr: QuotedExpression) -> Any:\n    """Evaluate a quoted expression."""\n'
    "    return expr.eval()\n",
)
def root_task(expr: QuotedExpression) -> Any:
    """Evaluate a quoted expression."""
    return expr.eval()


def needs_root_task(task_registry: TaskRegistry, expr: Any) -> bool:
    """Whether a root expression needs `root_task` above it.

    Only the call of a task that has nothing to evaluate first, neither arguments nor options, can be
    recorded as a root job itself.
    """
    if not isinstance(expr, TaskExpression) or isinstance(expr, SchedulerExpression):
        return True
    known = task_registry.get(expr.task_name)
    if known is None:
        return True
    options = (*known._task_options_base.values(), *expr._options.values())
    defaults = [item.value for item in (*known.defaults, *known.positional_defaults)]
    found = leaves((expr.args, expr.kwargs, options, defaults))
    return any(isinstance(leaf, (Expression, Promise)) for leaf in found)
