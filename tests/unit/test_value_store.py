"""The store of large payloads."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from redun.backends import value_store
from redun.backends.value_store import ValueStore
from redun.file import FileSystem, register_filesystem
from redun.file.fs import base, local

HASH = "ab" + "c" * 38


@pytest.fixture(params=["local", "mirror"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ValueStore]:
    """A store in a local directory, and one behind another protocol."""
    if request.param == "local":
        yield ValueStore(str(tmp_path / "store"))
        return

    class Mirror(FileSystem):
        """Local files under URLs, with what a bucket can't do left out."""

        name = "mirror"
        disk = local.LocalFileSystem()

        def _path(self, url: str) -> str:
            return str(tmp_path / url.removeprefix("mirror://"))

        def _open(self, path, mode, **kwargs):
            return self.disk.open(self._path(path), mode, **kwargs)

        def exists(self, path):
            return self.disk.exists(self._path(path))

        def remove(self, path):
            self.disk.remove(self._path(path))

        def mkdir(self, path): ...

        def rmdir(self, path, recursive=False): ...

        def get_hash(self, path):
            return self.disk.get_hash(self._path(path))

        def glob(self, pattern):
            return []

        def isfile(self, path):
            return self.disk.isfile(self._path(path))

        def isdir(self, path):
            return False

        def filesize(self, path):
            return self.disk.filesize(self._path(path))

    register_filesystem(Mirror)
    yield ValueStore("mirror://store")
    base._classes.pop("mirror")


def files(tmp_path: Path) -> list[str]:
    """All files below the store, hidden ones too."""
    found = (tmp_path / "store").rglob("*")
    return sorted(str(path.relative_to(tmp_path)) for path in found if path.is_file())


def test_layout(tmp_path: Path) -> None:
    assert ValueStore("/a/b").get_value_path(HASH) == f"/a/b/ab/{'c' * 38}"
    assert ValueStore("/a/b/").get_value_path(HASH) == f"/a/b/ab/{'c' * 38}"
    assert ValueStore("s/", use_subdir=False).get_value_path(HASH) == f"s/{HASH}"


def test_payloads_come_back(store: ValueStore, tmp_path: Path) -> None:
    assert (store.has(HASH), store.size(HASH), store.get(HASH)) == (False, -1, (b"", False))
    assert store.read(HASH) is None
    store.put(HASH, b"payload")
    assert (store.has(HASH), store.size(HASH), store.get(HASH)) == (True, 7, (b"payload", True))
    assert store.read(HASH) == b"payload"
    assert files(tmp_path) == [f"store/ab/{'c' * 38}"]


def test_put_writes_only_what_is_missing_or_cut_short(store: ValueStore, tmp_path: Path) -> None:
    store.put(HASH, b"payload")
    path = tmp_path / "store" / "ab" / ("c" * 38)
    os.utime(path, (1, 1))
    store.put(HASH, b"payload")
    assert path.stat().st_mtime == 1
    path.write_bytes(b"pay")
    store.put(HASH, b"payload")
    assert path.read_bytes() == b"payload"


def test_a_damaged_store_is_written_again(store: ValueStore, tmp_path: Path) -> None:
    path = tmp_path / "store" / "ab" / ("c" * 38)
    store.put(HASH, b"payload")
    path.write_bytes(b"pXyload")
    store.put(HASH, b"payload")
    assert path.read_bytes() == b"pXyload"
    store.distrust()
    store.put(HASH, b"payload")
    assert path.read_bytes() == b"payload"


def test_a_failed_writer_leaves_nothing(store: ValueStore, tmp_path: Path) -> None:
    def fail_half_way() -> None:
        with store.writing(HASH) as stream:
            stream.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert files(tmp_path) == []
    store.put(HASH, b"before")
    with pytest.raises(RuntimeError):
        fail_half_way()
    assert store.get(HASH) == (b"before", True)
    assert len(files(tmp_path)) == 1


def test_large_payloads_are_mapped(store: ValueStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(value_store, "MAP_FROM", 1000)
    content = os.urandom(2_500_000)
    store.put(HASH, content)
    found = store.read(HASH)
    assert isinstance(found, mmap.mmap)
    assert found[:] == content


def test_many_at_once(store: ValueStore) -> None:
    hashes = [f"{number:040x}" for number in range(40)]
    store.put(hashes[0], b"old")
    asked: list[str] = []

    def is_new(value_hash: str) -> bool:
        asked.append(value_hash)
        return value_hash != hashes[0]

    store.put_many([(value_hash, value_hash.encode()) for value_hash in hashes], is_new)
    assert sorted(asked) == hashes
    found = store.read_many([*hashes, "f" * 40])
    assert found == {value_hash: value_hash.encode() for value_hash in hashes}


def test_unknown_protocol() -> None:
    with pytest.raises(KeyError, match="nowhere"):
        ValueStore("nowhere://bucket")
