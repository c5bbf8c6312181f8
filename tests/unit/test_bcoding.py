"""Bencode: forms, errors and streams, as the format's reference has them."""

from __future__ import annotations

import enum
import io
import subprocess
import sys
from collections import UserDict
from pathlib import Path
from typing import Any

import pytest

from redun._core import CycleError
from redun.bcoding import bdecode, bencode, main


class Number(int):
    """An int of its own type."""


class Colour(enum.IntEnum):
    RED = 3


class Shown:
    def __repr__(self) -> str:
        return "repr"

    def __str__(self) -> str:
        return "shown"


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (0, b"i0e"),
        (-5, b"i-5e"),
        (2**63 - 1, b"i9223372036854775807e"),
        (-(2**63) - 1, b"i-9223372036854775809e"),
        (10**30, b"i1" + b"0" * 30 + b"e"),
        (Number(3), b"i3e"),
        (Colour.RED, b"i3e"),
        ("é", b"2:\xc3\xa9"),
        (b"\xff\x00", b"2:\xff\x00"),
        ("", b"0:"),
        ([], b"le"),
        ((1, ["a"]), b"li1el1:aee"),
        (range(3), b"li0ei1ei2ee"),
        ((char for char in "ab"), b"l1:a1:be"),
        ({1}, b"li1ee"),
        (bytearray(b"ab"), b"li97ei98ee"),
        (memoryview(b"ab"), b"li97ei98ee"),
        ({}, b"de"),
        ({"b": 1, "a": 2}, b"d1:ai2e1:bi1ee"),
        ({b"b": 1, b"a": 2}, b"d1:ai2e1:bi1ee"),
        (UserDict({"b": 1, "a": 2}), b"d1:ai2e1:bi1ee"),
        (
            {"é": 1, "z": 2, "\U0001f600": 3, "\uffff": 4},
            b"d1:zi2e2:\xc3\xa9i1e3:\xef\xbf\xbfi4e4:\xf0\x9f\x98\x80i3ee",
        ),
    ],
)
def test_encoding(value: Any, encoded: bytes) -> None:
    assert bencode(value) == encoded


@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: [x], lambda x: {"k": (x,)}])
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (True, "the passed value True of type bool is not bencodable."),
        (1.5, "the passed value 1.5 of type float is not bencodable."),
        (None, "the passed value None of type NoneType is not bencodable."),
        (Shown(), "the passed value shown of type Shown is not bencodable."),
        ({1: 2}, r"object of type 'int' has no len\(\)"),
        ({1: 2, "a": 3}, "'<' not supported between instances of 'str' and 'int'"),
        ({"a": 1, b"b": 2}, "'<' not supported between instances of 'bytes' and 'str'"),
        ({(1, 2): 3}, "a bytes-like object is required, not 'tuple'"),
    ],
)
def test_what_has_no_encoding(value: Any, message: str, wrap: Any) -> None:
    with pytest.raises(TypeError, match=message):
        bencode(wrap(value))


def test_integers_beyond_the_limit_of_python_on_digits() -> None:
    encoded = b"li1" + b"0" * 5000 + b"ei-" + b"9" * 5000 + b"ee"
    value = [10**5000, 1 - 10**5000]
    assert (bencode(value) == encoded) is True
    assert (bdecode(encoded) == value) is True


def test_lone_surrogates() -> None:
    for value in ("\ud800", {"\ud800": 1}, ["x", "\udfff"]):
        with pytest.raises(UnicodeEncodeError):
            bencode(value)


def test_encoding_to_a_stream() -> None:
    stream = io.BytesIO()
    assert bencode([1, "a"], stream) is None
    assert stream.getvalue() == b"li1e1:ae"
    with pytest.raises(TypeError):
        bencode([1, None], stream)
    assert stream.getvalue() == b"li1e1:ae"


def test_containers_that_contain_themselves() -> None:
    items: list[Any] = []
    items.append({"k": (items,)})
    with pytest.raises(CycleError, match="contains itself"):
        bencode(items)
    shared: list[Any] = ["x"]
    assert bencode([shared] * 200) == b"l" + b"l1:xe" * 200 + b"e"


DECODED = [
    (b"i 3e", 3),
    (b"i+3e", 3),
    (b"i\n3\ne", 3),
    (b"i1_0e", 10),
    (b"i-0e", 0),
    (b"01:a", "a"),
    (b"1 :a", "a"),
    (b"0:", ""),
    (b"2:\xc3\xa9", "é"),
    (b"3:\xff\xfe\xfd", b"\xff\xfe\xfd"),
    (b"e", None),
    (b"le", []),
    (b"lle1:xe", [[], "x"]),
    (b"de", {}),
    (b"d1:b1:c1:ai1ee", {"b": "c", "a": 1}),
    (b"d1:a1:b1:a1:ce", {"a": "c"}),
    (b"d1:\xff1:ae", {b"\xff": "a"}),
    (b"d1:ae", {"a": None}),
]


@pytest.mark.parametrize(("data", "value"), DECODED)
def test_decoding(data: bytes, value: Any) -> None:
    rest = b"i7e"
    assert bdecode(data) == value
    assert bdecode(data + rest) == value
    assert bdecode(bytearray(data)) == value
    stream = io.BytesIO(data + rest)
    assert bdecode(stream) == value
    assert stream.read() == rest


def test_decoding_text() -> None:
    assert bdecode("2:é") == "é"
    assert bdecode("d1:a1:be") == {"a": "b"}


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (b"i1", ValueError, r"File ended unexpectedly\. Expected end byte b'e'\."),
        (b"5", ValueError, r"File ended unexpectedly\. Expected end byte b':'\."),
        (
            b"5:abc",
            ValueError,
            "string expected to be 5 bytes long but the file ended after 3 bytes",
        ),
        (b"99999999999999999999999:a", ValueError, "the file ended after 1 bytes"),
        (b"ixe", ValueError, r"invalid literal for int\(\) with base 10: b'x'"),
        (b"i1.5e", ValueError, r"invalid literal for int\(\) with base 10: b'1.5'"),
        (b"5x:a", ValueError, r"invalid literal for int\(\) with base 10: b'5x'"),
        (
            b"x",
            TypeError,
            r"Tried to decode type 'End' with identifier b'e', got identifier b'x' instead",
        ),
        (b"", TypeError, r"got identifier b'' instead"),
        (b"\xff", TypeError, r"got identifier b'\\xff' instead"),
        (b"l", TypeError, "got identifier"),
        (b"d1:a", TypeError, "got identifier"),
        (b"lxe", TypeError, "got identifier b'x' instead"),
        (b"di1ei2ee", AssertionError, "must be strings"),
        (b"dle1:ae", AssertionError, "must be strings"),
    ],
)
def test_malformed_data(data: bytes, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        bdecode(data)
    with pytest.raises(error, match=message):
        bdecode(io.BytesIO(data))


def test_decoding_something_else() -> None:
    with pytest.raises(TypeError, match="binary stream"):
        bdecode(io.StringIO("i1e"))  # type: ignore[arg-type]


def test_depth_has_no_limit() -> None:
    depth = 100_000
    data = b"l" * depth + b"d1:k" * depth + b"i1e" + b"e" * (2 * depth)
    value = bdecode(data)
    assert bencode(value) == data
    assert bencode(bdecode(io.BytesIO(data))) == data


def test_program_shows_literals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    source.write_bytes(bencode({"a": [1, 2, "xyz"]}))
    main([str(source), str(target)])
    assert target.read_text() == "{'a': [1, 2, 'xyz']}\n"
    main([str(source)])
    assert capsys.readouterr().out == "{'a': [1, 2, 'xyz']}\n"


def test_program_reads_standard_input() -> None:
    data = bencode([chr(97 + i) * 40 for i in range(3)])
    run = subprocess.run(
        [sys.executable, "-m", "redun.bcoding"], input=data, capture_output=True, check=True
    )
    assert run.stdout.decode().splitlines() == [
        f"['{'a' * 40}',",
        f" '{'b' * 40}',",
        f" '{'c' * 40}']",
    ]
