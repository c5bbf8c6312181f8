"""The operations that lazy expressions stand for, by name.

The names are stored in pickled expressions and enter their hashes, so they must stay.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

__all__ = ["get_lazy_operation", "operation_symbol", "register_operation"]

_operations: dict[str, Callable[..., Any]] = {}
_symbols: dict[str, str] = {}
_reversed: set[str] = set()


def register_operation(
    name: str, func: Callable[..., Any], symbol: str | None = None, reverse: bool = False
) -> None:
    """Register what an operation does once its operands are known.

    Parameters
    ----------
    name : the `func_name` of the `SimpleExpression`.
    func : called with the evaluated arguments.
    symbol : infix operator for display.
    reverse : the operands are swapped for display, because the expression stands on the right.
    """
    _operations[name] = func
    if symbol is not None:
        _symbols[name] = symbol
    if reverse:
        _reversed.add(name)


def get_lazy_operation(name: str) -> Callable[..., Any] | None:
    """Return what an operation does to evaluated arguments, or None if there is none of that name."""
    return _operations.get(name)


def operation_symbol(name: str) -> tuple[str, bool] | None:
    """Return the infix symbol of an operation and whether its operands are swapped, or None."""
    symbol = _symbols.get(name)
    return None if symbol is None else (symbol, name in _reversed)


def logical_and(left: Any, right: Any) -> Any:
    """Python's `and` of two known values."""
    return left and right


def logical_or(left: Any, right: Any) -> Any:
    """Python's `or` of two known values."""
    return left or right


def call(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a value that was itself the result of an expression."""
    return func(*args, **kwargs)


def swapped(func: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Return the operation with its two operands exchanged."""

    def apply(right: Any, left: Any) -> Any:
        return func(left, right)

    return apply


for _name, _func, _symbol in [
    ("eq", operator.eq, "=="),
    ("ne", operator.ne, "!="),
    ("lt", operator.lt, "<"),
    ("le", operator.le, "<="),
    ("gt", operator.gt, ">"),
    ("ge", operator.ge, ">="),
]:
    register_operation(_name, _func, _symbol)

for _name, _func, _symbol in [
    ("add", operator.add, "+"),
    ("sub", operator.sub, "-"),
    ("mul", operator.mul, "*"),
    ("div", operator.truediv, "/"),
    ("and", logical_and, "&"),
    ("or", logical_or, "|"),
]:
    register_operation(_name, _func, _symbol)
    register_operation("r" + _name, swapped(_func), _symbol, reverse=True)

register_operation("getattr", getattr)
register_operation("getitem", operator.getitem)
register_operation("call", call)
