"""The task that stands at the root of an execution whose expression is not a plain task call."""

from typing import Any

from redun.expression import QuotedExpression
from redun.task import task

__all__ = ["root_task"]


@task(namespace="redun")
def root_task(expr: QuotedExpression) -> Any:
    """Evaluate a quoted expression."""
    return expr.eval()
