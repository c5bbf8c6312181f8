"""Bencode: the encoding that records are hashed over.

`python -m redun.bcoding [infile] [outfile]` shows encoded data as Python literals.
"""

import argparse
import sys
from pprint import pformat
from typing import Any, BinaryIO, overload

from redun import _core

__all__ = ["bdecode", "bencode"]

# Bytes of a string that are read at once.
STEP = 1 << 20


@overload
def bencode(data: Any, f: None = None) -> bytes: ...
@overload
def bencode(data: Any, f: BinaryIO) -> None: ...
def bencode(data: Any, f: BinaryIO | None = None) -> bytes | None:
    """Encode `data`, which `redun._core.bencode` describes.

    Parameters
    ----------
    f
        A binary stream to write to.

    Returns
    -------
    The encoding, or `None` if it was written to `f`. Nothing is written if `data` has no encoding.
    """
    encoded = _core.bencode(data)
    if f is None:
        return encoded
    f.write(encoded)
    return None


def bdecode(f_or_data: str | bytes | BinaryIO) -> Any:
    """Decode one item, as `redun._core.bdecode` describes.

    Parameters
    ----------
    f_or_data
        Encoded data, as bytes or as text to be encoded in UTF-8, or a binary stream, of which no
        byte after the item is read.
    """
    if isinstance(f_or_data, str):
        return _core.bdecode(f_or_data.encode("utf-8"))
    if isinstance(f_or_data, bytes | bytearray | memoryview):
        return _core.bdecode(f_or_data)
    return _core.bdecode(_read_item(f_or_data))


def _read_item(stream: BinaryIO) -> bytearray:
    """Read the bytes of one item, or of a malformed start of one: decoding them says what is wrong."""
    item = bytearray()
    depth = 0
    while True:
        lead = stream.read(1)
        if not isinstance(lead, bytes):
            raise TypeError(f"expected a binary stream, but it gave {type(lead).__name__}")
        item += lead
        if lead in (b"l", b"d"):
            depth += 1
            continue
        if lead == b"e":
            depth -= 1
        elif lead == b"i":
            _read_field(stream, b"e", item)
        elif lead.isdigit():
            length = _read_field(stream, b":", item)
            try:
                left = int(lead + length)
            except ValueError:
                return item
            # In steps: the length is only a claim until the bytes are there.
            while left > 0 and (part := stream.read(min(left, STEP))):
                item += part
                left -= len(part)
        else:
            return item
        if depth <= 0:
            return item


def _read_field(stream: BinaryIO, end: bytes, item: bytearray) -> bytes:
    """Read up to `end`, add what was read to `item` and return it without `end`."""
    field = bytearray()
    while byte := stream.read(1):
        item += byte
        if byte == end:
            break
        field += byte
    return bytes(field)


def main(argv: list[str] | None = None) -> None:
    """Decode a file and show it as Python literals."""
    parser = argparse.ArgumentParser(
        prog="python -m redun.bcoding", description="Show bencoded data as Python literals."
    )
    parser.add_argument(
        "infile", nargs="?", type=argparse.FileType("rb"), help="bencoded file [default: stdin]"
    )
    parser.add_argument(
        "outfile", nargs="?", type=argparse.FileType("w"), help="text file [default: stdout]"
    )
    args = parser.parse_args(argv)
    with args.infile or sys.stdin.buffer as infile:
        text = pformat(bdecode(infile))
    outfile = args.outfile or sys.stdout
    outfile.write(f"{text}\n")
    outfile.flush()


if __name__ == "__main__":
    main()
