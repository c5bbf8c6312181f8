"""Functions as values: hashed by their source, stored by name."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import FunctionType
from typing import Any
from weakref import WeakKeyDictionary

from redun.hashing import get_scheme, hash_struct
from redun.utils.pickling import pickle_dumps, pickle_loads
from redun.utils.source import get_func_source
from redun.value.base import ProxyValue
from redun.value.registry import InvalidValueError

function_type = FunctionType

# Hashes by function object, with the code and scheme they are valid for: finding source is slow.
_hashes: WeakKeyDictionary[Callable, tuple[Any, str, str]] = WeakKeyDictionary()


def make_unknown_function(func_name: str) -> Callable:
    """A stand-in for a function that cannot be found; calling it raises `ValueError`."""

    def unknown_function(*args: Any, **kwargs: Any) -> Any:
        raise ValueError(f"Function '{func_name}' cannot be found.")

    unknown_function.unknown_function = True  # type: ignore[attr-defined]
    return unknown_function


def is_unknown_function(func: Callable) -> bool:
    """Whether a function is such a stand-in."""
    return getattr(func, "unknown_function", False)


class Function(ProxyValue):
    """A plain Python function that is defined at the top level of a module.

    Parameters
    ----------
    instance
        The function.

    Raises
    ------
    OSError
        The source of the function cannot be found.
    InvalidValueError
        The function is a lambda or local function inside another one.
    """

    __module__ = "redun.value"

    type = FunctionType
    type_name = "builtins.function"

    def __init__(self, instance: Callable) -> None:
        super().__init__(instance)
        state = getattr(instance, "_stored_state", None)
        if state is not None:
            # A stand-in stays what it stands for, so passing it on loses nothing.
            self.__setstate__(state)
            return
        self.module: str = instance.__module__
        self.name: str = instance.__name__
        self._hash: str = self._calc_hash()
        if "<locals>" in instance.__qualname__ and not is_unknown_function(instance):
            raise InvalidValueError(
                "functions used as redun arguments or results must be defined globally."
            )

    def __repr__(self) -> str:
        return f"<function {self.fullname}>"

    @property
    def fullname(self) -> str:
        """`module.name`."""
        return f"{self.module}.{self.name}"

    def _calc_hash(self) -> str:
        func = self.instance
        scheme = get_scheme()
        known = _hashes.get(func)
        if known and known[0] is func.__code__ and known[1] == scheme:
            return known[2]
        source = get_func_source(func)
        digest = hash_struct(["Value.function", self.fullname, "source", source])
        _hashes[func] = (func.__code__, scheme, digest)
        return digest

    def __getstate__(self) -> dict:
        return {"hash": self._hash, "module": self.module, "name": self.name}

    def __setstate__(self, state: dict) -> None:
        self._hash = state["hash"]
        self.module = state["module"]
        self.name = state["name"]
        try:
            self.instance = getattr(importlib.import_module(self.module), self.name)
        except (ModuleNotFoundError, AttributeError):
            self.instance = make_unknown_function(self.fullname)
            self.instance._stored_state = state

    def get_hash(self, data: bytes | None = None) -> str:
        return self._hash

    def is_valid(self) -> bool:
        return not is_unknown_function(self.instance)

    def serialize(self) -> bytes:
        return pickle_dumps(self)

    @classmethod
    def deserialize(cls, raw_type: Any, data: bytes) -> Any:
        value = pickle_loads(data)
        return value.instance if isinstance(value, Function) else value

    @classmethod
    def parse_arg(cls, raw_type: Any, arg: str) -> Callable:
        module_name, dot, name = arg.rpartition(".")
        if not dot:
            raise ValueError(f"Unexpected format for function name: {arg}")
        try:
            return getattr(importlib.import_module(module_name), name)
        except (ModuleNotFoundError, AttributeError):
            raise ValueError(f"Function not found: {arg}") from None
