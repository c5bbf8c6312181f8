"""Runs whose large values live in a value store."""

from __future__ import annotations

import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from redun import Scheduler, task
from redun.backends.db import Job, RedunBackendDb, RedunDatabaseError, Value
from redun.backends.value_store import ValueStore
from redun.config import Config

pytestmark = pytest.mark.each_repo

redun_namespace = "test_value_store_runs"

BIG = 2_000

#: What the tasks did.
calls: list[str] = []


@task()
def text(letter: str) -> str:
    calls.append("text")
    return letter * BIG


@task()
def number(words: str) -> int:
    calls.append("number")
    return len(words)


@task()
def main(letter: str) -> list:
    calls.append("main")
    words = text(letter)
    return [words, number(words), [words]]


@pytest.fixture
def open_scheduler(
    tmp_path: Path, new_repo: Callable[..., str]
) -> Iterator[Callable[..., Scheduler]]:
    """Opens the repo of a test, by default with a value store beside it."""
    opened: list[Scheduler] = []
    calls.clear()

    def open_(path: str | None = "values", **options: str) -> Scheduler:
        backend = {"db_uri": new_repo(empty=True), "config_dir": str(tmp_path)}
        if path is not None:
            backend["value_store_path"] = path
        scheduler = Scheduler(config=Config({"backend": {**backend, **options}}))
        scheduler.load(migrate=True)
        opened.append(scheduler)
        return scheduler

    yield open_
    for scheduler in opened:
        scheduler.backend.close()


def stored(tmp_path: Path) -> dict[str, Path]:
    """The files of the store by value hash."""
    found = (tmp_path / "values").glob("*/*")
    return {path.parent.name + path.name: path for path in found}


def statuses(scheduler: Scheduler) -> set[str]:
    """How the jobs of the newest run ended."""
    newest = scheduler.backend.session.query(Job).filter_by(parent_id=None)
    root = newest.order_by(Job.start_time.desc()).first()
    jobs = scheduler.backend.session.query(Job).filter_by(execution_id=root.execution_id)
    return {job.status for job in jobs}


@pytest.mark.parametrize("scheme", ["blake3", "redun1"])
def test_large_values_go_to_the_store_and_come_back(
    open_scheduler, tmp_path, new_repo, rows_of, scheme
) -> None:
    first = open_scheduler(hash_scheme=scheme)
    expected = ["x" * BIG, BIG, ["x" * BIG]]
    assert first.run(main("x")) == expected
    files = stored(tmp_path)
    assert sorted(pickle.loads(path.read_bytes())[0][:1] for path in files.values()) == ["x", "x"]
    rows = dict(rows_of(new_repo(), "SELECT value_hash, value FROM value"))
    assert {value_hash for value_hash, data in rows.items() if data == b""} == set(files)
    calls.clear()
    again = open_scheduler()
    assert again.run(main("x")) == expected
    assert (calls, statuses(again)) == ([], {"CACHED"})


def test_threshold_counts_the_object(open_scheduler, tmp_path) -> None:
    backend = open_scheduler().backend
    # A pickled string takes 13 bytes on top, of the 991 that make an object of 1024.
    overhead = len(pickle.dumps("x" * 500, protocol=3)) - 500
    small = backend.record_value("a" * (990 - overhead))
    large = backend.record_value("b" * (991 - overhead))
    assert set(stored(tmp_path)) == {large}
    assert backend.get_value(small) == ("a" * (990 - overhead), True)
    assert backend.get_value(large) == ("b" * (991 - overhead), True)
    assert backend.session.get(Value, large).in_value_store


@pytest.mark.parametrize("harm", ["gone", "cut", "flipped", "other"])
def test_lost_and_damaged_payloads_are_misses_and_repaired(
    open_scheduler, tmp_path, harm, caplog
) -> None:
    assert open_scheduler().run(main("x"))[1] == BIG
    calls.clear()
    original = {path: path.read_bytes() for path in stored(tmp_path).values()}
    for path, data in original.items():
        if harm == "gone":
            path.unlink()
        elif harm == "cut":
            path.write_bytes(data[:100])
        elif harm == "flipped":
            path.write_bytes(data.replace(b"xxxx", b"xxyx"))
        else:
            path.write_bytes(pickle.dumps("something else"))
    scheduler = open_scheduler()
    assert scheduler.run(main("x")) == ["x" * BIG, BIG, ["x" * BIG]]
    assert "text" in calls
    if harm != "gone":
        assert "so its call runs again" in caplog.text
    calls.clear()
    scheduler.backend.close()
    assert {path: path.read_bytes() for path in stored(tmp_path).values()} == original
    last = open_scheduler()
    assert last.run(main("x"))[1] == BIG
    assert calls == []


def test_without_its_store_a_repo_recomputes(open_scheduler, caplog) -> None:
    open_scheduler().run(main("x"))
    calls.clear()
    assert open_scheduler(path=None).run(main("x")) == ["x" * BIG, BIG, ["x" * BIG]]
    assert "text" in calls
    assert caplog.text.count("Set `value_store_path` in [backend]") == 1


def test_values_within_values_stay_in_the_repo(open_scheduler, tmp_path) -> None:
    from redun import File

    backend: RedunBackendDb = open_scheduler(value_store_min_size="10").backend
    whole = backend.record_value([File("a"), File("b")])
    assert set(stored(tmp_path)) == {whole}
    children = backend.session.get(Value, whole).children
    assert len(children) == 2
    assert not any(child.in_value_store for child in children)


def test_previews_ask_for_the_size_alone(open_scheduler, tmp_path, monkeypatch) -> None:
    backend = open_scheduler().backend
    small, large = backend.record_value("s" * BIG), backend.record_value("l" * 1_500_000)
    read: list[str] = []
    really = ValueStore.read
    monkeypatch.setattr(ValueStore, "read", lambda self, h: read.append(h) or really(self, h))
    assert backend.session.get(Value, small).preview == "s" * BIG
    size = stored(tmp_path)[large].stat().st_size
    preview = backend.session.get(Value, large).preview
    assert repr(preview) == f"builtins.str(hash={large[:8]}, size={size})"
    assert read == [small]


def test_rows_need_no_statement_each(open_scheduler, tmp_path, monkeypatch) -> None:
    """Neither the repo nor the store is asked about each new value."""
    scheduler = open_scheduler()
    sizes: list[str] = []
    really = ValueStore.size
    monkeypatch.setattr(ValueStore, "size", lambda self, h: sizes.append(h) or really(self, h))
    assert len(scheduler.run([text(f"{number:04}") for number in range(200)])) == 200
    assert (len(stored(tmp_path)) >= 200, sizes) == (True, [])


def test_relative_path_is_seen_from_the_configuration(tmp_path, monkeypatch) -> None:
    config: dict[str, Any] = {"value_store_path": "vals", "config_dir": str(tmp_path)}
    store = RedunBackendDb("sqlite:///:memory:", config=config).value_store
    assert store.root_path == str(tmp_path / "vals")
    monkeypatch.chdir(tmp_path)
    store = RedunBackendDb("sqlite:///:memory:", config={"value_store_path": "v"}).value_store
    assert store.root_path == str(tmp_path / ".redun" / "v")
    config = {"value_store_path": "nowhere://bucket/vals"}
    with pytest.raises(ValueError, match=r"\[backend\] value_store_path: .*nowhere"):
        RedunBackendDb("sqlite:///:memory:", config=config)


def test_a_store_that_cannot_be_written_is_an_error(open_scheduler, tmp_path) -> None:
    (tmp_path / "values").write_text("a file is in the way")
    scheduler = open_scheduler()
    with pytest.raises(OSError, match="values"):
        scheduler.run(main("x"))
    (tmp_path / "values").unlink()
    scheduler.backend.close()  # what waited is written now
    assert stored(tmp_path)


LARGE_RUN = """
import resource, sys
from pathlib import Path
import numpy
from redun import Scheduler, task
from redun.config import Config

redun_namespace = "large"
SIZE = {size}

@task()
def make(kind: str):
    if "quiet" in sys.argv:
        raise AssertionError("not cached")
    array = numpy.full(SIZE // 8, 7.0)
    return {{"array": array, "list": [array[: SIZE // 16], "label", array[SIZE // 16 :]],
             "bytes": array.tobytes() if kind == "bytes" else None}}[kind]

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

here = sys.argv[1]
scheduler = Scheduler(config=Config({{"backend": {{
    "db_uri": sys.argv[3], "value_store_path": f"{{here}}/values"}}}}))
scheduler.load()
before = peak()
result = scheduler.run(make(sys.argv[2]))
scheduler.backend.close()
if sys.argv[2] == "array":
    assert (result[0], result[-1], result.nbytes) == (7.0, 7.0, SIZE)
print((peak() - before) / SIZE)
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["array", "list", "bytes"])
def test_large_values_are_not_copied(
    tmp_path: Path, new_repo: Callable[..., str], kind: str
) -> None:
    """A value above 64 MiB is written and read without a second copy of it in memory."""
    pytest.importorskip("numpy")
    script = tmp_path / "large_run.py"
    script.write_text(LARGE_RUN.format(size=200 * 1024 * 1024))
    growth = []
    for words in ([kind, new_repo()], [kind, new_repo(), "quiet"]):
        done = subprocess.run(
            [sys.executable, script, tmp_path, *words], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        growth.append(float(done.stdout))
    (path,) = stored(tmp_path).values()
    with path.open("rb") as stream:
        assert stream.read(2) == b"\x80\x05"
    # The task itself holds the bytes and the array they are from. Reading maps the file, whose
    # pages count while they are in memory, but can be dropped.
    assert growth[0] < (2.3 if kind == "bytes" else 1.3), growth
    assert growth[1] < 2.2, growth


HUGE_RUN = """
import resource, sys
import numpy
from redun import Scheduler, task
from redun.config import Config

redun_namespace = "huge"
SIZE = (4 << 30) + (100 << 20)

@task()
def make():
    if "quiet" in sys.argv:
        raise AssertionError("not cached")
    array = numpy.zeros(SIZE, dtype="u1")  # its pages are not there until they are written to
    array[:: 1 << 26] = 7
    array[-1] = 9
    return {"huge": array, "label": "x"}

@task()
def look(result):
    array = result["huge"]
    return [array.nbytes, int(array[0]), int(array[1]), int(array[-1]), result["label"]]

@task()
def main():
    return look(make())

def own_memory():
    with open("/proc/self/status") as status:
        lines = dict(line.split(":", 1) for line in status)
    return int(lines["RssAnon"].split()[0]) * 1024

backend = {"db_uri": sys.argv[1], "value_store_path": sys.argv[2], "max_value_size": str(1 << 40)}
scheduler = Scheduler(config=Config({"backend": backend}))
scheduler.load(migrate=True)
if "quiet" in sys.argv:
    huge = scheduler.run(make())
    assert [huge["huge"].nbytes, huge["huge"][-1], huge["label"]] == [SIZE, 9, "x"]
    print(own_memory())
else:
    assert scheduler.run(main()) == [SIZE, 7, 0, 9, "x"]
    scheduler.backend.close()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


@pytest.mark.slow
@pytest.mark.sqlite  # the payload is in no database
@pytest.mark.skipif(sys.platform != "linux", reason="memory is counted as Linux does")
def test_values_above_4_gib_are_streamed(tmp_path: Path, new_repo: Callable[..., str]) -> None:
    pytest.importorskip("numpy")
    free = shutil.disk_usage(tmp_path).free >> 30
    if free < 12:
        pytest.skip(f"a value above 4 GiB needs 12 GiB of disk here, {free} GiB are free")
    lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    memory = int(lines["MemAvailable"].split()[0]) >> 20
    if memory < 6:
        pytest.skip(f"a value above 4 GiB needs 6 GiB of memory here, {memory} GiB are free")
    script = tmp_path / "huge_run.py"
    script.write_text(HUGE_RUN)
    store = tmp_path / "values"
    try:
        # Writing takes no memory of its own, and what is read is in memory once.
        for words, size in (([], 0), (["quiet"], 4.1 * 2**30)):
            done = subprocess.run(
                [sys.executable, script, new_repo(), store, *words], capture_output=True, text=True
            )
            assert done.returncode == 0, done.stderr[-2000:]
            # Of pages that were never written to, the kernel may make some all the same.
            assert int(done.stdout) < size + 1536 * 2**20
        (path,) = stored(tmp_path).values()
        assert path.stat().st_size > 4 << 30
    finally:
        shutil.rmtree(store)


def test_limit_on_streamed_values(open_scheduler, monkeypatch) -> None:
    from redun.value import registry

    monkeypatch.setattr(registry, "STREAM_FROM", 10_000)
    backend = open_scheduler(max_value_size="20000").backend
    with pytest.raises(RedunDatabaseError, match="too large"):
        open_scheduler(max_value_size="20000").run(text("abcdefghijklmno"))
    assert backend.get_value("0" * 40) == (None, False)
