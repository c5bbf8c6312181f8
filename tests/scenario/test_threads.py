"""Work in the background: `fork_thread` and `join_thread`."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from redun import Scheduler, catch, task
from redun.backends.db import Job as JobRow
from redun.scheduler import Thread, fork_thread, join_thread

redun_namespace = "test_threads"

calls: list[str] = []
gate = threading.Event()


@pytest.fixture(autouse=True)
def _fresh() -> None:
    calls.clear()
    gate.clear()


@task(version="1")
def work(x: int) -> int:
    calls.append(f"work{x}")
    return x * 2


@task(version="1")
def gated(x: int) -> int:
    assert gate.wait(20)
    return x * 2


@task(version="1")
def broken() -> int:
    raise ValueError("broken thread")


@task(version="1")
def join(thread: Thread, *others: Any) -> Any:
    return join_thread(thread)


def test_a_thread_is_there_before_its_work_is_done(scheduler: Scheduler) -> None:
    @task()
    def open_gate(thread: Thread) -> Any:
        assert isinstance(thread, Thread)
        gate.set()
        return join_thread(thread)

    @task()
    def main() -> Any:
        return open_gate(fork_thread(gated(4)))

    assert scheduler.run(main()) == 8


def test_a_thread_outlives_the_job_that_forked_it(scheduler: Scheduler) -> None:
    @task()
    def fork() -> Any:
        return fork_thread(gated(5))

    @task()
    def open_gate(thread: Thread) -> Any:
        gate.set()
        return join_thread(thread)

    @task()
    def main() -> Any:
        return open_gate(fork())

    assert scheduler.run(main()) == 10
    ends = scheduler.backend.session.query(JobRow).filter(JobRow.end_time.is_(None)).count()
    assert ends == 0


def test_joining_twice_evaluates_again_and_runs_once(scheduler: Scheduler) -> None:
    @task()
    def main() -> Any:
        thread = fork_thread(work(2))
        return [join(thread, 1), join(thread, 2)]

    assert scheduler.run(main()) == [4, 4]
    assert calls == ["work2"]


def test_a_thread_from_the_cache_is_evaluated_when_joined(scheduler: Scheduler) -> None:
    @task(version="1")
    def fork() -> Any:
        return fork_thread(work(3))

    @task(version="1", check_valid="shallow")
    def shallow_fork() -> Any:
        return fork()

    @task()
    def main(number: int) -> Any:
        return join(shallow_fork(), number)

    assert scheduler.run(main(1)) == 6
    assert scheduler.run(main(2)) == 6
    assert calls == ["work3"]


def test_failures_reach_who_joins_and_nobody_else(scheduler: Scheduler) -> None:
    @task()
    def recover(error: Exception) -> str:
        return str(error)

    @task()
    def joined() -> Any:
        return catch(join(fork_thread(broken())), ValueError, recover)

    @task()
    def ignored(thread: Thread) -> str:
        return "fine"

    @task()
    def main() -> Any:
        return [joined(), ignored(fork_thread(broken()))]

    assert scheduler.run(main()) == ["broken thread", "fine"]


def test_identity_is_that_of_the_expression(scheduler: Scheduler) -> None:
    @task()
    def main() -> Any:
        return fork_thread(work(1))

    thread = scheduler.run(main())
    assert repr(thread) == "Thread(test_threads.work(1))"
    assert thread.get_hash() == Thread(work(1)).get_hash()
    assert thread.get_hash() != Thread(work(2)).get_hash()
    assert Thread.type_name == "redun.Thread"
    assert Thread.__module__ == "redun.scheduler"


def test_a_thread_whose_task_is_gone_is_not_valid() -> None:
    from redun.expression import TaskExpression

    assert Thread(work(1)).is_valid()
    assert Thread(5).is_valid()
    assert not Thread(TaskExpression("test_threads.gone", (), {})).is_valid()
