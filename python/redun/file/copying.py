"""Copying by path, with standard input and output as ends."""

from __future__ import annotations

import errno
import os
import sys
from typing import IO

from redun.file.errors import RedunFileNotFoundError, RedunOSError
from redun.file.file import File
from redun.file.fileset import Dir
from redun.file.fs.base import COPY_BLOCK, open_file
from redun.file.transfer import Progress, copy_files


def copy_file(
    src_path: str | None,
    dest_path: str | None,
    recursive: bool = False,
    progress: Progress | None = None,
) -> None:
    """Copy a file, or all files of a directory if `recursive`.

    Parameters
    ----------
    src_path, dest_path
        Paths or URLs; None for standard input and output, copied as bytes.
    progress
        Called now and then with what is done, what there is in all (None: not known) and what that
        counts, "files" or "bytes".

    Raises
    ------
    ValueError
        `recursive` with standard input or output.
    RedunFileNotFoundError
        There is no such directory.
    """
    if src_path is not None and dest_path is not None:
        if recursive:
            _copy_tree(src_path, dest_path, progress)
        else:
            File(src_path).copy_to(File(dest_path))
        return
    if recursive:
        raise ValueError("recursive is not supported with stdin or stdout.")
    source: IO = sys.stdin.buffer if src_path is None else open_file(src_path, "rb")
    with source:
        dest: IO = sys.stdout.buffer if dest_path is None else open_file(dest_path, "wb")
        with dest:
            _copy_stream(source, dest, progress)


def _copy_tree(src_path: str, dest_path: str, progress: Progress | None) -> None:
    source, dest = Dir(src_path), Dir(dest_path)
    pairs = source.pairs_with(dest)
    if not pairs:
        if source.filesystem.isfile(src_path):
            raise RedunOSError(src_path, errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        if not source.exists():
            raise RedunFileNotFoundError(src_path, errno.ENOENT, os.strerror(errno.ENOENT))
        dest.mkdir()
    copy_files(pairs, progress=progress)


def _copy_stream(source: IO, dest: IO, progress: Progress | None) -> None:
    done = 0
    while block := source.read(COPY_BLOCK):
        dest.write(block)
        done += len(block)
        if progress:
            progress(done, None, "bytes")
