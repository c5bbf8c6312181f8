"""Which part of a function a change of its source is in."""

from __future__ import annotations

import pytest

from redun.lookback.sources import compare_sources, defaults_from_context, parameter_names

BASE = '''def f(a: int, b=1, *, c: str = "x") -> int:
    """Says what it does."""
    # why
    return a + b
'''


@pytest.mark.parametrize(
    ("old", "new", "parts", "defaults"),
    [
        ("return a + b", "return a - b", ["body"], []),
        ("Says what", "Tells what", ["docstring"], []),
        ("# why", "# because", ["comments"], []),
        ("b=1", "b=2", [], ["b"]),
        ('= "x"', '= "y"', [], ["c"]),
        ("b=1", "b", [], ["b"]),
        ("a: int", "a: float", ["annotations"], []),
        ("-> int", "-> float", ["annotations"], []),
        ("a: int", "z: int", ["signature"], []),
        ("def f", "def g", ["name"], []),
        ("def f", "async def f", ["signature"], []),
        ("def f", "@cache\ndef f", ["decorators"], []),
        ("return a + b", "return (", ["source"], []),
    ],
)
def test_parts(old: str, new: str, parts: list[str], defaults: list[str]) -> None:
    change = compare_sources(BASE, BASE.replace(old, new, 1))
    assert change is not None
    assert change.parts == parts
    assert change.defaults == defaults
    assert any(line.startswith("+") for line in change.diff)


def test_equal_sources() -> None:
    assert compare_sources(BASE, BASE) is None


def test_a_method_is_read_too() -> None:
    source = "    def f(self, a):\n        return a\n"
    assert parameter_names(source) == ["self", "a"]


@pytest.mark.parametrize("text", ["", "x = (", "lambda x: x", "\0", "(" * 10_000])
def test_text_that_is_no_function(text: str) -> None:
    assert parameter_names(text) == []
    change = compare_sources(text, "def f(): pass")
    assert change is not None
    assert change.parts == ["source"]


def test_defaults_from_context() -> None:
    source = 'def f(a, b=get_context("b"), c=redun.get_context("c", 1), d=2): pass'
    assert defaults_from_context(source) == ["b", "c"]
