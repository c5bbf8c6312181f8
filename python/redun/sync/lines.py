"""
Records as lines of JSON, in files that may be compressed, remote, or the standard streams.

The format is that of `redun export`: one object a line, its keys in the order of the format, non-ASCII characters
escaped. Reading holds one line at a time.
"""

from __future__ import annotations

import io
import json
import os
import sys
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import IO, Any, cast

from redun.backends.records import Record
from redun.errors import RedunError

#: What stands for standard input and output.
STANDARD = "-"

#: The longest line that is read, in bytes: a value of a gigabyte in base64.
MAX_LINE = 3 << 29

#: Bytes of a line that are read before it is known to be an object at all.
FIRST_PIECE = 1 << 20

#: Bytes that are decompressed at once: four of them can stand for 128 KiB.
ZSTD_PIECE = 1 << 11

_MAX_QUOTED = 60


class LineError(RedunError, ValueError):
    """
    A line of a file can't be used.

    Parameters
    ----------
    name : the file, as the user calls it.
    number : the line, from 1.
    reason : what is wrong with it.
    """

    def __init__(self, name: str, number: int, reason: str, hints: tuple[str, ...] = ()) -> None:
        super().__init__(f"{name}, line {number}: {reason}", hints=hints)
        self.number = number


def format_line(record: Record) -> str:
    """A record as a line, with its end."""
    return json.dumps(record) + "\n"


def read_lines(stream: IO[bytes], name: str) -> Iterator[tuple[int, Any]]:
    """
    The JSON value of each line, with its number.

    Raises `LineError` for a line that isn't JSON, and for compressed data that end early or are none.
    """
    number = 0
    while True:
        number += 1
        line = _read_line(stream, name, number)
        if not line:
            return
        try:
            yield number, json.loads(line)
        except RecursionError:
            raise LineError(name, number, "it is nested too deeply") from None
        except ValueError as error:
            raise LineError(name, number, _why_not_json(line, error)) from None


def _read_line(stream: IO[bytes], name: str, number: int) -> bytes:
    line = _read_piece(stream, name, number, FIRST_PIECE)
    if len(line) < FIRST_PIECE or line.endswith(b"\n"):
        return line
    # What is no object need not be read to its end, wherever that is.
    if not line.lstrip().startswith(b"{"):
        raise LineError(name, number, f"it is not a JSON object: {_quoted(line)}")
    pieces, size = [line], len(line)
    while size <= MAX_LINE:
        piece = _read_piece(stream, name, number, FIRST_PIECE)
        pieces.append(piece)
        size += len(piece)
        if len(piece) < FIRST_PIECE or piece.endswith(b"\n"):
            return b"".join(pieces)
    raise LineError(name, number, f"it is longer than {MAX_LINE} bytes")


def _read_piece(stream: IO[bytes], name: str, number: int, size: int) -> bytes:
    try:
        return stream.readline(size)
    except EOFError:
        raise LineError(name, number, "the compressed data end in the middle") from None
    except (OSError, zlib.error) as error:
        # Errors of decompression; those of files carry a number.
        if getattr(error, "errno", None) is not None:
            raise
        raise LineError(name, number, f"it can't be decompressed: {error}") from error
    except Exception as error:
        if type(error).__name__ != "ZstdError":
            raise
        raise LineError(name, number, f"it can't be decompressed: {error}") from error


def _why_not_json(line: bytes, error: ValueError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"it is not UTF-8 text: byte {error.start + 1} of it is {line[error.start]:#04x}"
    if not line.strip():
        return "it is empty"
    if not line.endswith(b"\n"):
        return f"it is cut off, or no JSON: {_quoted(line)}"
    where = f" (character {error.pos + 1})" if isinstance(error, json.JSONDecodeError) else ""
    return f"it is not JSON{where}: {_quoted(line)}"


def _quoted(line: bytes) -> str:
    text = line[: _MAX_QUOTED + 1].decode("utf-8", "replace").rstrip("\n")
    return repr(text if len(text) <= _MAX_QUOTED else f"{text[: _MAX_QUOTED - 3]}...")


@contextmanager
def open_input(path: str) -> Iterator[IO[bytes]]:
    """
    A file to read lines from: `-` for standard input, else a path or URL.

    What ends in `.gz` or `.zst` is decompressed while it is read.
    """
    if path == STANDARD:
        yield cast("IO[bytes]", getattr(sys.stdin, "buffer", sys.stdin))
        return
    from redun.file import open_file

    with ExitStack() as stack:
        raw = stack.enter_context(open_file(path, "rb"))
        yield stack.enter_context(_decompressing(raw, path))


@contextmanager
def open_output(path: str) -> Iterator[IO[bytes]]:
    """
    A file to write lines to, a path or URL, compressed if it ends in `.gz` or `.zst`.

    A local file appears when it is whole; if the block fails there is none, or the one from before.
    """
    from redun.file import get_proto, open_file

    is_local = get_proto(path) == "local"
    draft = f"{path}.{os.getpid()}.part" if is_local and not _is_special(path) else path
    try:
        with ExitStack() as stack:
            raw = stack.enter_context(open_file(draft, "wb"))
            yield stack.enter_context(_compressing(raw, path))
        if draft != path:
            os.replace(draft, path)
    except BaseException:
        if draft != path:
            with suppress(OSError):
                os.unlink(draft)
        raise


def _is_special(path: str) -> bool:
    """Whether a path leads to a pipe, a device or the like, which isn't replaced."""
    return os.path.exists(path) and not os.path.isfile(path)


def _decompressing(raw: IO[bytes], path: str) -> Any:
    if path.endswith(".gz"):
        import gzip

        return gzip.GzipFile(fileobj=raw, mode="rb")
    if path.endswith(".zst"):
        return io.BufferedReader(_ZstandardReader(raw, _zstandard(path)), FIRST_PIECE)
    return raw


def _compressing(raw: IO[bytes], path: str) -> Any:
    if path.endswith(".gz"):
        import gzip

        # Without name and time: equal records give equal files.
        return gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0)
    if path.endswith(".zst"):
        return _zstandard(path).ZstdCompressor().stream_writer(raw, closefd=False)
    return raw


class _ZstandardReader(io.RawIOBase):
    """Decompresses frames one after the other; says if the last one is cut off."""

    def __init__(self, raw: IO[bytes], zstandard: Any) -> None:
        self._raw = raw
        self._decompressor = zstandard.ZstdDecompressor()
        self._frame: Any = None
        self._input = b""
        self._output = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._output:
            if not self._input:
                self._input = self._raw.read(ZSTD_PIECE)
                if not self._input:
                    if self._frame is not None:
                        raise EOFError
                    return 0
            frame = self._frame = self._frame or self._decompressor.decompressobj()
            self._output = memoryview(frame.decompress(self._input))
            self._input = frame.unused_data if frame.eof else b""
            if frame.eof:
                self._frame = None
        size = min(len(buffer), len(self._output))
        buffer[:size] = self._output[:size]
        self._output = self._output[size:]
        return size


def _zstandard(path: str) -> Any:
    try:
        import zstandard
    except ImportError:
        raise RedunError(
            f"`{path}` needs the package `zstandard`",
            hints=("install it with `pip install 'redun[zstd]'`, or name the file `.gz`",),
        ) from None
    return zstandard
