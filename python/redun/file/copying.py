"""Copying by path, with standard input and output as ends."""

from __future__ import annotations

import sys
from typing import IO

from redun.file.file import File
from redun.file.fileset import Dir
from redun.file.fs.base import copy_stream, open_file


def copy_file(src_path: str | None, dest_path: str | None, recursive: bool = False) -> None:
    """Copy a file, or a directory if `recursive`.

    Parameters
    ----------
    src_path, dest_path
        Paths or URLs; None for standard input and output, copied as bytes.

    Raises
    ------
    ValueError
        `recursive` with standard input or output.
    """
    if src_path is not None and dest_path is not None:
        if recursive:
            Dir(src_path).copy_to(Dir(dest_path))
        else:
            File(src_path).copy_to(File(dest_path))
        return
    if recursive:
        raise ValueError("recursive is not supported with stdin or stdout.")
    source: IO = sys.stdin.buffer if src_path is None else open_file(src_path, "rb")
    with source:
        dest: IO = sys.stdout.buffer if dest_path is None else open_file(dest_path, "wb")
        with dest:
            copy_stream(source, dest)
