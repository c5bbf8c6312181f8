"""Copying many files at a time: complete, bounded, and with the first error."""

import threading
from pathlib import Path

import pytest

from redun.file import Dir, File, IDir
from redun.file.transfer import MAX_COPIES, copy_files

pytestmark = pytest.mark.usefixtures("workdir")


class Counted(File):
    """A file that knows how many are copied at the same time."""

    running = 0
    most = 0
    lock = threading.Lock()
    barrier = threading.Barrier(2)

    def copy_to(self, dest_file: File, skip_if_exists: bool = False) -> File:
        with self.lock:
            Counted.running += 1
            Counted.most = max(Counted.most, Counted.running)
        if self.path in ("in/0", "in/1"):
            self.barrier.wait(timeout=30)
        try:
            return super().copy_to(dest_file, skip_if_exists)
        finally:
            with self.lock:
                Counted.running -= 1


def test_several_at_a_time() -> None:
    pairs = []
    for number in range(50):
        File(f"in/{number}").write(str(number))
        pairs.append((Counted(f"in/{number}"), File(f"out/{number}")))
    seen: list[tuple[int, int | None, str]] = []
    copy_files(pairs, progress=lambda *state: seen.append(state))
    assert 2 <= Counted.most <= MAX_COPIES
    assert seen == [(done, 50, "files") for done in range(1, 51)]
    assert [Path(f"out/{number}").read_text() for number in range(50)] == list(map(str, range(50)))


def test_first_error_ends_it() -> None:
    pairs = [(File(f"gone/{number}"), File(f"out/{number}")) for number in range(1000)]
    seen: list[tuple] = []
    before = set(threading.enumerate())
    with pytest.raises(FileNotFoundError):
        copy_files(pairs, progress=lambda *state: seen.append(state))
    assert seen == []
    assert len(set(threading.enumerate()) - before) < MAX_COPIES


def test_directories(tmp_path: Path) -> None:
    names = ["a", "s/b", "s/t/c d", "s/new\nline"]
    for name in names:
        File(f"d/{name}").write(name)
    File("e/a").write("kept")
    dest = Dir("e")
    before = dest.hash
    assert IDir("d").copy_to(dest, skip_if_exists=True) is dest
    assert dest.hash != before
    assert dest.is_valid()
    assert sorted(dest.rel_path(file.path) for file in dest) == sorted(names)
    assert File("e/a").read() == "kept"
    assert File("e/s/t/c d").read() == "s/t/c d"
    copy_files([])
