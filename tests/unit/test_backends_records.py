"""Records on their own: recognising them, and what they own."""

from __future__ import annotations

from typing import Any

import pytest

from redun.backends.records import RecordError, check_kind, owned


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ([], "a record is a JSON object, not list"),
        ({}, "the record has no `_type`"),
        ({"_type": "Task", "_version": 1}, "unknown record type 'Task'"),
        ({"_type": [], "_version": 1}, r"unknown record type \[\]"),
        ({"_type": "Tag", "_version": 2}, "unknown record version 2; this program reads 1"),
        ({"_type": "Tag"}, "unknown record version None"),
        ({"_type": "Tag", "_version": 1}, "the Tag record has no `tag_hash`"),
        ({"_type": "Job", "_version": 1, "id": 7}, "the Job record has no `id`"),
    ],
)
def test_what_is_no_record_is_refused(record: Any, message: str) -> None:
    with pytest.raises(RecordError, match=message) as caught:
        check_kind(record, 5)
    assert caught.value.index == 5


def test_a_record_is_known_by_kind_and_id() -> None:
    assert check_kind({"_type": "Value", "_version": 1, "value_hash": "v"}) == ("Value", "v")


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"_type": "Execution", "job_id": "j"}, [("Job", "j")]),
        (
            {"_type": "Job", "task_hash": "t", "call_hash": "c", "children": ["a", "b"]},
            [("Value", "t"), ("CallNode", "c"), ("Job", "a"), ("Job", "b")],
        ),
        ({"_type": "Job", "task_hash": "t", "call_hash": None, "children": []}, [("Value", "t")]),
        (
            {
                "_type": "CallNode",
                "task_hash": "t",
                "value_hash": "v",
                "args": {"0": {"arg_hash": "x", "value_hash": "w", "upstream": ["u"]}},
                "children": ["c", "c"],
            },
            [
                ("Value", "t"),
                ("Value", "v"),
                ("Value", "w"),
                ("CallNode", "u"),
                ("CallNode", "c"),
                ("CallNode", "c"),
            ],
        ),
        ({"_type": "Value", "subvalues": ["s"]}, [("Value", "s")]),
        ({"_type": "Tag", "parents": ["p"]}, [("Tag", "p")]),
    ],
)
def test_what_records_own(record: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert list(owned(record)) == expected
