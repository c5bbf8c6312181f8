"""Patterns over keys match what the patterns of the standard library match over paths."""

from __future__ import annotations

import glob
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redun.file.fs.wildcards import compile_pattern, has_magic, literal_prefix

PATHS = ["a", "b.txt", "d/a", "d/b.txt", "d/e/a", "d/e/b.txt", "d/[x]", "dd/a", "ü/ä b", "e/f/g/h"]


@pytest.mark.parametrize(
    "pattern",
    [
        *(
            "*",
            "?",
            "*.txt",
            "[ab]*",
            "[!a]*",
            "d/*",
            "*/a",
            "d*/a",
            "**",
            "**/a",
            "d/**",
            "d/**/a",
        ),
        *("d/**/*.txt", "**/e/**", "d/[[]x]", "[a-c].txt", "*/*/*/h", "ü/*", "a", "none", "d/*/*"),
    ],
)
def test_matches_as_glob_does(pattern: str, workdir: Path) -> None:
    for path in PATHS:
        (workdir / path).parent.mkdir(parents=True, exist_ok=True)
        (workdir / path).write_text("")
    expected = sorted(path for path in glob.glob(pattern, recursive=True) if os.path.isfile(path))
    matcher = compile_pattern(pattern)
    assert sorted(path for path in PATHS if matcher.fullmatch(path)) == expected


@given(st.text(st.characters(blacklist_characters="\x00"), max_size=20))
def test_an_escaped_text_matches_itself_only(text: str) -> None:
    matcher = compile_pattern(glob.escape(text))
    assert matcher.fullmatch(text)
    assert not matcher.fullmatch(text + "x")
    assert not matcher.fullmatch("x" + text)


def test_what_precedes_the_first_wildcard() -> None:
    assert literal_prefix("d/part-*.csv") == "d/part-"
    assert literal_prefix("d/e") == "d/e"
    assert has_magic("a?")
    assert not has_magic("{a}")
