"""The type registry: which class handles which type, and hashing, storing and checking through it."""

from __future__ import annotations

import builtins
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import IO, TYPE_CHECKING, Any

from redun import _core
from redun.errors import RedunError
from redun.utils.nested import iter_nested_value, leaves
from redun.utils.pickling import is_previewing, pickle_dumps, pickle_loads, pickle_stream
from redun.value.content import buffer_size, content_hash, structure

if TYPE_CHECKING:
    from redun.value.base import ProxyValue, Value

MIME_TYPE_PICKLE = "application/python-pickle"

NoneType = type(None)

# Types that the core hashes by itself; the default rules hold for them unless the user registers a proxy.
_PLAIN_TYPES = (NoneType, bool, int, float, str, bytes, list, tuple, set, frozenset, dict)
# Values with buffers of this many bytes in all are streamed where they can be.
STREAM_FROM = 64 * 1024 * 1024

_SCALARS = frozenset((NoneType, bool, int, float, str, bytes))
_SCALAR_NAMES = {f"builtins.{scalar.__name__}": scalar for scalar in _SCALARS}


class TypeError(RedunError):
    """A type name that cannot be resolved. Not the built-in `TypeError`."""

    __module__ = "redun.value"


class InvalidValueError(RedunError):
    """A value that cannot be used; read from a repo it counts as missing, so the call runs again."""

    __module__ = "redun.value"


def get_raw_type_name(raw_type: Any) -> str:
    """`module.Name` of a class; nested classes are named as if they were at the top of the module."""
    return f"{raw_type.__module__}.{raw_type.__name__}"


class MetaValue(type):
    """Metaclass that registers each subclass of `Value` unless its `register` is false."""

    __module__ = "redun.value"

    type_name: str
    type: Any
    proxy: bool

    def __init__(cls, name: str, bases: tuple, dct: dict, **kwargs: Any) -> None:
        super().__init__(name, bases, dct)
        if not dct.get("type_name"):
            raw_type = dct.get("type")
            cls.type_name = get_raw_type_name(cls if raw_type is None else raw_type)
        if getattr(cls, "register", True):
            get_type_registry().register(cls)  # type: ignore[arg-type]


class _Hashed:
    """Carries the hash that a user's proxy gave to a plain value through the core."""

    __slots__ = ("hash",)

    def __init__(self, hash: str) -> None:
        self.hash = hash


class TypeRegistry:
    """Maps raw types and stored type names to the classes that handle them.

    Attributes
    ----------
    flatten
        Set by the expression layer: called by `serialize` with (value, leaves that are not plain
        scalars); returns the object to pickle instead, or `value` itself.
    default_proxy
        The proxy of types without one of their own.
    """

    __module__ = "redun.value"

    def __init__(self) -> None:
        self.flatten: Callable[[Any, list], Any] | None = None
        self.default_proxy: type[ProxyValue]
        self._by_name: dict[str, type[Value]] = {}
        self._proxies: dict[Any, type[Value]] = {}
        self._resolved: dict[Any, type[Value] | None] = {}
        self._overrides: dict[Any, type[Value]] = {}

    # Classes and names

    def register(self, value_type: type[Value]) -> None:
        """Register a Value class under its type name, and as proxy of its raw type if it is one.

        The latest registration of a name or raw type wins.
        """
        if getattr(value_type, "__args__", None):
            return  # a parameterized generic is the same class
        self._by_name[value_type.type_name] = value_type
        raw_type = getattr(value_type, "type", None)
        if getattr(value_type, "proxy", False) and raw_type:
            self._proxies[raw_type] = value_type
            self._resolved.clear()
            self._overrides = self._find_overrides()

    def _find_overrides(self) -> dict[Any, type[Value]]:
        """Proxies of plain types other than the stock ones, which the core already stands for."""
        found = ((raw_type, self._get_proxy_type(raw_type)) for raw_type in _PLAIN_TYPES)
        return {
            raw_type: proxy
            for raw_type, proxy in found
            if proxy is not None and not proxy.__dict__.get("stock", False)
        }

    def _get_proxy_type(self, raw_type: Any) -> type[Value] | None:
        try:
            return self._resolved[raw_type]
        except KeyError:
            pass
        proxy = next((self._proxies[t] for t in raw_type.__mro__ if t in self._proxies), None)
        self._resolved[raw_type] = proxy
        return proxy

    def get_type(self, raw_type: Any, use_default: bool = True) -> type[Value] | None:
        """The class that handles a raw type: the type itself if a Value, else its proxy.

        Parameters
        ----------
        use_default
            For types without a proxy return `ProxyValue`; otherwise None.
        """
        if isinstance(raw_type, MetaValue):
            return raw_type  # type: ignore[return-value]
        proxy = self._get_proxy_type(raw_type)
        if proxy is None and use_default:
            return self.default_proxy
        return proxy

    def get_value(self, raw_value: Any) -> Value:
        """The value itself if it is a Value, else wrapped in the proxy of its type."""
        raw_type = type(raw_value)
        if isinstance(raw_type, MetaValue):
            return raw_value
        return (self._get_proxy_type(raw_type) or self.default_proxy)(raw_value)

    def get_type_name(self, raw_type: Any) -> str:
        """The name under which values of this type are stored."""
        # On Python 3.10 an alias such as list[int] passes for a class.
        if not isinstance(raw_type, type) or isinstance(raw_type, types.GenericAlias):
            raise builtins.TypeError(f"{raw_type!r} is not a class.")
        value_type = self.get_type(raw_type, use_default=False)
        return value_type.type_name if value_type else get_raw_type_name(raw_type)

    def parse_type_name(self, type_name: str) -> Any:
        """The class of a stored type name: a registered one, or one looked up in its module.

        Raises
        ------
        redun.value.TypeError
            The name has no module part, or the module or the name in it is missing.
        """
        if type_name == "builtins.NoneType":
            return NoneType
        value_type = self._by_name.get(type_name)
        if value_type is not None:
            return value_type
        import importlib

        try:
            module_name, name = type_name.rsplit(".", 1)
            module: ModuleType = importlib.import_module(module_name)
            return module.__dict__[name]
        except (ValueError, ModuleNotFoundError, KeyError) as error:
            raise TypeError(f'Unable to import type "{type_name}"') from error

    def _find_type(self, type_name: str) -> Any:
        """As `parse_type_name`; while previewing, only what is loaded already is found."""
        if not is_previewing() or type_name in self._by_name:
            return self.parse_type_name(type_name)
        module_name, _, name = type_name.rpartition(".")
        found = getattr(sys.modules.get(module_name), "__dict__", {}).get(name)
        if found is None:
            raise TypeError(f'Type "{type_name}" is not loaded')
        return found

    # Hashes

    def leaf(self, obj: Any) -> str | bytes | tuple[str, list]:
        """What the core asks for each object that it cannot hash by itself.

        Returns
        -------
        str
            The object's own 40-digit hash.
        bytes
            Its pickle, to be hashed by the default rule.
        tuple
            (type name, children) of a structured container.
        """
        raw_type = type(obj)
        if isinstance(raw_type, MetaValue):
            return obj.get_hash()
        if raw_type is _Hashed:
            return obj.hash
        proxy = self._get_proxy_type(raw_type)
        if proxy is not None and proxy.get_hash is not self.default_proxy.get_hash:
            return proxy(obj).get_hash()
        return self._default_leaf(obj)

    def _default_leaf(self, obj: Any) -> str | bytes | tuple[str, list]:
        # A class is pickled as its name, so it need not be looked into.
        if type(obj) is type or _core.get_scheme() == "redun1":
            return pickle_dumps(obj)
        return content_hash(obj, self.get_hash) or structure(obj) or pickle_dumps(obj)

    def default_hash(self, instance: Any) -> str:
        """The hash of a raw object by the default rules, whatever its own proxy overrides."""

        def leaf(obj: Any) -> str | bytes | tuple[str, list]:
            return self._default_leaf(obj) if obj is instance else self.leaf(obj)

        return _core.hash_values([instance], leaf)[0][0]

    def hash_many(self, values: Sequence) -> list[tuple[str, bool]]:
        """(value hash, is plain data) of each value. Plain data is always valid and holds no Value."""
        if self._overrides:
            values = [self._apply_override(value) for value in values]
        return _core.hash_values(values, self.leaf)

    def hash_args(
        self, calls: Sequence[tuple[Sequence, dict]]
    ) -> list[tuple[str, tuple[str, ...], tuple[str, ...], bool]]:
        """Hash the arguments of calls.

        Parameters
        ----------
        calls
            (positional arguments, keyword arguments) of each call.

        Returns
        -------
        list
            For each call: arguments hash, hashes of the positional values, hashes of the keyword
            values in order, whether all of them are plain data.
        """
        if self._overrides:
            calls = [
                (
                    [self._apply_override(arg) for arg in args],
                    {key: self._apply_override(arg) for key, arg in kwargs.items()},
                )
                for args, kwargs in calls
            ]
        return _core.hash_arguments(calls, self.leaf)

    def _apply_override(self, value: Any) -> Any:
        proxy = self._overrides.get(type(value))
        return value if proxy is None else _Hashed(proxy(value).get_hash())

    def get_hash(self, value: Any, data: bytes | None = None) -> str:
        """The hash of a value. `data` is accepted for compatibility and not used."""
        return self.hash_many((value,))[0][0]

    # Storage

    def get_serialization_format(self, value: Any) -> str:
        """The MIME type of what `serialize` returns."""
        return self.get_value(value).get_serialization_format()

    def serialize(self, value: Any) -> bytes:
        """The bytes under which a value is stored."""
        raw_type = type(value)
        if raw_type in _SCALARS and raw_type not in self._overrides:
            return pickle_dumps(value)
        if self.flatten is not None:
            inner = leaves(value)
            if inner:
                flat = self.flatten(value, inner)
                if flat is not value:
                    return pickle_dumps(flat)
        return self.get_value(value).serialize()

    def size_to_stream(self, value: Any) -> int:
        """The bytes in a value's buffers if `stream` suits it better than `serialize`, else 0.

        That is so for large plain data and arrays, whose hash doesn't depend on the stored bytes.
        """
        if _core.get_scheme() == "redun1" or type(value) in self._overrides:
            return 0
        inner = leaves(value)
        size = buffer_size(value, inner)
        if size < STREAM_FROM:
            return 0
        if self.flatten is not None and inner and self.flatten(value, inner) is not value:
            return 0
        value_type = self.get_type(type(value))
        is_stock = value_type is not None and value_type.serialize is self.default_proxy.serialize
        return size if is_stock else 0

    def stream(self, value: Any, stream: IO[bytes]) -> None:
        """Write the bytes under which a large value is stored, without a copy of it in memory."""
        pickle_stream(value, stream)

    def is_intact(self, value: Any, value_hash: str, data: Any) -> bool:
        """Whether a value read from these bytes is the one of this hash, as far as can be told.

        The hash of an object may cover what is not stored or change with a round trip; those that
        could be read count as intact.
        """
        # A large payload is not copied to be hashed.
        if type(data) is bytes and _core.hash_tag_bytes("Value", data) == value_hash:
            return True
        ((found, plain),) = self.hash_many((value,))
        is_array = not plain and content_hash(value, self.get_hash) is not None
        return found == value_hash or not (plain or is_array)

    def deserialize(self, type_name: str, data: bytes) -> Any:
        """Read a stored value.

        Raises
        ------
        InvalidValueError
            The module or the class of something in the value is gone, so it cannot be used.
        """
        scalar = _SCALAR_NAMES.get(type_name)
        is_plain = scalar is not None and scalar not in self._overrides
        try:
            raw_type = None if is_plain else self._find_type(type_name)
        except TypeError:
            raw_type = None
        try:
            if raw_type is None:
                return pickle_loads(data)
            value_type = self.get_type(raw_type) if isinstance(raw_type, type) else None
            value_type = value_type or self.default_proxy
            if type(data) is not bytes and _overrides(value_type, self.default_proxy):
                data = bytes(data)  # it is mapped from a file, which unpickling alone understands
            return value_type.deserialize(raw_type, data)
        except (ModuleNotFoundError, AttributeError) as error:
            raise InvalidValueError(f"Error parsing value: {error}") from error

    # Behaviour of values

    def is_valid(self, value: Any) -> bool:
        """Whether one value, not looking into containers, may still be used."""
        return self.get_value(value).is_valid()

    def is_valid_nested(self, nested_value: Any) -> bool:
        """Whether all leaves may still be used; stops at the first that may not."""
        # Plain scalars are always valid, unless a user's proxy has its own opinion on them.
        inner = iter_nested_value(nested_value) if self._overrides else leaves(nested_value)
        return all(self.is_valid(leaf) for leaf in inner)

    def preprocess(self, raw_value: Any, preprocess_args: dict) -> Any:
        """What a task is given in place of this leaf of its arguments."""
        return self.get_value(raw_value).preprocess(preprocess_args)

    def postprocess(self, raw_value: Any, postprocess_args: dict) -> Any:
        """What the caller is given in place of this leaf of a result."""
        return self.get_value(raw_value).postprocess(postprocess_args)

    def parse_arg(self, raw_type: Any, arg: str) -> Any:
        """Parse a command-line argument of an annotated type."""
        value_type = self.get_type(raw_type, use_default=False)
        return value_type.parse_arg(raw_type, arg) if value_type else raw_type(arg)

    def iter_subvalues(self, raw_value: Any) -> Iterator[Value]:
        """The Values inside a value, each followed by its own."""
        return self.get_value(raw_value).iter_subvalues()


def _overrides(value_type: Any, stock: Any) -> bool:
    """Whether a class reads its stored bytes in a way of its own."""
    return value_type.deserialize.__func__ is not stock.deserialize.__func__


_type_registry = TypeRegistry()


def get_type_registry() -> TypeRegistry:
    """The registry of this process."""
    return _type_registry
