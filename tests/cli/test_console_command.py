"""`redun console`, before the screen is taken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


def test_help_names_the_places(program: Callable[..., Any]) -> None:
    outcome = program("console", "--help")
    assert outcome.code == 0
    assert "`executions/namespace`" in outcome.out


@pytest.mark.parametrize("words", [["executions", "--page", "x"], ["files", "--page", "0"]])
def test_wrong_filters_are_usage_errors(program: Callable[..., Any], words: list[str]) -> None:
    outcome = program("console", *words)
    assert outcome.code == 2
    assert "--page" in outcome.err


def test_without_a_terminal_log_is_advised(program: Callable[..., Any]) -> None:
    outcome = program("console")
    assert outcome.code == 1
    assert "error: The console needs a terminal" in outcome.err
    assert "hint: `redun log` prints the same records" in outcome.err
