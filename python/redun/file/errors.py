"""Errors of files: the operating system's, told with the path, and unknown protocols."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from redun.errors import RedunError


class _PathError(RedunError):
    """An `OSError` that carries the path as given, local or remote.

    Pickled like a plain exception of its arguments; the path travels in the state. Loading calls the
    class with the arguments alone, so the state puts them back where they belong.
    """

    path: Any
    errno: int | None
    strerror: str | None

    def __init__(self, path: str, *args: Any) -> None:
        super().__init__(*args)
        self.path = path

    def __str__(self) -> str:
        return f"[Errno {self.errno}] {self.strerror}. {self.path}"

    def __setstate__(self, state: dict | None) -> None:
        if state:
            OSError.__init__(self, self.path, *self.args)
            self.__dict__.update(state)


class RedunFileNotFoundError(_PathError, FileNotFoundError):
    """A file that does not exist."""

    __module__ = "redun.file"


class RedunPermissionError(_PathError, PermissionError):
    """A file that may not be accessed."""

    __module__ = "redun.file"


class RedunOSError(_PathError, OSError):
    """Any other failure of the operating system with a file."""

    __module__ = "redun.file"


class UnknownProtocolError(RedunError, KeyError):
    """A URL whose protocol no registered file system serves.

    Parameters
    ----------
    proto
        The protocol, e.g. `s3`.
    known
        The protocols that are served.
    """

    __module__ = "redun.file"

    def __init__(self, proto: str, known: tuple[str, ...] = ()) -> None:
        super().__init__(
            proto, hints=("Other protocols are added with `redun.file.register_filesystem`.",)
        )
        self.known = known

    def __str__(self) -> str:
        served = f" (supported: {', '.join(self.known)})" if self.known else ""
        return f"no file system for protocol '{self.args[0]}'{served}"


@contextmanager
def naming_path(path: str) -> Iterator[None]:
    """Turn an `OSError` within the block into the error here that carries `path`."""
    try:
        yield
    except _PathError:
        raise
    except FileNotFoundError as error:
        raise RedunFileNotFoundError(path, *_told(error)) from error
    except PermissionError as error:
        raise RedunPermissionError(path, *_told(error)) from error
    except OSError as error:
        raise RedunOSError(path, *_told(error)) from error


# The number that an error of a class has, where it was made without one.
_USUAL = {
    FileNotFoundError: errno.ENOENT,
    PermissionError: errno.EACCES,
    FileExistsError: errno.EEXIST,
    IsADirectoryError: errno.EISDIR,
    NotADirectoryError: errno.ENOTDIR,
    TimeoutError: errno.ETIMEDOUT,
}


def _told(error: OSError) -> tuple[int, str]:
    """Number and text of an error; libraries of remote file systems often give one of them only."""
    if error.errno is not None:
        return error.errno, error.strerror or os.strerror(error.errno)
    for cls in type(error).__mro__:
        if cls in _USUAL:
            return _USUAL[cls], os.strerror(_USUAL[cls])
    return errno.EIO, str(error) or type(error).__name__
