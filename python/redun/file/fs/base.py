"""The interface of a file system, the registry of protocols, and functions over URLs of any protocol."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from string import ascii_letters, digits
from typing import IO, Any, BinaryIO, cast

from redun.file.errors import UnknownProtocolError, naming_path
from redun.hashing import hash_stream

FileTime = tuple[int, int] | tuple[float, float] | None

COPY_BLOCK = 1 << 20

_SCHEME_CHARACTERS = frozenset(ascii_letters + digits + "+-.")


@dataclass
class Listing:
    """Files that were found.

    Attributes
    ----------
    paths
        Their paths, in any order.
    hashes
        Their quick hashes, if looking for them told so; else None.
    """

    paths: list[str]
    hashes: list[str] | None = None


class FileSystem(ABC):
    """What files of one protocol can do. One instance serves the whole process.

    Attributes
    ----------
    name
        The protocol in URLs; `local` for plain paths.
    dir_hash_by_prefix
        Whether the compatibility scheme hashes directories by other files than they have
        (`iter_file_hashes`).
    """

    __module__ = "redun.file"

    name = "base"
    dir_hash_by_prefix = False

    def open(self, path: str, mode: str, encoding: str | None = None, **kwargs: Any) -> IO:
        """Open a stream.

        Parameters
        ----------
        mode
            As for the built-in `open`; text modes only where `encoding` is given.

        Raises
        ------
        RedunFileNotFoundError, RedunPermissionError, RedunOSError
            The operating system refuses.
        ValueError
            Binary mode with an encoding.
        """
        if encoding is not None:
            if "b" in mode:
                raise ValueError("Binary mode 'b' cannot be used with encoding.")
            return self.as_text(self._open_logged(path, mode + "b", **kwargs), encoding)
        return self._open_logged(path, mode, **kwargs)

    def as_text(self, stream: Any, encoding: str) -> IO:
        """A text stream over a binary one of this file system."""
        return io.TextIOWrapper(stream, encoding)

    def _open_logged(self, path: str, mode: str, **kwargs: Any) -> IO:
        try:
            with naming_path(path):
                return self._open(path, mode, **kwargs)
        except OSError:
            raise
        except Exception:
            from redun.logging import logger

            logger.error(f"File.open error: {path}")
            raise

    @abstractmethod
    def _open(self, path: str, mode: str, **kwargs: Any) -> IO:
        """Open a stream; called by `open`, which maps errors and text encoding."""

    @abstractmethod
    def exists(self, path: str) -> bool:
        """Whether a file or directory is there."""

    @abstractmethod
    def remove(self, path: str) -> None:
        """Delete a file; a missing one is fine."""

    def touch(self, path: str, time: FileTime = None) -> None:
        """Create an empty file unless it exists. Setting times is for file systems that have them."""
        assert time is None, "time is not supported."
        with self.open(path, "a"):
            pass

    @abstractmethod
    def mkdir(self, path: str) -> None:
        """Create a directory and its parents; existing ones are fine."""

    @abstractmethod
    def rmdir(self, path: str, recursive: bool = False) -> None:
        """Delete a directory; with its content if `recursive`."""

    @abstractmethod
    def get_hash(self, path: str) -> str:
        """The quick hash of a file, which changes when the file is rewritten."""

    def get_hashes(self, paths: Sequence[str]) -> list[str]:
        """`get_hash` of each path."""
        return [self.get_hash(path) for path in paths]

    def content_hashes(self, paths: Sequence[str]) -> list[str]:
        """The digest of the content of each file."""
        hashes = []
        for path in paths:
            with self.open(path, "rb") as stream:
                hashes.append(hash_stream(cast(BinaryIO, stream), COPY_BLOCK))
        return hashes

    def iter_file_hashes(self, path: str) -> Iterator[str]:
        """The quick hash of each file below a directory, in any order."""
        return iter(self.get_hashes(self.tree_files(path)))

    def tree_files(self, path: str) -> list[str]:
        """The paths of all files below a directory, in any order."""
        return self.glob_files(f"{path}/**")

    def glob_files(self, pattern: str) -> list[str]:
        """The paths of the files, not directories, that match a pattern."""
        return [path for path in self.glob(pattern) if self.isfile(path)]

    def find(self, path: str) -> Listing:
        """All files below a directory."""
        return Listing(self.tree_files(path))

    def match(self, pattern: str) -> Listing:
        """The files that match a pattern."""
        return Listing(self.glob_files(pattern))

    def quick_hashes(self, listing: Listing) -> list[str]:
        """The quick hash of each file of a listing."""
        return self.get_hashes(listing.paths) if listing.hashes is None else listing.hashes

    def copy(self, src_path: str, dest_path: str) -> None:
        """Copy a file; one of both paths is of this file system."""
        with (
            get_filesystem(url=src_path).open(src_path, "rb") as source,
            get_filesystem(url=dest_path).open(dest_path, "wb") as dest,
        ):
            copy_stream(source, dest)

    def shell_copy(
        self,
        src_path: str | None,
        dest_path: str | None,
        recursive: bool = False,
        as_mount: bool = False,
    ) -> str:
        """The shell command that copies; None stands for standard input or output.

        Raises
        ------
        ValueError
            `recursive` with standard input or output.
        """
        from shlex import quote

        check_recursive(src_path, dest_path, recursive)
        flag = "--recursive " if recursive else ""
        return f"redun fs cp {flag}{quote(src_path or '-')} {quote(dest_path or '-')}"

    @abstractmethod
    def glob(self, pattern: str) -> list[str]:
        """The paths that match a pattern; `**` for any depth."""

    @abstractmethod
    def isfile(self, path: str) -> bool:
        """Whether the path is a file."""

    @abstractmethod
    def isdir(self, path: str) -> bool:
        """Whether the path is a directory."""

    @abstractmethod
    def filesize(self, path: str) -> int:
        """The size of a file in bytes."""


def check_recursive(src_path: str | None, dest_path: str | None, recursive: bool) -> None:
    """Raise ValueError for a recursive copy from standard input or to standard output."""
    if recursive and (src_path is None or dest_path is None):
        raise ValueError("recursive is not supported with stdin or stdout.")


def copy_stream(source: IO, dest: IO) -> None:
    """Copy all bytes of one binary stream to another."""
    while block := source.read(COPY_BLOCK):
        dest.write(block)


_classes: dict[str, type[FileSystem]] = {}
_instances: dict[type[FileSystem], FileSystem] = {}

# Where the file systems of protocols are defined that are loaded when first used.
_BUILT_IN = {
    "local": "redun.file.fs.local",
    "http": "redun.file.fs.http",
    "https": "redun.file.fs.http",
    "ftp": "redun.file.fs.ftp",
    "gs": "redun.file.fs.gs",
    "s3": "redun.file.fs.s3",
    "az": "redun.file.fs.azure",
    "abfs": "redun.file.fs.azure",
    "abfss": "redun.file.fs.azure",
}


def register_filesystem(cls: type[FileSystem]) -> type[FileSystem]:
    """Decorator: serve the protocol `cls.name` by this class."""
    _classes[cls.name] = cls
    return cls


def get_proto(url: str | None = None) -> str:
    """The protocol of a URL in lower case; `local` for a plain path."""
    if not url or ":" not in url:
        return "local"
    scheme = url[: url.index(":")].lstrip()
    if scheme and scheme[0] in ascii_letters and _SCHEME_CHARACTERS.issuperset(scheme):
        return scheme.lower()
    return "local"


def get_filesystem_class(proto: str | None = None, url: str | None = None) -> type[FileSystem]:
    """The class that serves a protocol, given by name or by a URL.

    Raises
    ------
    UnknownProtocolError
        (a `KeyError`) No class serves it, nor does fsspec know it.
    AssertionError
        Neither is given.
    """
    if not proto:
        assert url, "Must give url or proto as argument."
        proto = get_proto(url)
    try:
        return _classes[proto]
    except KeyError:
        return _load_class(proto)


def _load_class(proto: str) -> type[FileSystem]:
    """The class of a protocol that was not used before: one of ours, or one made for fsspec's."""
    from importlib import import_module

    if proto in _BUILT_IN:
        import_module(_BUILT_IN[proto])
        return _classes[proto]
    cls = import_module("redun.file.fs.fsspec").class_for(proto)
    if cls is None:
        raise UnknownProtocolError(proto, tuple(dict.fromkeys([*_BUILT_IN, *_classes])))
    return register_filesystem(cls)


def get_filesystem(proto: str | None = None, url: str | None = None) -> FileSystem:
    """The file system that serves a protocol; errors as of `get_filesystem_class`."""
    cls = get_filesystem_class(proto, url)
    try:
        return _instances[cls]
    except KeyError:
        return _instances.setdefault(cls, cls())


def list_filesystems() -> list[type[FileSystem]]:
    """The classes of the protocols served here, and those registered or used since."""
    for proto in _BUILT_IN:
        get_filesystem_class(proto)
    return [_classes[proto] for proto in dict.fromkeys([*_BUILT_IN, *_classes])]


def open_file(url: str, mode: str = "r", encoding: str | None = None, **kwargs: Any) -> IO:
    """Open a URL of any protocol; no `File` keeps track of its hash."""
    return get_filesystem(url=url).open(url, mode, encoding=encoding, **kwargs)


def glob_file(pattern: str) -> list[str]:
    """The paths that match a pattern of any protocol."""
    return get_filesystem(url=pattern).glob(pattern)
