"""Bundles on an object store, and how little of one is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from redun.sync import bundle_segment
from redun.sync.bundle import BundleError, BundleStore

EXECUTION = "7d444840-9dc0-11d1-b245-5ffdce74fad2"


def record(number: int, data: str = "AAAA") -> dict[str, Any]:
    return {
        "_version": 1,
        "_type": "Value",
        "value_hash": f"{number:040x}",
        "type": "demo.Thing",
        "format": "application/python-pickle",
        "data": data,
        "subvalues": [],
        "subtype": None,
    }


def execution(name: str) -> dict[str, Any]:
    return {"_version": 1, "_type": "Execution", "id": name, "args": "[]", "job_id": "j"}


def keys(s3) -> list[str]:
    found = s3.client.list_objects_v2(Bucket=s3.bucket)
    return sorted(item["Key"] for item in found.get("Contents", []))


def numbers(path: str) -> list[int]:
    store = BundleStore(path)
    found = [
        int(held["value_hash"], 16) for kind, ids in store.ids() for held in store.get(kind, ids)
    ]
    store.close()
    return sorted(found)


@pytest.mark.parametrize("name", ["team/prov", "team/prov/", "team/prov.redun"])
def test_objects(s3, name: str) -> None:
    url = s3.url(name)
    one, two = BundleStore(url), BundleStore(url)
    one.put([record(1), record(2)])
    two.put([record(2), record(3)])
    one.close()
    two.close()
    assert numbers(url) == [1, 2, 3]
    assert len(keys(s3)) == 2
    assert all(key.startswith(f"{name.rstrip('/')}/") and len(key) > 46 for key in keys(s3))
    again = BundleStore(url)
    assert again.put([record(1), record(3)]) == {}
    again.close()
    assert len(keys(s3)) == 2


def test_a_missing_prefix_is_empty(s3) -> None:
    assert numbers(s3.url("nothing")) == []
    assert keys(s3) == []


def test_a_single_object_is_read_but_not_appended_to(s3, tmp_path: Path) -> None:
    path = tmp_path / "x.redun"
    store = BundleStore(str(path))
    store.put([record(1)])
    store.close()
    s3.client.upload_file(str(path), s3.bucket, "x.redun")
    assert numbers(s3.url("x.redun")) == [1]
    store = BundleStore(s3.url("x.redun"))
    store.put([record(2)])
    with pytest.raises(BundleError, match="can't be appended to"):
        store.flush()


def test_other_objects_are_left_alone(s3) -> None:
    for key in ("p/readme.txt", "p/deep/x.redun", "p/part.tmp", "pq.redun"):
        s3.client.put_object(Bucket=s3.bucket, Key=key, Body=b"not a bundle")
    store = BundleStore(s3.url("p"))
    store.put([record(1)])
    store.close()
    assert numbers(s3.url("p")) == [1]


def test_an_object_that_is_no_bundle(s3) -> None:
    s3.client.put_object(Bucket=s3.bucket, Key="p/x.redun", Body=b"not a bundle, but long enough")
    with pytest.raises(BundleError, match=r"p/x\.redun` is not a bundle"):
        BundleStore(s3.url("p"))


def test_wildcards_are_refused(s3) -> None:
    with pytest.raises(BundleError, match="wildcard"):
        BundleStore(s3.url("p*"))


def test_what_is_asked_for_is_what_is_read(s3, monkeypatch) -> None:
    noise = "".join(f"{number * 7919 % 10**9:09d}" for number in range(4000))
    store = BundleStore(s3.url("p"))
    store.put([execution(EXECUTION)])
    store.put([record(number, (noise[number:] * 4)[:100_000]) for number in range(40)])
    store.close()
    size = s3.client.head_object(Bucket=s3.bucket, Key=keys(s3)[0])["ContentLength"]
    assert size > 300_000

    read = []
    original = bundle_segment.Segment.__init__

    def spy(self, source, *args: Any) -> None:
        original(self, source, *args)
        inner = source.read

        def counted(offset: int, length: int) -> bytes:
            read.append(length)
            return inner(offset, length)

        source.read = counted

    monkeypatch.setattr(bundle_segment.Segment, "__init__", spy)
    store = BundleStore(s3.url("p"))
    assert list(store.execution_ids()) == [[EXECUTION]]
    assert store.has("Value", [f"{number:040x}" for number in range(80)]) == {
        f"{number:040x}" for number in range(40)
    }
    store.close()
    assert sum(read) < 5000
