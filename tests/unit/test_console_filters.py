"""Options of screens, from words and back."""

from __future__ import annotations

import click
import pytest

from redun.console.executions import ExecutionsScreen
from redun.console.filters import split_words
from redun.console.search import SearchScreen


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--namespace", ""],
        ["--id", "ab", "--find", "a b", "--page", "7"],
    ],
)
def test_words_and_back(words: list[str]) -> None:
    filters = ExecutionsScreen.filters
    assert filters.words(filters.parse(words)) == words


def test_words_of_a_search_and_back() -> None:
    filters = SearchScreen.filters
    words = ["ab12", "--job", "--task-name", "a", "--task-name", "b", "--tag", "k=v"]
    assert filters.words(filters.parse(words)) == words
    assert filters.words(filters.parse(["-t", "k", "-"])) == ["-", "--tag", "k"]


def test_unknown_options_are_dropped() -> None:
    filters = ExecutionsScreen.filters
    assert filters.words(filters.parse(["--nosuch", "--id", "a", "more"])) == ["--id", "a"]


@pytest.mark.parametrize("words", [["--page", "x"], ["--page", "0"], ["--page"]])
def test_wrong_values_are_refused(words: list[str]) -> None:
    with pytest.raises(click.UsageError):
        ExecutionsScreen.filters.parse(words)


def test_open_quotes_are_refused() -> None:
    with pytest.raises(click.UsageError, match="No closing quotation"):
        split_words("--find 'a")
