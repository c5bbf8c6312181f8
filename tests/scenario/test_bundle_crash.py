"""Bundles under kill -9 and with several writers at once."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from redun.sync.bundle import BundleStore

# Adds records 0, 1, 2... in segments of seven, and says how far it came.
WRITER = """
import sys
from redun.sync import bundle_segment
from redun.sync.bundle import BundleStore

path, name, total = sys.argv[1], sys.argv[2], int(sys.argv[3])
store = BundleStore(path)
for number in range(total):
    store.put([{
        "_version": 1, "_type": "Tag", "tag_hash": f"{name}{number}", "entity_type": "Job",
        "entity_id": "e", "key": "k", "value": "x" * (number * 37 % 5000), "parents": [],
    }], verify=False)
    if number % 7 == 6:
        store.flush()
        print(number, flush=True)
store.close()
"""


def start(path: Path, name: str, total: int) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", WRITER, str(path), name, str(total)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def numbers(path: Path, name: str) -> list[int]:
    store = BundleStore(str(path))
    found = []
    for kind, ids in store.ids():
        records = list(store.get(kind, ids))
        assert [record["tag_hash"] for record in records] == ids
        found += [int(key.removeprefix(name)) for key in ids if key.startswith(name)]
    store.close()
    return sorted(found)


@pytest.mark.parametrize("name", ["some.redun", "some"])
def test_kill_at_any_moment(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    told = -1
    for round_number in range(4):
        writer = start(path, "a", 100_000)
        assert writer.stdout is not None
        for _ in range(3 + 5 * round_number):
            told = max(told, int(writer.stdout.readline()))
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        found = numbers(path, "a")
        assert found == list(range(len(found)))
        assert len(found) >= told + 1
        assert len(found) % 7 == 0


@pytest.mark.parametrize("name", ["some.redun", "some"])
def test_writers_at_once(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    writers = [start(path, label, 70) for label in "abc"]
    for writer in writers:
        writer.communicate(timeout=120)
        assert writer.returncode == 0
    for label in "abc":
        assert numbers(path, label) == list(range(70))
