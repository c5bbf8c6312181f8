"""Asynchronous tasks: `await` of expressions, errors, caching, children."""

import asyncio
import threading

import pytest

from redun import Scheduler, task
from redun.backends.db import Job
from redun.executors.local import get_current_job

redun_namespace = "test_async"


@task()
def double(x):
    return 2 * x


@task()
def fail(x):
    raise ValueError(f"bad {x}")


@task(cache=False)
async def add(x, y):
    first = await double(x)
    return first + await double(y)


def test_await_in_a_task(scheduler: Scheduler) -> None:
    assert scheduler.run(add(1, 2)) == 6
    assert not [t for t in threading.enumerate() if t.name.startswith("redun-default")]


def test_children_belong_to_the_async_job(scheduler: Scheduler) -> None:
    scheduler.run(add(1, 2))
    jobs = scheduler.backend.session.query(Job).all()
    (parent,) = [job for job in jobs if job.task.name == "add"]
    children = [job for job in jobs if job.parent_id == parent.id]
    assert [job.task.name for job in children] == ["double", "double"]
    assert all(job.status == "DONE" for job in jobs)
    assert len(parent.call_node.children) == 2


def test_gather_and_lazy_operators(scheduler: Scheduler) -> None:
    @task(cache=False)
    async def main():
        a, b = await asyncio.gather(double(1), double(2) + 1)
        many = await asyncio.gather(*(double(i) for i in range(100)))
        return [a, b, sum(many), double(a)]

    assert scheduler.run(main()) == [2, 5, 9900, 4]


def test_awaiting_the_same_expression_twice_runs_it_once(scheduler: Scheduler) -> None:
    calls = []

    @task(cache=False)
    def once(x):
        calls.append(x)
        return x

    @task(cache=False)
    async def main():
        expr = once(1)
        return [await expr, await expr, await once(1)]

    assert scheduler.run(main()) == [1, 1, 1]
    assert calls == [1]


def test_errors_can_be_caught_or_pass_through(scheduler: Scheduler) -> None:
    @task(cache=False)
    async def careful():
        try:
            await fail(1)
        except ValueError as error:
            return f"caught {error}"

    @task(cache=False)
    async def careless():
        return await fail(2)

    assert scheduler.run(careful()) == "caught bad 1"
    with pytest.raises(ValueError, match="bad 2"):
        scheduler.run(careless())
    assert any("careless" in line for line in scheduler.traceback.format())


def test_cancelled_and_exiting_tasks_fail(scheduler: Scheduler) -> None:
    @task(cache=False)
    async def cancelled():
        raise asyncio.CancelledError

    @task(cache=False)
    async def leaves():
        raise SystemExit(3)

    with pytest.raises(RuntimeError, match="cancelled"):
        scheduler.run(cancelled())
    with pytest.raises(RuntimeError, match=r"sys\.exit"):
        scheduler.run(leaves())


def test_many_async_tasks_run_together(scheduler: Scheduler) -> None:
    met = []

    @task(cache=False)
    async def meet(i):
        met.append(i)
        while len(met) < 50:
            await asyncio.sleep(0.001)
        return await double(i)

    assert scheduler.run([meet(i) for i in range(50)]) == [2 * i for i in range(50)]


def test_one_loop_in_process_mode_too(scheduler: Scheduler) -> None:
    @task(cache=False, executor="process")
    async def where():
        return threading.current_thread().name

    assert scheduler.run([where(), where()]) == ["redun-process-loop"] * 2


def test_whole_call_is_cached(scheduler: Scheduler) -> None:
    calls = []

    @task(cache=True, check_valid="shallow")
    async def main(x):
        calls.append(x)
        return await double(x)

    assert scheduler.run(main(1)) == scheduler.run(main(1)) == 2
    assert calls == [1]


def test_current_job(scheduler: Scheduler) -> None:
    seen = []

    @task(cache=False)
    async def main():
        seen.append(get_current_job())
        return 1

    scheduler.run(main())
    assert seen[0][0] is scheduler
    assert seen[0][1].task.name == "main"
    with pytest.raises(LookupError):
        get_current_job()


def test_await_outside_of_a_task() -> None:
    async def main():
        return await double(1)

    with pytest.raises(LookupError):
        asyncio.run(main())


def test_failure_elsewhere_does_not_wait_for_ever(scheduler: Scheduler) -> None:
    reached = threading.Event()
    release = threading.Event()

    @task()
    def slow(x):
        reached.set()
        release.wait(20)
        return x

    @task(cache=False)
    async def waits():
        return [await slow(1), await double(2)]

    @task()
    def bad():
        reached.wait(20)
        release.set()
        raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"):
        scheduler.run([waits(), bad()])


def test_deep_async_recursion(scheduler: Scheduler) -> None:
    @task(cache=False)
    async def count(n):
        return n if n == 0 else 1 + await count(n - 1)

    assert scheduler.run(count(500)) == 500
