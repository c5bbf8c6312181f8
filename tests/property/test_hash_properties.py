"""Hashes of values: what the model says, the same in every process, different for different values."""

from __future__ import annotations

import os
import pickle
import struct
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redun import _core

# A busy machine is no failure.
STEADY = settings(deadline=None)

FLOATS = st.floats(allow_nan=True, allow_infinity=True)
TEXT = st.text(st.characters(codec=None), max_size=12)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=-(2**70), max_value=2**70),
    st.sampled_from([2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64, 255, 256, -128, -129]),
    FLOATS,
    TEXT,
    st.binary(max_size=12),
)
HASHABLE = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(tuple), st.frozensets(inner, max_size=3)
    ),
    max_leaves=6,
)
VALUES = st.recursive(
    st.one_of(SCALARS, st.sets(HASHABLE, max_size=4), st.frozensets(HASHABLE, max_size=4)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(HASHABLE, inner, max_size=4),
    ),
    max_leaves=15,
)
BENCODABLE = st.recursive(
    st.one_of(st.integers(), st.text(), st.binary()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(), inner, max_size=4)
    ),
    max_leaves=15,
)


def never(obj: Any) -> str:
    raise AssertionError(f"plain data needs no callback, but it was asked about {obj!r}")


def value_hash(value: Any) -> str:
    return _core.hash_values([value], never)[0][0]


def sized(kind: bytes, data: bytes) -> bytes:
    return kind + len(data).to_bytes(8, "little") + data


def encode(value: Any) -> bytes:
    """The typed encoding, as `src/hash/mod.rs` describes it, in plain Python."""
    kind = type(value)
    if value is None or kind is bool:
        return {None: b"N", True: b"T", False: b"F"}[value]
    if kind is int:
        if -(2**63) <= value < 2**63:
            return b"i" + value.to_bytes(8, "little", signed=True)
        length = ((value if value >= 0 else ~value).bit_length() + 8) // 8
        return sized(b"I", value.to_bytes(length, "little", signed=True))
    if kind is float:
        return b"f" + struct.pack("<d", value)
    if kind is str:
        return sized(b"s", value.encode("utf-8", "surrogatepass"))
    if kind is bytes:
        return sized(b"b", value)
    count = len(value).to_bytes(8, "little")
    if kind in (set, frozenset):
        items = sorted(bytes.fromhex(_core.hash_bytes(encode(item))) for item in value)
        return (b"S" if kind is set else b"Z") + count + b"".join(items)
    if kind is dict:
        return b"d" + count + b"".join(encode(k) + encode(v) for k, v in value.items())
    return (b"l" if kind is list else b"t") + count + b"".join(map(encode, value))


def rebuilt(value: Any) -> Any:
    """An equal value that shares no object with `value`, sets filled in the opposite order."""
    kind = type(value)
    if kind in (list, tuple):
        return kind(rebuilt(item) for item in value)
    if kind in (set, frozenset):
        items = [rebuilt(item) for item in value]
        return kind(reversed(items))
    if kind is dict:
        return {rebuilt(k): rebuilt(v) for k, v in value.items()}
    return pickle.loads(pickle.dumps(value))


@STEADY
@given(VALUES)
def test_the_hash_is_that_of_the_written_encoding(value: Any) -> None:
    assert value_hash(value) == _core.hash_tag_bytes("Value", encode(value))


@STEADY
@given(VALUES)
def test_equal_content_in_other_objects_has_an_equal_hash(value: Any) -> None:
    assert value_hash(rebuilt(value)) == value_hash(value)


@STEADY
@given(st.lists(VALUES, max_size=8))
def test_different_values_have_different_hashes(values: list[Any]) -> None:
    by_hash: dict[str, bytes] = {}
    for value, (digest, _) in zip(values, _core.hash_values(values, never), strict=True):
        assert by_hash.setdefault(digest, encode(value)) == encode(value)
    assert len(by_hash) == len({encode(value) for value in values})


@STEADY
@given(st.dictionaries(TEXT, st.integers(), min_size=2, max_size=5))
def test_the_order_of_a_dict_counts(value: dict[str, int]) -> None:
    backwards = dict(reversed(value.items()))
    assert backwards == value
    assert value_hash(backwards) != value_hash(value)


@STEADY
@given(st.lists(VALUES, max_size=4), st.dictionaries(st.text(), VALUES, max_size=4))
def test_arguments_are_hashed_one_by_one(args: list[Any], kwargs: dict[str, Any]) -> None:
    [(args_hash, positional, keyword, plain)] = _core.hash_arguments([(args, kwargs)], never)
    assert positional == tuple(value_hash(value) for value in args)
    assert keyword == tuple(value_hash(value) for value in kwargs.values())
    named = dict(zip(kwargs, keyword, strict=True))
    assert args_hash == _core.hash_struct(["TaskArguments", positional, named])
    leaves = _core.nested_leaves([args, kwargs], lambda _: None)
    assert plain == (leaves == [])


@STEADY
@given(VALUES)
def test_a_copy_is_equal_and_has_no_container_in_common(value: Any) -> None:
    copy = _core.nested_map(value, {}, lambda _: None, lambda obj, _: obj)
    assert value_hash(copy) == value_hash(value)
    if type(value) in (list, dict, set):
        assert copy is not value


@STEADY
@given(BENCODABLE)
def test_what_is_bencoded_is_read_back(value: Any) -> None:
    def as_read(item: Any) -> Any:
        if isinstance(item, bytes):
            try:
                return item.decode()
            except UnicodeDecodeError:
                return item
        if isinstance(item, list):
            return [as_read(part) for part in item]
        if isinstance(item, dict):
            return {key: as_read(part) for key, part in item.items()}
        return item

    encoded = _core.bencode(value)
    assert _core.bdecode(encoded) == as_read(value)
    assert _core.hash_struct(value) == _core.hash_bytes(encoded)


@STEADY
@given(st.binary(max_size=40))
def test_any_bytes_are_decoded_or_refused(data: bytes) -> None:
    try:
        value = _core.bdecode(data)
    except (ValueError, TypeError, AssertionError):
        return
    assert value is None or isinstance(value, int | str | bytes | list | dict)


PROGRAM = """
from redun import _core
words = ["word%d" % i for i in range(50)]
values = [
    set(words), frozenset(words), [set(words)], {"k": {(w, frozenset(words[:3])) for w in words}},
    {w: len(w) for w in words}, [words, words], [list(words), list(words)],
]
print(*[value_hash for value_hash, _ in _core.hash_values(values, None)])
"""


def test_hashes_do_not_depend_on_the_process() -> None:
    outputs = set()
    for seed in ("0", "1", "4242", "random"):
        run = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        outputs.add(run.stdout)
    assert len(outputs) == 1
    hashes = outputs.pop().split()
    assert len(hashes) == 7
    assert hashes[5] == hashes[6]


@pytest.mark.parametrize("shared", [True, False])
def test_identity_does_not_matter(shared: bool) -> None:
    first = "".join(["a", "b" * 50])
    second = first if shared else "".join(["a", "b" * 50])
    assert (first is second) is shared
    assert value_hash([first, second]) == value_hash(["a" + "b" * 50] * 2)
