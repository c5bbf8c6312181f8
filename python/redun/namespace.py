"""Task namespaces: the process-wide current namespace and how a definition gets its own."""

from __future__ import annotations

import sys
from typing import Any

_current_namespace = ""


def namespace(_namespace: str | None = None) -> None:
    """Set the current namespace for the tasks defined from here on; None resets it to none.

    The setting is process-wide and holds for modules imported later, too. A module-level
    `redun_namespace` or the argument `namespace` of a task takes precedence.
    """
    global _current_namespace
    _current_namespace = _namespace or ""


def get_current_namespace() -> str:
    """The current namespace; "" if none is set."""
    return _current_namespace


def compute_namespace(obj: Any, namespace: str | None = None) -> str:
    """The namespace of a definition (function or class).

    Parameters
    ----------
    obj
        Anything with `__module__`, which must be imported.
    namespace
        Explicit namespace; "" counts as explicit.

    Raises
    ------
    KeyError
        The module of `obj` is not in `sys.modules`.
    """
    if namespace is not None:
        return namespace
    declared = getattr(sys.modules[obj.__module__], "redun_namespace", None)
    if declared is not None:
        return declared
    return _current_namespace
