"""Local files that appear whole or not at all: written beside their place, renamed into it at close.

A reader sees the former content, or nothing, until the writer closes the stream; so it stays if the writer
is killed, fails, leaves its `with` block by an exception, or the disk is full. A writer that was killed
leaves a hidden file, `.redun-*.part`, which is part of no `Dir`.

Some files are written in place as ever, because a new file under their name would not be the same thing:
devices, pipes and what lies in `/dev` and `/proc`, files with several hard links, files that may not be
written or whose owner or attributes can't be given to a new file, files in directories that take no new ones,
and modes other than `w`. A symbolic link stays one: the file it leads to is replaced.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from contextlib import suppress
from typing import IO, Any

from redun.file.errors import naming_path

# Modes that replace a file, by their letters.
_TEXT_MODES = frozenset(map(frozenset, ("w", "wt", "w+", "wt+")))
_BINARY_MODES = frozenset(map(frozenset, ("wb", "wb+")))
# Creating a file beside the target failed for a reason that writing in place may not have, or tells better.
_CANNOT_DRAFT = frozenset(
    (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ENOENT, errno.ENOTDIR)
)
# Renaming failed because of what the target is: the mount point of a file, a file that is in use.
_CANNOT_RENAME = frozenset((errno.EBUSY, errno.EXDEV, errno.EACCES, errno.EPERM))
_MAX_LINKS = 40


class Draft:
    """The new content of a file until it is published.

    Attributes
    ----------
    temp
        Where it is written, in the directory of the target.
    descriptor
        Open for reading and writing; closed by whoever uses it.
    """

    def __init__(self, path: str, target: str, temp: str, descriptor: int) -> None:
        self.temp = temp
        self.descriptor = descriptor
        self._path = path
        self._target = target
        self._process = os.getpid()

    def publish(self) -> None:
        """Give the file its name; what was there is gone at once.

        Raises
        ------
        RedunOSError
            (or a sibling) That is not possible; nothing has changed then.
        """
        if not self._is_ours():
            return
        try:
            os.replace(self.temp, self._target)
        except OSError as error:
            self._publish_otherwise(error)

    def _publish_otherwise(self, error: OSError) -> None:
        with naming_path(self._path):
            try:
                if error.errno not in _CANNOT_RENAME:
                    raise error
                _copy_content(self.temp, self._target)
            finally:
                self.discard()

    def discard(self) -> None:
        """Leave what was there."""
        if self._is_ours():
            with suppress(FileNotFoundError):
                os.unlink(self.temp)

    def _is_ours(self) -> bool:
        # A forked process inherits the stream and may close it too; the file is its maker's.
        return self._process == os.getpid()


def begin_draft(path: str) -> Draft | None:
    """A draft for new content of `path`, or None if that is to be written in place.

    The draft has the permissions, the owner and the extended attributes of the file that it replaces.
    """
    found = _find_target(path)
    if found is None:
        return None
    target, about = found
    if about is not None and not _is_replaceable(target, about):
        return None
    temp = f"{target[: target.rindex('/')]}/.redun-{os.urandom(6).hex()}.part"
    try:
        descriptor = os.open(temp, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    except OSError as error:
        if error.errno in _CANNOT_DRAFT:
            return None
        raise
    draft = Draft(path, target, temp, descriptor)
    if about is not None and not _resemble(draft, target, about):
        os.close(descriptor)
        draft.discard()
        return None
    return draft


def _find_target(path: str) -> tuple[str, os.stat_result | None] | None:
    """The absolute path that links at the end of `path` lead to, and what is there; None for what can't
    be replaced: devices, links in circles, paths that are no files.
    """
    if not path.startswith("/"):
        path = f"{os.getcwd()}/{path}"
    for _ in range(_MAX_LINKS):
        # What /dev/stdout leads to is not to be replaced, whatever it is.
        if path.startswith(("/dev/", "/proc/")) and not path.startswith("/dev/shm/"):
            return None
        try:
            about = os.lstat(path)
            if not stat.S_ISLNK(about.st_mode):
                return path, about
            path = os.path.join(os.path.dirname(path), os.readlink(path))
        except FileNotFoundError:
            return path, None
        except (OSError, ValueError):
            return None
    return None


def _is_replaceable(target: str, about: os.stat_result) -> bool:
    if not stat.S_ISREG(about.st_mode) or about.st_nlink > 1:
        return False
    return os.access(target, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def _resemble(draft: Draft, target: str, about: os.stat_result) -> bool:
    """Give the draft what the file that it replaces has; False if that is not allowed."""
    descriptor = draft.descriptor
    own = os.fstat(descriptor)
    try:
        if (own.st_uid, own.st_gid) != (about.st_uid, about.st_gid):
            os.fchown(descriptor, about.st_uid, about.st_gid)
        if stat.S_IMODE(own.st_mode) != stat.S_IMODE(about.st_mode):
            os.chmod(draft.temp, stat.S_IMODE(about.st_mode))
        for name in _attributes(target):
            os.setxattr(descriptor, name, os.getxattr(target, name))
    except OSError:
        return False
    return True


def _attributes(path: str) -> list[str]:
    """The names of extended attributes that belong to the file, such as access lists, not to the system."""
    try:
        names = os.listxattr(path)
    except (AttributeError, OSError):
        return []
    return [name for name in names if not name.startswith("security.")]


def _copy_content(source: str, target: str) -> None:
    import shutil

    with open(source, "rb") as reader, open(target, "wb") as writer:
        shutil.copyfileobj(reader, writer, 1 << 20)


# -- streams -------------------------------------------------------------------------------------


class _Abandoning:
    """Mixin of streams: leaving the `with` block by an exception discards what was written."""

    def __exit__(self, kind: Any, value: Any, traceback: Any) -> None:
        if kind is not None:
            stream: Any = self
            stream = getattr(stream, "buffer", stream)
            getattr(stream, "raw", stream).abandoned = True
        super().__exit__(kind, value, traceback)  # type: ignore[misc]


class _DraftFile(_Abandoning, io.FileIO):
    """The bottom of a stream into a draft, which is published when that is closed."""

    def __init__(self, path: str, mode: str, draft: Draft) -> None:
        self.abandoned = False
        self._failed = False
        self._draft: Draft | None = draft
        super().__init__(path, mode, opener=lambda *_: draft.descriptor)

    def write(self, data: Any) -> int:
        # A failed write may be tried again; what counts is whether the last one succeeded.
        self._failed = True
        written = super().write(data)
        self._failed = False
        return written

    def close(self) -> None:
        draft, self._draft = self._draft, None
        if draft is None:
            super().close()
            return
        try:
            super().close()
        except BaseException:
            draft.discard()
            raise
        if self.abandoned or self._failed:
            draft.discard()
        else:
            draft.publish()


class _DraftWriter(_Abandoning, io.BufferedWriter):
    """A binary stream into a draft."""


class _DraftRandom(_Abandoning, io.BufferedRandom):
    """A binary stream into a draft and back."""


class _DraftText(_Abandoning, io.TextIOWrapper):
    """A text stream into a draft."""


def open_published(
    path: str,
    mode: str,
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    **kwargs: Any,
) -> IO:
    """Open a local file as the built-in `open` does; what replaces a file is published at close.

    Raises
    ------
    OSError, ValueError
        As `open` does. Closing the stream raises if the file can't be published.
    """
    letters = frozenset(mode)
    binary = letters in _BINARY_MODES
    # `open` knows best how to refuse what does not go together.
    odd = bool(kwargs) or len(letters) != len(mode) or not (binary or letters in _TEXT_MODES)
    odd = odd or (binary and (bool(encoding or errors) or newline is not None))
    draft = None if odd else begin_draft(path)
    if draft is None:
        return open(path, mode, buffering, encoding, errors, newline, **kwargs)
    try:
        raw = _DraftFile(path, "w+" if "+" in letters else "w", draft)
        try:
            return _stream(raw, mode, binary, buffering, encoding, errors, newline)
        except BaseException:
            raw.abandoned = True
            raw.close()
            raise
    except BaseException:
        draft.discard()
        raise


def _stream(
    raw: _DraftFile,
    mode: str,
    binary: bool,
    buffering: int,
    encoding: str | None,
    errors: str | None,
    newline: str | None,
) -> IO:
    if buffering == 0 and not binary:
        raise ValueError("can't have unbuffered text I/O")
    if buffering == 0:
        return raw
    block = raw._blksize  # type: ignore[attr-defined]
    size = buffering if buffering > 1 else max(io.DEFAULT_BUFFER_SIZE, block)
    buffer = (_DraftRandom if raw.readable() else _DraftWriter)(raw, size)
    if binary:
        return buffer
    text = _DraftText(buffer, encoding, errors, newline, line_buffering=buffering == 1)
    text.mode = mode  # type: ignore[misc]
    return text
