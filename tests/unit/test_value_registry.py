"""The type registry: names, classes, hashes, storage, and what users register."""

import builtins
import datetime
import enum
import importlib
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import redun.value
from redun.file import File
from redun.hashing import hash_tag_bytes, set_scheme
from redun.utils import pickle_dumps
from redun.value import (
    InvalidValueError,
    MetaValue,
    NoneType,
    ProxyValue,
    TypeRegistry,
    Value,
    get_raw_type_name,
    get_type_registry,
)

registry = get_type_registry()


class Colour(enum.Enum):
    RED = 1
    BLUE = "b"


@pytest.fixture(autouse=True)
def _restore_registry() -> Iterator[None]:
    """Classes that a test defines stay out of the others."""
    names = ("_by_name", "_proxies", "_resolved", "_overrides")
    before = {name: dict(getattr(registry, name)) for name in names}
    flatten = registry.flatten
    yield
    for name in names:
        setattr(registry, name, before[name])
    registry.flatten = flatten


def test_type_names() -> None:
    assert get_raw_type_name(int) == "builtins.int"
    assert registry.get_type_name(int) == "builtins.int"
    assert registry.get_type_name(NoneType) == "builtins.NoneType"
    assert registry.get_type_name(Colour) == "enum.Enum"
    assert registry.get_type_name(type("MySet", (set,), {})) == "builtins.set"
    assert registry.get_type_name(types.FunctionType) == "builtins.function"
    assert registry.get_type_name(datetime.datetime) == "datetime.datetime"
    assert registry.get_type_name(frozenset) == "builtins.frozenset"
    assert registry.get_type_name(File) == "redun.File"
    assert registry.get_type_name(type(File)) == "redun.value.MetaValue"
    with pytest.raises(builtins.TypeError):
        registry.get_type_name(list[int])


def test_parse_type_name() -> None:
    assert registry.parse_type_name("builtins.NoneType") is NoneType
    assert registry.parse_type_name("builtins.int") is int
    assert registry.parse_type_name("redun.File") is File
    for name in ("nope", "no_such_module_x.Y", "os.nope"):
        with pytest.raises(redun.value.TypeError, match=f'Unable to import type "{name}"'):
            registry.parse_type_name(name)
    assert not issubclass(redun.value.TypeError, builtins.TypeError)


def test_registration_and_names_of_classes() -> None:
    class Named(Value):
        type_name = "my.Named"

    class Child(Named):
        pass

    class Silent(Value):
        register = False
        type_name = "my.Silent"

    assert isinstance(Named, MetaValue)
    assert registry.parse_type_name("my.Named") is Named
    assert Child.type_name == f"{__name__}.Child"
    assert registry.get_type_name(Silent) == "my.Silent"
    with pytest.raises(redun.value.TypeError):
        registry.parse_type_name("my.Silent")


def test_latest_proxy_wins_even_a_subclass() -> None:
    class Bool2(redun.value.Bool):
        pass

    assert registry.get_type(bool) is Bool2
    assert registry.get_type_name(bool) == f"{__name__}.Bool2"


def test_get_type_and_value() -> None:
    assert registry.get_type(int) is ProxyValue
    assert registry.get_type(int, use_default=False) is None
    assert registry.get_type(Colour) is redun.value.EnumType
    assert registry.get_type(File) is File
    file = File("x")
    assert registry.get_value(file) is file
    assert registry.get_value(5).instance == 5  # type: ignore[attr-defined]


def test_value_base_class() -> None:
    class Plain(Value):
        pass

    value = Plain(1, a=2)
    assert value.is_valid()
    assert list(value.iter_subvalues()) == []
    assert value.preprocess({}) is value
    assert value.postprocess({"pre_call_hash": ""}) is value
    assert value.get_serialization_format() == "application/python-pickle"
    with pytest.raises(NotImplementedError):
        value.get_hash()
    with pytest.raises(NotImplementedError):
        value.__setstate__({})
    assert value.get_hash(data=b"x") == hash_tag_bytes("Value", b"x")


def test_hash_ignores_data_at_this_level() -> None:
    assert registry.get_hash(1, data=b"anything") == registry.get_hash(1)
    file = File("nope")
    assert registry.get_hash(file) == file.hash


def test_hash_many_tells_plain_data() -> None:
    hashes = registry.hash_many([1, [1, {"a": (2,)}], File("nope"), [File("nope")], Colour.RED])
    assert [plain for _, plain in hashes] == [True, True, False, False, False]
    assert len({value_hash for value_hash, _ in hashes}) == 5


def test_hash_args() -> None:
    ((args_hash, positional, keyword, plain),) = registry.hash_args([((1, "a"), {"k": None})])
    assert positional == (registry.get_hash(1), registry.get_hash("a"))
    assert keyword == (registry.get_hash(None),)
    assert plain
    assert len(args_hash) == 40


def test_equal_content_has_equal_hash() -> None:
    first, second = "ab", "".join(["a", "b"])
    assert registry.get_hash([first, first]) == registry.get_hash([first, second])
    assert registry.get_hash([{"b", "a", "c"}]) == registry.get_hash([{"c", "a", "b"}])
    assert registry.get_hash({"a": 1, "b": 2}) != registry.get_hash({"b": 2, "a": 1})
    distinct: list[Any] = [1, 1.0, True, "1", b"1", None, [1], (1,), {1}, frozenset([1]), [[1]]]
    assert len({registry.get_hash(value) for value in distinct}) == len(distinct)


def test_serialize_round_trip() -> None:
    for value in (None, 1, [1, {"a": (2, {3})}], Colour.BLUE, datetime.datetime(2020, 1, 2)):
        name = registry.get_type_name(type(value))
        assert registry.deserialize(name, registry.serialize(value)) == value
    assert registry.get_serialization_format(3) == "application/python-pickle"
    assert registry.deserialize("unknown.Type", pickle_dumps([1])) == [1]


def test_deserialize_what_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone_for_registry.py").write_text("class A:\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("gone_for_registry")
    data = registry.serialize(module.A())
    del module.A
    with pytest.raises(InvalidValueError, match="Error parsing value: "):
        registry.deserialize("gone_for_registry.A", data)
    del sys.modules["gone_for_registry"]
    (tmp_path / "gone_for_registry.py").unlink()
    importlib.invalidate_caches()
    with pytest.raises(InvalidValueError):
        registry.deserialize("gone_for_registry.A", data)


def test_validity_of_leaves() -> None:
    class Invalid(Value):
        def is_valid(self) -> bool:
            return False

    assert registry.is_valid_nested([1, {"a": (2,)}])
    assert registry.is_valid(5)
    assert not registry.is_valid_nested({"k": [1, Invalid()]})
    assert registry.is_valid([Invalid()])


def test_processing_and_subvalues(workdir: Path) -> None:
    assert registry.preprocess(5, {}) == 5
    assert registry.postprocess([1], {}) == [1]
    files = [File("a"), File("b")]
    value = {"k": files[0], "l": [files[1], test_type_names]}
    assert list(registry.iter_subvalues(value)) == [files[1], files[0]]
    assert list(registry.iter_subvalues(files[0])) == []


def test_flatten_hook_sees_values_with_leaves() -> None:
    seen: list[tuple[Any, list]] = []

    def flatten(value: Any, leaves: list) -> Any:
        seen.append((value, leaves))
        return "flat" if value == ["nested", Colour.RED] else value

    registry.flatten = flatten
    assert registry.serialize([1, 2]) == pickle_dumps([1, 2])
    assert registry.serialize(Colour.BLUE) == pickle_dumps(Colour.BLUE)
    assert registry.serialize(["nested", Colour.RED]) == pickle_dumps("flat")
    assert [leaves for _, leaves in seen] == [[Colour.BLUE], [Colour.RED]]


@pytest.mark.parametrize("scheme", ["blake3", "redun1"])
def test_users_proxy_of_a_plain_type_is_honoured_at_top_level(scheme: str) -> None:
    set_scheme(scheme)
    usual = registry.get_hash([5])

    class Rounded(ProxyValue):
        type = int

        def get_hash(self, data: bytes | None = None) -> str:
            return "0" * 39 + str(self.instance % 10)

        def is_valid(self) -> bool:
            return self.instance != 13

        def serialize(self) -> bytes:
            return pickle_dumps(self.instance + 1)

    assert registry.hash_many([15, "a"])[0] == ("0" * 39 + "5", False)
    assert registry.get_hash(25) == registry.get_hash(5)
    ((_, positional, keyword, plain),) = registry.hash_args([((7,), {"k": 8})])
    assert (positional, keyword, plain) == (("0" * 39 + "7",), ("0" * 39 + "8",), False)
    assert registry.get_hash([5]) == usual
    assert not registry.is_valid_nested([1, 13])
    assert registry.deserialize("builtins.int", registry.serialize(1)) == 2


def test_users_proxy_may_call_the_default_hash() -> None:
    usual = registry.get_hash(Colour.RED)

    class Wrapped(ProxyValue):
        type = Colour

        def get_hash(self, data: bytes | None = None) -> str:
            return super().get_hash(data)[::-1]

    assert registry.get_hash(Colour.RED) == usual[::-1]
    assert registry.get_hash([Colour.RED]) != usual


@pytest.mark.parametrize(
    ("parse", "expected"),
    [
        (lambda: registry.parse_arg(int, "5"), 5),
        (lambda: registry.parse_arg(bool, "TRUE"), True),
        (lambda: registry.parse_arg(Colour, "RED"), Colour.RED),
        (lambda: registry.parse_arg(Colour, "Colour.BLUE"), Colour.BLUE),
        (lambda: registry.parse_arg(set, "ab"), {"a", "b"}),
        (
            lambda: registry.parse_arg(datetime.datetime, "2020-01-02 03:04"),
            datetime.datetime(2020, 1, 2, 3, 4),
        ),
    ],
)
def test_parse_arg(parse: Callable[[], Any], expected: Any) -> None:
    parsed = parse()
    assert parsed == expected
    assert type(parsed) is type(expected)


def test_parse_arg_errors() -> None:
    with pytest.raises(ValueError, match='Unknown bool "yes"'):
        registry.parse_arg(bool, "Yes")
    with pytest.raises(ValueError, match="zz is not a valid Colour"):
        registry.parse_arg(Colour, "zz")
    assert registry.parse_arg(File, "x").path == "x"


def test_a_registry_of_its_own() -> None:
    own = TypeRegistry()
    own.default_proxy = ProxyValue
    assert own.get_hash([1, "a"]) == registry.get_hash([1, "a"])


def test_compatibility_vectors() -> None:
    """Hashes that the original makes, recorded from it."""
    set_scheme("redun1")
    vectors: list[tuple[Any, str]] = [
        (None, "8ca852f0d79ba0485e9ac2c9c175853adf296425"),
        (1, "a8396c89067d71e5ec296e67c248cbf07f5669f0"),
        (True, "4ea83061d616c782dfc446a993f359ae97cac6c8"),
        (1.0, "631c9ec018669d3b0a9696f23643c069fa3b5155"),
        ("a", "665147bbde548bc27d7c42fdf1bcbef958158a8b"),
        (b"x", "7bc16c2c276d1a376c8bbe36dcce07d9e8d3ef75"),
        ([1, 2], "7bc9b6e02dac5c672b997d1bc846267161c0c170"),
        ((1, 2), "380f50d973e6c8e1ba17705fe6e49a9a18dd531b"),
        ({"a": 1}, "fc52b21ce8d7530f57abfeec915eb7c73d874a0c"),
        ({1, 2, 3}, "0141c474b340215635cbff413fd50b019f3d6244"),
        ({"b", "a"}, "860d4d21fba1090bc5ec0b2148c5a4c832676fae"),
        (set(), "e7ba2cc542b2a61d7acb7b7bf36877084e4c9973"),
        (datetime.datetime(2020, 1, 2, 3, 4, 5), "a5455e5a2ebce4835e268354a8171cd27364455b"),
    ]
    for value, expected in vectors:
        assert registry.get_hash(value) == expected, value
        assert registry.get_value(value).get_hash() == expected
    ((args_hash, _, _, plain),) = registry.hash_args([([1, "a"], {"k": None})])
    assert (args_hash, plain) == ("c617ba08ac6d8a4b51fe5162a53ccc3fa33c0748", True)
    with pytest.raises(builtins.TypeError):
        registry.get_hash({1, "a"})
    shared, copy = "".join(["l", "ong"]), "".join(["lo", "ng"])
    assert registry.get_hash([shared, shared]) != registry.get_hash([shared, copy])


def test_an_object_that_several_calls_share_is_hashed_once() -> None:
    class Counted(Value):
        type_name = "test.Counted"
        hashed = 0

        def __init__(self, number: int) -> None:
            self.number = number

        def get_hash(self, data: bytes | None = None) -> str:
            Counted.hashed += 1
            return hash_tag_bytes("Counted", b"%d" % self.number)

        def __getstate__(self) -> dict:
            return {"number": self.number}

        def __setstate__(self, state: dict) -> None:
            self.number = state["number"]

    shared = Counted(0)
    calls = [((shared, number), {"x": shared}) for number in range(50)]
    apart = [registry.hash_args([call])[0] for call in calls]
    Counted.hashed = 0
    assert registry.hash_args(calls) == apart
    assert Counted.hashed == 1
    # Objects that are gone before the next one is made, maybe in the same place, are others.
    fleeting = [(map(Counted, range(3000)), {}), (map(Counted, range(3000, 6000)), {})]
    hashed = [digest for _, args, _, _ in registry.hash_args(fleeting) for digest in args]
    assert hashed == [registry.hash_args([((Counted(n),), {})])[0][1][0] for n in range(6000)]
