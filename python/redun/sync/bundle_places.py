"""
Where bundles lie: a file that grows, or a directory (or a prefix of an object store) of files.

A file is appended to under a lock, the end of a segment after the rest of it is on disk. Objects can't be
appended to, so in a directory each segment is a file of its own, named by its content and never changed.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any, Protocol

from redun.hashing import Hash, hashing_as
from redun.sync.bundle_format import (
    FILE_HEADER_SIZE,
    BundleError,
    check_file_header,
    file_header,
)
from redun.sync.bundle_segment import Cache, Segment, SegmentBuilder, read_segments
from redun.sync.paths import SUFFIX

#: Files of a bundle that are kept open for reading.
OPEN_FILES = 32

_OBJECT_NAME = re.compile(r"[^/\\\x00]+\.redun")


class Place(Protocol):
    """Where the segments of a bundle are."""

    name: str

    def load(self) -> list[Segment]:
        """The complete segments that there are. Raises `BundleError` if some can't be read."""

    def publish(self, builder: SegmentBuilder) -> list[Segment]:
        """Writes a segment; returns it after those that others have added meanwhile."""

    def close(self) -> None:
        """Lets go of open files."""


class Streams:
    """The files of a bundle that were read last, kept open, by path or URL."""

    def __init__(self, limit: int = OPEN_FILES) -> None:
        self._limit = limit
        self._open: OrderedDict[str, IO[bytes]] = OrderedDict()

    def get(self, name: str) -> IO[bytes]:
        """A stream to read a file with, anywhere in it."""
        stream = self._open.get(name)
        if stream is None:
            from redun.file import open_file

            stream = self._open[name] = open_file(name, "rb")
            if len(self._open) > self._limit:
                self._open.popitem(last=False)[1].close()
        else:
            self._open.move_to_end(name)
        return stream

    def close(self) -> None:
        """Closes them all; `get` opens them again."""
        while self._open:
            self._open.popitem()[1].close()


class FileSource:
    """One file of a bundle, local or remote."""

    def __init__(self, name: str, streams: Streams) -> None:
        self.name = name
        self._streams = streams

    def read(self, offset: int, size: int) -> bytes:
        """That many bytes from that place; fewer at the end."""
        stream = self._streams.get(self.name)
        stream.seek(offset)
        pieces = []
        while size > 0 and (piece := stream.read(size)):
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)


class FilePlace:
    """One local file, to which segments are appended."""

    def __init__(self, path: str, cache: Cache) -> None:
        self.name = path
        self._cache = cache
        self._streams = Streams()
        self._end = FILE_HEADER_SIZE

    def load(self) -> list[Segment]:
        return self._read_on() if os.path.exists(self.name) else []

    def _read_on(self) -> list[Segment]:
        segments = _segments(self.name, self._end, self._streams, self._cache)
        if segments:
            self._end = segments[-1].end
        return segments

    def publish(self, builder: SegmentBuilder) -> list[Segment]:
        directory = os.path.dirname(os.path.abspath(self.name))
        os.makedirs(directory, exist_ok=True)
        with open(self.name, "ab") as stream, locked(stream):
            others = self._read_on()
            if os.path.getsize(self.name) < FILE_HEADER_SIZE:
                stream.truncate(0)
                stream.write(file_header())
            # What lies behind the last whole segment was cut off.
            stream.truncate(self._end)
            _write_segment(stream, builder)
        _sync_directory(directory)
        return others + self._read_on()

    def close(self) -> None:
        self._streams.close()


class DirectoryPlace:
    """A local directory of bundle files."""

    def __init__(self, path: str, cache: Cache) -> None:
        self.name = path
        self._cache = cache
        self._streams = Streams()
        self._known: set[str] = set()

    def load(self) -> list[Segment]:
        try:
            names = sorted(os.listdir(self.name))
        except FileNotFoundError:
            return []
        found: list[Segment] = []
        for name in names:
            path = os.path.join(self.name, name)
            if name.endswith(SUFFIX) and name not in self._known and os.path.isfile(path):
                self._known.add(name)
                found += _segments(path, FILE_HEADER_SIZE, self._streams, self._cache)
        return found

    def publish(self, builder: SegmentBuilder) -> list[Segment]:
        os.makedirs(self.name, exist_ok=True)
        # A name that doesn't end like a bundle: nobody reads it before it is whole.
        handle, draft = tempfile.mkstemp(prefix=".draft-", dir=self.name)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(file_header())
                _write_segment(stream, builder)
            os.chmod(draft, 0o666 & ~_umask())
            os.replace(draft, os.path.join(self.name, _object_name(draft)))
        except BaseException:
            with suppress(OSError):
                os.unlink(draft)
            raise
        _sync_directory(self.name)
        return self.load()

    def close(self) -> None:
        self._streams.close()


class RemotePlace:
    """A prefix of an object store, or anything else that has a protocol, or a single object in it."""

    def __init__(self, url: str, cache: Cache) -> None:
        self.name = url.rstrip("/")
        self._cache = cache
        self._streams = Streams()
        self._known: set[str] = set()
        self._is_object = False

    def load(self) -> list[Segment]:
        from redun.file import get_filesystem

        filesystem = get_filesystem(url=self.name)
        urls = sorted(filesystem.glob(f"{self.name}/*{SUFFIX}"))
        if not urls and self.name.endswith(SUFFIX) and filesystem.isfile(self.name):
            self._is_object = True
            urls = [self.name]
        found: list[Segment] = []
        for url in urls:
            if url not in self._known and _OBJECT_NAME.fullmatch(url.rpartition("/")[2]):
                self._known.add(url)
                found += _segments(url, FILE_HEADER_SIZE, self._streams, self._cache)
        return found

    def publish(self, builder: SegmentBuilder) -> list[Segment]:
        from redun.file import open_file

        if self._is_object:
            raise BundleError(
                f"`{self.name}` is a single object, which can't be appended to",
                hints=("push to another name: a directory of objects is made there",),
            )
        with tempfile.NamedTemporaryFile(suffix=SUFFIX) as draft:
            draft.write(file_header())
            _write_segment(draft, builder)
            url = f"{self.name}/{_object_name(draft.name)}"
            with open(draft.name, "rb") as source, open_file(url, "wb") as stream:
                while piece := source.read(1 << 20):
                    stream.write(piece)
        return self.load()

    def close(self) -> None:
        self._streams.close()


def find_place(path: str, cache: Cache) -> Place:
    """
    The place of a bundle that a path or URL names. Nothing is made yet.

    Raises `BundleError` for a path that can't be one.
    """
    from redun.file import get_proto

    if get_proto(path) != "local":
        if any(character in path for character in "*?["):
            raise BundleError(f"`{path}` cannot be a bundle: it holds a wildcard")
        return RemotePlace(path, cache)
    if os.path.isdir(path):
        for repo in (path, os.path.join(path, ".redun")):
            if os.path.exists(os.path.join(repo, "redun.ini")):
                is_it = "is" if repo == path else "holds"
                raise BundleError(
                    f"`{path}` {is_it} the configuration directory of a repo, not a bundle",
                    hints=(
                        f"`redun repo add NAME {repo}` gives it a name to push to and pull from",
                    ),
                )
        return DirectoryPlace(path, cache)
    if path.endswith(SUFFIX) or os.path.exists(path):
        return FilePlace(path, cache)
    return DirectoryPlace(path, cache)


def _segments(name: str, start: int, streams: Streams, cache: Cache) -> list[Segment]:
    """The complete segments of one file from a place on."""
    source = FileSource(name, streams)
    if not check_file_header(source.read(0, FILE_HEADER_SIZE), name):
        return []
    return list(read_segments(source, start, cache))


def _write_segment(stream: Any, builder: SegmentBuilder) -> None:
    """Writes a segment such that its end is on disk only if all before it is."""
    pieces = builder.write()
    piece = next(pieces)
    for following in pieces:
        stream.write(piece)
        piece = following
    _sync(stream)
    stream.write(piece)
    _sync(stream)


def _sync(stream: Any) -> None:
    stream.flush()
    os.fsync(stream.fileno())


def _sync_directory(path: str) -> None:
    """Puts the names in a directory on disk, where that can be asked for."""
    with suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _umask() -> int:
    before = os.umask(0)
    os.umask(before)
    return before


def _object_name(path: str) -> str:
    """The name of a bundle file: the digest of its content."""
    with hashing_as("blake3"):
        message = Hash()
    with open(path, "rb") as stream:
        while piece := stream.read(1 << 20):
            message.update(piece)
    return message.hexdigest() + SUFFIX


@contextmanager
def locked(stream: IO[bytes]) -> Iterator[None]:
    """Waits until no other process writes to a file; the lock goes with the process."""
    import fcntl

    fcntl.flock(stream, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(stream, fcntl.LOCK_UN)


__all__ = ["Place", "find_place"]
