"""The console on what repos really hold: hostile, missing, huge, still running."""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools
import json
import os
import pickle
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from redun import Handle, task
from redun.backends.base import TagEntity
from redun.backends.db import RedunBackendDb
from redun.backends.db.orm import Execution, Job, Task, Value
from redun.backends.db.query import jobs as job_queries
from redun.console import footer, screen, upstream
from redun.scheduler import Scheduler

Console = Callable[..., None]

redun_namespace = "lab"


class Touch:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.path),))


class Gone:
    """Its pickles name a class that isn't there any more."""

    def __init__(self) -> None:
        self.weight = 7


def scheduler_for(uri: str) -> Scheduler:
    backend = RedunBackendDb(uri)
    backend.load(migrate=True)
    return Scheduler(backend=backend)


@pytest.fixture
def uri(shared_repo_uri: str) -> str:
    """A repo with one small execution, on either database."""

    @task(name="double", namespace="lab")
    def double(x: int) -> int:
        return 2 * x

    @task(name="main", namespace="lab")
    def main(n: int) -> list[int]:
        return [double(i) for i in range(n)]

    scheduler = scheduler_for(shared_repo_uri)
    scheduler.run(main(3), exec_argv=["redun", "run", "lab.py", "main"])
    scheduler.backend.close()
    return shared_repo_uri


def change(uri: str, statement: str, **values: object) -> None:
    """Write to a repo behind redun's back."""
    backend = RedunBackendDb(uri)
    backend.load(migrate=False)
    backend.session.execute(sa.text(statement), values)
    backend.session.commit()
    backend.close()


@pytest.mark.each_repo
def test_all_screens_on_both_databases(console: Console, uri: str) -> None:
    async def walk(at: Any) -> None:
        assert "[lab] run lab.py main" in at.text
        assert "Jobs (4)" in await at.press("enter")
        assert "lab.double(1)" in at.text
        assert "Result: [0, 2, 4]" in await at.press("enter")
        for path, shown in (
            ("executions/namespace", "lab"),
            ("tasks --namespace la", "Task (2)"),
            ("tasks/name/lab.double", "lab.double"),
            ("files --prefix x_", "File path"),
            ("search --job --result nosuch", "Search results"),
            ("search --all", "CallNode"),
            ("executions --find LAB", "[lab]"),
        ):
            await at.app.open(path.split())
            await at.settle()
            assert shown in at.text, path
        job = at.app.screen_stack[3].content.sheets["rows"].rows
        value = next(row.target for row in job if row.cells[0].plain.startswith("Result"))
        for path, shown in ((value, "Upstream jobs (1)"), (f"upstreams/{value[7:]}", "main(n)")):
            await at.app.open([path])
            await at.settle()
            assert shown in at.text

    console(uri, walk)


def test_looking_runs_nothing(console: Console, uri: str, tmp_path: Path) -> None:
    made = tmp_path / "made"
    hostile = pickle.dumps({"a": Touch(made)}, protocol=3)
    where = "type = 'builtins.int' OR type = 'builtins.list'"
    change(uri, f"UPDATE value SET value = :data WHERE {where}", data=hostile)
    opened: list[str] = []
    watching = [True]

    def watch(event: str, args: Any) -> None:
        if watching and event in ("os.mkdir", "subprocess.Popen", "os.system"):
            opened.append(event)

    sys.addaudithook(watch)

    async def walk(at: Any) -> None:
        assert "mkdir" in await at.press("enter")
        await at.press("enter")
        values = [
            row.target
            for row in at.app.screen.content.sheets["rows"].rows
            if (row.target or "").startswith("values/")
        ]
        for path in (*values, *(f"upstreams/{value[7:]}" for value in values)):
            await at.app.open([path])
            await at.settle()
            assert "mkdir" in at.text
        await at.app.open(["search", "--all"])
        await at.settle()

    console(uri, walk)
    watching.clear()
    assert opened == []
    assert not made.exists()


def test_classes_that_cannot_be_imported_are_shown(console: Console, uri: str) -> None:
    data = pickle.dumps(Gone(), protocol=3).replace(__name__.encode(), b"x" * len(__name__))
    change(uri, "UPDATE value SET value = :data WHERE type = 'builtins.list'", data=data)

    async def walk(at: Any) -> None:
        assert "Result: Gone(weight=7)" in await at.press("enter", "enter")

    console(uri, walk)


def test_links_of_tags_are_opened(
    console: Console, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = RedunBackendDb(uri)
    backend.load(migrate=False)
    execution = backend.session.scalars(sa.select(Execution.id)).one()
    tags = [("git_origin_url", "git@github.com:org/repo.git"), ("git_commit", "0" * 40)]
    backend.record_tags(TagEntity.Execution, execution, tags)
    backend.close()
    address = f"https://github.com/org/repo/commit/{'0' * 40}"

    async def walk(at: Any) -> None:
        opened: list[str] = []
        monkeypatch.setattr(at.app, "open_url", opened.append)
        await at.press("enter")
        await at.shows(f"Link: Git commit {address}")
        await at.press("tab", "enter")
        assert opened == [address]

    console(uri, walk)


def test_missing_payloads_are_told(console: Console, uri: str) -> None:
    change(uri, "UPDATE value SET value = :data WHERE type = 'builtins.list'", data=b"")

    async def walk(at: Any) -> None:
        assert "size=-1" in await at.press("enter", "enter")
        (path,) = (
            row.target
            for row in at.app.screen.content.sheets["rows"].rows
            if row.cells[0].plain.startswith("Result")
        )
        await at.app.open([path])
        await at.settle()
        assert "missing from the value store" in at.text

    console(uri, walk)


class Connection(Handle):
    """A handle to nothing."""

    def __init__(self, name: str) -> None:
        pass


def test_handles_that_come_from_each_other_are_shown(console: Console, tmp_path: Path) -> None:
    @task(name="use", namespace="lab")
    def use(handle: Connection, step: int) -> Connection:
        return handle

    @task(name="main", namespace="lab")
    def main() -> Connection:
        return use(use(Connection("db"), 1), 2)

    uri = f"sqlite:///{tmp_path / 'handles.db'}"
    scheduler = scheduler_for(uri)
    scheduler.run(main(), exec_argv=["redun", "run", "lab.py", "main"])
    scheduler.backend.close()
    change(
        uri,
        "INSERT INTO handle_edge (parent_id, child_id) "
        "SELECT child_id, parent_id FROM handle_edge UNION SELECT hash, hash FROM handle",
    )
    backend = RedunBackendDb(uri)
    backend.load(migrate=False)
    handles = backend.source.cells("SELECT hash FROM handle")
    backend.close()

    async def walk(at: Any) -> None:
        assert "Jobs (3)" in await at.press("enter")
        assert "lab.use(" in at.text
        assert "Connection" in await at.press("enter")
        for handle in handles:
            await at.app.open([f"values/{handle}"])
            await at.settle()
            assert f"Value {handle} redun" in at.text or "Connection" in at.text
            await at.app.open([f"upstreams/{handle}"])
            await at.settle()
            assert f"value = <{handle[:8]}>" in at.text
            assert "value <-- " in at.text

    assert len(handles) > 3
    console(uri, walk)


def test_a_wide_dataflow_is_shown_bit_by_bit(
    console: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @task(name="leaf", namespace="lab")
    def leaf(x: int) -> int:
        return x + 1000

    @task(name="total", namespace="lab")
    def total(xs: list[int]) -> int:
        return sum(xs)

    @task(name="main", namespace="lab")
    def main(n: int) -> int:
        return total([leaf(x) for x in range(n)])

    uri = f"sqlite:///{tmp_path / 'wide.db'}"
    scheduler = scheduler_for(uri)
    scheduler.run(main(20), exec_argv=["redun", "run", "lab.py", "main"])
    query = "SELECT value_hash FROM call_node WHERE task_name = 'lab.main'"
    value = scheduler.backend.source.cell(query)  # type: ignore[attr-defined]
    scheduler.backend.close()
    monkeypatch.setattr(upstream, "LOOKED_AT", 10)

    async def walk(at: Any) -> None:
        await at.app.open([f"upstreams/{value}"])
        await at.settle()
        assert "n More" in at.text
        assert "leaf_result_10 = " in at.text
        assert "leaf_result_11" not in at.text
        assert "origin" not in at.text
        assert "... more than 10 values and calls: n shows more" in await at.press("ctrl+end")
        # The arguments come from those of the task above.
        await at.press("n", "n")
        rows = [row.cells[0].plain for row in at.app.screen.content.sheets["rows"].rows]
        assert "... more" not in rows[-1]
        assert sum("leaf_result" in row and "leaf(x" in row for row in rows) == 20
        assert "n More" not in at.text

    console(uri, walk)


def test_keys_are_made_once_while_a_screen_opens(
    console: Console, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    plain = footer.Footer.compose

    def compose(self: Any) -> Any:
        keys = list(plain(self))
        made.extend(key.description for key in keys)
        return keys

    monkeypatch.setattr(footer.Footer, "compose", compose)

    async def walk(at: Any) -> None:
        made.clear()
        assert "f Focus job" in await at.press("enter")
        assert made.count("Focus job") == 1

    console(uri, walk)


def test_control_characters_and_markup_are_shown_as_they_are(console: Console, uri: str) -> None:
    hostile = json.dumps(["redun", "run", "\x1b[2J\x1b]0;x\x07 [red]", "\x9b31m\nnext"])
    change(uri, "UPDATE execution SET args = :args", args=hostile)
    change(uri, "UPDATE task SET source = :source", source="def f():\n    '\x1b[2J'\r\x9b")

    async def walk(at: Any) -> None:
        assert "\\x1b[2J\\x1b]0;x\\x07 [red]" in at.text
        assert "\\x9b31m\\nnext" in at.text
        await at.press("enter", "enter")
        assert "'\\x1b[2J'\\x0d\\x9b" in at.text
        strips = at.app.screen._compositor.render_strips(at.app.size)
        assert not any("\x1b" in segment.text for strip in strips for segment in strip)

    console(uri, walk)


def test_a_database_that_fails_is_told(console: Console, uri: str) -> None:
    async def walk(at: Any) -> None:
        change(uri, "ALTER TABLE tag RENAME TO lost")
        assert "error: " in await at.press("ctrl+r")
        assert "Traceback" not in at.text

    console(uri, walk)


def test_what_a_run_does_is_seen_while_it_goes_on(
    console: Console, shared_repo_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(screen, "LIVE_SECONDS", 0.05)
    may_end, started = threading.Event(), threading.Event()

    @task(name="waits", namespace="lab")
    def waits() -> str:
        started.set()
        assert may_end.wait(60)
        return "finished"

    scheduler = scheduler_for(shared_repo_uri)
    words = ["redun", "run", "w"]
    run = threading.Thread(target=lambda: scheduler.run(waits(), exec_argv=words))

    async def walk(at: Any) -> None:
        assert "Exec " not in at.text
        run.start()
        started.wait(60)
        await at.shows(" RUN ")
        await at.press("enter")
        await at.shows("lab.waits")
        may_end.set()
        await at.shows(" DONE ")
        await at.press("escape")
        await at.shows(" DONE ")

    try:
        console(shared_repo_uri, walk)
    finally:
        may_end.set()
        if run.ident is not None:
            run.join()
        scheduler.backend.close()


@pytest.mark.each_repo
def test_leaving_waits_for_what_is_being_read(
    console: Console, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(screen, "LIVE_SECONDS", 0.01)
    begun, done = threading.Event(), threading.Event()
    look = screen.change_stamp

    def read_slowly(source: Any) -> Any:
        begun.set()
        time.sleep(0.3)
        stamp = look(source)
        done.set()
        return stamp

    monkeypatch.setattr(screen, "change_stamp", read_slowly)

    async def walk(at: Any) -> None:
        while not begun.is_set():
            await asyncio.sleep(0.01)

    console(uri, walk)
    assert done.is_set()


JOBS = 20_000


def fill(uri: str, fan_out: int) -> str:
    """Record one execution of `JOBS` jobs, the root with `fan_out` children, each with equally many."""
    backend = RedunBackendDb(uri)
    backend.load(migrate=True)
    session = backend.session
    now = dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc)
    task_hash = "0" * 40
    ids = [str(uuid.UUID(int=number)) for number in range(1, JOBS + 1)]
    second = dt.timedelta(seconds=1)
    rows = [
        {
            "id": job_id,
            "start_time": now + number * second,
            "end_time": now + (number + 1) * second,
            "task_hash": task_hash,
            "cached": number % 2 == 0,
            "call_hash": None,
            "parent_id": ids[(number - 1) // fan_out] if number else None,
            "execution_id": "e" * 36,
        }
        for number, job_id in enumerate(ids)
    ]
    value = {"value_hash": task_hash, "type": "redun.Task", "format": "x", "value": b"x"}
    source = {"hash": task_hash, "name": "step", "namespace": "big", "source": "def step(): ..."}
    session.execute(sa.insert(Value), [value])
    session.execute(sa.insert(Task), [source])
    if session.dialect != "sqlite":
        session.execute(sa.text("SET CONSTRAINTS ALL DEFERRED"))
    else:
        session.connection().exec_driver_sql("PRAGMA defer_foreign_keys=ON")
    execution = {"id": "e" * 36, "args": '["redun", "run", "big"]', "job_id": ids[0]}
    session.execute(sa.insert(Execution), [execution])
    session.execute(sa.insert(Job), rows)
    session.commit()
    backend.close()
    return ids[-1]


@pytest.mark.each_repo
@pytest.mark.parametrize("fan_out", [7, JOBS])
def test_a_page_of_a_large_execution_is_read_in_few_rows(
    console: Console,
    shared_repo_uri: str,
    fan_out: int,
    monkeypatch: pytest.MonkeyPatch,
    counting_source: Callable[[Any], Any],
) -> None:
    fill(shared_repo_uri, fan_out)
    plain = RedunBackendDb.source.fget
    counters: list[Any] = []

    def counted(backend: RedunBackendDb) -> Any:
        counters.append(counting_source(plain(backend)))
        return counters[-1]

    def statements() -> int:
        return sum(counter.statements for counter in counters)

    def rows_read() -> int:
        return sum(counter.rows_read for counter in counters)

    monkeypatch.setattr(RedunBackendDb, "source", property(counted))

    async def walk(at: Any) -> None:
        await at.press("enter")
        assert f"Jobs ({JOBS})" in at.text
        for key, page in (("n", 2), ("n", 3), ("p", 2), ("ctrl+r", 2)):
            counters.clear()
            assert f"Page {page}" in await at.press(key)
            # A statement for each job whose children are on the page, and a few for the rest.
            assert 0 < statements() < 2 * screen.PAGE_SIZE + 20
            assert 0 < rows_read() < 1500
            assert len(at.app.screen.content.sheets["rows"].rows) == screen.PAGE_SIZE
        counters.clear()
        await at.app.open(["executions/" + "e" * 36, "--status", "CACHED", "--page", "90"])
        await at.settle()
        assert "Jobs (10000)" in at.text
        assert 0 < statements() < 20
        assert 0 < rows_read() < 500

    console(shared_repo_uri, walk)


def test_the_last_page_of_a_tree_holds_the_last_jobs(console: Console, tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'big.db'}"
    last = fill(uri, JOBS)

    async def walk(at: Any) -> None:
        await at.app.open(["executions/" + "e" * 36, "--page", str(JOBS // 100)])
        await at.settle()
        rows = at.app.screen.content.sheets["rows"].rows
        assert len(rows) == screen.PAGE_SIZE
        assert rows[-1].target == f"jobs/{last}"
        header = at.header
        await at.press("n")
        assert at.header == header

    console(uri, walk)


def test_a_walk_goes_on_from_any_step(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'big.db'}"
    fill(uri, 3)
    backend = RedunBackendDb(uri)
    backend.load(migrate=False)
    session, execution = backend.session, "e" * 36
    whole = list(itertools.islice(job_queries.JobWalk(session, execution).steps(), 1500))
    assert len({job_id for _level, job_id in whole}) == len(whole) == 1500
    pieces: list[tuple[int, str]] = []
    start = None
    while len(pieces) < 1400:
        walk = job_queries.JobWalk(session, execution, start=start)
        steps = walk.steps()
        pieces += [next(steps) for _ in range(97)]
        start = walk.checkpoint
    assert pieces == whole[: len(pieces)]
    backend.close()
