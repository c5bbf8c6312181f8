"""Families of file classes: plain, immutable and content-hashed, each with the same five members."""

from __future__ import annotations

from typing import Any

_MEMBERS = ("File", "FileSet", "Dir", "StagingFile", "StagingDir")


class FileClasses:
    """The classes of one family by their plain names: `classes.File`, `classes.Dir`, ..."""

    __module__ = "redun.file"

    # What the names of the family's classes start with.
    prefix = ""

    def add(self, cls: Any) -> Any:
        """Decorator: make a class a member of this family under its name without the prefix."""
        name = cls.__name__[len(self.prefix) :]
        assert name in _MEMBERS, name
        setattr(self, name, cls)
        cls.classes = self
        return cls

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


class IFileClasses(FileClasses):
    """The family of immutable files."""

    __module__ = "redun.file"

    prefix = "I"


class ContentFileClasses(FileClasses):
    """The family of files hashed by content."""

    __module__ = "redun.file"

    prefix = "Content"


PLAIN = FileClasses()
IMMUTABLE = IFileClasses()
CONTENT = ContentFileClasses()
