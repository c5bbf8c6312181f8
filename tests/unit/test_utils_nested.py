"""Nested values: what is a container, the order of leaves, and rebuilding."""

import collections
import dataclasses
from typing import Any, NamedTuple

import pytest

from redun.utils import (
    expand,
    iter_nested_value,
    iter_nested_value_children,
    leaves,
    map_nested_value,
    rebuild,
    substitute,
)
from redun.utils.nested import is_leaf
from redun.value import Value

DEEP = 20_000


class Pair(NamedTuple):
    x: Any
    y: Any


@dataclasses.dataclass
class Point:
    a: Any
    b: Any = 2
    late: Any = dataclasses.field(default=0, init=False)


@dataclasses.dataclass(frozen=True)
class Frozen:
    a: Any
    late: Any = dataclasses.field(default=0, init=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Slotted:
    a: Any


@dataclasses.dataclass
class DataValue(Value):
    a: Any


class Opaque:
    pass


def deep_list(depth: int) -> list:
    value: list = [1]
    for _ in range(depth):
        value = [value]
    return value


def cycle() -> list:
    value: list = []
    value.append([value])
    return value


def test_children() -> None:
    assert list(iter_nested_value_children([1, [2]])) == [(False, 1), (False, [2])]
    assert list(iter_nested_value_children({1: [2]})) == [(False, 1), (False, [2])]
    assert list(iter_nested_value_children(Pair(1, [2]))) == [(False, 1), (False, [2])]
    assert list(iter_nested_value_children(5)) == [(True, 5)]
    assert list(iter_nested_value_children(frozenset([1]))) == [(True, frozenset([1]))]


def test_leaves_come_in_reverse() -> None:
    assert list(iter_nested_value({"a": [1, 2], "b": (3,)})) == [3, 2, 1, "b", "a"]
    assert list(iter_nested_value([1, Pair(2, Point(3, 4)), 5])) == [5, 0, 4, 3, 2, 1]
    assert list(iter_nested_value(7)) == [7]
    assert list(iter_nested_value([])) == []


def test_subclasses_and_others_are_leaves() -> None:
    class MyList(list):
        pass

    things: list[Any] = [
        MyList([1]),
        collections.OrderedDict(a=1),
        collections.defaultdict(list),
        frozenset([1]),
        collections.deque([1]),
        Point,
        DataValue(1),
    ]
    for thing in things:
        assert list(iter_nested_value(thing)) == [thing]
        assert map_nested_value(lambda leaf: "leaf", thing) == "leaf"
        assert expand(thing) is None
        assert is_leaf(thing)
    for container in ([], (), set(), {}, Pair(1, 2), Point(1, 2)):
        assert not is_leaf(container)


def test_map_rebuilds_exact_types() -> None:
    value = {"a": [1, (2, {3})], "p": Pair(4, [5])}
    mapped = map_nested_value(lambda x: x * 2, value)
    assert mapped == {"aa": [2, (4, {6})], "pp": Pair(8, [10])}
    assert type(mapped["pp"]) is Pair
    assert map_nested_value(str, 3) == "3"
    assert map_nested_value(str, []) == []


def test_map_dict_visits_key_then_value() -> None:
    seen: list[Any] = []
    map_nested_value(seen.append, [{"a": 1, "b": 2}])
    assert seen == ["a", 1, "b", 2]


def test_map_dataclasses() -> None:
    point = Point(1)
    point.late = 5
    point.extra = "kept"  # type: ignore[attr-defined]
    mapped = map_nested_value(lambda x: x + 1, point)
    assert (mapped.a, mapped.b, mapped.late, mapped.extra) == (2, 3, 6, "kept")
    frozen = Frozen(1)
    mapped = map_nested_value(lambda x: x + 1, frozen)
    assert (mapped.a, mapped.late) == (2, 1)
    assert map_nested_value(lambda x: x + 1, Slotted(1)) == Slotted(2)


def test_deep_values() -> None:
    value = deep_list(DEEP)
    assert list(iter_nested_value(value)) == [1]
    mapped = map_nested_value(lambda x: x + 1, value)
    assert list(iter_nested_value(mapped)) == [2]
    leaf = Opaque()
    value = [leaf]
    for _ in range(DEEP):
        value = [value]
    assert leaves(value) == [leaf]
    assert leaves(substitute(value, {id(leaf): 1})) == []


def test_a_container_in_itself_is_an_error() -> None:
    with pytest.raises(ValueError, match="contains itself"):
        list(iter_nested_value(cycle()))
    with pytest.raises(ValueError, match="contains itself"):
        map_nested_value(lambda x: x, cycle())
    with pytest.raises(ValueError):
        leaves(cycle())


def test_shared_containers_are_no_cycle() -> None:
    shared = [1]
    assert list(iter_nested_value([shared, shared])) == [1, 1]
    assert map_nested_value(lambda x: x, [shared, shared]) == [[1], [1]]


def test_leaves_in_document_order() -> None:
    first, second, third = Opaque(), Opaque(), Opaque()
    value = {"k": [first, 1], "l": Pair(second, Point(third, None))}
    assert leaves(value) == [first, second, third]
    assert leaves({"a": [1, (None, b"x", 2.5)]}) == []


def test_substitute_copies_and_replaces() -> None:
    first, second = Opaque(), Opaque()
    value = {"k": [first, 1], "p": Pair(second, Point(first, 3))}
    replaced = substitute(value, {id(first): "one"})
    assert replaced == {"k": ["one", 1], "p": Pair(second, Point("one", 3))}
    assert value["k"][0] is first  # type: ignore[index]
    assert rebuild(Pair(1, 2), [3, 4]) == Pair(3, 4)
