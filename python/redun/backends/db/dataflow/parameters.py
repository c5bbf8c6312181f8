"""The names of a task's parameters, as the stored source of the task has them."""

from __future__ import annotations

import ast
import textwrap
from dataclasses import dataclass


@dataclass(frozen=True)
class Parameters:
    """
    The positional parameters of a task.

    Parameters
    ----------
    names : in order; None if the source doesn't say.
    rest : the name of the one that takes all further arguments, if any.
    """

    names: list[str] | None
    rest: str | None = None

    def name(self, position: int) -> str:
        """The name for the argument at a position, `arg<position>` if there is none."""
        if self.names is not None and position < len(self.names):
            return self.names[position]
        return self.rest or f"arg{position}"


def parse_parameters(source: str) -> Parameters:
    """The positional parameters of the function that a source defines with a plain `def`."""
    try:
        # The source of a nested function is recorded as indented as it was written.
        body = ast.parse(textwrap.dedent(source)).body
    except (SyntaxError, ValueError, RecursionError):
        return Parameters(None)
    if not body or not isinstance(body[0], ast.FunctionDef):
        return Parameters(None)
    found = body[0].args
    names = [arg.arg for arg in (*found.posonlyargs, *found.args)]
    return Parameters(names, found.vararg.arg if found.vararg else None)
