"""Task options in normal form, and contexts."""

from __future__ import annotations

import pytest

from redun.expression import TaskExpression
from redun.task import CacheCheckValid, CacheResult, CacheScope, Task, get_context_value
from redun.task.options import normalize_options


def func(x):
    return x


@pytest.mark.parametrize(
    ("options", "normal"),
    [
        ({}, {}),
        ({"memory": 1}, {"memory": 1}),
        ({"cache": True}, {"cache_scope": CacheScope.BACKEND}),
        ({"cache": 0}, {"cache_scope": CacheScope.CSE}),
        ({"cache": False, "cache_scope": "NONE"}, {"cache_scope": CacheScope.CSE}),
        ({"cache_scope": "CSE"}, {"cache_scope": CacheScope.CSE}),
        ({"cache_scope": CacheScope.NONE}, {"cache_scope": CacheScope.NONE}),
        ({"check_valid": "shallow"}, {"check_valid": CacheCheckValid.SHALLOW}),
        ({"check_valid": CacheCheckValid.FULL}, {"check_valid": CacheCheckValid.FULL}),
    ],
)
def test_normal_form(options, normal):
    before = dict(options)
    assert normalize_options(options) == normal
    assert options == before
    assert normalize_options(normal) is normal


@pytest.mark.parametrize(
    "options", [{"cache_scope": "cse"}, {"check_valid": "FULL"}, {"cache_scope": None}]
)
def test_invalid_options(options):
    with pytest.raises(ValueError, match="is not a valid"):
        normalize_options(options)
    with pytest.raises(ValueError, match="is not a valid"):
        Task(func).options(**options)


def test_caching_options_cannot_be_expressions():
    expr = TaskExpression("t", (), {})
    with pytest.raises(TypeError, match="coerced to bool"):
        Task(func).options(cache=expr)
    for name in ("cache_scope", "check_valid"):
        with pytest.raises(ValueError, match="is not a valid"):
            Task(func).options(**{name: expr})
    assert Task(func).options(memory=expr).get_task_option("memory") is expr


def test_values_of_the_enums():
    assert [item.value for item in CacheScope] == ["NONE", "CSE", "BACKEND"]
    assert [item.value for item in CacheCheckValid] == ["full", "shallow"]
    assert [item.value for item in CacheResult] == ["CSE", "SINGLE", "ULTIMATE", "MISS"]


def test_equal_options_after_normalisation_give_equal_hashes():
    task = Task(func)
    assert task.options(cache=True).hash == task.options(cache_scope="BACKEND").hash
    assert task.options(cache=True).hash != task.options(cache=False).hash


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("a", {"b": {"c": 1}, "n": None}),
        ("a.b", {"c": 1}),
        ("a.b.c", 1),
        ("a.n", None),
        ("x", "default"),
        ("a.x", "default"),
        ("a.b.c.d", "default"),
        ("s.upper", "default"),
        ("", "default"),
    ],
)
def test_context_look_up(path, value):
    context = {"a": {"b": {"c": 1}, "n": None}, "s": "text"}
    assert get_context_value(context, path, "default") == value
