"""The text form of tags."""

import math
from typing import Any

import pytest

from redun.tags import (
    ANY_VALUE,
    format_tag_key_value,
    format_tag_value,
    parse_tag_key_value,
    parse_tag_value,
    str2literal,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("a", "a"),
        ("1", 1),
        ("1_000", 1000),
        (" 5", 5),
        ("1.5", 1.5),
        ("1e5", 1e5),
        ("inf", math.inf),
        ("true", True),
        ("True", "True"),
        ("null", None),
        ("[1, 2]", [1, 2]),
        ('{"a": 1}', {"a": 1}),
        ('"1"', "1"),
        ("a b", "a b"),
        ("-", "-"),
    ],
)
def test_parse_value(text: str, value: Any) -> None:
    parsed = parse_tag_value(text)
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize("text", ["[1", "{a}", '"x'])
def test_parse_value_that_is_no_json(text: str) -> None:
    with pytest.raises(ValueError, match="Invalid tag value: "):
        parse_tag_value(text)


def test_parse_nan() -> None:
    assert math.isnan(parse_tag_value("nan"))


def test_parse_key_value() -> None:
    assert parse_tag_key_value("a=1=2") == ("a", "1=2")
    assert parse_tag_key_value("a=") == ("a", None)
    assert parse_tag_key_value("a", value_required=False) == ("a", ANY_VALUE)


@pytest.mark.parametrize(
    ("text", "required", "message"),
    [
        ("", True, "key must be specified."),
        ("", False, "key must be specified."),
        ("x", True, "key=value pair expected: 'x'"),
        ("=1", True, "key must be specified: '=1'"),
        ("=1", False, "key must be specified: '=1'"),
    ],
)
def test_parse_key_value_errors(text: str, required: bool, message: str) -> None:
    with pytest.raises(ValueError) as error:
        parse_tag_key_value(text, value_required=required)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "a"),
        ("1", '"1"'),
        ("", '""'),
        (None, "null"),
        (1.5, "1.5"),
        (True, "true"),
        ("true", '"true"'),
        ("a b", '"a b"'),
        ("a,b", '"a,b"'),
        ("nan", '"nan"'),
        ("[x", '"[x"'),
        ('"x"', '"\\"x\\""'),
        ("é", "é"),
        ({"b": 1, "a": [1]}, '{"a": [1], "b": 1}'),
    ],
)
def test_format_value_reads_back(value: Any, text: str) -> None:
    assert format_tag_value(value) == text
    assert parse_tag_value(text) == value


def test_format_value_without_json_form() -> None:
    with pytest.raises(TypeError):
        format_tag_value(object())


def test_format_key_value_trims_each_side() -> None:
    assert format_tag_key_value("key", 1) == "key=1"
    assert format_tag_key_value("k" * 60, "v" * 60, 10) == "kkkkkkk...=vvvvvvv..."


def test_literals() -> None:
    assert [str2literal(text) for text in ("true", "false", "null")] == [True, False, None]
    with pytest.raises(ValueError):
        str2literal("True")
