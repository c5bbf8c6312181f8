"""The local file system: quick hashes of path, size and modification time."""

from __future__ import annotations

import os
from collections.abc import Sequence
from stat import S_ISREG
from typing import IO, Any

from redun.file.digests import content_digests
from redun.file.errors import naming_path
from redun.file.fs.base import (
    FileSystem,
    FileTime,
    check_recursive,
    get_filesystem,
    get_proto,
    register_filesystem,
)
from redun.file.publish import begin_draft, open_published
from redun.hashing import list_tree, quick_hashes


@register_filesystem
class LocalFileSystem(FileSystem):
    """Files reached by a path. Relative paths hold for the directory current at each operation."""

    __module__ = "redun.file"

    name = "local"

    def open(self, path: str, mode: str, encoding: str | None = None, **kwargs: Any) -> IO:
        """Open a stream, also with the text options `errors` and `newline` of the built-in `open`.

        In mode `w` the file is written beside its place and takes it when the stream is closed: see
        `redun.file.publish`. Errors as of `FileSystem.open`.
        """
        if encoding is not None and "b" in mode:
            raise ValueError("Binary mode 'b' cannot be used with encoding.")
        return self._open_logged(path, mode, encoding=encoding, **kwargs)

    def _open(self, path: str, mode: str, **kwargs: Any) -> IO:
        if "w" in mode or "a" in mode:
            _make_parent(path)
        if "w" in mode:
            return open_published(path, mode, **kwargs)
        return open(path, mode, **kwargs)

    def exists(self, path: str) -> bool:
        return os.path.exists(path)

    def remove(self, path: str) -> None:
        try:
            os.remove(path)
        except FileNotFoundError:
            pass
        except OSError:
            if os.path.isdir(path):
                raise IsADirectoryError(21, "Is a directory", path) from None
            raise

    def touch(self, path: str, time: FileTime = None) -> None:
        """Create an empty file, or set the times (access, modification) of an existing one."""
        if self.exists(path):
            os.utime(path, time)
        else:
            with self.open(path, "a"):
                pass

    def mkdir(self, path: str) -> None:
        os.makedirs(path, exist_ok=True)

    def rmdir(self, path: str, recursive: bool = False) -> None:
        if not os.path.isdir(path):
            return
        if recursive:
            import shutil

            shutil.rmtree(path)
        else:
            os.rmdir(path)

    def get_hash(self, path: str) -> str:
        """Hash of `["File", "local", path, size, mtime]`; a missing file has -1 and "-1"."""
        return quick_hashes([path])[0]

    def get_hashes(self, paths: Sequence[str]) -> list[str]:
        return quick_hashes(paths)

    def content_hashes(self, paths: Sequence[str]) -> list[str]:
        try:
            return content_digests(paths)
        except OSError as error:
            with naming_path(error.filename or ", ".join(paths[:1])):
                raise

    def tree_files(self, path: str) -> list[str]:
        """All files below a directory, dotfiles and dot-directories left out, links followed.

        The path is taken literally. A link that leads back to a directory it was reached through
        is not followed.
        """
        return list_tree(path)

    def glob_files(self, pattern: str) -> list[str]:
        import glob

        head, tail = os.path.split(pattern)
        if tail == "**" and head and not glob.has_magic(head):
            return self.tree_files(head)
        found = []
        for path in glob.iglob(pattern, recursive=True):
            try:
                if S_ISREG(os.stat(path).st_mode):
                    found.append(path)
            except OSError:
                continue
        return found

    def copy(self, src_path: str, dest_path: str) -> None:
        if get_proto(src_path) == get_proto(dest_path) == "local":
            _copy_local(src_path, dest_path)
        else:
            super().copy(src_path, dest_path)

    def shell_copy(
        self,
        src_path: str | None,
        dest_path: str | None,
        recursive: bool = False,
        as_mount: bool = False,
    ) -> str:
        from shlex import quote

        check_recursive(src_path, dest_path, recursive)
        if src_path is None and dest_path is None:
            raise ValueError("At least one path must be defined.")
        src_path = src_path and no_option(src_path)
        dest_path = dest_path and no_option(dest_path)
        for path in (src_path, dest_path):
            if path is not None and get_proto(path) != "local":
                remote = get_filesystem(url=path)
                return remote.shell_copy(src_path, dest_path, recursive, as_mount)
        if src_path is None:
            assert dest_path is not None
            return f"cat > {quote(dest_path)}"
        if dest_path is None:
            return f"cat {quote(src_path)}"
        flag = "-r " if recursive else ""
        return f"cp {flag}{quote(src_path)} {quote(dest_path)}"

    def glob(self, pattern: str) -> list[str]:
        import glob

        return glob.glob(pattern, recursive=True)

    def isfile(self, path: str) -> bool:
        return os.path.isfile(path)

    def isdir(self, path: str) -> bool:
        return os.path.isdir(path)

    def filesize(self, path: str) -> int:
        return os.stat(path).st_size


def _copy_local(src_path: str, dest_path: str) -> None:
    import shutil

    about = os.stat(src_path)
    if os.path.exists(dest_path) and os.path.samestat(about, os.stat(dest_path)):
        raise shutil.SameFileError(f"{src_path!r} and {dest_path!r} are the same file")
    _make_parent(dest_path)
    draft = begin_draft(dest_path)
    if draft is None:
        shutil.copyfile(src_path, dest_path)
        return
    os.close(draft.descriptor)
    try:
        shutil.copyfile(src_path, draft.temp)
    except BaseException:
        draft.discard()
        raise
    draft.publish()


def no_option(path: str) -> str:
    """A path that no command takes for an option or for standard input."""
    return f"./{path}" if path.startswith("-") else path


def _make_parent(path: str) -> None:
    parent = os.path.dirname(path)
    if parent:
        os.makedirs(parent, exist_ok=True)
