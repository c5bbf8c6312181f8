"""Values: what tasks take and return, how it is hashed, stored and checked."""

from typing import Any

from redun.value.base import ProxyValue, Value
from redun.value.builtin import Bool, DatetimeType, EnumType, Set
from redun.value.function import (
    Function,
    function_type,
    is_unknown_function,
    make_unknown_function,
)
from redun.value.registry import (
    MIME_TYPE_PICKLE,
    InvalidValueError,
    MetaValue,
    NoneType,
    TypeError,
    TypeRegistry,
    get_raw_type_name,
    get_type_registry,
)

__all__ = [
    "MIME_TYPE_PICKLE",
    "Bool",
    "DatetimeType",
    "EnumType",
    "Function",
    "InvalidValueError",
    "MetaValue",
    "NoneType",
    "ProxyValue",
    "Set",
    "TypeError",
    "TypeRegistry",
    "Value",
    "function_type",
    "get_raw_type_name",
    "get_type_registry",
    "is_unknown_function",
    "make_unknown_function",
]


def __getattr__(name: str) -> Any:
    # `redun.value.FileCache` is the public place of a class that needs files, a layer above.
    if name == "FileCache":
        from redun.file.cached import FileCache

        return FileCache
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
