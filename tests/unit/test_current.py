"""The current scheduler of a thread and the current job of a context."""

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from redun.current import (
    NoCurrentScheduler,
    get_current_job,
    get_current_scheduler,
    job_running,
    scheduler_running,
    set_current_scheduler,
)


def stand_in() -> Any:
    return SimpleNamespace(id="x")


def test_none_by_default() -> None:
    assert get_current_scheduler(required=False) is None
    with pytest.raises(NoCurrentScheduler, match=r"Scheduler is not running\."):
        get_current_scheduler()


def test_set_and_unset() -> None:
    scheduler = stand_in()
    set_current_scheduler(scheduler)
    try:
        assert get_current_scheduler() is scheduler
        seen: list[Any] = []
        thread = threading.Thread(target=lambda: seen.append(get_current_scheduler(False)))
        thread.start()
        thread.join()
        assert seen == [None]
    finally:
        set_current_scheduler(None)
    assert get_current_scheduler(required=False) is None


def test_nested_runs_restore_the_one_before() -> None:
    outer, inner = stand_in(), stand_in()
    with scheduler_running(outer):
        with scheduler_running(inner):
            assert get_current_scheduler() is inner
        assert get_current_scheduler() is outer
        with pytest.raises(ZeroDivisionError), scheduler_running(inner):
            _ = 1 / 0
        assert get_current_scheduler() is outer
    assert get_current_scheduler(required=False) is None


def test_current_job() -> None:
    with pytest.raises(LookupError):
        get_current_job()
    scheduler, job = stand_in(), stand_in()
    with job_running(scheduler, job):
        assert get_current_job() == (scheduler, job)
    with pytest.raises(LookupError):
        get_current_job()


def test_error_has_its_public_place_and_pickles() -> None:
    assert NoCurrentScheduler.__module__ == "redun.scheduler"
    assert NoCurrentScheduler().__reduce__() == (NoCurrentScheduler, ())
