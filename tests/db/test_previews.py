"""Looking at values with SQL text: the same as rows show, in as many statements for many as for few."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from redun.backends.base import Records
from redun.backends.db import MAX_VALUE_SIZE_PREVIEW, PreviewValue, RedunBackendDb, Value
from redun.backends.db.previews import parsed_value, previews
from redun.backends.value_store import ValueStore
from redun.file import File

pytestmark = pytest.mark.each_repo

PICKLE = "application/python-pickle"
ELSEWHERE = "1" * 40


def test_previews_are_those_of_rows(backend: RedunBackendDb, workdir: Path) -> None:
    values = [1, "x" * 300, {"a": [None, b"\0"]}, File("a.txt"), "x" * (MAX_VALUE_SIZE_PREVIEW + 1)]
    hashes = [backend.record_value(value) for value in values]
    damaged = "2" * 40
    backend.record(Records(values=[(damaged, "m.Kind", PICKLE, b"\x80\x03}q")]))
    backend.flush()
    wanted = [*hashes, damaged]

    found = dict(previews(backend.source, [*wanted, "0" * 40]))

    rows = {key: backend.session.get(Value, key) for key in wanted}
    assert {key: repr(shown) for key, shown in found.items()} == {
        key: repr(row.preview) for key, row in rows.items()
    }
    for key, row in rows.items():
        assert repr(parsed_value(backend.source, key)) == repr(row.value_parsed)
    assert parsed_value(backend.source, "0" * 40) is None


def test_payloads_in_a_value_store(backend: RedunBackendDb, tmp_path: Path) -> None:
    backend.record(Records(values=[(ELSEWHERE, "builtins.int", PICKLE, b"")]))
    backend.flush()

    def preview() -> Any:
        ((key, shown),) = previews(backend.session, [ELSEWHERE])
        assert key == ELSEWHERE
        return shown

    for store in (None, ValueStore(str(tmp_path))):
        backend.value_store = store
        assert parsed_value(backend.session, ELSEWHERE) is None
        with pytest.warns(UserWarning, match="Value data is missing from the value store"):
            assert repr(preview()) == "builtins.int(hash=11111111, size=-1)"
    store.put(ELSEWHERE, pickle.dumps(7))
    assert (parsed_value(backend.session, ELSEWHERE), preview()) == (7, 7)
    large = pickle.dumps("x" * (MAX_VALUE_SIZE_PREVIEW + 1))
    store.write(ELSEWHERE, large)
    assert isinstance(preview(), PreviewValue)
    assert preview().size == len(large)
    assert len(parsed_value(backend.session, ELSEWHERE)) == MAX_VALUE_SIZE_PREVIEW + 1
