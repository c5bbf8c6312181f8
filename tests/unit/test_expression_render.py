"""Cut displays of values."""

from __future__ import annotations

import pytest

from redun.expression import bounded_repr


@pytest.mark.parametrize(
    "value",
    [
        None,
        1,
        "it's",
        b"x",
        [],
        [1],
        (1,),
        (1, 2),
        (),
        {},
        {"a": [1, {2: (3,)}]},
        set(),
        {1},
        frozenset({1}),
        [[], [()]],
        1.5,
        range(3),
        ValueError("x"),
    ],
)
def test_short_values_show_as_repr(value):
    assert bounded_repr(value, 200) == repr(value)


@pytest.mark.parametrize(
    "value", ["x" * 1000, list(range(1000)), {i: i for i in range(1000)}, b"y" * 1000, 10**1000]
)
@pytest.mark.parametrize("length", [3, 20, 200])
def test_long_values_are_cut(value, length):
    shown = bounded_repr(value, length)
    assert len(shown) == length
    assert shown == repr(value)[: length - 3] + "..."


def test_exact_length_is_not_cut():
    assert bounded_repr("abc", 5) == "'abc'"
    assert bounded_repr("abc", 4) == "'..."


def test_deep_and_cyclic_values():
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    assert bounded_repr(deep, 10) == "[[[[[[[..."
    cyclic: list = []
    cyclic.append(cyclic)
    assert bounded_repr(cyclic, 10) == "[[[[[[[..."


def test_objects_that_cannot_show_themselves():
    class Broken:
        def __repr__(self):
            raise RuntimeError("no")

    assert bounded_repr([Broken()], 100) == "[<Broken: RuntimeError in repr>]"
    assert "ValueError" in bounded_repr(10**5000, 100)


def test_huge_values_are_not_rendered_in_full():
    class Counting:
        shown = 0

        def __repr__(self):
            Counting.shown += 1
            return "12345678"

    assert len(bounded_repr([Counting() for _ in range(10_000)], 100)) == 100
    assert Counting.shown < 20
