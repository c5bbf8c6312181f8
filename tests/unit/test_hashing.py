"""Digests: recorded vectors of both schemes, and the public functions of `redun.hashing`."""

from __future__ import annotations

import ast
import io
import json
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from redun import _core, hashing

GOLDEN = json.loads(
    (Path(__file__).parents[1] / "golden" / "hash_vectors.json").read_text(encoding="utf-8")
)
VECTORS = [(scheme, *vector) for scheme, vectors in GOLDEN.items() for vector in vectors]
TAKES_REGISTRY = {"hash_arguments", "hash_eval", "hash_kwargs", "hash_positional_args"}


class Registry:
    """Hashes values as the stock type registry does: pickles, sets as sorted lists."""

    def leaf(self, value: Any) -> str | bytes:
        if type(value) is set:
            return hashing.hash_tag_bytes("Value.set", pickle.dumps(sorted(value), protocol=3))
        return pickle.dumps(value, protocol=3)

    def hash_many(self, values: Sequence[Any]) -> list[tuple[str, bool]]:
        return _core.hash_values(values, self.leaf)

    def hash_args(
        self, calls: Sequence[tuple[Sequence[Any], dict[str, Any]]]
    ) -> list[tuple[str, list[str], list[str], bool]]:
        return _core.hash_arguments(calls, self.leaf)


def evaluate(function: str, args: tuple[Any, ...]) -> Any:
    if function == "value":
        return Registry().hash_many(args)[0][0]
    if function in TAKES_REGISTRY:
        args = (Registry(), *args)
    return getattr(hashing, function)(*args)


@pytest.mark.parametrize(("scheme", "function", "args", "expected"), VECTORS)
def test_recorded_digests(scheme: str, function: str, args: str, expected: Any) -> None:
    hashing.set_scheme(scheme)
    answer = evaluate(function, ast.literal_eval(args))
    assert (list(answer) if isinstance(answer, tuple) else answer) == expected


def test_default_scheme_and_switching() -> None:
    assert _core.SCHEMES == ("blake3", "redun1")
    assert hashing.set_scheme("blake3") in _core.SCHEMES
    assert hashing.get_scheme() == "blake3"
    assert hashing.set_scheme("redun1") == "blake3"
    assert hashing.get_scheme() == "redun1"


def test_unknown_scheme() -> None:
    before = hashing.get_scheme()
    with pytest.raises(ValueError, match='unknown hash scheme "md5"') as error:
        hashing.set_scheme("md5")
    assert isinstance(error.value, _core.CoreError)
    assert hashing.get_scheme() == before
    with pytest.raises(_core.SchemeError):
        _core.Hash("md5")


@pytest.mark.parametrize(("scheme", "most"), [("blake3", 64), ("redun1", 128)])
def test_incremental_hash(scheme: str, most: int) -> None:
    hashing.set_scheme(scheme)
    message = hashing.Hash()
    assert message.length == 40
    message.update(b"ab")
    assert message.hexdigest() == hashing.hash_bytes(b"ab")
    message.update(b"c")
    assert message.hexdigest() == hashing.hash_bytes(b"abc")
    long = hashing.Hash(length=1000)
    long.update(b"abc")
    assert len(long.hexdigest()) == most
    assert long.hexdigest().startswith(message.hexdigest())
    assert hashing.Hash(length=8).hexdigest() == hashing.hash_bytes(b"")[:8]


def test_hash_remembers_its_scheme() -> None:
    hashing.set_scheme("redun1")
    message = _core.Hash()
    hashing.set_scheme("blake3")
    message.update(b"x")
    assert message.hexdigest() != hashing.hash_bytes(b"x")
    hashing.set_scheme("redun1")
    assert message.hexdigest() == hashing.hash_bytes(b"x")
    assert _core.Hash("redun1").hexdigest() == hashing.hash_bytes(b"")


@pytest.mark.parametrize("size", [0, 5, 100_000, 3_000_000])
def test_bytes_like_arguments_agree(size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    data = data[:size]
    expected = hashing.hash_bytes(data)
    for same in (bytearray(data), memoryview(data)):
        assert hashing.hash_bytes(same) == expected
        message = hashing.Hash()
        message.update(same)
        assert message.hexdigest() == expected
    assert hashing.hash_bytes(memoryview(data + data)[::2]) == hashing.hash_bytes(
        (data + data)[::2]
    )
    assert hashing.hash_stream(io.BytesIO(data)) == expected
    assert hashing.hash_tag_bytes("T", data) == hashing.hash_bytes(b"l1:Te" + data)


@pytest.mark.parametrize("wrong", ["text", 5, None, [1]])
def test_what_is_not_bytes_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError):
        hashing.hash_bytes(wrong)
    with pytest.raises(TypeError):
        hashing.hash_tag_bytes("Value", wrong)
    with pytest.raises(TypeError):
        hashing.Hash().update(wrong)


def test_hash_stream_reads_from_where_it_is() -> None:
    stream = io.BytesIO(b"skipped" + b"x" * 5000)
    stream.seek(7)
    assert hashing.hash_stream(stream, block_size=1) == hashing.hash_bytes(b"x" * 5000)
    with pytest.raises(TypeError):
        hashing.hash_stream(io.StringIO("text"))  # type: ignore[arg-type]


def test_argument_hashes() -> None:
    registry = Registry()
    one, two = (value_hash for value_hash, _ in registry.hash_many([1, "two"]))
    assert hashing.hash_positional_args(registry, [1, "two"]) == [one, two]
    assert hashing.hash_kwargs(registry, {"b": 1, "a": "two"}) == {"b": one, "a": two}
    expected = hashing.hash_struct(["TaskArguments", [one], {"k": two}])
    assert hashing.hash_arguments(registry, [1], {"k": "two"}) == expected
    task_hash = "0" * 40
    assert hashing.hash_eval(registry, task_hash, (1,), {"k": "two"}) == (
        hashing.hash_struct(["Eval", task_hash, expected]),
        expected,
    )


def test_order_of_parents_counts_and_order_of_children_does_not() -> None:
    assert hashing.hash_tag("e", "k", 1, ["a", "b"]) != hashing.hash_tag("e", "k", 1, ["b", "a"])
    call = ("t", "a", "r")
    assert hashing.hash_call_node(*call, ["2", "1"]) == hashing.hash_call_node(*call, ["1", "2"])
    assert hashing.hash_call_node(*call, ["1"]) != hashing.hash_call_node(*call, ["1", "1"])


def test_tag_values_are_json() -> None:
    same = hashing.hash_struct(["Tag", "e", "k", '{"a":[1,null],"b":"\\u00e9"}', []])
    assert hashing.hash_tag("e", "k", {"b": "é", "a": [1, None]}, []) == same
    with pytest.raises(TypeError):
        hashing.hash_tag("e", "k", {1}, [])
