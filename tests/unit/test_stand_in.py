"""What goes on while a job runs in the scheduler's thread."""

import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from redun import Scheduler, task
from redun.config import Config
from redun.engine.stand_in import StandIn
from redun.executors import local
from redun.functools import seq

redun_namespace = "test_stand_in"


def wait_for(condition: Callable[[], object]) -> bool:
    deadline = time.monotonic() + 20
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_a_job_that_ends_at_once_needs_nobody() -> None:
    calls: list[str] = []
    stand_in = StandIn(lambda: calls.append("hand over"), lambda: calls.append("idle"), 0)
    for _ in range(100):
        with stand_in:
            assert stand_in.is_asked
    assert not stand_in.is_asked
    stand_in.close()
    assert calls == []


def test_rows_go_once_for_each_job_and_signs_of_life_again_and_again() -> None:
    calls: list[str] = []
    stand_in = StandIn(lambda: calls.append("hand over"), lambda: calls.append("idle"), 0.01)
    for _ in range(2):
        with stand_in:
            assert wait_for(lambda: len(calls) > 2)
        assert calls[0] == "hand over"
        assert set(calls[1:]) == {"idle"}
        calls.clear()
    stand_in.close()
    assert calls == []


def test_without_an_interval_there_are_no_signs_of_life() -> None:
    handed, idle = threading.Event(), threading.Event()
    stand_in = StandIn(handed.set, idle.set, None)
    with stand_in:
        assert handed.wait(20)
        assert not idle.wait(0.2)
    stand_in.close()


def test_the_end_of_a_job_waits_for_what_was_begun() -> None:
    begun, end = threading.Event(), threading.Event()
    calls = []

    def hand_over() -> None:
        begun.set()
        end.wait(20)
        calls.append(stand_in.is_asked)

    stand_in = StandIn(hand_over, lambda: None, None)
    with stand_in:
        assert begun.wait(20)
        threading.Timer(0.1, end.set).start()
    assert calls == [False]  # the job had ended, its context had not
    stand_in.close()


def test_errors_are_raised_where_the_job_was_run() -> None:
    def hand_over() -> None:
        failed.set()
        raise OSError("disk full")

    failed = threading.Event()
    stand_in = StandIn(hand_over, lambda: None, 0)
    with pytest.raises(OSError, match="disk full"), stand_in:
        assert failed.wait(20)
    failed.clear()
    with pytest.raises(OSError, match="disk full"), stand_in:  # of the next job as well
        assert failed.wait(20)
    stand_in.close()


def test_others_see_what_was_done_before_a_job_that_takes_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # All jobs but the long one count as tiny, however slow the machine is.
    monkeypatch.setattr(local, "TINY_JOB_SECONDS", 2)
    path = tmp_path / "redun.db"

    def asked(statement: str) -> int:
        connection = sqlite3.connect(path)
        try:
            return connection.execute(statement).fetchone()[0]
        finally:
            connection.close()

    @task()
    def step(x):
        if x < 20:
            return True
        here = threading.current_thread() is threading.main_thread()
        all_done = "SELECT count(*) >= 20 FROM job WHERE end_time IS NOT NULL"
        are_seen = wait_for(lambda: asked(all_done))
        first = asked("SELECT updated_time FROM execution")
        lives = wait_for(lambda: asked("SELECT updated_time FROM execution") > first)
        return [here, are_seen, lives]

    scheduler = Scheduler(config=Config({"backend": {"db_uri": f"sqlite:///{path}"}}))
    scheduler.load()
    scheduler.job_status_interval = 0.1
    *_, seen = scheduler.run(seq([step(i) for i in range(21)]))
    scheduler.backend.close()
    assert seen == [True, True, True]
    assert not [thread for thread in threading.enumerate() if "stand-in" in thread.name]
