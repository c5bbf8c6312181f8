"""Pairs of a local and a remote file or directory, copied before and after a script."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from redun.file.families import PLAIN, FileClasses
from redun.file.file import File
from redun.file.fileset import Dir
from redun.file.fs.local import no_option
from redun.hashing import hash_struct
from redun.value.base import Value

T = TypeVar("T", File, Dir)


class Staging(Value, Generic[T]):
    """A remote file or directory and its local copy. Hashed by the two paths; always valid.

    Parameters
    ----------
    local, remote
        Objects are kept as they are, text is made a file or directory of the family.
    """

    __module__ = "redun.file"

    type_basename = "Staging"
    classes: FileClasses
    # Name of the family's class that is paired.
    member = ""

    def __init__(self, local: T | str, remote: T | str) -> None:
        self.local: T = self._wrap(local)
        self.remote: T = self._wrap(remote)

    def _wrap(self, path: Any) -> Any:
        return getattr(self.classes, self.member)(path) if isinstance(path, str) else path

    def __repr__(self) -> str:
        return f"{self.type_basename}(local={self.local!r}, remote={self.remote!r})"

    def __getstate__(self) -> dict:
        return {"local": self.local, "remote": self.remote}

    def __setstate__(self, state: dict) -> None:
        self.local = state["local"]
        self.remote = state["remote"]

    def get_hash(self, data: bytes | None = None) -> str:
        return hash_struct([self.type_name, self.local.path, self.remote.path])

    def _is_same(self) -> bool:
        return self.local.path == self.remote.path

    def stage(self) -> T:
        """Copy from remote to local, unless both are one path; return the local one."""
        if not self._is_same():
            self.remote.copy_to(self.local)
        return self.local

    def unstage(self) -> T:
        """Copy from local to remote, unless both are one path; return the remote one."""
        if not self._is_same():
            self.local.copy_to(self.remote)
        return self.remote

    def render_stage(self, as_mount: bool = False) -> str:
        """The shell command of `stage`; "" if both are one path."""
        if self._is_same():
            return ""
        return self.remote.shell_copy_to(no_option(self.local.path), as_mount=as_mount)

    def render_unstage(self, as_mount: bool = False) -> str:
        """The shell command of `unstage`; "" if both are one path."""
        if self._is_same():
            return ""
        return self.local.shell_copy_to(self.remote.path, as_mount=as_mount)

    @classmethod
    def parse_arg(cls, raw_type: Any, arg: str) -> Any:
        raise NotImplementedError("Staging files and directories cannot be command-line arguments")


@PLAIN.add
class StagingFile(Staging[File]):
    """A remote file and its local copy."""

    __module__ = "redun.file"

    type_basename = "StagingFile"
    type_name = "redun.StagingFile"
    member = "File"


@PLAIN.add
class StagingDir(Staging[Dir]):
    """A remote directory and its local copy."""

    __module__ = "redun.file"

    type_basename = "StagingDir"
    type_name = "redun.StagingDir"
    member = "Dir"
