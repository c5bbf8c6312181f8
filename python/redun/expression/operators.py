"""Registration of further lazy operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from redun.expression.classes import Expression, SimpleExpression
from redun.expression.operations import register_operation

__all__ = ["lazy_operation"]


def install_method(method: str, name: str) -> None:
    """Give expressions a method that makes the lazy form of an operation."""

    def lazy(self: Expression[Any], *args: Any, **kwargs: Any) -> SimpleExpression:
        return SimpleExpression(name, (self, *args), kwargs)

    lazy.__name__ = method
    lazy.__qualname__ = f"Expression.{method}"
    setattr(Expression, method, lazy)


def lazy_operation(
    method: str | None = None,
    name: str | None = None,
    symbol: str | None = None,
    reverse: bool = False,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register what a lazy operation does, and the method of `Expression` that makes it.

    Parameters
    ----------
    method : method of `Expression` to install; none by default.
    name : name of the operation; the name of the function by default.
    symbol : infix operator for display.
    reverse : the expression is the right operand; display swaps the two.
    """

    def decorate(func: Callable[..., Any]) -> Callable[..., Any]:
        operation = name or func.__name__
        register_operation(operation, func, symbol, reverse)
        if method:
            install_method(method, operation)
        return func

    return decorate
