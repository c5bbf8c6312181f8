"""One segment of a bundle: reading it piece by piece, and collecting records for a new one."""

from __future__ import annotations

import json
import tempfile
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from functools import partial
from typing import IO, Any, Protocol

from redun.backends.records import Record, RecordError
from redun.backends.verify import check_fields
from redun.sync.bundle_format import (
    END_SIZE,
    ENDED,
    SEGMENT_HEADER_SIZE,
    TABLES,
    Block,
    BundleError,
    ChildTable,
    Entry,
    EntryTable,
    SegmentHeader,
    compress,
    damaged,
    decompress,
    key_of,
    pack_blocks,
    pack_entries,
    parse_blocks,
    parse_segment_header,
    segment_end,
    segment_header,
)

#: Raw bytes of a block: what is read at least for one record.
BLOCK_SIZE = 1 << 18

#: A segment that has one of these is written out.
SEGMENT_RECORDS = 1 << 16
SEGMENT_SIZE = 64 << 20

#: What is kept of tables and of raw blocks, in bytes, for all segments together.
CACHE_SIZE = 32 << 20

#: Kept in memory of a segment that is being collected, in bytes; more lies in a temporary file.
SPOOL_SIZE = 8 << 20

COPY_SIZE = 1 << 20


class Source(Protocol):
    """Bytes that can be read in pieces."""

    name: str

    def read(self, offset: int, size: int) -> bytes:
        """That many bytes from that place; fewer at the end."""


class Cache:
    """Pieces of bundles that were read lately, limited by their size."""

    def __init__(self, limit: int = CACHE_SIZE) -> None:
        self._limit = limit
        self._size = 0
        self._items: OrderedDict[Any, tuple[Any, int]] = OrderedDict()

    def get(self, key: Any) -> Any:
        """What was put under a key, or None."""
        found = self._items.get(key)
        if found is None:
            return None
        self._items.move_to_end(key)
        return found[0]

    def put(self, key: Any, value: Any, size: int) -> None:
        """Keeps something of a size, and drops what has not been asked for longest."""
        self._items[key] = (value, size)
        self._size += size
        while self._size > self._limit and len(self._items) > 1:
            _, (_, dropped) = self._items.popitem(last=False)
            self._size -= dropped


class Segment:
    """A complete segment, at a place in a source. Tables and blocks are read when they are needed."""

    def __init__(self, source: Source, place: int, header: SegmentHeader, cache: Cache) -> None:
        self.source = source
        self.place = place
        self.header = header
        self._cache = cache

    @property
    def end(self) -> int:
        """Where the next segment begins."""
        return self.place + self.header.size

    def count(self, kind: str) -> int:
        """How many records of a kind there are."""
        return self.header.tables[kind].rows

    def entries(self, kind: str) -> EntryTable:
        """The entries of a kind."""
        found: EntryTable = self._table(kind, EntryTable)
        return found

    def children(self) -> ChildTable:
        """The child jobs."""
        found: ChildTable = self._table("children", ChildTable)
        return found

    def record(self, kind: str, entry: Entry) -> Record:
        """
        The record of an entry, its fields checked.

        Raises `BundleError` if it can't be read or is another one.
        """
        raw = self._block(entry.block)
        line = raw[entry.offset : entry.offset + entry.length]
        try:
            record = json.loads(line)
            found = check_fields(record)
        except (ValueError, RecursionError, RecordError) as error:
            raise damaged(self.source.name, f"a record can't be read: {error}") from error
        if found[0] != kind or key_of(found[1]) != entry.key:
            raise damaged(self.source.name, "a record is not the one that its table names")
        checked: Record = record
        return checked

    def _table(self, name: str, parse: Any) -> Any:
        key = (self.source.name, self.place, name)
        found = self._cache.get(key)
        if found is None:
            table = self.header.tables[name]
            data = self.source.read(self.place + table.offset, table.size)
            if len(data) != table.size or zlib.crc32(data) != table.checksum:
                raise damaged(self.source.name, "a table does not match its checksum")
            found = parse(data)
            self._cache.put(key, found, len(data) + 1)
        return found

    def _block(self, number: int) -> bytes:
        key = (self.source.name, self.place, number)
        raw = self._cache.get(key)
        if raw is None:
            blocks: list[Block] = self._table("blocks", parse_blocks)
            if number >= len(blocks):
                raise damaged(self.source.name, "a record lies in a block that is not there")
            block = blocks[number]
            if block.offset + block.size > self.header.data_size:
                raise damaged(self.source.name, "a block lies outside of the data")
            place = self.place + self.header.data_offset + block.offset
            raw = decompress(block, self.source.read(place, block.size), self.source.name)
            self._cache.put(key, raw, len(raw) + 1)
        found: bytes = raw
        return found


def read_segments(source: Source, start: int, cache: Cache) -> Iterator[Segment]:
    """
    The complete segments from a place on; what follows the last one is a write that was cut off.

    Raises `BundleError` at a place where there is something else.
    """
    while True:
        head = source.read(start, SEGMENT_HEADER_SIZE)
        if len(head) < SEGMENT_HEADER_SIZE or not any(head):
            return
        header = parse_segment_header(head, source.name, start)
        end = source.read(start + header.size - END_SIZE, END_SIZE)
        # The end is written when all before it is on disk.
        if len(end) < END_SIZE or not any(end):
            return
        if end != segment_end(head):
            raise damaged(source.name, f"the segment at byte {start} has no end")
        segment = Segment(source, start, header, cache)
        yield segment
        start = segment.end


class SegmentBuilder:
    """Records for a segment that isn't written yet."""

    def __init__(self) -> None:
        self._spool: IO[bytes] = tempfile.SpooledTemporaryFile(SPOOL_SIZE)  # noqa: SIM115
        self._blocks: list[Block] = []
        self._raw = bytearray()
        self._size = 0
        self.entries: dict[str, dict[bytes, Entry]] = {
            name: {} for name in TABLES if name not in ("blocks", "children")
        }
        self.children: dict[bytes, set[bytes]] = {}
        self._undo: list[Callable[[], object]] = []

    def mark(self) -> None:
        """Makes `rollback` return to what there is now."""
        spooled, size, blocks, raw = self._spool.tell(), self._size, len(self._blocks), self._raw[:]

        def restore() -> None:
            self._spool.seek(spooled)
            self._spool.truncate()
            self._size, self._raw = size, raw
            del self._blocks[blocks:]

        self._undo = [restore]

    def rollback(self) -> None:
        """Takes back what was added since `mark`."""
        while self._undo:
            self._undo.pop()()

    @property
    def count(self) -> int:
        """How many records there are."""
        return sum(map(len, self.entries.values()))

    @property
    def is_full(self) -> bool:
        """Whether it is time to write the segment."""
        return self.count >= SEGMENT_RECORDS or self._size >= SEGMENT_SIZE

    def add(self, kind: str, record_id: str, record: Record, line: bytes) -> None:
        """
        Adds a record; one with the same id is replaced.

        Parameters
        ----------
        line : the record as it is stored.
        """
        if self._raw and len(self._raw) + len(line) > BLOCK_SIZE:
            self._end_block()
        key = key_of(record_id)
        flags = 0
        if kind == "Job":
            flags = ENDED if record["end_time"] is not None else 0
            if record["parent_id"] is not None:
                self._add_child(key_of(record["parent_id"]), key)
        entries = self.entries[kind]
        before = entries.get(key)
        self._undo.append(
            partial(entries.pop, key)
            if before is None
            else partial(entries.__setitem__, key, before)
        )
        entries[key] = Entry(key, flags, len(self._blocks), len(self._raw), len(line))
        self._raw += line

    def _add_child(self, parent: bytes, child: bytes) -> None:
        children = self.children.setdefault(parent, set())
        if child not in children:
            children.add(child)
            self._undo.append(partial(children.discard, child))

    def _end_block(self) -> None:
        raw = bytes(self._raw)
        codec, stored = compress(raw)
        self._blocks.append(Block(self._size, len(stored), len(raw), zlib.crc32(stored), codec))
        self._spool.write(stored)
        self._size += len(stored)
        self._raw.clear()

    def write(self) -> Iterator[bytes]:
        """The bytes of the segment, the end of it as the last piece. Nothing can be added after."""
        if self._raw:
            self._end_block()
        packed = {
            "blocks": pack_blocks(self._blocks),
            "children": b"".join(
                parent + child
                for parent in sorted(self.children)
                for child in sorted(self.children[parent])
            ),
            **{kind: pack_entries(entries.values()) for kind, entries in self.entries.items()},
        }
        counts = {
            "blocks": len(self._blocks),
            "children": sum(map(len, self.children.values())),
            **{kind: len(entries) for kind, entries in self.entries.items()},
        }
        tables = {name: (counts[name], zlib.crc32(packed[name])) for name in TABLES}
        sizes = {name: len(packed[name]) for name in TABLES}
        header = segment_header(tables, sizes, self._size)
        yield header
        for name in TABLES:
            yield packed[name]
        self._spool.seek(0)
        while piece := self._spool.read(COPY_SIZE):
            yield piece
        yield segment_end(header)

    def close(self) -> None:
        """Lets go of the temporary file."""
        self._spool.close()


__all__ = ["BundleError", "Cache", "Segment", "SegmentBuilder", "Source", "read_segments"]
