"""File systems of object stores, which have keys and no directories."""

from __future__ import annotations

import errno
import io
import os
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any, NamedTuple, TypeVar

from redun.clients.objects import PART_SIZE, ObjectInfo, ObjectStore
from redun.file.errors import naming_path
from redun.file.fs.base import FileSystem, FileTime, Listing, get_filesystem, get_proto
from redun.file.fs.streams import (
    AppendStream,
    EditStream,
    ObjectReader,
    ObjectWriter,
    TextStream,
    WriteStream,
    plain_mode,
    text_options,
)
from redun.file.fs.wildcards import compile_pattern, has_magic, literal_prefix
from redun.hashing import hash_struct, hash_structs

T = TypeVar("T")
R = TypeVar("R")

# Requests under way at once when many objects are looked at, and blocks when one is fetched.
MANY_REQUESTS = 16
MANY_BLOCKS = 4
_READ_BUFFER = 1 << 16
_WRITE_BUFFER = 1 << 18


class Place(NamedTuple):
    """Where a URL leads.

    Attributes
    ----------
    store
        Client of the bucket.
    root
        What precedes the key in URLs of the bucket, slash included.
    key
        The key, "" for the bucket itself.
    """

    store: ObjectStore
    root: str
    key: str


class ObjectFileSystem(FileSystem):
    """Files that are objects in buckets. What is written is visible once the stream is closed.

    A directory is what keys have before a slash. An empty object `name/` marks one without files; it is
    no file itself.
    """

    @abstractmethod
    def locate(self, path: str) -> Place:
        """Where a URL leads.

        Raises
        ------
        ValueError
            It is no URL of this file system.
        MissingExtraError
            The library for it is not installed.
        """

    @abstractmethod
    def _record(self, path: str, info: ObjectInfo | None) -> list:
        """What the quick hash of a file is taken of; None for a missing one."""

    # -- one file -----------------------------------------------------------------------------

    def _open(self, path: str, mode: str, **kwargs: Any) -> IO:
        place = self.locate(path)
        stream = self._open_binary(path, place, plain_mode(mode))
        return stream if "b" in mode else TextStream(stream, **text_options(kwargs))

    def _open_binary(self, url: str, place: Place, mode: str) -> Any:
        store, _, key = place
        if not key or key.endswith("/"):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if mode == "r":
            return io.BufferedReader(ObjectReader(store, key, url), _READ_BUFFER)
        if "x" in mode and self._head(store, key) is not None:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        if mode in ("w", "x"):
            writer = ObjectWriter(store, key, url, PART_SIZE, create=mode == "x")
            return WriteStream(writer, _WRITE_BUFFER)
        content = None
        if mode == "r+" or ("a" in mode and self._head(store, key) is not None):
            content = io.BufferedReader(ObjectReader(store, key, url), _READ_BUFFER)
        kind = AppendStream if "a" in mode else EditStream
        return kind(url, lambda copy: store.put_file(key, copy), content)

    def as_text(self, stream: Any, encoding: str) -> IO:
        return TextStream(stream, encoding)

    def _head(self, store: ObjectStore, key: str) -> ObjectInfo | None:
        if not key:
            return None
        try:
            return store.head(key)
        except FileNotFoundError:
            return None

    def exists(self, path: str) -> bool:
        return self.isfile(path) or self.isdir(path)

    def isfile(self, path: str) -> bool:
        with naming_path(path):
            store, _, key = self.locate(path)
            return not key.endswith("/") and self._head(store, key) is not None

    def isdir(self, path: str) -> bool:
        with naming_path(path):
            store, _, key = self.locate(path)
            try:
                return store.is_prefix(_below(key)) or not key
            except FileNotFoundError:
                return False

    def filesize(self, path: str) -> int:
        with naming_path(path):
            store, _, key = self.locate(path)
            return store.head(key).size

    def remove(self, path: str) -> None:
        with naming_path(path):
            store, _, key = self.locate(path)
            store.delete([key])

    def touch(self, path: str, time: FileTime = None) -> None:
        assert time is None, "time is not supported."
        with naming_path(path):
            store, _, key = self.locate(path)
            if self._head(store, key) is None:
                store.put(key, b"")

    def get_hash(self, path: str) -> str:
        """The quick hash; any failure but a missing file is an error."""
        with naming_path(path):
            store, _, key = self.locate(path)
            return hash_struct(self._record(path, self._head(store, key)))

    def get_hashes(self, paths: Sequence[str]) -> list[str]:
        return in_parallel(self.get_hash, paths)

    def content_hashes(self, paths: Sequence[str]) -> list[str]:
        return in_parallel(
            lambda path: super(ObjectFileSystem, self).content_hashes([path])[0], paths
        )

    # -- directories --------------------------------------------------------------------------

    def mkdir(self, path: str) -> None:
        """Nothing: a directory comes and goes with its files."""

    def rmdir(self, path: str, recursive: bool = False) -> None:
        """With `recursive` delete all below; without, a directory that has files stays."""
        with naming_path(path):
            store, _, key = self.locate(path)
            if recursive:
                store.delete([info.key for info in store.objects(_below(key))])

    def find(self, path: str) -> Listing:
        with naming_path(path):
            store, root, key = self.locate(path)
            return self._listing(root, store.objects(_below(key)))

    def tree_files(self, path: str) -> list[str]:
        return self.find(path).paths

    def match(self, pattern: str) -> Listing:
        with naming_path(pattern):
            store, root, key = self.locate(pattern)
            if key.endswith("/**") and not has_magic(key[:-3]):
                return self._listing(root, store.objects(key[:-2]))
            return self._listing(root, [info for info, _ in self._matches(store, key) if info])

    def glob_files(self, pattern: str) -> list[str]:
        return self.match(pattern).paths

    def glob(self, pattern: str) -> list[str]:
        with naming_path(pattern):
            store, root, key = self.locate(pattern)
            found = [name for _, name in self._matches(store, key)]
            return [root + name for name in dict.fromkeys(found)]

    def _listing(self, root: str, found: Iterable[ObjectInfo]) -> Listing:
        files = [info for info in found if not info.key.endswith("/")]
        paths = [root + info.key for info in files]
        records = [self._record(path, info) for path, info in zip(paths, files, strict=True)]
        return Listing(paths, hash_structs(records))

    def _matches(self, store: ObjectStore, pattern: str) -> Iterator[tuple[ObjectInfo | None, str]]:
        """The objects and directories that match, each with its key; directories without a slash."""
        if not has_magic(pattern):
            info = None if pattern.endswith("/") else self._head(store, pattern)
            if info or (pattern and store.is_prefix(_below(pattern))):
                yield info, pattern.rstrip("/")
            return
        start = literal_prefix(pattern)
        if "**" in pattern.split("/"):
            yield from _matches_below(store.objects(start), compile_pattern(pattern))
            return
        # One level at a time: a pattern of a few files must not list a whole bucket.
        folder = start[: start.rfind("/") + 1]
        segment, slash, rest = pattern[len(folder) :].partition("/")
        matcher = compile_pattern(folder + segment)
        objects, prefixes = store.level(start)
        for prefix in prefixes:
            name = prefix[:-1]
            if matcher.fullmatch(name):
                if slash and rest:
                    yield from self._matches(store, f"{_escaped(prefix)}{rest}")
                else:
                    yield None, name
        if not slash:
            for info in objects:
                if matcher.fullmatch(info.key) and not info.key.endswith("/"):
                    yield info, info.key

    # -- copying ------------------------------------------------------------------------------

    def copy(self, src_path: str, dest_path: str) -> None:
        """Copy a file: on the server, or streamed through memory of a few blocks."""
        source, dest = get_filesystem(url=src_path), get_filesystem(url=dest_path)
        if isinstance(source, ObjectFileSystem) and isinstance(dest, ObjectFileSystem):
            with naming_path(src_path):
                if source.copy_on_server(source.locate(src_path), dest.locate(dest_path)):
                    return
        if get_proto(src_path) == "local" and dest is self:
            with naming_path(dest_path):
                store, _, key = self.locate(dest_path)
            with naming_path(src_path), open(src_path, "rb"):
                pass  # an unreadable source is told apart from a failing store
            with naming_path(dest_path):
                store.put_file(key, src_path)
        elif isinstance(source, ObjectFileSystem):
            source._fetch_to(src_path, dest_path)
        else:
            super().copy(src_path, dest_path)

    def copy_on_server(self, source: Place, dest: Place) -> bool:
        """Copy without moving the bytes here; False if the store can't."""
        if source.root != dest.root:
            return False
        if source.key == dest.key:
            import shutil

            raise shutil.SameFileError(f"{source.root}{source.key} is both source and destination")
        source.store.copy(source.key, dest.key)
        return True

    def _fetch_to(self, src_path: str, dest_path: str) -> None:
        with naming_path(src_path):
            store, _, key = self.locate(src_path)
            info, start = store.read_start(key, PART_SIZE)
        with get_filesystem(url=dest_path).open(dest_path, "wb") as dest:
            dest.write(start)
            spans = [
                (position, min(position + PART_SIZE, info.size))
                for position in range(len(start), info.size, PART_SIZE)
            ]
            with naming_path(src_path):
                for block in _ahead(lambda span: store.read(info, *span), spans, MANY_BLOCKS):
                    dest.write(block)


def _below(key: str) -> str:
    """The prefix of the keys below a directory."""
    return key if not key or key.endswith("/") else f"{key}/"


def _escaped(text: str) -> str:
    """A text as a pattern that matches just it."""
    import glob

    return glob.escape(text)


def _matches_below(found: Iterable[ObjectInfo], matcher: Any) -> Iterator[tuple[Any, str]]:
    """Objects that match, and the directories above objects that do."""
    seen: set[str] = set()
    for info in found:
        if matcher.fullmatch(info.key) and not info.key.endswith("/"):
            yield info, info.key
        end = info.key.rfind("/")
        while end > 0 and info.key[:end] not in seen:
            seen.add(info.key[:end])
            if matcher.fullmatch(info.key[:end]):
                yield None, info.key[:end]
            end = info.key.rfind("/", 0, end)


def in_parallel(work: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """The results of work that waits for the network, in order."""
    if len(items) < 2:
        return [work(item) for item in items]
    with ThreadPoolExecutor(min(MANY_REQUESTS, len(items))) as pool:
        return list(pool.map(work, items))


def _ahead(work: Callable[[T], R], items: Sequence[T], count: int) -> Iterator[R]:
    """The results in order, at most `count` of them computed in advance."""
    if not items:
        return
    with ThreadPoolExecutor(count) as pool:
        waiting = [pool.submit(work, item) for item in items[:count]]
        for index in range(len(items)):
            result = waiting[index % count].result()
            following = index + count
            if following < len(items):
                waiting[index % count] = pool.submit(work, items[following])
            yield result
