"""A least-recently-used cache whose key is computed by a function of the caller."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import lru_cache, wraps
from typing import Any

from redun.utils.text import json_dumps


def json_cache_key(args: tuple, kwargs: dict) -> str:
    """Key of a call whose arguments have a JSON form."""
    return json_dumps([args, kwargs])


class CacheArgs:
    """Arguments of one call; equal to another if their keys are equal."""

    __slots__ = ("args", "key", "kwargs")

    def __init__(
        self, cache_key: Callable[[tuple, dict], Hashable], args: tuple, kwargs: dict
    ) -> None:
        self.key = cache_key(args, kwargs)
        self.args = args
        self.kwargs = kwargs

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CacheArgs) and self.key == other.key


def _default_key(args: tuple, kwargs: dict) -> Hashable:
    return (args, tuple(sorted(kwargs.items())))


def lru_cache_custom(
    maxsize: int, cache_key: Callable[[tuple, dict], Hashable] = _default_key
) -> Callable[[Callable], Callable]:
    """Decorator: remember the last `maxsize` results by `cache_key(args, kwargs)`."""

    def decorate(func: Callable) -> Callable:
        @lru_cache(maxsize=maxsize)
        def cached(call: CacheArgs) -> Any:
            return func(*call.args, **call.kwargs)

        @wraps(func)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return cached(CacheArgs(cache_key, args, kwargs))

        return wrapper

    return decorate
