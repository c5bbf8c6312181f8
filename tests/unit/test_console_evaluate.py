"""What the REPL of the console does with what is typed."""

from __future__ import annotations

from typing import Any

from redun.console.evaluate import completions, evaluate


def test_expressions_show_their_value() -> None:
    names: dict[str, Any] = {"x": 2}
    assert evaluate("x + 1", names) == "3\n"
    assert evaluate("_ * 2", names) == "6\n"
    assert evaluate("None", names) == ""


def test_statements_are_run_and_what_they_print_is_shown() -> None:
    names: dict[str, Any] = {}
    assert evaluate("y = 5; print(y)", names) == "5\n"
    assert names["y"] == 5


def test_errors_are_told_without_our_own_frames() -> None:
    names: dict[str, Any] = {}
    told = evaluate("1 / 0", names)
    assert "ZeroDivisionError" in told
    assert "evaluate.py" not in told
    assert "SyntaxError" in evaluate("1 +", names)
    assert "SystemExit" in evaluate("raise SystemExit", names)


def test_names_are_completed_as_far_as_they_agree() -> None:
    names: dict[str, Any] = {"gadget": 1, "gadfly": 2, "text": "abc"}
    assert completions("f(gad", names) == ("f(gad", ["gadfly", "gadget"])
    assert completions("gadg", names) == ("gadget", [])
    typed, choices = completions("text.isal", names)
    assert typed == "text.isal"
    # Whether brackets are closed depends on the version of Python.
    assert [choice.partition("(")[0] for choice in choices] == ["text.isalnum", "text.isalpha"]
    assert completions("nosuch", names) == ("nosuch", [])
    assert completions("f(", names) == ("f(", [])
