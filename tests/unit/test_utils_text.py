"""Text, time, tables, tag maps, caches, source and import paths."""

import datetime
import sys
from collections.abc import Iterator

import pytest

from redun.utils import (
    MultiMap,
    add_import_path,
    assert_never,
    clear_import_paths,
    format_table,
    format_timedelta,
    format_timestamp,
    get_func_source,
    get_import_paths,
    json_cache_key,
    json_dumps,
    lru_cache_custom,
    merge_dicts,
    str2bool,
    trim_string,
    utcnow,
)


def test_json_dumps() -> None:
    assert json_dumps({"b": 1.5, "a": "é"}) == '{"a":"\\u00e9","b":1.5}'
    assert json_dumps(float("nan")) == "NaN"
    with pytest.raises(TypeError):
        json_dumps(object())
    with pytest.raises(TypeError):
        json_dumps({1: 2, "a": 3})


def test_str2bool() -> None:
    assert str2bool("TrUe") is True
    assert str2bool("FALSE") is False
    with pytest.raises(ValueError, match="Cannot parse bool: 'yes'"):
        str2bool("Yes")


def test_trim_string() -> None:
    assert trim_string("abcdef", 6) == "abcdef"
    assert trim_string("abcdef", 5) == "ab..."
    with pytest.raises(AssertionError):
        trim_string("abcdef", 2)


def test_merge_dicts() -> None:
    assert merge_dicts([]) == {}
    assert merge_dicts([{"a": {"b": 1}}, {"a": {"c": 2}}]) == {"a": {"b": 1, "c": 2}}
    assert merge_dicts([{"a": {"b": 1}}, {"a": 3}]) == {"a": 3}


def test_format_table() -> None:
    rows = [["a", "bbb"], ["cc", 1], [None, "x"]]
    assert list(format_table(rows, "lr", 4)) == ["a     bbb", "", "cc      1", "None    x"]
    assert list(format_table([], "lr")) == []
    with pytest.raises(NotImplementedError):
        list(format_table([["a"]], "x"))


def test_times() -> None:
    when = datetime.datetime(2020, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
    assert format_timestamp(when, datetime.timezone.utc) == "2020-01-02 03:04:05"
    assert utcnow().tzinfo is datetime.timezone.utc
    delta = datetime.timedelta(days=1, hours=2, seconds=3, microseconds=456789)
    assert format_timedelta(delta) == "2:00:03.45"


def test_assert_never() -> None:
    with pytest.raises(AssertionError, match="Unhandled value: 3"):
        assert_never(3)  # type: ignore[arg-type]


def test_multimap() -> None:
    tags = MultiMap([("a", 1), ("b", 2), ("a", 3)])
    assert repr(tags) == "MultiMap([('a', 1), ('a', 3), ('b', 2)])"
    assert len(tags) == 3
    assert list(tags) == list(tags.items()) == [("a", 1), ("a", 3), ("b", 2)]
    assert list(tags.keys()) == ["a", "b"]
    assert list(tags.values()) == [1, 3, 2]
    assert tags["a"] == [1, 3]
    assert tags.get("z") == []
    assert tags.get("z", None) is None
    assert "a" in tags
    assert tags.has_item("a", 3)
    assert not tags.has_item("a", 2)
    assert tags.as_dict() == {"a": [1, 3], "b": [2]}
    with pytest.raises(KeyError):
        tags["z"]
    tags.add("b", {"x": 1})
    assert tags["b"] == [2, {"x": 1}]


def test_multimap_equality_ignores_order() -> None:
    tags = MultiMap([("a", 1), ("b", [2]), ("a", 3)])
    assert tags == {"a": [3, 1], "b": [[2]]}
    assert tags == [("b", [2]), ("a", 3), ("a", 1)]
    assert tags == MultiMap([("a", 3), ("a", 1), ("b", [2])])
    assert tags != {"a": [3, 3], "b": [[2]]}
    assert tags != {"a": [1, 3]}
    assert tags != 5
    assert tags != "ab"


def test_lru_cache_custom_reuses_equal_keys() -> None:
    calls: list[tuple] = []

    @lru_cache_custom(maxsize=2, cache_key=json_cache_key)
    def func(*args, **kwargs):
        calls.append((args, kwargs))
        return len(calls)

    assert func([1], a={"b": 2}) == 1
    assert func([1], a={"b": 2}) == 1
    assert func([2]) == 2
    assert func([3]) == 3
    assert func([1], a={"b": 2}) == 4


def decorate(func):
    return func


@decorate
def decorated(x):
    return x  # kept


@decorate
async def decorated_async(x):
    return x


def test_get_func_source() -> None:
    assert get_func_source(decorated) == "def decorated(x):\n    return x  # kept\n"
    assert get_func_source(decorated_async).startswith("@decorate\nasync def")
    code: dict = {}
    exec(compile("def made(): pass", "<made>", "exec"), code)
    with pytest.raises(OSError):
        get_func_source(code["made"])


@pytest.fixture
def import_paths() -> Iterator[None]:
    before = list(sys.path)
    recorded = list(get_import_paths())
    clear_import_paths()
    yield
    sys.path[:] = before
    get_import_paths()[:] = recorded


@pytest.mark.usefixtures("import_paths")
def test_import_paths() -> None:
    add_import_path("/a")
    add_import_path(".")
    assert get_import_paths() == [".", "/a"]
    assert sys.path[:2] == ["", "/a"]
    clear_import_paths()
    assert get_import_paths() == []
    assert sys.path[:2] == ["", "/a"]
