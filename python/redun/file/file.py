"""`File`: a path and the hash of what was there when it was looked at."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any

from redun.file.families import PLAIN, FileClasses
from redun.file.fs.base import FileSystem, FileTime, Listing, get_filesystem
from redun.file.memo import HashMemo
from redun.value.base import Value

if TYPE_CHECKING:
    from redun.file.staging import StagingFile


def as_path(path: Any) -> Any:
    """The text of a path; bytes are decoded, objects such as `pathlib.Path` asked for theirs."""
    return os.fsdecode(path) if isinstance(path, (bytes, os.PathLike)) else path


@PLAIN.add
class File(HashMemo, Value):
    """A file, local or remote.

    Making one does no input or output. The hash is computed when first needed and kept; writing through
    this object keeps it up to date.

    Parameters
    ----------
    path
        Path or URL, kept as it is given.

    Raises
    ------
    UnknownProtocolError
        (a `KeyError`) No registered file system serves the URL.
    """

    __module__ = "redun.file"

    type_basename = "File"
    type_name = "redun.File"
    classes: FileClasses

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path: str = path if type(path) is str else as_path(path)
        self.filesystem: FileSystem = get_filesystem(url=self.path)
        self._hash = None
        self._hash_scheme = None

    def __repr__(self) -> str:
        return f"{self.type_basename}(path={self.path}, hash={self.hash[:8]})"

    def __getstate__(self) -> dict:
        return {"path": self.path, "hash": self.hash}

    def __setstate__(self, state: dict) -> None:
        self.path = state["path"]
        self.filesystem = get_filesystem(url=self.path)
        self._set_hash(state["hash"])

    def _calc_hash(self) -> str:
        return self.filesystem.get_hash(self.path)

    @classmethod
    def hash_listing(cls, filesystem: FileSystem, listing: Listing) -> list[str]:
        """The hash that a file of this class would have at each path of a listing, in one go."""
        return filesystem.quick_hashes(listing)

    @classmethod
    def with_hash(cls, path: str, hash: str | None) -> File:
        """A file whose hash is known already."""
        file = cls(path)
        file._set_hash(hash)
        return file

    def exists(self) -> bool:
        """Whether the path exists, as a file or as a directory."""
        return self.filesystem.exists(self.path)

    def remove(self) -> None:
        """Delete the file; a missing one is fine. The kept hash stays."""
        self.filesystem.remove(self.path)

    def open(self, mode: str = "r", encoding: str | None = None, **kwargs: Any) -> IO:
        """Open a stream.

        After a stream that can write is closed the hash is computed anew, also when it is closed by
        being dropped. Missing parent directories are made in modes `w` and `a`.

        Parameters
        ----------
        mode
            As for the built-in `open`.
        encoding
            Encoding of text; `mode` must be a text mode then.

        Raises
        ------
        RedunFileNotFoundError, RedunPermissionError, RedunOSError
            The operating system refuses.
        """
        stream = self.filesystem.open(self.path, mode, encoding=encoding, **kwargs)
        if not _WRITING.isdisjoint(mode):
            stream.close = _CloseHook(stream, self)  # type: ignore[method-assign]
        return stream

    def touch(self, time: FileTime = None) -> None:
        """Create the file empty, or set its (access, modification) times. The kept hash stays."""
        self.filesystem.touch(self.path, time)

    def read(self, mode: str = "r", encoding: str | None = None) -> Any:
        """All of the content: text, or bytes with mode `rb`."""
        with self.open(mode, encoding=encoding) as stream:
            return stream.read()

    def readlines(self, mode: str = "r") -> list:
        """All lines, with their ends."""
        with self.open(mode) as stream:
            return stream.readlines()

    def write(self, data: str | bytes, mode: str = "w", encoding: str | None = None) -> None:
        """Replace the content (or append to it with mode `a`)."""
        with self.open(mode, encoding=encoding) as stream:
            stream.write(data)

    def copy_to(self, dest_file: File, skip_if_exists: bool = False) -> File:
        """Copy to another file, also of another file system, and return that file.

        Parameters
        ----------
        skip_if_exists
            Leave an existing destination as it is.
        """
        if skip_if_exists and dest_file.exists():
            return dest_file
        filesystem = self.filesystem
        if filesystem.name == "local" and dest_file.filesystem.name != "local":
            filesystem = dest_file.filesystem
        filesystem.copy(self.path, dest_file.path)
        dest_file.update_hash()
        return dest_file

    def shell_copy_to(self, dest_path: str | None, as_mount: bool = False) -> str:
        """The shell command that copies this file; None for standard output."""
        return self.filesystem.shell_copy(self.path, dest_path, as_mount=as_mount)

    def isfile(self) -> bool:
        """Whether the path is a file."""
        return self.filesystem.isfile(self.path)

    def isdir(self) -> bool:
        """Whether the path is a directory."""
        return self.filesystem.isdir(self.path)

    def stage(self, local: str | None = None) -> StagingFile:
        """Pair this file with a local copy; by default one of the same name in the current directory."""
        if not local:
            local = self.basename()
        elif local.endswith("/"):
            local = os.path.join(local, self.basename())
        return self.classes.StagingFile(self.classes.File(local), self)

    def basename(self) -> str:
        """What follows the last slash."""
        return os.path.basename(self.path)

    def dirname(self) -> str:
        """What precedes the last slash."""
        return os.path.dirname(self.path)

    def size(self) -> int:
        """The size in bytes."""
        return self.filesystem.filesize(self.path)


_WRITING = frozenset("wax+")


class _CloseHook:
    """Stands in for a stream's `close`: closes it and, the first time, updates the file's hash.

    The stream is referred to weakly: a cycle would keep a dropped stream, and what it has buffered,
    until the garbage collector runs, or for good at exit.
    """

    __slots__ = ("_close", "_done", "_file", "_stream")

    def __init__(self, stream: IO, file: File) -> None:
        self._close: Callable[[Any], Any] = type(stream).close
        self._stream = weakref.ref(stream)
        self._file = file
        self._done = False

    def __call__(self) -> None:
        stream = self._stream()
        if stream is None:
            return
        self._close(stream)
        if not self._done:
            self._done = True
            self._file.update_hash()
