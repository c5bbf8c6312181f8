"""Lists of strings as JSON, written by the core for SQLite."""

import json
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redun.backends.db.text import json_strings

ANY_TEXT = st.text(st.characters(categories=None, exclude_categories=()))


@given(st.lists(ANY_TEXT | st.text('ab"\\\n\x7f', max_size=5)))
def test_it_is_the_json_of_the_list(strings: list[str]) -> None:
    text = json_strings(strings)
    assert text == json.dumps(strings, separators=(",", ":"))
    assert json.loads(text) == strings


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=9)))
def test_sqlite_reads_it(strings: list[str]) -> None:
    # In SQLite, a string that JSON escapes as a null character ends there.
    strings = [string.replace("\0", "") for string in strings]
    rows = sqlite3.connect(":memory:").execute(
        "SELECT value FROM json_each(?)", (json_strings(strings),)
    )
    assert [value for (value,) in rows] == strings


def test_other_things_are_refused() -> None:
    with pytest.raises(TypeError):
        json_strings(["a", 1])  # type: ignore[list-item]
    with pytest.raises(TypeError):
        json_strings("ab")  # type: ignore[arg-type]
