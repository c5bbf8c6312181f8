"""Records as lines: what is read, what is refused and how it is told, and where lines go."""

from __future__ import annotations

import gzip
import io
import json
import sys
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from redun.sync import lines
from redun.sync.lines import LineError, format_line, open_input, open_output, read_lines

SUFFIXES = ["", ".gz", ".zst"]


def parse(data: bytes) -> list:
    return list(read_lines(io.BytesIO(data), "f"))


def test_lines_and_numbers() -> None:
    assert parse(b'{"a": 1}\n[2]\n"x"') == [(1, {"a": 1}), (2, [2]), (3, "x")]
    assert parse(b"") == []


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"{}\n{\n", "f, line 2: it is not JSON (character 3): '{'"),
        (b'{}\n{"a": 1', "f, line 2: it is cut off, or no JSON: '{\"a\": 1'"),
        (b"{}\n\n{}\n", "f, line 2: it is empty"),
        (b"{}\n  \n", "f, line 2: it is empty"),
        (b'{"a": "\xff"}\n', "f, line 1: it is not UTF-8 text: byte 8 of it is 0xff"),
        (b"\0\0\n", "f, line 1: it is not JSON (character 1): '\\x00\\x00'"),
        (b"[" * 200_000 + b"\n", "f, line 1: it is nested too deeply"),
        (b'{"a":' * 200_000 + b"1" + b"}" * 200_000 + b"\n", "f, line 1: it is nested too deeply"),
        (b'{"a": ' + b"1" * 5000 + b"}\n", 'f, line 1: it is not JSON: \'{"a": 11'),
        (b"x" * 3_000_000 + b"\n", "f, line 1: it is not a JSON object: 'xxxx"),
        (b"{" + b"x" * 3_000_000 + b"\n", "f, line 1: it is not JSON (character 2): '{xxx"),
        (bytes(3_000_000), "f, line 1: it is not a JSON object: '\\x00"),
    ],
)
def test_bad_lines(data: bytes, message: str) -> None:
    with pytest.raises(LineError) as caught:
        parse(data)
    assert str(caught.value).startswith(message)
    assert len(str(caught.value)) < 300 + len(message)
    assert caught.value.number == message.count("line 2") + 1


def test_long_lines(monkeypatch) -> None:
    record = {"data": "A" * 5_000_000}
    assert parse(json.dumps(record).encode() + b"\n{}\n") == [(1, record), (2, {})]
    monkeypatch.setattr(lines, "MAX_LINE", 3_000_000)
    with pytest.raises(LineError, match="longer than 3000000 bytes"):
        parse(json.dumps(record).encode())


def test_endless_input_is_not_read_to_its_end() -> None:
    with open("/dev/zero", "rb") as stream, pytest.raises(LineError, match="line 1"):
        list(read_lines(stream, "f"))


@given(st.dictionaries(st.text(), st.none() | st.text() | st.integers() | st.booleans()))
def test_format(record: dict) -> None:
    line = format_line(record)
    assert line == json.dumps(record) + "\n"
    assert line.isascii()
    assert parse(line.encode()) == [(1, record)]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_files(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"dir/x.jsonl{suffix}"
    with open_output(str(path)) as stream:
        assert not path.exists()
        stream.write(b'{"a": 1}\n' * 1000)
    data = path.read_bytes()
    assert data.startswith({"": b"{", ".gz": b"\x1f\x8b", ".zst": b"\x28\xb5\x2f\xfd"}[suffix])
    with open_input(str(path)) as stream:
        assert len(list(read_lines(stream, "f"))) == 1000
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_equal_lines_give_equal_files(tmp_path: Path) -> None:
    for name in ("a.gz", "b.gz"):
        with open_output(str(tmp_path / name)) as stream:
            stream.write(b"{}\n")
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()


def test_a_failed_export_leaves_the_file_of_before(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text("before")

    def fail() -> None:
        with open_output(str(path)) as stream:
            stream.write(b"half")
            stream.write(1)  # type: ignore[arg-type]

    with pytest.raises(TypeError):
        fail()
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_pipes_are_written_to(tmp_path: Path) -> None:
    with open_output("/dev/null") as stream:
        stream.write(b"x")
    assert not Path("/dev/null").is_file()


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
@pytest.mark.parametrize("damage", ["cut", "noise", "other"])
def test_damaged_compression(tmp_path: Path, suffix: str, damage: str) -> None:
    path = tmp_path / f"x{suffix}"
    with open_output(str(path)) as stream:
        for number in range(20_000):
            stream.write(b'{"n": %d}\n' % (number * 7919 % 100_003))
    data = path.read_bytes()
    half = len(data) // 2
    path.write_bytes(
        {
            "cut": data[:half],
            "noise": data[:half] + b"\x55" * 50 + data[half + 50 :],
            "other": b"no such format",
        }[damage]
    )
    with open_input(str(path)) as stream, pytest.raises(LineError) as caught:
        list(read_lines(stream, "x"))
    assert "x, line " in str(caught.value)


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_two_compressed_files_one_after_the_other(tmp_path: Path, suffix: str) -> None:
    compress = {".gz": gzip.compress, ".zst": zstandard.ZstdCompressor().compress}[suffix]
    path = tmp_path / f"x{suffix}"
    path.write_bytes(compress(b"{}\n") + compress(b"[]\n"))
    with open_input(str(path)) as stream:
        assert [value for _, value in read_lines(stream, "x")] == [{}, []]


def test_standard_input(monkeypatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"{}\n")))
    with open_input("-") as stream:
        assert list(read_lines(stream, "-")) == [(1, {})]


def test_without_zstandard(tmp_path: Path, monkeypatch) -> None:
    from redun.errors import RedunError

    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(RedunError, match="needs the package `zstandard`") as caught:
        open_output(str(tmp_path / "x.zst")).__enter__()
    assert "redun[zstd]" in caught.value.hints[0]
    assert list(tmp_path.iterdir()) == []
