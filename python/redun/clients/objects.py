"""What a client of an object store offers: one bucket (container), keys, bytes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple, Protocol

# Parts of a multipart upload, and the blocks that large objects are read in: bytes.
PART_SIZE = 8 << 20


class ObjectInfo(NamedTuple):
    """An object as listings and look-ups tell it.

    Attributes
    ----------
    key
        Its full key in the bucket.
    size
        Bytes.
    tag
        The entity tag with its double quotes; changes with the content.
    """

    key: str
    size: int
    tag: str


class Upload(Protocol):
    """An object being written in parts; it is visible only once closed."""

    def write(self, data: bytes) -> object:
        """Add bytes at the end."""

    def close(self) -> object:
        """Publish the object."""


class ObjectStore(Protocol):
    """One bucket.

    Every method raises `FileNotFoundError` where the object or bucket is missing, `PermissionError`
    where access is denied, and `OSError` for other failures, after the client's retries.
    """

    def head(self, key: str) -> ObjectInfo:
        """Look an object up."""

    def read_start(self, key: str, length: int) -> tuple[ObjectInfo, bytes]:
        """Look an object up and read its first bytes, in one request."""

    def read(self, info: ObjectInfo, start: int, end: int) -> bytes:
        """The bytes from `start` to before `end`; an error if the object is not that of `info`."""

    def put(self, key: str, data: bytes, create: bool = False) -> None:
        """Write a whole object; with `create`, `FileExistsError` if there is one."""

    def put_file(self, key: str, path: str) -> None:
        """Write a whole object from a local file."""

    def upload(self, key: str) -> Upload:
        """Begin an upload in parts."""

    def copy(self, source: str, dest: str) -> None:
        """Copy within the bucket, on the server."""

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; missing ones are fine."""

    def objects(self, prefix: str) -> list[ObjectInfo]:
        """All objects whose key starts with the text `prefix`, by key."""

    def level(self, prefix: str) -> tuple[list[ObjectInfo], list[str]]:
        """The objects that have no slash after the prefix, and the longer prefixes up to a slash."""

    def is_prefix(self, prefix: str) -> bool:
        """Whether any key starts with the text `prefix`; an error if there is no such bucket."""


_UNUSUAL = re.compile(r"^/|/$|//|(?:^|/)\.\.?(?:/|$)|[\x00-\x1f\x7f]|^$")


def is_usual_key(key: str) -> bool:
    """Whether a key is one that file-like clients don't rewrite or refuse.

    Keys are any text, but some clients treat them as paths: no slash at the ends, no empty segment, no
    `.` or `..`, no control character.
    """
    return _UNUSUAL.search(key) is None
