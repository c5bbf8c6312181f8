"""The bytes of bundles: keys, compression, and what becomes of bytes that someone changed."""

from __future__ import annotations

import struct
import uuid
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redun.sync.bundle import BundleStore
from redun.sync.bundle_format import (
    DEFLATED,
    MAX_BLOCK,
    STORED,
    Block,
    BundleError,
    compress,
    decompress,
    file_header,
    id_of,
    key_of,
)
from redun.sync.bundle_segment import read_segments


def record(number: int) -> dict:
    return {
        "_version": 1,
        "_type": "Value",
        "value_hash": f"{number:040x}",
        "type": "demo.Thing",
        "format": "application/python-pickle",
        "data": "AAAA" * number,
        "subvalues": [],
        "subtype": None,
    }


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> tuple[bytes, list[int]]:
    """The bytes of a bundle of three segments, and where its segments end."""
    path = tmp_path_factory.mktemp("bundle") / "x.redun"
    for number in range(3):
        store = BundleStore(str(path))
        store.put([record(3 * number), record(3 * number + 1), record(3 * number + 2)])
        ends = [segment.end for segment in store._segments]
        store.close()
    store = BundleStore(str(path))
    ends = [segment.end for segment in store._segments]
    store.close()
    return path.read_bytes(), ends


def held(path: Path) -> list[int]:
    """The numbers of the records of a bundle, each of them read."""
    store = BundleStore(str(path))
    try:
        found = [
            int(held["value_hash"], 16)
            for kind, ids in store.ids()
            for held in store.get(kind, ids)
            if held == record(int(held["value_hash"], 16))
        ]
        assert len(found) == sum(len(ids) for _, ids in store.ids())
        return sorted(found)
    finally:
        store.close()


@given(st.text())
def test_keys_of_any_text(text: str) -> None:
    assert len(key_of(text)) == 21
    assert key_of(text)[:1] == b"x"
    assert id_of(key_of(text)) is None


@given(st.binary(min_size=20, max_size=20), st.uuids())
def test_keys_of_ids(digest: bytes, number: uuid.UUID) -> None:
    assert id_of(key_of(digest.hex())) == digest.hex()
    assert id_of(key_of(str(number))) == str(number)
    assert key_of(str(number).replace("-", ""))[:1] == b"x"
    assert key_of(digest.hex() + "0")[:1] == b"x"


@given(st.binary(max_size=2000))
def test_compression(raw: bytes) -> None:
    codec, stored = compress(raw)
    block = Block(0, len(stored), len(raw), zlib.crc32(stored), codec)
    assert decompress(block, stored, "x") == raw


def test_large_and_empty_blocks_are_stored() -> None:
    raw = bytes(MAX_BLOCK + 1)
    codec, stored = compress(raw)
    assert (codec, len(stored)) == (STORED, len(raw))
    assert compress(raw[:-1])[0] == DEFLATED


@pytest.mark.parametrize(
    ("raw_size", "codec", "message"),
    [
        (1 << 40, DEFLATED, "far more than its size can"),
        (100, DEFLATED, "not as long as it says"),
        (100, STORED, "not as long as it says"),
        (100, 9, "written in an unknown way"),
    ],
)
def test_blocks_that_lie(raw_size: int, codec: int, message: str) -> None:
    bomb = zlib.compress(bytes(100_000_000), 9)
    block = Block(0, len(bomb), raw_size, zlib.crc32(bomb), codec)
    with pytest.raises(BundleError, match=message):
        decompress(block, bomb, "x")


def test_every_prefix_holds_its_whole_segments(bundle, tmp_path: Path) -> None:
    data, ends = bundle
    path = tmp_path / "x.redun"
    lengths = {*range(40), *(end + step for end in ends for step in range(-40, 40))}
    for length in sorted(lengths | set(range(0, len(data), 97))):
        if length > len(data):
            continue
        path.write_bytes(data[:length])
        whole = sum(end <= length for end in ends)
        assert held(path) == list(range(3 * whole)), length


@pytest.mark.parametrize("tail", [b"\0" * 4096, b"\0" * 10, b"\x93segm"])
def test_a_tail_that_was_not_written_is_overwritten(bundle, tmp_path: Path, tail: bytes) -> None:
    data, _ = bundle
    path = tmp_path / "x.redun"
    path.write_bytes(data + tail)
    assert held(path) == list(range(9))
    store = BundleStore(str(path))
    store.put([record(9)])
    store.close()
    assert held(path) == list(range(10))
    assert path.read_bytes().startswith(data)


@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_changed_bytes_are_an_error_or_nothing(bundle, tmp_path_factory, data) -> None:
    content, _ = bundle
    changed = bytearray(content)
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=3)):
        changed[place] ^= data.draw(st.integers(1, 255))
    path = tmp_path_factory.mktemp("changed") / "x.redun"
    path.write_bytes(changed)
    try:
        found = held(path)
    except BundleError:
        return
    # Bytes that no reader looks at, and the end of the last segment, may change.
    assert found == list(range(len(found)))
    assert len(found) in (6, 9)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"SQLite format 3\0" + bytes(100), "is not a bundle"),
        (b"x", "is not a bundle"),
        (file_header()[:8] + b"\x02" + file_header()[9:], "does not match its checksum"),
        (file_header() + b"x" * 1000, "there is no segment at byte 16"),
    ],
)
def test_other_files(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "x.redun"
    path.write_bytes(content)
    with pytest.raises(BundleError, match=message):
        BundleStore(str(path))


def test_newer_version(tmp_path: Path) -> None:
    head = file_header()[:8] + b"\x02\x00\0\0"
    path = tmp_path / "x.redun"
    path.write_bytes(head + struct.pack("<I", zlib.crc32(head)))
    with pytest.raises(
        BundleError, match=r"a bundle of version 2\.0; this program reads 1"
    ) as caught:
        BundleStore(str(path))
    assert caught.value.hints


def test_segments_are_read_from_any_source(bundle) -> None:
    data, ends = bundle

    class Bytes:
        name = "bytes"

        def read(self, offset: int, size: int) -> bytes:
            return data[offset : offset + size]

    from redun.sync.bundle_segment import Cache

    segments = list(read_segments(Bytes(), len(file_header()), Cache(limit=0)))
    assert [segment.end for segment in segments] == ends
    assert [segment.count("Value") for segment in segments] == [3, 3, 3]
