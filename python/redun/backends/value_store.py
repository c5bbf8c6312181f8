"""
Large payloads outside of the database: one file for each value, named by its hash.

A file holds the serialized bytes and nothing else, under `<root>/<2 digits>/<38 digits>`, as the
original lays them out. Entries are immutable, so writing one twice does no harm; a local entry
appears whole or not at all.
"""

from __future__ import annotations

import mmap
import os
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import IO, Any, TypeAlias, TypeVar

from redun.file import File, get_filesystem, get_filesystem_class, get_proto

Item = TypeVar("Item")
Result = TypeVar("Result")

#: Serialized bytes: in memory, or mapped from a file.
Payload: TypeAlias = "bytes | mmap.mmap"

#: Payloads of at least this many bytes are mapped instead of read.
MAP_FROM = 64 * 1024 * 1024

#: Requests under way at once to a store that is not local.
REQUESTS = 16


class ValueStore:
    """
    A directory of payloads, local or on any supported file system.

    Parameters
    ----------
    root_path : directory or URL.
    use_subdir : spread the files over directories named by the first two digits of their hashes.

    Raises `KeyError` for a URL that no file system serves.
    """

    __module__ = "redun.backends.value_store"

    def __init__(self, root_path: str, use_subdir: bool = True) -> None:
        get_filesystem_class(url=root_path)
        self.root_path = root_path
        self.use_subdir = use_subdir
        self._local = get_proto(root_path) == "local"
        self._distrusted = False

    def __repr__(self) -> str:
        return f"ValueStore({self.root_path!r})"

    def get_value_path(self, value_hash: str) -> str:
        """Where the payload of a value is, or would be."""
        root = self.root_path.rstrip("/") or "/"
        parts = (value_hash[:2], value_hash[2:]) if self.use_subdir else (value_hash,)
        return os.path.join(root, *parts)

    def has(self, value_hash: str) -> bool:
        """Whether there is a payload."""
        return self.size(value_hash) >= 0

    def size(self, value_hash: str) -> int:
        """The size of a payload in bytes, without reading it; -1 if there is none."""
        path = self.get_value_path(value_hash)
        try:
            if self._local:
                return os.stat(path).st_size
            return File(path).size()
        except FileNotFoundError:
            return -1

    def get(self, value_hash: str) -> tuple[bytes, bool]:
        """(payload, True), or (b"", False) if there is none."""
        try:
            with File(self.get_value_path(value_hash)).open("rb") as stream:
                return stream.read(), True
        except FileNotFoundError:
            return b"", False

    def put(self, value_hash: str, data: bytes) -> None:
        """
        Stores a payload, unless it is there.

        An entry of another size is what is left of an interrupted writer, and replaced. In a store
        with a damaged entry, every entry is.
        """
        if self._distrusted or self.size(value_hash) != len(data):
            self.write(value_hash, data)

    def write(self, value_hash: str, data: bytes) -> None:
        """Stores a payload, whether it is there or not."""
        with self.writing(value_hash) as stream:
            stream.write(data)

    @contextmanager
    def writing(self, value_hash: str) -> Iterator[IO[bytes]]:
        """
        A stream whose content becomes the payload of a value.

        If the body raises, nothing is stored.
        """
        path = self.get_value_path(value_hash)
        with _atomic_file(path) if self._local else _uploaded_file(path) as stream:
            yield stream

    def read(self, value_hash: str) -> Payload | None:
        """The payload, mapped if it is large; None if there is none."""
        try:
            if self._local:
                return _read_local(self.get_value_path(value_hash))
            return _read_remote(self.get_value_path(value_hash))
        except FileNotFoundError:
            return None

    def read_many(self, value_hashes: Sequence[str]) -> dict[str, Payload]:
        """The payloads that there are, by hash; requests to a remote store overlap."""
        payloads = self._each(self.read, value_hashes)
        found = zip(value_hashes, payloads, strict=True)
        return {value_hash: data for value_hash, data in found if data is not None}

    def put_many(
        self, payloads: Iterable[tuple[str, bytes]], is_new: Callable[[str], bool]
    ) -> None:
        """
        Stores payloads; requests to a remote store overlap.

        Parameters
        ----------
        is_new : whether nobody can have stored the payload of this hash yet, so that asking for it
            first would be in vain.
        """

        def put(payload: tuple[str, bytes]) -> None:
            (self.write if is_new(payload[0]) else self.put)(*payload)

        self._each(put, list(payloads))

    def distrust(self) -> None:
        """Notes that a payload is damaged: from now on `put` replaces what is there."""
        self._distrusted = True

    def _each(self, function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        if self._local or len(items) < 2:
            return [function(item) for item in items]
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(min(REQUESTS, len(items)), "redun-value-store") as pool:
            return list(pool.map(function, items))


@contextmanager
def _atomic_file(path: str) -> Iterator[IO[bytes]]:
    """A new file that takes its place when the body is done."""
    directory, name = os.path.split(path)
    temporary = os.path.join(directory, f".{name}.{uuid.uuid4().hex}")
    try:
        stream = open(temporary, "xb")  # noqa: SIM115 - closed below, in the order that matters
    except FileNotFoundError:
        os.makedirs(directory, exist_ok=True)
        stream = open(temporary, "xb")  # noqa: SIM115
    try:
        with stream:
            yield stream
        os.replace(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


@contextmanager
def _uploaded_file(url: str) -> Iterator[IO[bytes]]:
    """A temporary file that is uploaded when the body is done: an upload cut short leaves nothing."""
    with tempfile.NamedTemporaryFile(prefix="redun-value-") as stream:
        yield stream
        stream.flush()
        get_filesystem(url=url).copy(stream.name, url)


def _read_local(path: str) -> Payload:
    with open(path, "rb") as stream:
        if os.fstat(stream.fileno()).st_size < MAP_FROM:
            return stream.read()
        return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)


def _read_remote(url: str) -> Payload:
    """Reads what is small; downloads the rest to a file that vanishes with its mapping."""
    with File(url).open("rb") as source:
        head = source.read(MAP_FROM)
        if len(head) < MAP_FROM:
            return head
        with tempfile.TemporaryFile(prefix="redun-value-") as local:
            block: Any = head
            while block:
                local.write(block)
                block = source.read(1 << 20)
            local.flush()
            return mmap.mmap(local.fileno(), 0, access=mmap.ACCESS_READ)
