"""Web servers: `http://` and `https://`, to read from."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

from redun.clients.extras import load
from redun.file.errors import naming_path
from redun.file.fs.base import Listing, register_filesystem
from redun.file.fs.fsspec import FsspecFileSystem
from redun.file.fs.objects import in_parallel
from redun.hashing import get_scheme


@register_filesystem
class HTTPFileSystem(FsspecFileSystem):
    """Files of web servers. URLs are sent as they are: spaces and the like must be escaped.

    A directory is a page with links to what is below it. The quick hash covers what the server tells:
    size, and entity tag or else time of modification; of neither, the content is hashed.
    """

    __module__ = "redun.file"

    name = "http"

    @contextmanager
    def telling(self, path: str) -> Iterator[None]:
        client = load("aiohttp", "files on web servers", "http")
        with naming_path(path):
            try:
                yield
            except client.ClientError as error:
                raise _told(client, error) from error

    def _open(self, path: str, mode: str, **kwargs: Any) -> IO:
        if set(mode) & set("wax+"):
            raise NotImplementedError(f"Files of web servers can only be read: {path}")
        return super()._open(path, mode, **kwargs)

    def open_reader(self, fs: Any, name: str) -> Any:
        info = self.info(fs, name)
        size = info.get("size") if info.get("partial", True) else None
        return fs.open(name, "rb", size=size)

    def info(self, fs: Any, name: str) -> dict:
        try:
            return fs.info(name)
        except FileNotFoundError as error:
            # The library says so of every failure.
            client = load("aiohttp", "files on web servers", "http")
            if isinstance(error.__cause__, client.ClientError):
                raise _told(client, error.__cause__) from error
            raise

    def exists(self, path: str) -> bool:
        with self.telling(path):
            fs, name = self.resolve(path)
            try:
                self.info(fs, name)
            except FileNotFoundError:
                return False
            return True

    def isfile(self, path: str) -> bool:
        return not path.endswith("/") and self.exists(path)

    def remove(self, path: str) -> None:
        raise NotImplementedError(f"Files of web servers can only be read: {path}")

    def mkdir(self, path: str) -> None:
        raise NotImplementedError(f"Files of web servers can only be read: {path}")

    def rmdir(self, path: str, recursive: bool = False) -> None:
        raise NotImplementedError(f"Files of web servers can only be read: {path}")

    def get_hashes(self, paths: Sequence[str]) -> list[str]:
        return in_parallel(self.get_hash, paths)

    def _record(self, path: str, fs: Any, name: str, info: dict | None = None) -> list:
        record = super()._record(path, fs, name, info)
        if len(record) == 4 and record[3] != "-1" and get_scheme() != "redun1":
            record += self.content_hashes([path])  # the server tells of no version
        return record

    def _listing(self, url: str, fs: Any, name: str, found: dict[str, dict]) -> Listing:
        return Listing([path for path in found if not path.endswith("/")])


@register_filesystem
class HTTPSFileSystem(HTTPFileSystem):
    """Files of web servers, encrypted on the way."""

    __module__ = "redun.file"

    name = "https"


def _told(client: Any, error: Any) -> OSError:
    """An error of the library as one of the operating system."""
    if not isinstance(error, client.ClientResponseError):
        return OSError(errno.EIO, str(error) or type(error).__name__)
    if error.status in (404, 410):
        return FileNotFoundError(errno.ENOENT, "No such file or directory")
    if error.status in (401, 403, 407):
        return PermissionError(errno.EACCES, f"Access denied ({error.status} {error.message})")
    return OSError(errno.EIO, f"The server answered {error.status} {error.message}")
