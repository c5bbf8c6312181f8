"""Content digests kept between runs: never wrong, and of no consequence where they can't be kept."""

import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from redun.file import ContentDir, ContentFile, RedunFileNotFoundError, digests
from redun.file.digests import MIN_SIZE, content_digests
from redun.hashing import hash_bytes, hash_files, set_scheme

DATA = b"x" * MIN_SIZE
OTHER = b"y" * MIN_SIZE

Read = list[str]


@pytest.fixture
def store(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path of a database of the test's own."""
    path = workdir / "cache" / "digests.db"
    monkeypatch.setenv(digests.VARIABLE, str(path))
    return path


@pytest.fixture
def read(store: Path, monkeypatch: pytest.MonkeyPatch) -> Read:
    """The paths that were read. Files may have changed just now."""
    paths: Read = []

    def hash_and_note(wanted: list[str]) -> list[str]:
        paths.extend(wanted)
        return hash_files(wanted)

    monkeypatch.setattr(digests, "hash_files", hash_and_note)
    monkeypatch.setattr(digests, "RACY", 0)
    return paths


def digest_of(path: str) -> str:
    (digest,) = content_digests([path])
    return digest


def set_clock(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Set the clock that the cache looks at so far from the real one."""
    real = time.time_ns
    monkeypatch.setattr(digests.time, "time_ns", lambda: real() + int(seconds * 1e9))


def later(check: Callable[[], bool]) -> None:
    """Wait for the clock of the file system to go on: times there have ticks."""
    deadline = time.monotonic() + 10
    while not check():
        assert time.monotonic() < deadline


def rewrite(path: str, data: bytes) -> None:
    """Write until the times differ from those before."""
    before = os.stat(path).st_ctime_ns

    def write() -> bool:
        Path(path).write_bytes(data)
        return os.stat(path).st_ctime_ns != before

    later(write)


def test_unchanged_file_is_read_once(read: Read) -> None:
    Path("f").write_bytes(DATA)
    for _ in range(3):
        assert digest_of("f") == hash_bytes(DATA)
    assert read == ["f"]
    assert digest_of(os.path.abspath("f")) == hash_bytes(DATA)
    assert read == ["f"]


def test_order_is_kept_among_known_and_unknown(read: Read) -> None:
    names = [f"f{number}" for number in range(1200)]
    for number, name in enumerate(names):
        Path(name).write_bytes(b"%05d" % number * (4000 if number % 3 else 1))
    expected = [hash_bytes(Path(name).read_bytes()) for name in names]
    content_digests(names[::7])
    read.clear()
    assert content_digests(names) == expected
    assert {"f0", "f1"}.issubset(read)
    assert "f7" not in read
    read.clear()
    assert content_digests(names) == expected
    assert all(Path(name).stat().st_size < MIN_SIZE for name in read)


@pytest.mark.parametrize("scheme", ["blake3", "redun1"])
def test_schemes_have_digests_of_their_own(read: Read, scheme: str) -> None:
    Path("f").write_bytes(DATA)
    digest_of("f")
    set_scheme(scheme)
    assert digest_of("f") == hash_bytes(DATA)


def test_change_of_content_or_file_is_seen(read: Read) -> None:
    Path("f").write_bytes(DATA)
    assert digest_of("f") == hash_bytes(DATA)
    rewrite("f", OTHER)
    assert digest_of("f") == hash_bytes(OTHER)
    # Restored times: that changes the time of the metadata.
    about = os.stat("f")
    rewrite("f", DATA)
    os.utime("f", ns=(about.st_atime_ns, about.st_mtime_ns))
    assert os.stat("f").st_mtime_ns == about.st_mtime_ns
    assert digest_of("f") == hash_bytes(DATA)
    # Another file with the same size and times.
    Path("g").write_bytes(OTHER)
    about = os.stat("f")
    os.utime("g", ns=(about.st_atime_ns, about.st_mtime_ns))
    os.replace("g", "f")
    assert digest_of("f") == hash_bytes(OTHER)
    os.remove("f")
    os.symlink("h", "f")
    Path("h").write_bytes(DATA)
    assert digest_of("f") == hash_bytes(DATA)


def test_file_that_changed_just_now_is_read_again(
    read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digests, "RACY", 2 * 10**9)
    Path("f").write_bytes(DATA)
    assert digest_of("f") == digest_of("f") == hash_bytes(DATA)
    assert read == ["f", "f"]
    set_clock(monkeypatch, 3)
    assert digest_of("f") == digest_of("f") == hash_bytes(DATA)
    assert read == ["f"] * 3


def test_clock_that_is_set_back(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("f").write_bytes(DATA)
    with monkeypatch.context() as patch:
        set_clock(patch, 3600)
        assert digest_of("f") == digest_of("f")
        assert read == ["f"]
    # What was kept an hour from now is not trusted; what is kept now is.
    digest_of("f")
    digest_of("f")
    assert read == ["f", "f"]
    set_clock(monkeypatch, -3600)
    assert digest_of("f") == hash_bytes(DATA)
    assert digest_of("f") == hash_bytes(DATA)
    assert read == ["f"] * 4


def test_missing_file_is_an_error(read: Read) -> None:
    Path("f").write_bytes(DATA)
    digest_of("f")
    with pytest.raises(FileNotFoundError):
        content_digests(["f", "nope"])
    with pytest.raises(RedunFileNotFoundError):
        ContentFile("nope").get_hash()


def test_families_use_it(read: Read) -> None:
    for name in ("d/a", "d/b"):
        ContentFile(name).write(DATA, mode="wb")
    read.clear()
    first = ContentDir("d").hash
    assert ContentDir("d").hash == first
    assert ContentDir("d").is_valid()
    assert read == []


@pytest.mark.parametrize("setting", ["off", "0", "OFF"])
def test_it_can_be_switched_off(
    read: Read, store: Path, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    monkeypatch.setenv(digests.VARIABLE, setting)
    Path("f").write_bytes(DATA)
    digest_of("f")
    digest_of("f")
    assert read == ["f", "f"]
    assert not store.exists()


def test_place_by_default(monkeypatch: pytest.MonkeyPatch, workdir: Path) -> None:
    monkeypatch.delenv(digests.VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(workdir / "caches"))
    monkeypatch.setattr(digests, "RACY", 0)
    Path("f").write_bytes(DATA)
    digest_of("f")
    assert (workdir / "caches" / "redun" / "digests-1.db").exists()
    assert os.stat(workdir / "caches" / "redun").st_mode & 0o077 == 0


def test_small_files_need_no_database(store: Path) -> None:
    Path("f").write_bytes(DATA[1:])
    assert digest_of("f") == hash_bytes(DATA[1:])
    assert not store.exists()


@pytest.mark.parametrize("content", [b"", b"no database at all" * 1000, b"SQLite format 3\0" * 99])
def test_damaged_database_is_replaced(read: Read, store: Path, content: bytes) -> None:
    store.parent.mkdir()
    store.write_bytes(content)
    Path("f").write_bytes(DATA)
    for _ in range(4):
        assert digest_of("f") == hash_bytes(DATA)
    assert len(read) < 4


def test_damaged_row_is_ignored(read: Read, store: Path) -> None:
    Path("f").write_bytes(DATA)
    digest_of("f")
    with sqlite3.connect(store) as connection:
        connection.execute("UPDATE digest SET digest = ?", ("0" * 40,))
    connection.close()
    assert digest_of("f") == hash_bytes(DATA)
    assert read == ["f", "f"]


def test_place_that_cannot_be_used(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("file").write_text("")
    Path("f").write_bytes(DATA)
    for place in ("file/below/it.db", "/proc/nowhere/digests.db", "."):
        monkeypatch.setenv(digests.VARIABLE, os.path.abspath(place))
        assert digest_of("f") == digest_of("f") == hash_bytes(DATA)


def test_size_is_bounded(read: Read, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "MAX_BYTES", 1 << 15)
    for number in range(600):
        Path("f").unlink(missing_ok=True)
        os.makedirs(f"d{number}")
        path = f"d{number}/f"
        os.symlink("../data", path)
        Path("data").write_bytes(DATA)
        digest_of(path)
    with sqlite3.connect(store) as connection:
        (rows,) = connection.execute("SELECT count(*) FROM digest").fetchone()
    connection.close()
    assert 50 < rows < 400
    read.clear()
    assert digest_of(path) == hash_bytes(DATA)
    assert read == []


def test_threads_and_processes_share_it(read: Read, store: Path) -> None:
    names = [f"f{number}" for number in range(40)]
    for name in names:
        Path(name).write_bytes(name.encode() * MIN_SIZE)
    expected = [hash_bytes(name.encode() * MIN_SIZE) for name in names]
    code = (
        "import sys\n"
        "from redun.file import digests\n"
        "digests.RACY = 0\n"
        "for _ in range(10): print(*digests.content_digests(sys.argv[1:]))\n"
    )
    others = [
        subprocess.Popen([sys.executable, "-c", code, *names], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    results: list[list[str]] = []
    threads = [
        threading.Thread(target=lambda: results.append(content_digests(names))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 8
    for other in others:
        output, _ = other.communicate()
        assert output.split() == expected * 10
        assert other.returncode == 0
    read.clear()
    assert content_digests(names) == expected
    assert read == []


def test_forked_process_opens_its_own(read: Read) -> None:
    Path("f").write_bytes(DATA)
    digest_of("f")
    child = os.fork()
    if child == 0:
        os._exit(0 if digest_of("f") == hash_bytes(DATA) and read == ["f"] else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert digest_of("f") == hash_bytes(DATA)
    assert read == ["f"]
