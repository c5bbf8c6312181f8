"""`Value`, the base of objects with behaviour of their own, and `ProxyValue`, which gives it to others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from redun.hashing import get_scheme, hash_tag_bytes
from redun.utils.nested import iter_nested_value
from redun.utils.pickling import pickle_dumps, pickle_loads
from redun.value.registry import MIME_TYPE_PICKLE, MetaValue, get_type_registry


class Value(metaclass=MetaValue):
    """An object that knows its hash, its stored form, and whether it is still valid.

    Subclasses are registered when defined and must provide `__getstate__` and `__setstate__`.
    They compare by identity.

    Attributes
    ----------
    type_name
        Name under which values are stored; `module.Name` unless given. Not inherited.
    register
        Set to false to keep a class and its subclasses out of the registry.
    """

    __module__ = "redun.value"
    # A Value that is a dataclass keeps its own validity, hash and processing.
    __nested_leaf__ = True

    type_name: str

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def is_valid(self) -> bool:
        """Whether a recorded value may be used again."""
        return True

    def get_hash(self, data: bytes | None = None) -> str:
        """The 40-digit hash.

        Parameters
        ----------
        data
            What `serialize` returned, if at hand, to save doing it again.
        """
        return hash_tag_bytes("Value", self.serialize() if data is None else data)

    def get_serialization_format(self) -> str:
        """The MIME type of what `serialize` returns."""
        return MIME_TYPE_PICKLE

    def serialize(self) -> bytes:
        """The bytes to store."""
        return pickle_dumps(self)

    @classmethod
    def deserialize(cls, raw_type: Any, data: bytes) -> Any:
        """The value of stored bytes.

        Raises
        ------
        InvalidValueError
            The value cannot be used; the call that made it runs again.
        """
        return pickle_loads(data)

    def __getstate__(self) -> dict:
        raise NotImplementedError()

    def __setstate__(self, state: dict) -> None:
        raise NotImplementedError()

    def preprocess(self, preprocess_args: dict) -> Any:
        """What a task is given in place of this value."""
        return self

    def postprocess(self, postprocess_args: dict) -> Any:
        """What the caller is given in place of this value when a task returns it."""
        return self

    @classmethod
    def parse_arg(cls, raw_type: Any, arg: str) -> Any:
        """Parse a command-line argument."""
        return cls(arg)

    def iter_subvalues(self) -> Iterator[Value]:
        """The Values this one holds, each followed by its own."""
        return iter(())


class ProxyValue(Value):
    """Gives the behaviour of a Value to raw objects of the class `type`.

    Parameters
    ----------
    instance
        The raw object.

    Attributes
    ----------
    type
        The raw class; subclasses of it are covered, too.
    """

    __module__ = "redun.value"

    proxy = True
    type: Any = None

    def __init__(self, instance: Any) -> None:
        self.instance = instance

    def get_hash(self, data: bytes | None = None) -> str:
        if get_scheme() == "redun1":
            return hash_tag_bytes("Value", self.serialize() if data is None else data)
        return get_type_registry().default_hash(self.instance)

    def serialize(self) -> bytes:
        return pickle_dumps(self.instance)

    def preprocess(self, preprocess_args: dict) -> Any:
        return self.instance

    def postprocess(self, postprocess_args: dict) -> Any:
        return self.instance

    @classmethod
    def parse_arg(cls, raw_type: Any, arg: str) -> Any:
        return raw_type(arg)

    def iter_subvalues(self) -> Iterator[Value]:
        for leaf in iter_nested_value(self.instance):
            if isinstance(leaf, Value):
                yield leaf
                yield from leaf.iter_subvalues()


get_type_registry().default_proxy = ProxyValue
