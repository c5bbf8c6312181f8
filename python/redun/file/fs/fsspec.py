"""File systems that the fsspec library knows: the open door for every other protocol."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from typing import IO, Any, TypeVar

from redun.clients.extras import load
from redun.file.errors import naming_path
from redun.file.fs.base import FileSystem, Listing, get_proto
from redun.file.fs.streams import (
    AppendStream,
    EditStream,
    TextStream,
    plain_mode,
    text_options,
)
from redun.hashing import get_scheme, hash_struct, hash_structs

T = TypeVar("T")

# What tells in a file's information that it was rewritten, best first.
_VERSIONS = ("ETag", "etag", "e_tag", "generation", "version_id", "Content-MD5", "md5", "sha256")
_TIMES = (
    "Last-Modified",
    "LastModified",
    "last_modified",
    "mtime",
    "modify",
    "modified",
    "updated",
)


class FsspecFileSystem(FileSystem):
    """Files of a protocol that fsspec serves; `name` is the protocol.

    The quick hash is of path and size and, except under the compatibility scheme, of what the file
    system tells of the version: entity tag, or time of modification.
    """

    __module__ = "redun.file"

    name = "fsspec"

    def resolve(self, path: str) -> tuple[Any, str]:
        """The fsspec file system of a URL, for this thread, and the path in it.

        Raises
        ------
        ImportError
            The library for the protocol is not installed.
        """
        core = load("fsspec.core", f"files on {self.name}", "fsspec")
        fs, name = core.url_to_fs(path)
        # What a listing said before must not become a hash now.
        fs.invalidate_cache()
        return fs, name

    def telling(self, path: str) -> AbstractContextManager[None]:
        """Turn the library's errors into those that name the path."""
        return naming_path(path)

    def _call(self, path: str, work: Callable[[Any, str], T]) -> T:
        with self.telling(path):
            return work(*self.resolve(path))

    def _open(self, path: str, mode: str, **kwargs: Any) -> IO:
        with self.telling(path):
            fs, name = self.resolve(path)
            kind = plain_mode(mode)
            options = text_options(kwargs)
            if len(options) < len(kwargs):  # options of the library: its own stream
                if kind != "r":
                    self.make_parent(fs, name)
                return fs.open(name, mode, **kwargs)
            stream = (
                self.open_reader(fs, name) if kind == "r" else self._editor(path, fs, name, kind)
            )
        return stream if "b" in mode else TextStream(stream, **options)

    def as_text(self, stream: Any, encoding: str) -> IO:
        return TextStream(stream, encoding)

    def open_reader(self, fs: Any, name: str) -> Any:
        """A binary stream to read a file from."""
        if fs.isdir(name):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        stream = fs.open(name, "rb")
        # Archives close what they are read from when they are dropped.
        with suppress(AttributeError):
            stream.redun_filesystem = fs
        return stream

    def _editor(self, url: str, fs: Any, name: str, mode: str) -> EditStream:
        """A stream into a local copy: what is left by an exception, or cut off, is never sent."""
        if "x" in mode and fs.exists(name):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        if "w" in mode or "a" in mode:
            self.make_parent(fs, name)
        keeps = mode == "r+" or ("a" in mode and fs.exists(name))
        content = self.open_reader(fs, name) if keeps else None
        kind = AppendStream if "a" in mode else EditStream
        return kind(url, lambda copy: self.send(url, copy), content)

    def send(self, url: str, copy: str) -> None:
        """Replace a file by a local one."""
        with self.telling(url):
            fs, name = self.resolve(url)
            fs.put_file(copy, name)

    def make_parent(self, fs: Any, name: str) -> None:
        """Create the directory of a file, and its parents."""
        parent = fs._parent(name)
        if parent.strip("/"):
            fs.makedirs(parent, exist_ok=True)

    def exists(self, path: str) -> bool:
        return self._call(path, lambda fs, name: fs.exists(name))

    def isfile(self, path: str) -> bool:
        return self._call(path, lambda fs, name: fs.isfile(name))

    def isdir(self, path: str) -> bool:
        return self._call(path, lambda fs, name: fs.isdir(name))

    def filesize(self, path: str) -> int:
        return self._call(path, lambda fs, name: fs.size(name))

    def remove(self, path: str) -> None:
        with self.telling(path):
            fs, name = self.resolve(path)
            if not fs.exists(name):
                return
            try:
                fs.rm_file(name)
            except FileNotFoundError:
                pass  # another has deleted it
            except NotImplementedError:
                fs.rm(name)

    def mkdir(self, path: str) -> None:
        self._call(path, lambda fs, name: fs.makedirs(name, exist_ok=True))

    def rmdir(self, path: str, recursive: bool = False) -> None:
        with self.telling(path):
            fs, name = self.resolve(path)
            if not fs.isdir(name):
                return
            if recursive:
                fs.rm(name, recursive=True)
            else:
                fs.rmdir(name)

    # -- hashes -------------------------------------------------------------------------------

    def get_hash(self, path: str) -> str:
        with self.telling(path):
            return hash_struct(self._record(path, *self.resolve(path)))

    def get_hashes(self, paths: Sequence[str]) -> list[str]:
        return [self.get_hash(path) for path in paths]

    def _record(self, path: str, fs: Any, name: str, info: dict | None = None) -> list:
        """What the quick hash of a file is taken of."""
        try:
            info = self.info(fs, name) if info is None else info
        except FileNotFoundError:
            return ["File", "fsspec", path, "-1"]
        record = ["File", "fsspec", path, str(info.get("size"))]
        if get_scheme() != "redun1":
            record += self.version(fs, name, info)
        return record

    def info(self, fs: Any, name: str) -> dict:
        """What the library tells of a file; `FileNotFoundError` if it is missing."""
        return fs.info(name)

    def version(self, fs: Any, name: str, info: dict) -> list[str]:
        """What tells that a file of the same size was rewritten; [] if nothing does."""
        for key in (*_VERSIONS, *_TIMES):
            if info.get(key):
                return [str(info[key])]
        try:
            return [str(fs.modified(name))]
        except NotImplementedError:
            return [str(info["created"])] if info.get("created") else []

    # -- many files ---------------------------------------------------------------------------

    def find(self, path: str) -> Listing:
        with self.telling(path):
            fs, name = self.resolve(path)
            try:
                found = fs.find(name, detail=True)
            except (FileNotFoundError, NotADirectoryError):
                return Listing([])
            if list(found) == [name] or (len(found) == 1 and fs.isfile(name)):
                return Listing([])  # a file has nothing below it
            return self._listing(path, fs, name, found)

    def tree_files(self, path: str) -> list[str]:
        return self.find(path).paths

    def match(self, pattern: str) -> Listing:
        with self.telling(pattern):
            fs, name = self.resolve(pattern)
            found = fs.glob(name, detail=True)
            files = {key: info for key, info in found.items() if info.get("type") != "directory"}
            return self._listing(pattern, fs, name, files)

    def glob_files(self, pattern: str) -> list[str]:
        return self.match(pattern).paths

    def glob(self, pattern: str) -> list[str]:
        with self.telling(pattern):
            fs, name = self.resolve(pattern)
            return [url_of(pattern, name, key) for key in fs.glob(name)]

    def _listing(self, url: str, fs: Any, name: str, found: dict[str, dict]) -> Listing:
        paths = [url_of(url, name, key) for key in found]
        records = [
            self._record(path, fs, key, info)
            for path, (key, info) in zip(paths, found.items(), strict=True)
        ]
        return Listing(paths, hash_structs(records))

    def copy(self, src_path: str, dest_path: str) -> None:
        if get_proto(src_path) == get_proto(dest_path) and self._copy_there(src_path, dest_path):
            return
        super().copy(src_path, dest_path)

    def _copy_there(self, src_path: str, dest_path: str) -> bool:
        """Copy within the file system; False if that is not possible."""
        with self.telling(src_path):
            source, src_name = self.resolve(src_path)
            dest, dest_name = self.resolve(dest_path)
            if source is not dest:
                return False
            if src_name == dest_name:
                import shutil

                raise shutil.SameFileError(f"{src_path} is both source and destination")
            self.make_parent(dest, dest_name)
            try:
                source.cp_file(src_name, dest_name)
            except NotImplementedError:
                return False
            return True


def url_of(url: str, name: str, other: str) -> str:
    """The URL of another path of the file system that `url` is of, where `url` itself is `name`."""
    if "://" in other:
        return other
    scheme, separator, rest = url.partition("://")
    plain, inner = rest.lstrip("/"), name.lstrip("/")
    host = plain[: len(plain) - len(inner)] if inner and plain.endswith(inner) else ""
    if not inner:
        host = plain
    lead = rest[: len(rest) - len(plain)]
    if host and not host.endswith("/"):
        host += "/"
    return f"{scheme}{separator}{lead}{host}{other.lstrip('/')}"


def class_for(proto: str) -> type[FsspecFileSystem] | None:
    """A file system class for a protocol that fsspec knows; None if it does not."""
    library = load("fsspec.registry", f"files on {proto}", "fsspec")
    if proto not in library.registry and proto not in library.known_implementations:
        return None
    return type(f"{proto.title()}FileSystem", (FsspecFileSystem,), {"name": proto})
