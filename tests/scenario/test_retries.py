"""Options `retries`, `retry_delay` and `timeout` in threads, processes and on the event loop."""

import asyncio
import importlib
import logging
import sys
import threading
import time

import pytest

from redun import Scheduler, task
from redun.backends.db import Job
from redun.scheduler import catch

redun_namespace = "test_retries"


def tags_of(scheduler: Scheduler, name: str) -> dict:
    (job,) = [job for job in scheduler.backend.session.query(Job) if job.task.name == name]
    return {tag.key: tag.value for tag in job.tags}


def test_job_is_tried_again_until_it_succeeds(scheduler: Scheduler) -> None:
    calls = []

    @task(retries=3)
    def flaky(x):
        calls.append(x)
        if len(calls) < 3:
            raise ValueError("not yet")
        return x

    assert scheduler.run(flaky(5)) == 5
    assert calls == [5, 5, 5]
    assert tags_of(scheduler, "flaky")["redun.retries"] == 2
    assert scheduler.run(flaky(5)) == 5
    assert len(calls) == 3


def test_last_error_counts(scheduler: Scheduler, caplog) -> None:
    calls = []

    @task(retries=2)
    def hopeless():
        calls.append(1)
        raise ValueError(f"attempt {len(calls)}")

    scheduler.logger.addHandler(caplog.handler)
    try:
        with caplog.at_level(logging.INFO), pytest.raises(ValueError, match="attempt 3"):
            scheduler.run(hopeless())
    finally:
        scheduler.logger.removeHandler(caplog.handler)
    assert len(calls) == 3
    assert tags_of(scheduler, "hopeless")["redun.retries"] == 2
    lines = [line.getMessage() for line in caplog.records]
    (first, _) = [line for line in lines if line.startswith("Retry  Job ")]
    assert "hopeless() (1 of 2): ValueError('attempt 1')" in first


def test_jobs_without_retries_have_no_tag(scheduler: Scheduler) -> None:
    @task(retries=2)
    def fine():
        return 1

    scheduler.run(fine())
    assert "redun.retries" not in tags_of(scheduler, "fine")


def test_option_of_a_call_and_delay(scheduler: Scheduler) -> None:
    times = []

    @task()
    def flaky():
        times.append(time.monotonic())
        if len(times) < 3:
            raise ValueError("not yet")
        return "done"

    assert scheduler.run(flaky.options(retries=2, retry_delay=0.05)()) == "done"
    assert times[1] - times[0] >= 0.05
    assert times[2] - times[1] >= 0.05


def test_attempts_do_not_share_changed_arguments(scheduler: Scheduler) -> None:
    seen = []

    @task(retries=1)
    def append(items):
        items.append(0)
        seen.append(list(items))
        if len(seen) == 1:
            raise ValueError("not yet")
        return items

    assert scheduler.run(append([7])) == [7, 0]
    assert seen == [[7, 0], [7, 0]]


def test_many_retries_need_no_threads_of_their_own(scheduler: Scheduler) -> None:
    before = threading.active_count()
    tried = set()
    most = []

    @task(retries=1, retry_delay=0.05)
    def flaky(x):
        most.append(threading.active_count())
        if x not in tried:
            tried.add(x)
            raise ValueError("not yet")
        return x

    assert scheduler.run([flaky(i) for i in range(300)]) == list(range(300))
    assert max(most) <= before + 22  # the workers and their pacer


def test_limits_are_held_until_the_last_attempt(make_scheduler) -> None:
    scheduler = make_scheduler({"limits": {"one": "1"}})
    order = []

    @task(limits=["one"], retries=1, retry_delay=0.02)
    def flaky(x):
        order.append(x)
        if order.count(x) == 1:
            raise ValueError("not yet")
        return x

    assert scheduler.run([flaky(1), flaky(2)]) == [1, 2]
    assert order in ([1, 1, 2, 2], [2, 2, 1, 1])


def test_timeout_of_a_thread(scheduler: Scheduler) -> None:
    release = threading.Event()

    @task(timeout=0.1)
    def hangs():
        release.wait(30)
        return "late"

    started = time.monotonic()
    with pytest.raises(TimeoutError, match=r"hangs\(\) took longer than 0.1 seconds"):
        scheduler.run(hangs())
    assert time.monotonic() - started < 10
    release.set()


def test_thread_that_hangs_does_not_keep_its_place(make_scheduler) -> None:
    release = threading.Event()

    @task(timeout=0.05)
    def hangs(x):
        release.wait(30)

    @task()
    def after(error):
        return "went on"

    scheduler = make_scheduler({"executors.default": {"type": "local", "max_workers": "1"}})
    results = scheduler.run([catch(hangs(i), TimeoutError, after) for i in range(3)])
    assert results == ["went on"] * 3
    release.set()


def test_timeout_and_retry(scheduler: Scheduler) -> None:
    release = threading.Event()
    calls = []

    @task(timeout=0.1, retries=1)
    def slow_once():
        calls.append(1)
        if len(calls) == 1:
            release.wait(30)
            raise ValueError("a late error of an attempt that was given up")
        release.set()
        return "second"

    assert scheduler.run(slow_once()) == "second"
    assert tags_of(scheduler, "slow_once")["redun.retries"] == 1


def test_time_counts_from_the_begin_of_the_job(make_scheduler) -> None:
    scheduler = make_scheduler({"executors.default": {"type": "local", "max_workers": "1"}})
    tick = threading.Event()

    @task(timeout=0.5)
    def short(x):
        tick.wait(0.1)
        return x

    assert scheduler.run([short(i) for i in range(8)]) == list(range(8))


def test_timeout_does_not_cover_the_children(scheduler: Scheduler) -> None:
    tick = threading.Event()

    @task()
    def child():
        tick.wait(0.3)
        return "child"

    @task(timeout=0.1)
    def parent():
        return child()

    assert scheduler.run(parent()) == "child"


def test_async_tasks(scheduler: Scheduler) -> None:
    cancelled = []

    @task(cache=False, timeout=0.05, retries=1)
    async def hangs():
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            cancelled.append(1)
            raise

    with pytest.raises(TimeoutError):
        scheduler.run(hangs())
    assert cancelled == [1, 1]


@pytest.fixture
def process_tasks(tmp_path, monkeypatch):
    """A module of tasks that worker processes can import."""
    (tmp_path / "retried_in_processes.py").write_text(
        "import os, time\n"
        "from redun import task\n"
        "redun_namespace = 'retried_in_processes'\n"
        "@task(executor='process', timeout=0.2)\n"
        "def hangs(x):\n"
        "    while True:\n"
        "        try:\n"
        "            time.sleep(30)\n"
        "        except Exception:\n"
        "            pass\n"
        "@task(executor='process', retries=2)\n"
        "def flaky(path):\n"
        "    with open(path, 'a') as calls:\n"
        "        calls.write('x')\n"
        "    if os.path.getsize(path) < 3:\n"
        "        raise ValueError('not yet')\n"
        "    return os.getpid()\n"
        "@task(executor='process')\n"
        "def ok(error):\n    return 'went on'\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module("retried_in_processes")
    sys.modules.pop("retried_in_processes")


def test_processes_are_interrupted_and_used_again(process_tasks, make_scheduler, tmp_path) -> None:
    section = {"type": "local", "mode": "process", "max_workers": "1"}
    scheduler = make_scheduler({"executors.process": section})
    with pytest.raises(TimeoutError, match=r"hangs\(\) took longer"):
        scheduler.run(process_tasks.hangs(1))
    assert scheduler.run(catch(process_tasks.hangs(2), TimeoutError, process_tasks.ok)) == "went on"
    assert scheduler.run(process_tasks.flaky(str(tmp_path / "calls"))) > 0
    assert tags_of(scheduler, "flaky")["redun.retries"] == 2
