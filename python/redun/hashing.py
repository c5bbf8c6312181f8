"""Digests of everything that redun records.

A digest is 160 bits, written as 40 lower-case hexadecimal characters, of the hash function of the
active scheme (`redun._core.get_scheme`): BLAKE3, or SHA-512 in repos shared with the original. What
a digest is taken over does not depend on the scheme, with one exception: values that have no hash of
their own (see `redun._core.hash_values`).
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO, Protocol

from redun import _core
from redun._core import (
    get_scheme,
    hash_bytes,
    hash_file,
    hash_files,
    hash_struct,
    hash_structs,
    hash_tag_bytes,
    list_tree,
    quick_hashes,
    set_scheme,
)

__all__ = [
    "Hash",
    "digests",
    "get_scheme",
    "hash_arguments",
    "hash_bytes",
    "hash_call_node",
    "hash_eval",
    "hash_file",
    "hash_files",
    "hash_kwargs",
    "hash_plain",
    "hash_positional_args",
    "hash_stream",
    "hash_struct",
    "hash_structs",
    "hash_tag",
    "hash_tag_bytes",
    "hash_text",
    "hashing_as",
    "list_tree",
    "quick_hashes",
    "set_scheme",
]

# Streams are read in steps of at least this many bytes: smaller ones only cost time.
MIN_BLOCK = 1 << 18


class ValueHasher(Protocol):
    """What hashing needs of a type registry (`redun.value.TypeRegistry`)."""

    def hash_many(self, values: Sequence[Any]) -> list[tuple[str, bool]]:
        """The hash of each value, and whether it is plain data."""

    def hash_args(
        self, calls: Sequence[tuple[Sequence[Any], dict[str, Any]]]
    ) -> list[tuple[str, tuple[str, ...], tuple[str, ...], bool]]:
        """For each call: hash of the arguments, of each positional, of each keyword, plainness."""


class Hash:
    """An incremental hash of the active scheme.

    Parameters
    ----------
    length
        Number of hexadecimal characters of the digest. The whole hash has 64 (BLAKE3) or 128
        (SHA-512); asking for more gives those.

    Attributes
    ----------
    message
        The underlying incremental hash.
    """

    def __init__(self, length: int = 40):
        self.length = length
        self.message = _core.Hash()

    def update(self, data: bytes) -> None:
        """Add bytes. Raises `TypeError` if `data` is not bytes-like."""
        self.message.update(data)

    def hexdigest(self) -> str:
        """The first `length` characters of the hash of what was added so far."""
        return self.message.hexdigest(self.length)


@contextmanager
def hashing_as(scheme: str) -> Iterator[None]:
    """Hashes in a repo's scheme for a while, whatever the process is doing."""
    if get_scheme() == scheme:
        yield
        return
    previous = set_scheme(scheme)
    try:
        yield
    finally:
        set_scheme(previous)


def digests(data: bytes) -> list[str]:
    """The digest of `data` under each scheme."""
    found = []
    for scheme in _core.SCHEMES:
        message = _core.Hash(scheme)
        message.update(data)
        found.append(message.hexdigest())
    return found


def hash_plain(value: Any) -> str:
    """The value hash of plain data, without a registry of types.

    Raises `ValueError` if there is anything else in it.
    """

    def refuse(obj: Any) -> bytes:
        raise ValueError(f"a {type(obj).__name__} is no plain data")

    return _core.hash_values([value], refuse)[0][0]


def hash_text(text: str) -> str:
    """The digest of the UTF-8 bytes of `text`."""
    return hash_bytes(text.encode("utf-8"))


def hash_stream(stream: BinaryIO, block_size: int = 1024) -> str:
    """The digest of all bytes that `stream` still has.

    Parameters
    ----------
    stream
        An open binary stream; a text stream raises `TypeError`.
    block_size
        The least number of bytes to read at once; the digest does not depend on it.
    """
    message = _core.Hash()
    step = max(block_size, MIN_BLOCK)
    while block := stream.read(step):
        message.update(block)
    return message.hexdigest()


def hash_positional_args(type_registry: ValueHasher, args: Sequence[Any]) -> list[str]:
    """The value hash of each positional argument, in order."""
    return [value_hash for value_hash, _ in type_registry.hash_many(args)]


def hash_kwargs(type_registry: ValueHasher, kwargs: Mapping[str, Any]) -> dict[str, str]:
    """The value hash of each keyword argument, by name."""
    hashes = type_registry.hash_many(list(kwargs.values()))
    return {name: value_hash for name, (value_hash, _) in zip(kwargs, hashes, strict=True)}


def hash_arguments(
    type_registry: ValueHasher, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> str:
    """The digest of a call's arguments: `["TaskArguments", [hash..], {name: hash}]`."""
    return type_registry.hash_args([(args, dict(kwargs))])[0][0]


def hash_eval(
    type_registry: ValueHasher, task_hash: str, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[str, str]:
    """The key of a call in the cache, and the hash of its arguments: `(eval_hash, args_hash)`.

    The key is the digest of `["Eval", task_hash, args_hash]`.
    """
    args_hash = hash_arguments(type_registry, args, kwargs)
    return hash_struct(["Eval", task_hash, args_hash]), args_hash


def hash_tag(entity_id: str, key: str, value: Any, parents: Iterable[str]) -> str:
    """The digest of a tag: `["Tag", entity_id, key, json, parents]`.

    Parameters
    ----------
    value
        Anything JSON can express; `json` is its text with sorted keys and no blanks.
    parents
        Hashes of the tags it replaces, in the order they are hashed in: sort them first.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hash_struct(["Tag", entity_id, key, text, list(parents)])


def hash_call_node(
    task_hash: str, args_hash: str, result_hash: str, child_call_hashes: Iterable[str]
) -> str:
    """The digest of a call: `["CallNode", task, args, result, children]`.

    The call hashes of the children are sorted; one that occurs twice is kept twice.
    """
    children = sorted(child_call_hashes)
    return hash_struct(["CallNode", task_hash, args_hash, result_hash, children])
