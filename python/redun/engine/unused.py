"""Calls of tasks that a task makes and drops: they never run, which is hardly what was meant.

They are found in the source of a task, once a run, so that the calls themselves cost nothing more.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from textwrap import dedent
from types import ModuleType
from typing import TYPE_CHECKING, Any

from redun.model.failure import def_line
from redun.task import SchedulerTask, Task

if TYPE_CHECKING:
    import ast

__all__ = ["UNUSED_CALL", "find_unused_calls", "warn_of_unused_calls"]

#: The name under which `ignore_warnings` switches the warning off.
UNUSED_CALL = "unused_call"

# Methods of a task that give a task.
DERIVING = frozenset({"export_options", "options", "update_context"})
# Plain functions that return a lazy call.
LAZY_FUNCTIONS = frozenset(
    {
        ("redun.functools", "no_prov"),
        ("redun.functools", "starmap"),
        ("redun.scripting", "script"),
    }
)
# Functions with which a variable may be read without being named.
READS_ALL = frozenset({"eval", "exec", "locals", "vars"})


def warn_of_unused_calls(task: Task[..., Any], logger: logging.Logger) -> None:
    """Warn of each line of a task on which it calls a task and drops the call."""
    for line, name in find_unused_calls(task):
        logger.warning(
            f"Task call on line {line} of {task.func.__code__.co_filename} is never used: "
            f"{name}(...) is not part of what {task.fullname}() returns, so it does not run. "
            "Return it, or combine it with what is returned, as in seq([...]). "
            f"(`ignore_warnings = {UNUSED_CALL}` in [scheduler] silences this.)"
        )


def find_unused_calls(task: Task[..., Any]) -> list[tuple[int, str]]:
    """Return line and name of the task calls in a task that are dropped at once, or kept unread.

    Only calls of names that are tasks are found, and only where the source is known.
    """
    code = getattr(task.func, "__code__", None)
    if code is None or not task.source or isinstance(task, SchedulerTask):
        return []
    import ast

    try:
        tree = ast.parse(dedent(task.source))
    except (SyntaxError, ValueError):
        return []
    body = tree.body[0] if tree.body else None
    if not isinstance(body, (ast.FunctionDef, ast.AsyncFunctionDef)) or body.name != code.co_name:
        return []
    offset = def_line(code.co_filename, code.co_firstlineno) - body.lineno
    found: dict[int, str] = {}
    names = Names(task.func)
    unread = Unread(body)
    for statement in own_statements(body):
        if isinstance(statement, ast.Expr) or (
            isinstance(statement, ast.Assign) and all(map(unread, statement.targets))
        ):
            dropped = statement.value
        else:
            continue
        for node in items_of(dropped):
            name = names.called_task(node)
            if name is not None:
                found.setdefault(node.lineno + offset, name)
    return list(found.items())


def own_statements(function: ast.AST) -> Iterator[ast.stmt]:
    """Yield the statements of a function, in order, without those of functions defined in it."""
    import ast

    inner = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.expr)
    stack = list(ast.iter_child_nodes(function))[::-1]
    while stack:
        node = stack.pop()
        if isinstance(node, inner):
            continue
        if isinstance(node, ast.stmt):
            yield node
        stack.extend(list(ast.iter_child_nodes(node))[::-1])


def items_of(value: ast.expr) -> Iterator[ast.expr]:
    """Yield a value, or what a display or comprehension holds."""
    import ast

    stack = [value]
    while stack:
        node = stack.pop()
        if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
            stack.extend(node.elts[::-1])
        elif isinstance(node, (ast.ListComp, ast.SetComp)):
            stack.append(node.elt)
        else:
            yield node


class Unread:
    """Tells which targets of assignments in a function are variables that it never reads."""

    def __init__(self, function: ast.AST) -> None:
        import ast

        self._read: set[str] = set()
        for node in ast.walk(function):
            if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Store):
                self._read.add(node.id)
            elif isinstance(node, (ast.Global, ast.Nonlocal)):
                self._read.update(node.names)
        self._knows = self._read.isdisjoint(READS_ALL)

    def __call__(self, target: ast.expr) -> bool:
        name = getattr(target, "id", None)
        return self._knows and name is not None and name not in self._read and name[0] != "_"


class Names:
    """What the names in a function stand for, as far as that is known before it runs."""

    def __init__(self, func: Any) -> None:
        code = func.__code__
        self._globals = func.__globals__
        self._locals = {*code.co_varnames, *code.co_cellvars}
        self._closure = dict(zip(code.co_freevars, func.__closure__ or (), strict=True))

    def called_task(self, node: ast.expr) -> str | None:
        """Return the name of the task that an expression calls, None if it is no such call."""
        import ast

        if not isinstance(node, ast.Call):
            return None
        called = node.func
        while (
            isinstance(called, ast.Call)
            and isinstance(called.func, ast.Attribute)
            and called.func.attr in DERIVING
        ):
            called = called.func.value
        found = self._resolve(called)
        if isinstance(found, Task):
            return found.fullname
        place = getattr(found, "__module__", None), getattr(found, "__name__", None)
        return f"{place[1]}" if found is not None and place in LAZY_FUNCTIONS else None

    def _resolve(self, node: ast.expr) -> Any:
        """Return what a name, or an attribute of a module, stands for; None if unknown."""
        import ast

        attributes = []
        while isinstance(node, ast.Attribute):
            attributes.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id in self._locals:
            return None
        if node.id in self._closure:
            try:
                found = self._closure[node.id].cell_contents
            except ValueError:  # not assigned yet
                return None
        else:
            found = self._globals.get(node.id)
        for name in reversed(attributes):
            if not isinstance(found, ModuleType):
                return None
            found = getattr(found, name, None)
        return found
