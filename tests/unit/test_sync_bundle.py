"""Bundles as stores of records: what goes in comes out, from a file, a directory, several segments."""

from __future__ import annotations

import copy
import json
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redun.backends.records import HAS_ENDED, RecordError
from redun.hashing import hash_call_node, hash_tag
from redun.sync import bundle as bundles
from redun.sync import bundle_segment
from redun.sync.bundle import BundleError, BundleStore, is_bundle_path
from redun.sync.store import Edges, JobOwner, JobState, TagOwner

Record = dict[str, Any]
HEAD = {"_version": 1}
NOW = "2026-11-22 10:44:55.727403+00:00"


def hash_of(number: int) -> str:
    return f"{number:040x}"


def uuid_of(number: int) -> str:
    return str(uuid.UUID(int=number))


def value(number: int, subvalues: tuple[int, ...] = (), data: str = "AAAA") -> Record:
    return {
        **HEAD,
        "_type": "Value",
        "value_hash": hash_of(number),
        "type": "demo.Thing",
        "format": "application/python-pickle",
        "data": data,
        "subvalues": [hash_of(item) for item in subvalues],
        "subtype": None,
    }


def call(task: int, result: int, children: tuple[str, ...] = ()) -> Record:
    args = hash_of(99)
    call_hash = hash_call_node(hash_of(task), args, hash_of(result), children)
    return {
        **HEAD,
        "_type": "CallNode",
        "call_hash": call_hash,
        "task_name": "demo.main",
        "task_hash": hash_of(task),
        "args_hash": args,
        "value_hash": hash_of(result),
        "timestamp": NOW,
        "args": {},
        "children": list(children),
    }


def job(
    job_id: str,
    parent: str | None = None,
    call_hash: str | None = None,
    execution: str = "e1",
    start: str = NOW,
) -> Record:
    return {
        **HEAD,
        "_type": "Job",
        "id": job_id,
        "start_time": start,
        "end_time": NOW if call_hash else None,
        "task_hash": hash_of(1),
        "cached": False,
        "status": "DONE" if call_hash else "RUNNING",
        "call_hash": call_hash,
        "parent_id": parent,
        "children": [],
        "execution_id": execution,
    }


def execution(execution_id: str, root: str) -> Record:
    return {**HEAD, "_type": "Execution", "id": execution_id, "args": "[]", "job_id": root}


def tag(entity_id: str, label: int, parents: tuple[str, ...] = ()) -> Record:
    return {
        **HEAD,
        "_type": "Tag",
        "tag_hash": hash_tag(entity_id, "k", label, sorted(parents)),
        "entity_type": "Task",
        "entity_id": entity_id,
        "key": "k",
        "value": label,
        "parents": sorted(parents),
    }


def id_of(record: Record) -> str:
    fields = {"CallNode": "call_hash", "Value": "value_hash", "Tag": "tag_hash"}
    return record[fields.get(record["_type"], "id")]


@pytest.fixture(params=["file", "directory"])
def path(request, tmp_path: Path) -> str:
    """The path of a bundle that isn't there yet."""
    return str(tmp_path / ("some.redun" if request.param == "file" else "some"))


@pytest.fixture
def opened() -> Iterator[Callable[[str], BundleStore]]:
    """Opens bundles that are closed after the test."""
    stores: list[BundleStore] = []

    def open_store(path: str) -> BundleStore:
        stores.append(BundleStore(path))
        return stores[-1]

    yield open_store
    for store in stores:
        store.close()


@pytest.fixture
def records() -> list[Record]:
    """A small repo, children first: a root job with two children, one of which goes on."""
    child, root = call(1, 3), call(1, 4, (call(1, 3)["call_hash"],))
    first = tag(hash_of(1), 1)
    return [
        value(1),
        value(3),
        value(4, (3,)),
        child,
        root,
        execution("e1", uuid_of(1)),
        {**job(uuid_of(1), None, root["call_hash"]), "children": ["odd", uuid_of(2)]},
        job(uuid_of(2), uuid_of(1), child["call_hash"]),
        job("odd", uuid_of(1)),
        first,
        tag(hash_of(1), 2, (first["tag_hash"],)),
    ]


def write(path: str, *batches: list[Record]) -> None:
    for batch in batches:
        store = BundleStore(path)
        store.put(batch)
        store.close()


def flat(batches: Iterator[list[Any]]) -> list[Any]:
    return [item for batch in batches for item in batch]


def edges(batches: Iterator[Edges]) -> list[tuple[str, str, str]]:
    """(owner, kind of what is owned, what is owned)."""
    return [
        (row[0], kind, child)
        for kinds, rows in batches
        for row in rows
        for kind, child in zip(kinds, row[1:], strict=True)
    ]


def test_what_goes_in_comes_out(path: str, opened, records: list[Record]) -> None:
    store = opened(path)
    assert store.put(records) == {
        "Value": 3, "CallNode": 2, "Execution": 1, "Job": 3, "Tag": 2,
    }  # fmt: skip
    assert store.put(records) == {}
    store.close()
    store = opened(path)
    assert store.count == len(records)
    for record in records:
        assert list(store.get(record["_type"], [id_of(record)])) == [record]
    everything = [(kind, record_id) for kind, ids in store.ids() for record_id in ids]
    assert sorted(everything) == sorted((record["_type"], id_of(record)) for record in records)
    assert store.put(records) == {}


def test_questions(path: str, opened, records: list[Record]) -> None:
    half = len(records) // 2
    write(path, records[:half], records[half:])
    store = opened(path)
    calls, tags = (
        [records[3]["call_hash"], records[4]["call_hash"]],
        [id_of(r) for r in records[9:]],
    )
    assert not store.is_empty()
    assert flat(store.execution_ids()) == ["e1"]
    assert sorted(flat(store.tag_ids())) == sorted(tags)
    assert flat(store.open_jobs()) == [("odd", 0)]
    assert store.find(["e1", "none", "odd", hash_of(3), tags[0]]) == {
        "e1": "Execution", "odd": "Job", hash_of(3): "Value", tags[0]: "Tag",
    }  # fmt: skip
    assert store.has("Value", [hash_of(1), hash_of(2), hash_of(4)]) == {hash_of(1), hash_of(4)}
    assert store.has("Job", [uuid_of(1), "odd", "none"]) == {uuid_of(1)}
    assert store.job_states([uuid_of(1), uuid_of(2), "odd", "none"]) == {
        uuid_of(1): JobState(True, 2),
        uuid_of(2): JobState(True, 0),
        "odd": JobState(False, 0),
    }
    assert store.job_owners([uuid_of(2), "none"]) == {
        uuid_of(2): JobOwner(uuid_of(1), "e1", hash_of(1))
    }
    assert store.tag_owners(tags) == dict.fromkeys(tags, TagOwner("Value", hash_of(1)))
    assert edges(store.children("Execution", ["e1"])) == [("e1", "Job", uuid_of(1))]
    assert set(edges(store.children("Job", [uuid_of(1), "none"]))) == {
        (uuid_of(1), HAS_ENDED, HAS_ENDED),
        (uuid_of(1), "Value", hash_of(1)),
        (uuid_of(1), "CallNode", calls[1]),
        (uuid_of(1), "Job", uuid_of(2)),
        (uuid_of(1), "Job", "odd"),
    }
    assert edges(store.children("Tag", [tags[1]])) == [(tags[1], "Tag", tags[0])]
    assert edges(store.children("Value", [hash_of(4)])) == [(hash_of(4), "Value", hash_of(3))]


def test_order_and_repeats_of_get(path: str, opened) -> None:
    write(path, [value(number) for number in range(50)])
    wanted = [hash_of(number) for number in (7, 3, 60, 3, 49, 0)]
    got = [record["value_hash"] for record in opened(path).get("Value", wanted)]
    assert got == [hash_of(number) for number in (7, 3, 3, 49, 0)]


def test_resolve(path: str, opened) -> None:
    early, late = job(uuid_of(0xAB << 120), None, "c" * 40), job("late", None, "c" * 40)
    late["start_time"] = "2027-01-01 00:00:00+00:00"
    executions = [execution("ab-first", early["id"]), execution("second", "late")]
    write(path, [value(0xABCD << 144), early, late, *executions])
    store = opened(path)
    assert store.resolve("-") == [("Execution", "second")]
    assert store.resolve("late") == [("Job", "late")]
    assert store.resolve("abcd") == [("Value", hash_of(0xABCD << 144))]
    assert set(store.resolve("ab")) == {
        ("Execution", "ab-first"), ("Job", early["id"]), ("Value", hash_of(0xABCD << 144)),
    }  # fmt: skip
    assert store.resolve(early["id"]) == [("Job", early["id"])]
    assert store.resolve(early["id"][:9]) == [("Job", early["id"])]
    assert store.resolve("zzz") == store.resolve("") == store.resolve("e") == []
    assert BundleStore(str(Path(path).parent / "none.redun")).resolve("-") == []


def test_open_jobs_are_ended_and_stay_so(path: str, opened) -> None:
    opening, ended = job("j"), job("j", None, "c" * 40)
    write(path, [opening])
    store = opened(path)
    assert store.put([opening]) == {}
    assert store.put([ended]) == {"Job": 1}
    assert store.put([opening, ended]) == {}
    store.close()
    write(path, [value(1)])
    store = opened(path)
    assert list(store.get("Job", ["j"])) == [ended]
    assert flat(store.open_jobs()) == []
    assert [ids for _, ids in store.ids()].count(["j"]) == 1


def test_a_put_that_fails_adds_nothing(path: str, opened, records, monkeypatch) -> None:
    monkeypatch.setattr(bundles, "BATCH", 2)
    monkeypatch.setattr(bundle_segment, "BLOCK_SIZE", 300)
    store = opened(path)
    store.put(records[:3])
    bad = {**copy.deepcopy(records[4]), "value_hash": hash_of(77)}
    with pytest.raises(RecordError, match="does not match its hash") as caught:
        store.put([*records[3:4], *records[5:], bad])
    assert caught.value.index == 7
    with pytest.raises(RecordError, match="`type` is missing"):
        store.put([value(20), {**HEAD, "_type": "Value", "value_hash": hash_of(21)}])
    assert store.put([bad], verify=False) == {"CallNode": 1}
    assert store.put(records[3:]) == {"CallNode": 1, "Execution": 1, "Job": 3, "Tag": 2}
    store.close()
    store = opened(path)
    assert store.count == len(records)
    for record in [*records[:4], bad, *records[5:]]:
        assert list(store.get(record["_type"], [id_of(record)])) == [record]


def test_many_segments_and_large_values(path: str, opened, monkeypatch) -> None:
    monkeypatch.setattr(bundle_segment, "SEGMENT_RECORDS", 20)
    monkeypatch.setattr(bundle_segment, "BLOCK_SIZE", 1000)
    large = value(1000, data="QUJD" * 700_000)
    store = opened(path)
    for start in range(0, 100, 10):
        store.put([value(number) for number in range(start, start + 10)])
    store.put([large])
    store.close()
    store = opened(path)
    assert len(store._segments) == 6
    assert len(flat(ids for _, ids in store.ids())) == 101
    got = list(store.get("Value", [hash_of(1000), hash_of(99), hash_of(0)]))
    assert got == [large, value(99), value(0)]


def test_two_writers_lose_nothing(path: str, opened) -> None:
    one, two = opened(path), opened(path)
    one.put([value(1), value(2)])
    two.put([value(2), value(3)])
    one.flush()
    two.flush()
    one.put([value(4)])
    one.close()
    two.close()
    store = opened(path)
    assert sorted(flat(ids for _, ids in store.ids())) == [hash_of(n) for n in (1, 2, 3, 4)]


def test_nothing_is_made_for_nothing(path: str, opened) -> None:
    store = opened(path)
    assert store.put([]) == {}
    assert store.is_empty()
    assert flat(store.execution_ids()) == []
    store.close()
    assert not os.path.exists(path)


def test_directory_of_bundle_files(tmp_path: Path, opened) -> None:
    write(str(tmp_path / "a.redun"), [value(1)], [value(2)])
    write(str(tmp_path / "b.redun"), [value(3)])
    (tmp_path / "notes.txt").write_text("no bundle")
    (tmp_path / ".draft-x").write_text("cut off")
    (tmp_path / "c.redun").mkdir()
    store = opened(str(tmp_path))
    assert sorted(flat(ids for _, ids in store.ids())) == [hash_of(n) for n in (1, 2, 3)]
    store.put([value(4)])
    store.close()
    assert len(list(tmp_path.glob("*.redun"))) == 4


def test_same_content_has_the_same_name(tmp_path: Path) -> None:
    for name in ("x", "y"):
        write(str(tmp_path / name), [value(1), value(2)])
    names = [[path.name for path in (tmp_path / name).iterdir()] for name in ("x", "y")]
    assert names[0] == names[1]
    assert len(names[0][0]) == 46


@pytest.mark.parametrize("content", ["", None])
def test_configuration_directory_is_no_bundle(tmp_path: Path, content) -> None:
    directory = tmp_path / ".redun"
    directory.mkdir()
    (directory / "redun.ini").write_text("")
    with pytest.raises(BundleError, match="configuration directory") as caught:
        BundleStore(str(directory))
    assert "redun repo add" in caught.value.hints[0]


def test_what_is_a_path() -> None:
    assert [is_bundle_path(text) for text in ("x.redun", "a/b", "./a", "s3://b/k")] == [True] * 4
    assert not is_bundle_path("prod")


IDS = st.sampled_from([hash_of(n) for n in range(9)] + [uuid_of(n) for n in range(3)] + ["a", "é"])
JOBS = st.builds(job, IDS, st.none() | IDS, st.none() | st.just("c" * 40))
VALUES = st.builds(value, st.integers(0, 9), st.just(()))
TAGS = st.builds(tag, IDS, st.integers(0, 3))
EXECUTIONS = st.builds(execution, IDS, IDS)


@settings(deadline=None, max_examples=60)
@given(
    batches=st.lists(
        st.tuples(st.booleans(), st.lists(JOBS | VALUES | TAGS | EXECUTIONS, max_size=8)),
        max_size=6,
    ),
    is_file=st.booleans(),
)
def test_bundles_agree_with_a_dictionary(tmp_path_factory, batches, is_file: bool) -> None:
    path = str(tmp_path_factory.mktemp("b") / ("x.redun" if is_file else "x"))
    model: dict[tuple[str, str], Record] = {}
    store = BundleStore(path)
    for reopen, batch in batches:
        expected: dict[str, int] = {}
        for record in batch:
            key = record["_type"], id_of(record)
            known = model.get(key)
            if known is None or (
                key[0] == "Job" and known["end_time"] is None and record["end_time"] is not None
            ):
                model[key] = record
                expected[key[0]] = expected.get(key[0], 0) + 1
        assert store.put(copy.deepcopy(batch)) == expected
        if reopen:
            store.close()
            store = BundleStore(path)
    got = {
        (kind, record_id): record
        for kind, ids in store.ids()
        for record_id, record in zip(ids, store.get(kind, ids), strict=True)
    }
    for kind, record_id in model:
        children = got[kind, record_id].pop("children", None)
        if kind == "Job":
            jobs = [other for (kind, _), other in model.items() if kind == "Job"]
            born = {other["id"] for other in jobs if other["parent_id"] == record_id}
            assert born <= set(children)
    assert got == {
        key: {name: item for name, item in record.items() if name != "children"}
        for key, record in model.items()
    }
    jobs = [record for (kind, _), record in model.items() if kind == "Job"]
    held = store.job_states([record["id"] for record in jobs])
    store.close()
    for record in jobs:
        state = held[record["id"]]
        assert state.ended == (record["end_time"] is not None)
        born = {other["id"] for other in jobs if other["parent_id"] == record["id"]}
        assert state.children >= len(born)


def test_records_are_lines_of_json(tmp_path: Path) -> None:
    import zlib

    path = tmp_path / "x.redun"
    write(str(path), [value(1)])
    data = path.read_bytes()
    start = data.index(b"\x78")  # a deflated stream
    found = []
    while start >= 0:
        try:
            found.append(zlib.decompressobj().decompress(data[start:]))
        except zlib.error:
            pass
        start = data.find(b"\x78", start + 1)
    assert json.loads(max(found, key=len)) == value(1)
