"""Sets of files: by pattern, and all of a directory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from redun.file.families import PLAIN, FileClasses
from redun.file.file import File, as_path
from redun.file.fs.base import FileSystem, get_filesystem
from redun.file.memo import HashMemo
from redun.file.transfer import copy_files
from redun.hashing import get_scheme, hash_struct
from redun.value.base import Value

if TYPE_CHECKING:
    from redun.file.staging import StagingDir


@PLAIN.add
class FileSet(HashMemo, Value):
    """The files that match a pattern, looked up afresh at each iteration.

    Parameters
    ----------
    pattern
        Path or URL with `*`, `?`, `[...]` and, for any depth, `**`.
    """

    __module__ = "redun.file"

    type_basename = "FileSet"
    type_name = "redun.FileSet"
    classes: FileClasses

    def __init__(self, pattern: str | os.PathLike[str]) -> None:
        self.pattern: str = as_path(pattern)
        self.filesystem: FileSystem = get_filesystem(url=self.pattern)
        self._forget()

    def _forget(self) -> None:
        self._hash = None
        self._hash_scheme = None
        # (path, hash or None) of the files seen when the hash was computed.
        self._found: list[tuple[str, str | None]] | None = None

    def __repr__(self) -> str:
        return f"FileSet(pattern={self.pattern}, hash={self.hash})"

    def __getstate__(self) -> dict:
        return {"pattern": self.pattern, "hash": self.hash}

    def __setstate__(self, state: dict) -> None:
        self.pattern = state["pattern"]
        self.filesystem = get_filesystem(url=self.pattern)
        self._found = None
        self._set_hash(state["hash"])

    def __iter__(self) -> Iterator[File]:
        return map(self.classes.File, self._paths())

    def files(self) -> list[File]:
        """The files that match now, in any order."""
        return list(self)

    def _paths(self) -> list[str]:
        return self.filesystem.glob_files(self.pattern)

    def _look(self) -> tuple[str, list[tuple[str, str | None]] | None]:
        """The hash, and the files it was computed from where it is."""
        listing = self.filesystem.match(self.pattern)
        hashes = self.classes.File.hash_listing(self.filesystem, listing)
        digest = hash_struct([self.type_basename, self.pattern, *sorted(hashes)])
        return digest, list(zip(listing.paths, hashes, strict=True))

    def _calc_hash(self) -> str:
        return self._look()[0]

    def update_hash(self) -> None:
        digest, self._found = self._look()
        self._set_hash(digest)

    def is_valid(self) -> bool:
        """Whether the files that are there now have the hash that was kept."""
        if super().is_valid():
            return True
        return get_scheme() == "redun1" and self._hash == self._early_hash()

    def _early_hash(self) -> str:
        """The hash by the rule of early releases of the original, which left out the place."""
        hashes = self.filesystem.get_hashes(self._paths())
        return hash_struct([self.type_basename, *sorted(hashes)])

    def iter_subvalues(self) -> Iterator[Value]:
        """The files seen when the hash was computed, if it was; otherwise those there now."""
        if self._found is None or self._known_hash() is None:
            return iter(self)
        file_class = self.classes.File
        return (file_class.with_hash(path, hash) for path, hash in self._found)


@PLAIN.add
class Dir(FileSet):
    """All files below a directory, dotfiles left out.

    Parameters
    ----------
    path
        Path or URL of the directory, taken literally; slashes at the end are dropped.
    """

    __module__ = "redun.file"

    type_basename = "Dir"
    type_name = "redun.Dir"

    def __init__(self, path: str | os.PathLike[str]) -> None:
        text: str = as_path(path)
        # Only a path of nothing but slashes keeps one: it is the root.
        self.path: str = text.rstrip("/") or text[:1]
        self.pattern = _all_below(self.path)
        self.filesystem = get_filesystem(url=self.path)
        self._forget()

    def __repr__(self) -> str:
        return f"{self.type_basename}(path={self.path}, hash={self.hash[:8]})"

    def __getstate__(self) -> dict:
        return {"path": self.path, "hash": self.hash}

    def __setstate__(self, state: dict) -> None:
        self.path = state["path"]
        self.pattern = _all_below(self.path)
        self.filesystem = get_filesystem(url=self.path)
        self._found = None
        self._set_hash(state["hash"])

    def _paths(self) -> list[str]:
        return self.filesystem.tree_files(self.path)

    def _look(self) -> tuple[str, list[tuple[str, str | None]] | None]:
        filesystem = self.filesystem
        listing = filesystem.find(self.path)
        file_class = self.classes.File
        # The compatibility scheme has quick hashes in directories of every family.
        compatible = get_scheme() == "redun1"
        plain = File if compatible else file_class
        hashes = plain.hash_listing(filesystem, listing)
        known = hashes if file_class.hash_listing == plain.hash_listing else [None] * len(hashes)
        if compatible and filesystem.dir_hash_by_prefix:
            hashes = list(filesystem.iter_file_hashes(self.path))
        digest = hash_struct([self.type_basename, self.path, *sorted(hashes)])
        return digest, list(zip(listing.paths, known, strict=True))

    def exists(self) -> bool:
        """Whether the path exists."""
        return self.filesystem.exists(self.path)

    def mkdir(self) -> None:
        """Create the directory and its parents; an existing one is fine."""
        self.filesystem.mkdir(self.path)
        self.update_hash()

    def rmdir(self, recursive: bool = False) -> None:
        """Delete the directory; with all in it if `recursive`.

        Raises
        ------
        OSError
            It is not empty and `recursive` is false.
        """
        self.filesystem.rmdir(self.path, recursive=recursive)
        self.update_hash()

    def file(self, rel_path: str) -> File:
        """The file at a path relative to this directory."""
        return self.classes.File(os.path.join(self.path, rel_path))

    def rel_path(self, path: str) -> str:
        """A path made relative to this directory."""
        return os.path.relpath(path, self.path)

    def copy_to(self, dest_dir: Dir, skip_if_exists: bool = False) -> Dir:
        """Copy every file to another directory, several at a time, and return that.

        Parameters
        ----------
        skip_if_exists
            Leave existing files of the destination as they are.
        """
        copy_files(self.pairs_with(dest_dir), skip_if_exists)
        if dest_dir._hash is not None:
            dest_dir.update_hash()
        return dest_dir

    def pairs_with(self, dest_dir: Dir) -> list[tuple[File, File]]:
        """Each file, with its place in another directory."""
        return [(file, dest_dir.file(self.rel_path(file.path))) for file in self]

    def shell_copy_to(self, dest_path: str, as_mount: bool = False) -> str:
        """The shell command that copies this directory."""
        return self.filesystem.shell_copy(self.path, dest_path, recursive=True, as_mount=as_mount)

    def stage(self, local: str | None = None) -> StagingDir:
        """Pair this directory with a local copy; by default one of the same name here."""
        local = local or os.path.basename(self.path)
        return self.classes.StagingDir(self.classes.Dir(local), self)


def _all_below(path: str) -> str:
    return "/**" if path == "/" else f"{path}/**"
