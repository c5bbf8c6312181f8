"""Lazy expressions: what calling a task returns.

An expression is a node of a graph: a call (`TaskExpression`, `SchedulerExpression`), an operation
(`SimpleExpression`) or a known value (`ValueExpression`). The scheduler reduces the graph.
"""

from redun.expression.classes import (
    ApplyExpression,
    Expression,
    QuotedExpression,
    Result,
    SchedulerExpression,
    SimpleExpression,
    TaskExpression,
    ValueExpression,
    derive_expression,
    quote,
)
from redun.expression.graph import flatten, restore_graph
from redun.expression.hashing import hash_expressions
from redun.expression.node import direct_leaves
from redun.expression.operations import get_lazy_operation
from redun.expression.operators import lazy_operation
from redun.expression.render import bounded_repr, format_arguments
from redun.value import get_type_registry

__all__ = [
    "ApplyExpression",
    "Expression",
    "QuotedExpression",
    "Result",
    "SchedulerExpression",
    "SimpleExpression",
    "TaskExpression",
    "ValueExpression",
    "bounded_repr",
    "derive_expression",
    "direct_leaves",
    "flatten",
    "format_arguments",
    "get_lazy_operation",
    "hash_expressions",
    "lazy_operation",
    "quote",
    "restore_graph",
]

get_type_registry().flatten = flatten
