"""FTP servers: `ftp://[user[:password]@]host[:port]/path`."""

from __future__ import annotations

import errno
import io
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import unquote, urlsplit

from redun.clients.extras import load
from redun.file.errors import naming_path
from redun.file.fs.base import register_filesystem
from redun.file.fs.fsspec import FsspecFileSystem

# A connection that was not used for so many seconds may have been closed by the server.
_KEPT = 20.0


@register_filesystem
class FTPFileSystem(FsspecFileSystem):
    """Files of FTP servers. A file that is written has another name until its stream is closed.

    The quick hash covers size and time of modification.
    """

    __module__ = "redun.file"

    name = "ftp"

    def __init__(self) -> None:
        self._connections = threading.local()

    def resolve(self, path: str) -> tuple[Any, str]:
        scheme, _, rest = path.partition("://")
        address, _, name = rest.partition("/")
        parts = urlsplit(f"{scheme}://{address}")
        if not parts.hostname:
            raise ValueError(f"Invalid FTP URL {path!r}. Expected ftp://<host>/<path>")
        return self._connection(address, parts), f"/{name}"

    def _connection(self, address: str, parts: Any) -> Any:
        """The connection to a server of this thread; one that rested for long is made anew."""
        known = self._connections.__dict__.setdefault("known", {})
        made, used = known.get(address, (None, 0.0))
        if made is None or time.monotonic() - used > _KEPT:
            implementation = load("fsspec.implementations.ftp", "files on ftp", "fsspec")
            made = implementation.FTPFileSystem(
                parts.hostname,
                port=parts.port or 21,
                username=unquote(parts.username or ""),
                password=unquote(parts.password or ""),
            )
        made.invalidate_cache()
        known[address] = (made, time.monotonic())
        return made

    @contextmanager
    def telling(self, path: str) -> Iterator[None]:
        import ftplib

        with naming_path(path):
            try:
                yield
            except (EOFError, ConnectionError, TimeoutError) as error:
                self._connections.__dict__.clear()
                raise OSError(
                    errno.EIO, str(error) or "The server closed the connection"
                ) from error
            except ftplib.Error as error:
                if not isinstance(error, ftplib.error_perm):
                    self._connections.__dict__.clear()
                raise _translated(str(error)) from error

    def open_reader(self, fs: Any, name: str) -> Any:
        """The content of a file, as a local temporary one that has no name."""
        if fs.isdir(name):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not fs.exists(name):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        handle, path = tempfile.mkstemp(prefix="redun-")
        stream = io.FileIO(handle, "r+")
        os.unlink(path)
        try:
            fs.ftp.retrbinary(f"RETR {name}", stream.write, blocksize=1 << 18)
            stream.seek(0)
        except BaseException:
            stream.close()
            raise
        return io.BufferedReader(stream)

    def make_parent(self, fs: Any, name: str) -> None:
        import ftplib

        for end in [place for place, letter in enumerate(name) if letter == "/" and place]:
            if not fs.exists(name[:end]):
                # Another may make it at the same time; if it can't be made, writing tells.
                with suppress(ftplib.error_perm):
                    fs.mkdir(name[:end], create_parents=False)

    def send(self, url: str, copy: str) -> None:
        """Send a local file under another name, then give it its own."""
        with self.telling(url), open(copy, "rb") as source:
            fs, name = self.resolve(url)
            folder, _, base = name.rpartition("/")
            draft = f"{folder}/.redun-{os.urandom(6).hex()}.part"
            try:
                fs.ftp.storbinary(f"STOR {draft}", source, blocksize=1 << 18)
                fs.ftp.rename(draft, f"{folder}/{base}")
            except BaseException:
                _discard(fs, draft)
                raise


def _discard(fs: Any, name: str) -> None:
    import ftplib

    # The error that led here tells more.
    with suppress(*ftplib.all_errors):
        fs.ftp.delete(name)


def _translated(text: str) -> OSError:
    """An error for a server's answer, such as `550 No such file`."""
    low = text.lower()
    if text[:3] in ("530", "532") or "denied" in low or "privilege" in low:
        return PermissionError(errno.EACCES, f"Access denied ({text})")
    if text[:3] == "550" and ("not empty" in low or "exists" in low):
        return OSError(errno.ENOTEMPTY, text)
    if text[:3] == "550":
        return FileNotFoundError(errno.ENOENT, text)
    return OSError(errno.EIO, text)
