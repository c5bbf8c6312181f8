"""Pickling: the fixed protocol, deep nesting, and previews of what cannot be imported."""

import collections
import enum
import pickle
import sys
import types
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest

from redun.utils import (
    PreviewClass,
    PreviewUnpicklable,
    pickle_dump,
    pickle_dumps,
    pickle_loads,
    pickle_preview,
    with_pickle_preview,
)


def make_pickles() -> dict[str, bytes]:
    """Pickles of instances whose classes are gone afterwards."""
    module = types.ModuleType("gone_module")
    sys.modules[module.__name__] = module

    class Plain:
        def __init__(self, x: int) -> None:
            self.x = x

    class Slots:
        __slots__ = ("y",)

    class Colour(enum.Enum):
        RED = 1

    class Sub(list):
        pass

    Pair = collections.namedtuple("Pair", "a b")
    for cls in (Plain, Slots, Colour, Sub, Pair):
        cls.__module__ = module.__name__
        cls.__qualname__ = cls.__name__
        setattr(module, cls.__name__, cls)
    slots = Slots()
    slots.y = 4
    objects = {
        "plain": Plain(5),
        "slots": slots,
        "enum": Colour.RED,
        "pair": Pair(1, "b"),
        "sub": Sub([1]),
        "class": Plain,
    }
    pickles = {name: pickle.dumps(obj, 3) for name, obj in objects.items()}
    del sys.modules[module.__name__]
    return pickles


PICKLES = make_pickles()


def test_protocol() -> None:
    assert pickle_dumps([1]) == pickle.dumps([1], protocol=3)
    assert pickle_dumps([1])[:2] == b"\x80\x03"
    stream = BytesIO()
    pickle_dump([1], stream)
    assert pickle_loads(stream.getvalue()) == [1]


def nest(depth: int) -> Any:
    value: Any = {"end": {1, 2}, "text": ["a", "a"]}
    for index in range(depth):
        value = ([value], (index, value), {"k": value})[index % 3] if index < 6 else [value]
    return value


def depth_of(value: Any) -> int:
    depth = 0
    while type(value) is list:
        (value,) = value
        depth += 1
    return depth


def test_deep_nesting() -> None:
    loaded = pickle_loads(pickle_dumps(nest(50_000)))
    assert depth_of(loaded) == 50_000 - 6
    shallow = nest(8)
    from redun.utils.pickling import _dump_deep

    assert pickle.loads(_dump_deep(shallow)) == shallow
    assert pickle.loads(_dump_deep([(), [], {}, set(), (1,)])) == [(), [], {}, set(), (1,)]


def test_deep_cycle_is_an_error() -> None:
    from redun.utils.pickling import _dump_deep

    value: list = []
    value.append(value)
    with pytest.raises(ValueError, match="contains itself"):
        _dump_deep(value)


def test_preview_of_unknown_classes() -> None:
    plain = pickle_preview(PICKLES["plain"])
    assert isinstance(plain, PreviewClass)
    assert repr(plain) == "Plain(x=5)"
    assert type(plain).__name__ == "Plain"
    assert type(plain).__module__ == "gone_module"
    assert plain.x == 5
    with pytest.raises(AttributeError, match="zz not an attribute of Plain PreviewClass"):
        _ = plain.zz
    with pytest.raises(IndexError):
        plain[0]
    assert repr(pickle_preview(PICKLES["slots"])) == "Slots(y=4)"
    assert repr(pickle_preview(PICKLES["enum"])) == "Colour(1)"
    pair = pickle_preview(PICKLES["pair"])
    assert repr(pair) == "Pair(1, 'b')"
    assert pair[1] == "b"
    assert issubclass(pickle_preview(PICKLES["class"]), PreviewClass)
    assert pickle_preview(b"\x80\x03cos\nno_such_name\n.").__name__ == "no_such_name"


def test_preview_of_what_cannot_be_loaded() -> None:
    sub = pickle_preview(PICKLES["sub"])
    assert isinstance(sub, PreviewUnpicklable)
    assert repr(pickle_preview(b"junk")).startswith("Unpicklable('")
    with pytest.raises(pickle.UnpicklingError):
        pickle_preview(b"junk", raise_error=True)


@pytest.fixture
def normal_mode() -> Iterator[None]:
    yield
    with pytest.raises(ModuleNotFoundError):
        pickle_loads(PICKLES["plain"])


@pytest.mark.usefixtures("normal_mode")
def test_preview_mode_nests_and_ends() -> None:
    with with_pickle_preview():
        with with_pickle_preview(raise_error=True), pytest.raises(pickle.UnpicklingError):
            pickle_loads(b"junk")
        assert repr(pickle_loads(PICKLES["plain"])) == "Plain(x=5)"
        assert isinstance(pickle_loads(b"junk"), PreviewUnpicklable)


@pytest.mark.usefixtures("normal_mode")
def test_preview_mode_ends_when_its_body_raises() -> None:
    with pytest.raises(KeyError), with_pickle_preview():
        raise KeyError()
