"""Hashes of arrays and records under the default scheme."""

import array
import dataclasses
import sys
import tracemalloc
import warnings
from typing import Any, NamedTuple

import numpy as np
import pytest

from redun.hashing import hash_tag_bytes, set_scheme
from redun.utils import pickle_dumps
from redun.value import get_type_registry

get_hash = get_type_registry().get_hash


class Pair(NamedTuple):
    x: Any
    y: Any


@dataclasses.dataclass
class Point:
    x: Any
    y: Any = 0


@dataclasses.dataclass
class Guarded:
    x: Any
    cache: Any = None

    def __getstate__(self) -> dict:
        return {"x": self.x}


def layouts() -> dict[str, np.ndarray]:
    cube = np.arange(24).reshape(2, 3, 4)
    return {
        "fortran": np.asfortranarray(cube),
        "transposed": cube.transpose(2, 0, 1),
        "strided": cube[:, ::2],
        "reversed": cube[::-1, :, ::-1],
        "broadcast": np.broadcast_to(np.arange(3), (4, 3)),
        "text": np.array(["a", "bcd"] * 5)[::2],
        "records": np.ones(10, dtype="i4,f8")[::3],
        "dates": np.array(["2020-01-01", "2021-01-01"] * 3, dtype="M8[D]")[::2],
        "big-endian": np.arange(6, dtype=">i4")[::2],
    }


@pytest.mark.parametrize("name", layouts())
def test_layout_in_memory_does_not_matter(name: str) -> None:
    view = layouts()[name]
    assert get_hash(view) == get_hash(np.array(view, order="C", copy=True))


def test_large_array_of_any_layout() -> None:
    matrix = np.random.default_rng(0).random((700, 900))
    plain = get_hash(matrix)
    assert get_hash(np.asfortranarray(matrix)) == plain
    assert get_hash(np.repeat(matrix, 2, axis=0)[::2]) == plain
    changed = matrix.copy()
    changed[-1, -1] += 1
    assert get_hash(changed) != plain


def test_type_and_shape_count() -> None:
    values: list[Any] = [
        np.zeros((2, 3)),
        np.zeros((3, 2)),
        np.zeros(6),
        np.zeros(6, dtype="f4"),
        np.zeros(6, dtype="i8"),
        np.zeros(6, dtype=">i8"),
        np.zeros((0, 3)),
        np.zeros((3, 0)),
        np.float64(0),
        np.array(0.0),
        np.int64(0),
        np.datetime64("2020"),
        np.zeros(1, dtype=[("a", "i4")]),
        np.zeros(1, dtype=[("b", "i4")]),
        0.0,
        0,
        bytearray(b"\0"),
        memoryview(b"\0"),
        b"\0",
        array.array("i", [0]),
        array.array("f", [0]),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        values.append(np.matrix([[0.0]]))
    assert len({get_hash(value) for value in values}) == len(values)


def test_no_pickle_is_involved(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any) -> Any:
        raise AssertionError("pickled")

    monkeypatch.setattr("redun.value.registry.pickle_dumps", refuse)
    for value in (np.arange(5), np.float32(1), [np.arange(3)], bytearray(b"a"), array.array("d")):
        assert len(get_hash(value)) == 40
    with pytest.raises(AssertionError):
        get_hash(object())


def test_objects_fall_back_to_pickle() -> None:
    objects = np.array(["a", None], dtype=object)
    assert get_hash(objects) == hash_tag_bytes("Value", pickle_dumps(objects))
    records = np.array([(1, "a")], dtype=[("n", "i4"), ("o", object)])
    assert get_hash(records) == hash_tag_bytes("Value", pickle_dumps(records))


def test_masks_count() -> None:
    first = np.ma.array([1, 2], mask=[0, 1])
    assert get_hash(first) == get_hash(np.ma.array([1, 2], mask=[0, 1]))
    assert get_hash(first) != get_hash(np.ma.array([1, 2], mask=[0, 0]))


def test_no_full_copy() -> None:
    fortran = np.asfortranarray(np.zeros((2000, 2000)))
    tracemalloc.start()
    try:
        get_hash(fortran)
        get_hash(np.ascontiguousarray(fortran[:1000]))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # The contiguous half is the test's own copy.
    assert peak < fortran.nbytes / 2 + 8 * 2**20


def test_views_of_bytes() -> None:
    assert get_hash(memoryview(b"abc")[::-1]) == get_hash(memoryview(b"cba"))
    assert get_hash(bytearray(b"")) != get_hash(bytearray(b"a"))


def test_compatibility_scheme_pickles_arrays() -> None:
    set_scheme("redun1")
    values = np.arange(3)
    assert get_hash(values) == hash_tag_bytes("Value", pickle_dumps(values))


def test_arrow(monkeypatch: pytest.MonkeyPatch) -> None:
    arrow = pytest.importorskip("pyarrow")
    values = [None if i % 3 == 0 else i for i in range(101)]
    full = arrow.array(values)
    assert get_hash(full.slice(3, 50)) == get_hash(arrow.array(values[3:53]))
    table = arrow.table({"x": full})
    parts = arrow.table({"x": arrow.chunked_array([full.slice(0, 7), full.slice(7)])})
    assert get_hash(table) == get_hash(parts)
    assert get_hash(table) != get_hash(full)
    assert sys.modules["pyarrow"] is arrow


def test_records_are_hashed_by_content() -> None:
    first = "".join(["a", "b"])
    assert get_hash(Pair("ab", "ab")) == get_hash(Pair(first, "ab"))
    assert get_hash(Point("ab", "ab")) == get_hash(Point(first, "ab"))
    distinct = [Pair(1, 2), Pair(2, 1), Point(1, 2), Point(2, 1), (1, 2), {"x": 1, "y": 2}]
    assert len({get_hash(value) for value in distinct}) == len(distinct)
    extra = Point(1, 2)
    extra.more = 3  # type: ignore[attr-defined]
    assert get_hash(extra) != get_hash(Point(1, 2))


def test_what_a_class_leaves_out_of_its_pickle_does_not_count() -> None:
    assert get_hash(Guarded(1, cache=2)) == get_hash(Guarded(1, cache=3))
    assert get_hash(Guarded(1)) != get_hash(Guarded(2))
