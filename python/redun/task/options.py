"""Task options: the enums among them, their normal form, and contexts."""

from __future__ import annotations

import enum
from typing import Any

from redun.utils import merge_dicts

__all__ = [
    "CacheCheckValid",
    "CacheResult",
    "CacheScope",
    "get_context_value",
    "merge_context",
    "normalize_options",
]

CONTEXT_OPTION = "_context_override"


class CacheScope(enum.Enum):
    """From where results may be reused: nowhere, this execution, or the whole repo."""

    __module__ = "redun.task"

    NONE = "NONE"
    CSE = "CSE"
    BACKEND = "BACKEND"


class CacheCheckValid(enum.Enum):
    """What must hold of a cached result: everything below the call, or only the result itself."""

    __module__ = "redun.task"

    FULL = "full"
    SHALLOW = "shallow"


class CacheResult(enum.Enum):
    """How a result was found: in this execution, one reduction, the final value, or not."""

    __module__ = "redun.task"

    CSE = "CSE"
    SINGLE = "SINGLE"
    ULTIMATE = "ULTIMATE"
    MISS = "MISS"


def normalize_options(options: dict[str, Any]) -> dict[str, Any]:
    """Return options in normal form; the same object if they already are.

    `cache` becomes `cache_scope` (true: BACKEND, false: CSE); `cache_scope` and `check_valid` become
    enum members. Raises `ValueError` for a value that is none of them, and `TypeError` for an
    expression as `cache`.
    """
    if "cache" in options:
        options = dict(options)
        options["cache_scope"] = CacheScope.BACKEND if options.pop("cache") else CacheScope.CSE
    for name, kind in (("cache_scope", CacheScope), ("check_valid", CacheCheckValid)):
        if name in options:
            value = options[name]
            if type(value) is not kind:
                options = {**options, name: kind(value)}
    return options


def merge_context(
    options: dict[str, Any], context: dict[str, Any], update: dict[str, Any]
) -> dict[str, Any]:
    """Return the context of call-time options, deeply merged with two further ones; later wins."""
    return merge_dicts([options.get(CONTEXT_OPTION, {}), context, update])


def get_context_value(context: dict[str, Any], path: str, default: Any) -> Any:
    """Look up a value in nested dicts.

    Parameters
    ----------
    context : nested dicts.
    path : keys joined with dots, such as `"a.b.c"`.
    default : returned as it is where a key is missing or what should hold it is not a dict.
    """
    value: Any = context
    for key in path.split("."):
        if not isinstance(value, dict) or key not in value:
            return default
        value = value[key]
    return value
