"""Streams of object stores: reading in blocks, writing that publishes when closed, editing a copy.

A stream that is left by an exception publishes nothing.
"""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any

from redun.file.errors import naming_path

if TYPE_CHECKING:
    from redun.clients.objects import ObjectInfo, ObjectStore, Upload

# Bytes read at first, and after a jump; each block that follows in order is twice as long.
FIRST_BLOCK = 1 << 20
JUMP_BLOCK = 1 << 17
LARGEST_BLOCK = 8 << 20


class TextStream(io.TextIOWrapper):
    """Text over a binary stream; an exception that ends a `with` block drops what was written."""

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        abandon(self.buffer, kind)
        self.close()


def abandon(stream: Any, kind: type | None) -> None:
    """Tell a stream that it is left by an exception of class `kind`, if it is one of ours."""
    if kind is not None and isinstance(stream, (WriteStream, EditStream)):
        stream.abort()


class ObjectReader(io.RawIOBase):
    """The bytes of an object, fetched in blocks: one request for a small one.

    Raises `RedunOSError` if the object is replaced while it is read.

    Parameters
    ----------
    url
        For errors.
    """

    def __init__(self, store: ObjectStore, key: str, url: str) -> None:
        self._store = store
        self._url = url
        self.info: ObjectInfo
        self.info, self._block = store.read_start(key, FIRST_BLOCK)
        self._start = 0
        self._position = 0
        self._length = FIRST_BLOCK

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.info.size}[whence]
        if base + offset < 0:
            raise OSError(22, os.strerror(22))
        self._position = base + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        if not view or self._position >= self.info.size:
            return 0
        inside = self._position - self._start
        if not 0 <= inside < len(self._block):
            self._fetch()
            inside = 0
        count = min(len(view), len(self._block) - inside)
        view[:count] = self._block[inside : inside + count]
        self._position += count
        return count

    def _fetch(self) -> None:
        """Load the block at the position."""
        in_order = self._position == self._start + len(self._block)
        self._length = min(self._length * 2, LARGEST_BLOCK) if in_order else JUMP_BLOCK
        end = min(self._position + self._length, self.info.size)
        with naming_path(self._url):
            self._block = self._store.read(self.info, self._position, end)
        self._start = self._position

    def readall(self) -> bytes:
        parts = []
        while self._position < self.info.size:
            inside = self._position - self._start
            if not 0 <= inside < len(self._block):
                self._length = LARGEST_BLOCK
                self._fetch()
                inside = 0
            parts.append(self._block[inside:] if inside else self._block)
            self._position += len(parts[-1])
        return b"".join(parts)


class ObjectWriter(io.RawIOBase):
    """The bytes of an object to be: sent in parts if many, visible once closed.

    Parameters
    ----------
    url
        For errors.
    part_size
        Bytes of a part.
    create
        An error when closed if the object has been made meanwhile.
    """

    def __init__(
        self, store: ObjectStore, key: str, url: str, part_size: int, create: bool = False
    ) -> None:
        self._store = store
        self._key = key
        self._url = url
        self._part_size = part_size
        self._create = create
        self._parts: list[bytes] = []
        self._kept = 0
        self._upload: Upload | None = None
        self._aborted = False

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        if self._aborted:
            return len(data)
        part = bytes(data)
        self._parts.append(part)
        self._kept += len(part)
        if self._kept >= self._part_size:
            with naming_path(self._url):
                self._send()
        return len(part)

    def _send(self) -> None:
        if self._upload is None:
            self._upload = self._store.upload(self._key)
        self._upload.write(b"".join(self._parts))
        self._parts, self._kept = [], 0

    def abort(self) -> None:
        """Publish nothing when closed."""
        self._aborted = True
        self._upload = None
        self._parts, self._kept = [], 0

    def close(self) -> None:
        if self.closed:
            return
        try:
            if not self._aborted:
                with naming_path(self._url):
                    self._publish()
        finally:
            super().close()

    def _publish(self) -> None:
        if self._upload is None:
            self._store.put(self._key, b"".join(self._parts), create=self._create)
        else:
            if self._kept:
                self._send()
            self._upload.close()


class WriteStream(io.BufferedWriter):
    """Buffered writing over an `ObjectWriter`."""

    raw: ObjectWriter

    def abort(self) -> None:
        """Publish nothing when closed."""
        self.raw.abort()

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        abandon(self, kind)
        self.close()


class EditStream(io.BufferedRandom):
    """A local copy of a remote file, read and written anywhere, which replaces it when closed.

    Parameters
    ----------
    url
        For errors.
    publish
        Called with the path of the copy.
    content
        The bytes to begin with; None for none.
    """

    def __init__(
        self, url: str, publish: Callable[[str], None], content: IO[bytes] | None = None
    ) -> None:
        self._url = url
        handle, self._path = tempfile.mkstemp(prefix="redun-")
        self._publish: Callable[[str], None] | None = publish
        super().__init__(io.FileIO(handle, "r+"))
        if content is not None:
            import shutil

            with content:
                shutil.copyfileobj(content, self, 1 << 20)
            self.seek(0)

    def abort(self) -> None:
        """Publish nothing when closed."""
        self._publish = None

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        abandon(self, kind)
        self.close()

    def close(self) -> None:
        if self.closed:
            return
        try:
            super().close()
            if self._publish is not None:
                with naming_path(self._url):
                    self._publish(self._path)
        finally:
            os.unlink(self._path)


class AppendStream(EditStream):
    """An `EditStream` that writes at the end, wherever it was read."""

    def write(self, data: Any) -> int:
        self.seek(0, os.SEEK_END)
        return super().write(data)


def plain_mode(mode: str) -> str:
    """`r`, `w`, `a` or `x`, and `+` if given.

    Raises
    ------
    ValueError
        The mode is not one of the built-in `open`.
    """
    letters = [letter for letter in mode if letter in "rwax"]
    if len(letters) != 1 or set(mode) - set("rwax+bt") or {"b", "t"} <= set(mode):
        raise ValueError(f"invalid mode: {mode!r}")
    return letters[0] + ("+" if "+" in mode else "")


def text_options(options: dict[str, Any]) -> dict[str, Any]:
    """Those of the options of `open` that a text stream takes."""
    return {name: options[name] for name in ("encoding", "errors", "newline") if name in options}
