"""Reading with SQL text: the same statements, rows and documents on either database."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from redun.backends.base import TagEntity
from redun.backends.db.codec import moment_text, to_moment
from redun.backends.db.session import as_source
from redun.backends.db.source import bind, render

pytestmark = pytest.mark.each_repo

MOMENT = dt.datetime(2024, 2, 29, 23, 59, 59, 7, tzinfo=dt.timezone.utc)


@pytest.fixture
def tagged(backend: Any) -> Any:
    """A repo with three values, one of them tagged with a document."""
    for number in range(3):
        backend.record_value(number)
    value_hash = backend.record_value(0)
    backend.record_tags(TagEntity.Value, value_hash, [("size", {"b": [1, None], "a": "x\x00%?"})])
    return backend


def test_parameters_and_percent_signs(tagged: Any) -> None:
    source = tagged.source
    assert source.cells("SELECT key FROM tag WHERE key LIKE 'si%' AND key = ?", ("size",)) == [
        "size"
    ]
    assert source.cell("SELECT key FROM tag WHERE key = ?", ("other",)) is None
    assert source.first_row("SELECT key FROM tag WHERE key = ?", ("other",)) is None


def test_any_number_of_keys_is_one_list(tagged: Any) -> None:
    source = tagged.source
    known = source.cells("SELECT value_hash FROM value ORDER BY value_hash")
    statement = "SELECT value_hash FROM value WHERE type = ? AND value_hash {in_ids}"
    keys = [f"{number:040x}" for number in range(30_000)]
    found = source.rows_among(statement, [*known, *keys], ("builtins.int",))
    assert sorted(row[0] for row in found) == known
    assert list(source.rows_among(statement, [], ("builtins.int",))) == []


def test_rows_come_in_batches(tagged: Any) -> None:
    batches = list(tagged.source.batches("SELECT value_hash FROM value", size=2))
    assert [len(rows) for rows in batches] == [2, 1]
    assert all(type(row) is tuple for rows in batches for row in rows)


def test_documents_are_read_and_compared(tagged: Any) -> None:
    source = tagged.source
    document = {"a": "x\x00%?", "b": [1, None]}
    stored = source.cell("SELECT value FROM tag WHERE key = 'size'")
    assert source.document(stored) == document
    equal = "SELECT key FROM tag WHERE value = ?"
    assert source.cells(equal, (source.document_parameter(document),)) == ["size"]
    assert source.cells(equal, (source.document_parameter({"a": 1}),)) == []


def test_a_plain_session_reads_too(tagged: Any) -> None:
    from sqlalchemy.orm import Session

    with Session(tagged.create_engine()) as session:
        source = as_source(session)
        assert source.cells("SELECT count(*) FROM value WHERE type = ?", ("builtins.int",)) == [3]
        assert source.type_registry is None
    assert as_source(tagged.session) is tagged.session


def test_moments_are_told_in_utc() -> None:
    assert to_moment(None) is None
    assert to_moment(moment_text(MOMENT)) == MOMENT
    assert to_moment("2024-02-29 23:59:59") == MOMENT.replace(microsecond=0)
    zone = dt.timezone(dt.timedelta(hours=5))
    assert moment_text(MOMENT.astimezone(zone)) == "2024-02-29 23:59:59.000007"
    assert to_moment(MOMENT.astimezone(zone)).tzinfo is dt.timezone.utc  # type: ignore[union-attr]


def test_statements_are_rendered_for_each_driver() -> None:
    statement = "SELECT 1 WHERE a LIKE 'x%' AND b {in_ids} AND c = ?"
    assert render(statement, "sqlite").endswith("b IN (SELECT value FROM json_each(?)) AND c = ?")
    assert render(statement, "postgresql").endswith("'x%%' AND b = ANY(%s) AND c = %s")
    assert bind([["a", "b"], MOMENT], "sqlite") == ('["a","b"]', moment_text(MOMENT))
    assert bind([["a"], MOMENT], "postgresql") == (["a"], MOMENT)
