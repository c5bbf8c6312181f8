"""Files of records that are about to be imported: what they hold, and which line is wrong."""

from __future__ import annotations

import base64
import io
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest

from redun.sync import spool
from redun.sync.lines import LineError
from redun.sync.spool import spooled
from redun.utils.pickling import pickle_dumps
from redun.value import get_type_registry


def record(value: Any) -> dict[str, Any]:
    registry = get_type_registry()
    return {
        "_version": 1,
        "_type": "Value",
        "value_hash": registry.get_hash(value),
        "type": registry.get_type_name(type(value)),
        "format": "application/python-pickle",
        "data": base64.b64encode(pickle_dumps(value)).decode(),
        "subvalues": [],
        "subtype": None,
    }


def lines(*records: Any) -> bytes:
    return b"".join(json.dumps(item).encode() + b"\n" for item in records)


def read(data: bytes, verify: bool = True) -> list[dict[str, Any]]:
    with spooled(io.BytesIO(data), "f", verify) as store:
        return [held for kind, ids in store.ids() for held in store.get(kind, ids)]


@pytest.fixture(params=[1, 3, 2000])
def batch(request, monkeypatch) -> None:
    """Batches of several sizes, since errors are told by line."""
    monkeypatch.setattr(spool, "BATCH", request.param)


def test_records_come_once(batch: None) -> None:
    records = [record(number) for number in range(7)]
    found = read(lines(*records, *records))
    assert sorted(map(str, found)) == sorted(map(str, records))
    assert read(b"") == []


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (b"{\n", "it is not JSON"),
        (b"\n", "it is empty"),
        (lines([1]), "a record is a JSON object, not list"),
        (lines({}), "the record has no `_type`"),
        (lines({**record(1), "_type": "Task"}), "unknown record type 'Task'"),
        (lines({**record(1), "_version": 2}), "unknown record version 2"),
        (lines({**record(1), "data": 7}), "`data` is not text: 7"),
        (lines({**record(1), "value_hash": "0" * 40}), "does not match its hash"),
        (lines({**record(1), "type": "\0"}), "`type` holds a NUL character"),
        (b"\xff\n", "it is not UTF-8 text"),
        (b"[" * 10**5 + b"\n", "it is nested too deeply"),
        (b'"' + b"x" * 2**21 + b'"\n', "it is not a JSON object"),
        (lines(record("x" * 2**21))[:-10] + b"\n", "it is not JSON"),
    ],
)
def test_the_line_is_named(batch: None, bad: bytes, message: str) -> None:
    good = lines(*(record(number) for number in range(10, 15)))
    with pytest.raises(LineError) as caught:
        read(good + bad + good)
    assert str(caught.value).startswith("f, line 6: ")
    assert message in str(caught.value)
    assert caught.value.number == 6


def test_the_first_wrong_line_is_named(batch: None) -> None:
    wrong = {**record(1), "value_hash": "0" * 40}
    with pytest.raises(LineError, match=r"f, line 3: .*does not match its hash"):
        read(lines(record(1), record(2), wrong, record(3)) + b"no JSON\n")


def test_a_cut_last_line(batch: None) -> None:
    data = lines(*(record(number) for number in range(4)))
    with pytest.raises(LineError, match="f, line 4: it is cut off"):
        read(data[:-5])
    assert len(read(data[:-1])) == 4


def test_without_verification() -> None:
    bad = {**record(1), "value_hash": "0" * 40}
    with pytest.raises(LineError) as caught:
        read(lines(bad))
    assert "--no-verify" in caught.value.hints[0]
    assert read(lines(bad), verify=False) == [bad]


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    read(lines(record(1)))
    with pytest.raises(LineError):
        read(lines(record(1)) + b"x\n")
    assert os.listdir(tmp_path) == []


def test_progress(batch: None) -> None:
    told: list[int] = []
    with spooled(io.BytesIO(lines(*map(record, range(7)))), "f", told=told.append):
        assert told[-1] == 7
        assert told == sorted(told)
