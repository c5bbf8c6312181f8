"""
The bytes of a bundle: header of the file, segments, keys, tables. Pure: no files, no records.

docs/design/0005-bundles.md describes the format byte by byte. Numbers are little-endian.
"""

from __future__ import annotations

import struct
import zlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from redun.errors import RedunError
from redun.hashing import digests

FILE_MAGIC = b"\x93redun\r\n"
SEGMENT_MAGIC = b"\x93segm\r\n\0"
END_MAGIC = b"\x93done\r\n\0"
VERSION = (1, 0)

#: The tables of a segment in the order in which they lie there. What a push asks for first comes first.
TABLES = ("Execution", "blocks", "Job", "children", "CallNode", "Value", "Tag")

STORED, DEFLATED = 0, 1

#: Deflate level: nearly as fast as the fastest.
LEVEL = 3

#: A block that says it holds more than this must not say that it was compressed much better than
#: `MAX_RATIO`: a few bytes can't claim gigabytes.
MAX_BLOCK = 16 << 20
MAX_RATIO = 200

#: Bit of a job's entry: it has ended.
ENDED = 1

_FILE_HEADER = struct.Struct("<8sBBHI")
_SEGMENT_HEAD = struct.Struct("<8sIIQQQ")
_TABLE = struct.Struct("<QQII")
_CRC = struct.Struct("<I")
_END = struct.Struct("<8sQII")
_ENTRY = struct.Struct("<21sBIII")
_BLOCK = struct.Struct("<QQQIB3x")

KEY_SIZE = 21
FILE_HEADER_SIZE = _FILE_HEADER.size
SEGMENT_HEADER_SIZE = _SEGMENT_HEAD.size + len(TABLES) * _TABLE.size + _CRC.size
END_SIZE = _END.size

#: Size of one row of each table.
ROW_SIZES = {
    **dict.fromkeys(TABLES, _ENTRY.size),
    "blocks": _BLOCK.size,
    "children": 2 * KEY_SIZE,
}

_HEX = frozenset("0123456789abcdef")


class BundleError(RedunError):
    """A bundle can't be used: it is none, it is damaged, or it is of a newer version."""


class Entry(NamedTuple):
    """Where a record lies: `length` bytes at `offset` of the raw bytes of block number `block`."""

    key: bytes
    flags: int
    block: int
    offset: int
    length: int


class Block(NamedTuple):
    """Where a block lies, from the start of the data, and how to read it."""

    offset: int
    size: int
    raw_size: int
    checksum: int
    codec: int


class Table(NamedTuple):
    """Where a table lies, from the start of its segment."""

    offset: int
    size: int
    rows: int
    checksum: int


class SegmentHeader(NamedTuple):
    """The sizes of a segment, in bytes, and its tables by name."""

    size: int
    data_offset: int
    data_size: int
    tables: dict[str, Table]


def key_of(record_id: str) -> bytes:
    """
    The key of an id: its kind of writing and 20 bytes.

    `h` and the bytes of a hash; `u`, the bytes of a UUID and four zeros; `x` and the BLAKE3 digest of
    any other text.
    """
    if len(record_id) == 40 and _HEX.issuperset(record_id):
        return b"h" + bytes.fromhex(record_id)
    if len(record_id) == 36 and record_id[8:24:5] == "----":
        digits = record_id.replace("-", "")
        if len(digits) == 32 and _HEX.issuperset(digits):
            return b"u" + bytes.fromhex(digits) + bytes(4)
    return b"x" + bytes.fromhex(digests(record_id.encode("utf-8", "surrogatepass"))[0])


def id_of(key: bytes) -> str | None:
    """The id of a key; None if the key doesn't tell."""
    if key[:1] == b"h":
        return key[1:].hex()
    if key[:1] == b"u":
        digits = key[1:17].hex()
        parts = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
        return "-".join(parts)
    return None


def file_header() -> bytes:
    """The first bytes of a bundle file."""
    head = _FILE_HEADER.pack(FILE_MAGIC, *VERSION, 0, 0)[: -_CRC.size]
    return head + _CRC.pack(zlib.crc32(head))


def check_file_header(data: bytes, name: str) -> bool:
    """
    Whether a file's header is whole; it isn't in a file that is just being made.

    Raises `BundleError` if this is another kind of file, or one of a newer version.
    """
    if len(data) < FILE_HEADER_SIZE:
        if file_header().startswith(data):
            return False
        raise BundleError(f"`{name}` is not a bundle")
    magic, major, minor, _, checksum = _FILE_HEADER.unpack(data)
    if magic != FILE_MAGIC:
        database = data.startswith(b"SQLite format 3")
        hint = "it is a database; `redun repo add NAME DIR` names the directory it is configured in"
        raise BundleError(f"`{name}` is not a bundle", hints=[hint] if database else ())
    if checksum != zlib.crc32(data[: -_CRC.size]):
        raise damaged(name, "its header does not match its checksum")
    if major != VERSION[0]:
        raise BundleError(
            f"`{name}` is a bundle of version {major}.{minor}; this program reads {VERSION[0]}.x",
            hints=("a newer redun reads it",),
        )
    return True


def damaged(name: str, what: str) -> BundleError:
    """The error for a bundle whose bytes are not what was written."""
    hint = "it was changed or cut after it was written; make it again with `redun push`"
    return BundleError(f"the bundle `{name}` is damaged: {what}", hints=(hint,))


def segment_header(tables: dict[str, tuple[int, int]], sizes: dict[str, int], data: int) -> bytes:
    """
    The header of a segment.

    Parameters
    ----------
    tables : (count, checksum) of each table.
    sizes : size of each table in bytes.
    data : size of the data in bytes.
    """
    offset = SEGMENT_HEADER_SIZE
    rows = []
    for name in TABLES:
        rows.append(_TABLE.pack(offset, sizes[name], *tables[name]))
        offset += sizes[name]
    total = offset + data + END_SIZE
    head = _SEGMENT_HEAD.pack(SEGMENT_MAGIC, SEGMENT_HEADER_SIZE, 0, total, offset, data)
    head += b"".join(rows)
    return head + _CRC.pack(zlib.crc32(head))


def segment_end(header: bytes) -> bytes:
    """The last bytes of the segment with this header."""
    total = _SEGMENT_HEAD.unpack_from(header)[3]
    (checksum,) = _CRC.unpack_from(header, len(header) - _CRC.size)
    return _END.pack(END_MAGIC, total, checksum, 0)


def parse_segment_header(data: bytes, name: str, place: int) -> SegmentHeader:
    """Reads the whole header of a segment. Raises `BundleError` if it is none or doesn't add up."""
    magic, size, _, total, data_offset, data_size = _SEGMENT_HEAD.unpack_from(data)
    (checksum,) = _CRC.unpack_from(data, len(data) - _CRC.size)
    if magic != SEGMENT_MAGIC or zlib.crc32(data[: -_CRC.size]) != checksum:
        raise damaged(name, f"there is no segment at byte {place}")
    tables = {
        table: Table(*_TABLE.unpack_from(data, _SEGMENT_HEAD.size + number * _TABLE.size))
        for number, table in enumerate(TABLES)
    }
    expected = SEGMENT_HEADER_SIZE
    for table, where in tables.items():
        if where.offset != expected or where.size != where.rows * ROW_SIZES[table]:
            raise damaged(name, f"the tables of the segment at byte {place} do not add up")
        expected += where.size
    if size != SEGMENT_HEADER_SIZE or (data_offset, total) != (
        expected,
        expected + data_size + END_SIZE,
    ):
        raise damaged(name, f"the sizes of the segment at byte {place} do not add up")
    return SegmentHeader(total, data_offset, data_size, tables)


class EntryTable:
    """The entries of one kind of records in a segment, by key."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.count = len(data) // _ENTRY.size

    def __getitem__(self, number: int) -> Entry:
        return Entry(*_ENTRY.unpack_from(self._data, number * _ENTRY.size))

    def __iter__(self) -> Iterator[Entry]:
        return map(Entry._make, _ENTRY.iter_unpack(self._data))

    def key(self, number: int) -> bytes:
        """The key of the entry with this number."""
        start = number * _ENTRY.size
        return self._data[start : start + KEY_SIZE]

    def lower(self, key: bytes) -> int:
        """The number of the first entry whose key is not below this one."""
        return bisect_left(range(self.count), key, key=self.key)

    def find(self, keys: set[bytes]) -> Iterator[Entry]:
        """The entries of those of the keys that are there."""
        if self.count <= 4 * len(keys):
            yield from (entry for entry in self if entry.key in keys)
            return
        for key in keys:
            number = self.lower(key)
            if number < self.count and self.key(number) == key:
                yield self[number]


class ChildTable:
    """The child jobs in a segment, by the key of their parent."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._count = len(data) // (2 * KEY_SIZE)

    def _key(self, number: int) -> bytes:
        start = number * 2 * KEY_SIZE
        return self._data[start : start + KEY_SIZE]

    def find(self, parent: bytes) -> Iterator[bytes]:
        """The keys of the children of a job."""
        number = bisect_left(range(self._count), parent, key=self._key)
        while number < self._count and self._key(number) == parent:
            end = (number + 1) * 2 * KEY_SIZE
            yield self._data[end - KEY_SIZE : end]
            number += 1


def pack_entries(entries: Iterable[Entry]) -> bytes:
    """The table of entries, in the order of their keys."""
    return b"".join(_ENTRY.pack(*entry) for entry in sorted(entries))


def pack_blocks(blocks: Iterable[Block]) -> bytes:
    """The table of blocks."""
    return b"".join(_BLOCK.pack(*block) for block in blocks)


def parse_blocks(data: bytes) -> list[Block]:
    """The blocks of a table."""
    return [Block(*row) for row in _BLOCK.iter_unpack(data)]


def compress(raw: bytes) -> tuple[int, bytes]:
    """(codec, stored bytes) of a block."""
    stored = zlib.compress(raw, LEVEL)
    small = len(raw) > MAX_BLOCK and len(raw) > MAX_RATIO * len(stored)
    return (STORED, raw) if small or len(stored) >= len(raw) else (DEFLATED, stored)


def decompress(block: Block, stored: bytes, name: str) -> bytes:
    """
    The raw bytes of a block; never more than it says, nor more than its size can justify.

    Raises `BundleError` if the bytes are not those that were stored.
    """
    if len(stored) != block.size or zlib.crc32(stored) != block.checksum:
        raise damaged(name, "a block does not match its checksum")
    if block.codec == STORED:
        raw = stored
    elif block.codec == DEFLATED:
        if block.raw_size > MAX_BLOCK and block.raw_size > MAX_RATIO * block.size:
            raise damaged(name, "a block claims to hold far more than its size can")
        inflater = zlib.decompressobj()
        try:
            raw = inflater.decompress(stored, block.raw_size + 1)
        except zlib.error as error:
            raise damaged(name, f"a block can't be decompressed: {error}") from error
    else:
        raise damaged(name, f"a block is written in an unknown way ({block.codec})")
    if len(raw) != block.raw_size:
        raise damaged(name, "a block is not as long as it says")
    return raw
