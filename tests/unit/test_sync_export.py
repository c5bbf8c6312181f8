"""What an export holds: everything below its roots, the tags of it, each once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from redun.hashing import hash_tag
from redun.sync import export
from redun.sync.bundle import BundleStore
from redun.sync.export import export_records

Record = dict[str, Any]
HEAD = {"_version": 1}
NOW = "2026-11-22 10:44:55.727403+00:00"


def value(name: str, *subvalues: str) -> Record:
    return {
        **HEAD, "_type": "Value", "value_hash": name, "type": "x.Y", "format": "f",
        "data": "AAAA", "subvalues": list(subvalues), "subtype": None,
    }  # fmt: skip


def call(name: str, *children: str, argument: str = "v1", upstream: tuple[str, ...] = ()) -> Record:
    return {
        **HEAD, "_type": "CallNode", "call_hash": name, "task_name": "t", "task_hash": "task",
        "args_hash": "a", "value_hash": f"v-{name}", "timestamp": NOW,
        "args": {"0": {"arg_hash": "g", "value_hash": argument, "upstream": list(upstream)}},
        "children": list(children),
    }  # fmt: skip


def job(name: str, parent: str | None, call_hash: str | None, execution: str) -> Record:
    return {
        **HEAD, "_type": "Job", "id": name, "start_time": NOW,
        "end_time": NOW if call_hash else None, "task_hash": "task", "cached": False,
        "status": "DONE", "call_hash": call_hash, "parent_id": parent, "children": [],
        "execution_id": execution,
    }  # fmt: skip


def execution(name: str, root: str) -> Record:
    return {**HEAD, "_type": "Execution", "id": name, "args": "[]", "job_id": root}


def tag(kind: str, entity: str, label: int, *parents: str) -> Record:
    return {
        **HEAD, "_type": "Tag", "tag_hash": hash_tag(entity, "k", label, sorted(parents)),
        "entity_type": kind, "entity_id": entity, "key": "k", "value": label,
        "parents": sorted(parents),
    }  # fmt: skip


ROOT_TAG = tag("Execution", "e1", 1)
NEW_TAG = tag("Execution", "e1", 2, ROOT_TAG["tag_hash"])
DELETION = tag("Null", "", 3, NEW_TAG["tag_hash"])
FOREIGN = tag("Value", "v9", 4)
FOREIGN_DELETION = tag("Null", "", 5, FOREIGN["tag_hash"])
RECORDS = [
    value("task"), value("v1"), value("v2", "v1"), value("v9"),
    value("v-c1"), value("v-c2"), value("v-c3"),
    call("c1"), call("c3", argument="v9"), call("c2", "c1", argument="v2", upstream=("c1",)),
    execution("e1", "j1"), job("j1", None, "c2", "e1"), job("j2", "j1", "c1", "e1"),
    execution("e2", "j3"), job("j3", None, "c3", "e2"), job("j4", "j3", None, "e2"),
    ROOT_TAG, NEW_TAG, DELETION, FOREIGN, FOREIGN_DELETION, tag("Task", "task", 6),
]  # fmt: skip


def key(record: Record) -> tuple[str, str]:
    fields = {"CallNode": "call_hash", "Value": "value_hash", "Tag": "tag_hash"}
    return record["_type"], record[fields.get(record["_type"], "id")]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[BundleStore]:
    store = BundleStore(str(tmp_path / "x.redun"))
    store.put(RECORDS, verify=False)
    yield store
    store.close()


def exported(store: BundleStore, *roots: tuple[str, str]) -> set[tuple[str, str]]:
    found = [key(record) for record in export_records(store, roots or None)]
    assert len(found) == len(set(found))
    return set(found)


@pytest.mark.parametrize("batch", [1, 2, 2000])
def test_everything(store: BundleStore, monkeypatch, batch: int) -> None:
    monkeypatch.setattr(export, "BATCH", batch)
    assert exported(store) == {key(record) for record in RECORDS}


def test_one_execution_with_its_tags(store: BundleStore) -> None:
    missing = {("Execution", "e2"), ("Job", "j3"), ("Job", "j4"), ("CallNode", "c3")}
    missing |= {("Value", "v-c3"), ("Value", "v9"), key(FOREIGN), key(FOREIGN_DELETION)}
    assert exported(store, ("Execution", "e1")) == {key(record) for record in RECORDS} - missing


def test_parts(store: BundleStore) -> None:
    assert exported(store, ("Value", "v2")) == {("Value", "v2"), ("Value", "v1")}
    assert exported(store, ("Value", "v9")) == {
        ("Value", "v9"), key(FOREIGN), key(FOREIGN_DELETION),
    }  # fmt: skip
    assert ("CallNode", "c1") in exported(store, ("Job", "j1"))
    assert exported(store, ("Value", "none")) == set()


def test_owners_come_first_and_tags_last(store: BundleStore) -> None:
    kinds = [record["_type"] for record in export_records(store)]
    assert kinds[:2] == ["Execution", "Execution"]
    assert set(kinds[-6:]) == {"Tag"}


MEASURE = """
import resource, sys
from redun.sync.bundle import BundleStore
from redun.sync.export import export_records

store = BundleStore(sys.argv[1])
limit = int(sys.argv[2]) * 1024
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
count = sum(1 for _ in export_records(store))
print(count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < limit)
"""


def test_memory_does_not_grow_with_the_repo(tmp_path: Path) -> None:
    path = str(tmp_path / "large.redun")
    store = BundleStore(path)
    store.put([value("task")])
    # 60 MB of values, which no two batches of a walk may hold together.
    for start in range(0, 2_500, 100):
        values = [{**value(f"v{n}"), "data": "QUJD" * 6000} for n in range(start, start + 100)]
        store.put(values, verify=False)
    store.put([value("all", *(f"v{n}" for n in range(2_500)))], verify=False)
    store.put([{**call("c"), "value_hash": "all"}], verify=False)
    store.put([execution("e", "j"), job("j", None, "c", "e")], verify=False)
    store.close()
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, path, "50"], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["2505", "True"]
