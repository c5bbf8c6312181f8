"""The immutable family, hashed by path alone, and the content family, hashed by bytes."""

from __future__ import annotations

from redun.file.errors import RedunFileNotFoundError
from redun.file.families import CONTENT, IMMUTABLE
from redun.file.file import File
from redun.file.fileset import Dir, FileSet
from redun.file.fs.base import FileSystem, Listing
from redun.file.staging import StagingDir, StagingFile
from redun.hashing import hash_struct, hash_structs


@IMMUTABLE.add
class IFile(File):
    """A file that never changes once written: hashed by its path, valid even when missing."""

    __module__ = "redun.file"

    type_basename = "IFile"
    type_name = "redun.IFile"

    def _calc_hash(self) -> str:
        return hash_struct([self.type_basename, self.path])

    @classmethod
    def hash_listing(cls, filesystem: FileSystem, listing: Listing) -> list[str]:
        return hash_structs([[cls.type_basename, path] for path in listing.paths])

    def is_valid(self) -> bool:
        return True


@IMMUTABLE.add
class IFileSet(FileSet):
    """A set of files that never changes: hashed by its pattern."""

    __module__ = "redun.file"

    type_basename = "IFileSet"
    type_name = "redun.IFileSet"

    def _look(self) -> tuple[str, None]:
        return hash_struct([self.type_basename, self.pattern]), None

    def is_valid(self) -> bool:
        return True


@IMMUTABLE.add
class IDir(Dir):
    """A directory that never changes: hashed by its path."""

    __module__ = "redun.file"

    type_basename = "IDir"
    type_name = "redun.IDir"

    def _look(self) -> tuple[str, None]:
        return hash_struct([self.type_basename, self.path]), None

    def is_valid(self) -> bool:
        return True


@IMMUTABLE.add
class IStagingFile(StagingFile):
    """A remote immutable file and its local copy."""

    __module__ = "redun.file"

    type_basename = "IStagingFile"
    type_name = "redun.IStagingFile"


@IMMUTABLE.add
class IStagingDir(StagingDir):
    """A remote immutable directory and its local copy."""

    __module__ = "redun.file"

    type_basename = "IStagingDir"
    type_name = "redun.IStagingDir"


@CONTENT.add
class ContentFile(File):
    """A file hashed by its content: rewriting the same bytes changes nothing.

    The hash of a missing file raises `RedunFileNotFoundError`; such a file is not valid.
    """

    __module__ = "redun.file"

    type_basename = "ContentFile"
    # Misspelled when the format was made; repos hold it.
    type_name = "redun.ConentFile"

    def __repr__(self) -> str:
        try:
            return super().__repr__()
        except RedunFileNotFoundError:
            return f"{self.type_basename}(path={self.path}, missing)"

    def _calc_hash(self) -> str:
        return self.hash_listing(self.filesystem, Listing([self.path]))[0]

    @classmethod
    def hash_listing(cls, filesystem: FileSystem, listing: Listing) -> list[str]:
        paths = listing.paths
        contents = filesystem.content_hashes(paths)
        return hash_structs(
            [["ContentFile", path, content] for path, content in zip(paths, contents, strict=True)]
        )

    def is_valid(self) -> bool:
        try:
            return super().is_valid()
        except OSError:
            return False


@CONTENT.add
class ContentFileSet(FileSet):
    """The files that match a pattern, hashed by content."""

    __module__ = "redun.file"

    type_basename = "ContentFileSet"
    # Misspelled when the format was made; repos hold it.
    type_name = "redun.CnotentFileSet"

    def is_valid(self) -> bool:
        try:
            return super().is_valid()
        except OSError:
            return False


@CONTENT.add
class ContentDir(Dir):
    """All files below a directory, hashed by content."""

    __module__ = "redun.file"

    type_basename = "ContentDir"
    type_name = "redun.ContentDir"

    def is_valid(self) -> bool:
        try:
            return super().is_valid()
        except OSError:
            return False


@CONTENT.add
class ContentStagingFile(StagingFile):
    """A remote file hashed by content and its local copy."""

    __module__ = "redun.file"

    type_basename = "ContentStagingFile"
    type_name = "redun.ContentStagingFile"


@CONTENT.add
class ContentStagingDir(StagingDir):
    """A remote directory hashed by content and its local copy."""

    __module__ = "redun.file"

    type_basename = "ContentStagingDir"
    type_name = "redun.ContentStagingDir"
