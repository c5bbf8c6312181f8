"""Files as values: `File`, `Dir`, `FileSet`, staging, and the file systems below them."""

from importlib import import_module
from typing import Any

from redun.file.copying import copy_file
from redun.file.errors import (
    RedunFileNotFoundError,
    RedunOSError,
    RedunPermissionError,
    UnknownProtocolError,
)
from redun.file.families import ContentFileClasses, FileClasses, IFileClasses
from redun.file.file import File
from redun.file.fileset import Dir, FileSet
from redun.file.fs.base import (
    FileSystem,
    get_filesystem,
    get_filesystem_class,
    get_proto,
    glob_file,
    list_filesystems,
    open_file,
    register_filesystem,
)
from redun.file.fs.local import LocalFileSystem
from redun.file.staging import Staging, StagingDir, StagingFile
from redun.file.variants import (
    ContentDir,
    ContentFile,
    ContentFileSet,
    ContentStagingDir,
    ContentStagingFile,
    IDir,
    IFile,
    IFileSet,
    IStagingDir,
    IStagingFile,
)

__all__ = [
    "ContentDir",
    "ContentFile",
    "ContentFileClasses",
    "ContentFileSet",
    "ContentStagingDir",
    "ContentStagingFile",
    "Dir",
    "File",
    "FileClasses",
    "FileSet",
    "FileSystem",
    "IDir",
    "IFile",
    "IFileClasses",
    "IFileSet",
    "IStagingDir",
    "IStagingFile",
    "LocalFileSystem",
    "RedunFileNotFoundError",
    "RedunOSError",
    "RedunPermissionError",
    "Staging",
    "StagingDir",
    "StagingFile",
    "UnknownProtocolError",
    "copy_file",
    "get_filesystem",
    "get_filesystem_class",
    "get_proto",
    "glob_file",
    "list_filesystems",
    "open_file",
    "register_filesystem",
]

# Loaded when first used: each with the modules that it stands on.
_LAZY = {
    "AzureBlobFileSystem": "redun.file.fs.azure",
    "FTPFileSystem": "redun.file.fs.ftp",
    "FsspecFileSystem": "redun.file.fs.fsspec",
    "GSFileSystem": "redun.file.fs.gs",
    "HTTPFileSystem": "redun.file.fs.http",
    "HTTPSFileSystem": "redun.file.fs.http",
    "S3FileSystem": "redun.file.fs.s3",
    "ShardedS3Dataset": "redun.file.sharded",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        value = getattr(import_module(_LAZY[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
