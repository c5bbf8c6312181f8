"""The source text of a function, as task hashes use it."""

from __future__ import annotations

import re
from collections.abc import Callable

_DEF_LINE = re.compile(r"^ *def ")


def get_func_source(func: Callable) -> str:
    """The source of `func` from its `def` line on, decorators cut off.

    Indentation, comments and the final newline stay. Text without a `def` line (lambdas, `async def`
    without an inner `def`) is returned whole. The exact rule is part of task hashes.

    Raises
    ------
    OSError
        The source cannot be found.
    """
    import inspect

    lines = inspect.getsource(func).split("\n")
    for index, line in enumerate(lines):
        if _DEF_LINE.match(line):
            return "\n".join(lines[index:])
    return "\n".join(lines)
