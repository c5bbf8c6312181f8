"""
Showing stored values without running code out of the repo.

A pickle can name any function of any module and have it called. Rows are therefore loaded with an
unpickler that knows plain data, the library's own types and types this process has already loaded
as data types; every other name becomes a stand-in that shows the name, the arguments and the state.
"""

from __future__ import annotations

import dataclasses
import enum
import importlib
import sys
import traceback
import warnings
from collections.abc import Callable
from typing import Any

from redun.backends.db.codec import short
from redun.utils import PreviewingUnpickler, PreviewUnpicklable, pickle_loads, with_pickle_preview
from redun.value import MIME_TYPE_PICKLE, InvalidValueError, Value, get_type_registry

SAFE_BUILTINS = frozenset(
    {
        *("bool", "bytearray", "bytes", "complex", "dict", "float", "frozenset", "int", "list"),
        *("object", "range", "set", "slice", "str", "tuple", "Ellipsis", "NotImplemented"),
    }
)

SAFE_NAMES = frozenset(
    {
        ("_codecs", "encode"),
        ("collections", "Counter"),
        ("collections", "OrderedDict"),
        ("collections", "deque"),
        ("copyreg", "__newobj__"),
        ("copyreg", "_reconstructor"),
        ("datetime", "date"),
        ("datetime", "datetime"),
        ("datetime", "time"),
        ("datetime", "timedelta"),
        ("datetime", "timezone"),
        ("decimal", "Decimal"),
        ("fractions", "Fraction"),
        ("ipaddress", "IPv4Address"),
        ("ipaddress", "IPv6Address"),
        ("pathlib", "PosixPath"),
        ("pathlib", "PurePosixPath"),
        ("pathlib", "PureWindowsPath"),
        ("pathlib._local", "PosixPath"),
        ("pathlib._local", "PurePosixPath"),
        ("pathlib._local", "PureWindowsPath"),
        ("redun.expression", "restore_graph"),
        ("traceback", "FrameSummary"),
        ("uuid", "SafeUUID"),
        ("uuid", "UUID"),
    }
)

# Array data; looked up only where numpy is loaded already.
SAFE_ARRAY_NAMES = frozenset(
    {
        ("numpy", "dtype"),
        ("numpy", "ndarray"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "scalar"),
        ("numpy._core.numeric", "_frombuffer"),
        ("numpy.core.multiarray", "_reconstruct"),
        ("numpy.core.multiarray", "scalar"),
        ("numpy.core.numeric", "_frombuffer"),
    }
)

# Modules of this library whose types repos hold.
OWN_MODULES = frozenset(
    {
        "redun.expression",
        "redun.file",
        "redun.scheduler",
        "redun.scripting",
        "redun.task",
        "redun.value",
    }
)

# The library's types whose loading reaches out: to a module, a service, or user code.
ACTIVE_TYPES = frozenset({"Function", "Handle", "ShardedS3Dataset"})


class PreviewValue:
    """Stands for a value that is described rather than loaded. `size` is in bytes, -1: unknown."""

    __module__ = "redun.backends.db"

    def __init__(self, type_name: str, value_hash: str, size: int) -> None:
        self.type_name = type_name
        self.value_hash = value_hash
        self.size = size

    def __repr__(self) -> str:
        return f"{self.type_name}(hash={short(self.value_hash)}, size={self.size})"


class StoredFrame(traceback.FrameSummary):
    """A frame of a traceback, whichever version of Python stored it: their fields differ."""

    _text: str | None = None

    def __setstate__(self, state: Any) -> None:
        # (attributes or None, slots): the class has slots.
        fields = state[1] if isinstance(state, tuple) else state
        text = fields.get("_line") or fields.get("_lines")
        super().__init__(fields["filename"], fields["lineno"], fields["name"], lookup_line=False)
        self.lineno = fields["lineno"]
        self._text = text.strip() if text else ""

    @property
    def line(self) -> str | None:
        """The line of source text."""
        return self._text


class DataUnpickler(PreviewingUnpickler):
    """Builds data; makes up a stand-in for every name that isn't known to be mere data."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("traceback", "FrameSummary"):
            return StoredFrame
        if is_data_name(module, name):
            return super().find_class(module, name)
        return self.stand_in(module, name)


def is_data_name(module: str, name: str) -> bool:
    """Whether loading an instance of this global can do no more than build data."""
    if (module, name) in SAFE_NAMES:
        return True
    if (module, name) in SAFE_ARRAY_NAMES:
        return module in sys.modules
    if module == "builtins":
        return name in SAFE_BUILTINS or _is_exception(getattr(sys.modules[module], name, None))
    if module in OWN_MODULES:
        importlib.import_module(module)
    # Otherwise only what is loaded already: an import would run the module's code.
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return isinstance(found, type) and _is_data_type(found)


def _is_exception(found: Any) -> bool:
    return isinstance(found, type) and issubclass(found, BaseException)


def _is_data_type(cls: type) -> bool:
    names = {base.__name__ for base in cls.__mro__ if base.__module__.startswith("redun.")}
    if not ACTIVE_TYPES.isdisjoint(names):
        return False
    if issubclass(cls, (Value, enum.Enum)):
        return True
    if issubclass(cls, Exception):
        return cls.__module__.startswith("redun.")
    return dataclasses.is_dataclass(cls) or (issubclass(cls, tuple) and hasattr(cls, "_fields"))


def parse_value(registry: Any, type_name: str, format_name: str, data: bytes) -> Any:
    """
    The value in a row, with stand-ins for what can't or shouldn't be loaded.

    Types with a serialization of their own are asked only if this process has loaded them.
    """
    with with_pickle_preview(unpickler=DataUnpickler):
        if format_name == MIME_TYPE_PICKLE:
            return pickle_loads(data)
        if type_name.rpartition(".")[0] not in sys.modules:
            raise InvalidValueError(f"Type {type_name} is not loaded.")
        return (registry or get_type_registry()).deserialize(type_name, data)


def preview_payload(
    registry: Any, type_name: str, format_name: str, data: bytes | None, value_hash: str
) -> Any:
    """Like `parse_value`, but never fails. `data` is None if the value store lost the payload."""
    if data is None:
        warnings.warn(
            "Value data is missing from the value store. "
            "Does `value_store_path` need to be configured?",
            UserWarning,
            stacklevel=3,
        )
        return PreviewValue(type_name, value_hash, -1)
    if format_name == MIME_TYPE_PICKLE:
        return parse_value(registry, type_name, format_name, data)
    try:
        return parse_value(registry, type_name, format_name, data)
    except Exception:  # any deserializer may raise anything; the description always works
        return PreviewValue(type_name, value_hash, len(data))


def show(value: Any, text: Callable[[Any], str] = repr) -> str:
    """The text of a value; never an error, since a stored value may be of any class and depth."""
    try:
        return text(value)
    except Exception as error:
        return repr(PreviewUnpicklable(error))
