"""Rows that go to PostgreSQL as arrays arrive as they were."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql

from redun.backends.db import arrays as arrays_module
from redun.backends.db.arrays import ArrayInsert, text_array
from redun.backends.db.codec import json_text, jsonb_text
from redun.backends.db.orm.types import JSON
from redun.backends.db.text import plain_text

DIALECT = postgresql.dialect()
ANY_TEXT = st.text(st.characters(), max_size=20)
FLOATS = st.floats(-1e6, 1e6) | st.sampled_from([float("nan"), float("inf"), float("-inf")])
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | FLOATS | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture
def connection(postgres_uri: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(postgres_uri, autocommit=True) as connection:
        yield connection


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.none() | ANY_TEXT, min_size=1, max_size=5))
def test_texts_of_all_kinds(connection, texts: list[str | None]) -> None:
    (row,) = connection.execute("SELECT %s::varchar[]", [text_array(texts)]).fetchall()
    assert row[0] == [None if text is None else plain_text(text) for text in texts]


def test_texts_that_cannot_be_held_are_escaped() -> None:
    assert plain_text("a\0b\udc80é\\") == "a\\x00b\\udc80é\\"
    assert plain_text("\U0001f600") == "\U0001f600"


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(JSON_VALUES)
def test_documents_of_all_kinds(connection, document: Any) -> None:
    text = jsonb_text(json_text(document))
    (row,) = connection.execute("SELECT %s::jsonb[]", [text_array([text])]).fetchall()
    back = JSON().process_result_value(row[0][0], DIALECT)
    assert json_text(back) == json_text(document) or back == document  # 0.0 for -0.0


def test_ordinary_documents_are_stored_as_they_are() -> None:
    for document in ({"a": [1, None]}, "NaN", "\U0001f600", "\\u0000", "Infinity", 1.5):
        assert jsonb_text(json_text(document)) == json_text(document)
    wrapped = jsonb_text(json_text({"a": "\0"}))
    assert wrapped == '{"redun.json":"{\\"a\\":\\"\\\\u0000\\"}"}'
    assert jsonb_text(wrapped) != wrapped


def test_numbers_flags_and_nothing(connection) -> None:
    insert = ArrayInsert(
        "argument",
        ("arg_hash", "call_hash", "value_hash", "arg_position", "arg_key"),
    )
    connection.execute("ALTER TABLE argument DROP CONSTRAINT argument_call_hash_fkey")
    connection.execute("ALTER TABLE argument DROP CONSTRAINT argument_value_hash_fkey")
    rows = [("a" * 40, "b" * 40, "c" * 40, 3, None), ("b" * 40, "b" * 40, "c" * 40, None, "NULL")]
    insert.run(connection.cursor(), rows)
    insert.run(connection.cursor(), rows)  # what exists is left alone
    assert connection.execute("SELECT * FROM argument ORDER BY 1").fetchall() == rows
    tags = ArrayInsert(
        "tag",
        ("tag_hash", "entity_type", "entity_id", "key", "value", "is_current"),
    )
    tags.run(connection.cursor(), [("t" * 40, "Job", 'j"{},\\', "k", '{"a":[1]}', True)])
    assert connection.execute("SELECT * FROM tag").fetchall() == [
        ("t" * 40, "Job", 'j"{},\\', "k", {"a": [1]}, True)
    ]


@pytest.mark.parametrize("limit", [1, 5, 1000])
def test_payloads_are_sent_in_portions(connection, monkeypatch, limit: int) -> None:
    monkeypatch.setattr(arrays_module, "MAX_BYTES", limit)
    insert = ArrayInsert("value", ("value_hash", "type", "format", "value"))
    rows = [(f"{n:040}", "m.T\0", "f", bytes(range(n))) for n in (0, 3, 2, 9, 200, 1)]
    insert.run(connection.cursor(), rows)
    found = connection.execute("SELECT * FROM value ORDER BY value_hash").fetchall()
    assert [(row[0], row[3]) for row in found] == sorted((row[0], row[3]) for row in rows)
    assert {row[1] for row in found} == {"m.T\\x00"}


def test_long_source(connection) -> None:
    insert = ArrayInsert("task", ("hash", "name", "namespace", "source"))
    insert.run(connection.cursor(), [("a" * 40, "f" * 3000, "", 'def f():\n\t"\\n"\n' * 10000)])
    (row,) = connection.execute("SELECT name, source FROM task").fetchall()
    assert row == ("f" * 3000, 'def f():\n\t"\\n"\n' * 10000)
