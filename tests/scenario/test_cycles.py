"""Calls that wait for themselves, by whatever way, fail with a clear error instead of hanging."""

import asyncio

import pytest

from redun import Scheduler, catch, cond, task
from redun.functools import seq
from redun.scheduler import SchedulerError

redun_namespace = "test_cycles"


@task(cache=False)
async def awaits_itself(x):
    return await awaits_itself(x)


@task(cache=False)
async def awaits_another(x):
    return await calls_back(x)


@task()
def calls_back(x):
    return awaits_another(x)


@task(cache=False)
async def awaits_itself_among_others(x):
    return await asyncio.gather(inc(x), awaits_itself_among_others(x), inc(x + 1))


@task()
def inc(x):
    return x + 1


@task()
def recover(error):
    return str(error)


@task(cache=False)
async def catches_the_error(x):
    try:
        return await catches_the_error(x)
    except SchedulerError:
        return await inc(x)


@task()
def calls_itself_in_catch(x):
    return catch(calls_itself_in_catch(x), ValueError, recover)


@task()
def calls_itself_in_seq(x):
    return seq([inc(x), [calls_itself_in_seq(x)], inc(x + 1)])


@task()
def calls_itself_in_cond(x):
    return cond(calls_itself_in_cond(x), inc(x), inc(x + 1))


@task(cache=False)
async def counts_down(n):
    return 0 if n == 0 else 1 + await counts_down(n - 1)


@pytest.mark.parametrize(
    "cyclic",
    [
        awaits_itself,
        awaits_another,
        awaits_itself_among_others,
        calls_itself_in_catch,
        calls_itself_in_seq,
        calls_itself_in_cond,
    ],
    ids=lambda cyclic: cyclic.name,
)
def test_a_cycle_is_an_error(scheduler: Scheduler, cyclic) -> None:
    with pytest.raises(SchedulerError, match="can't finish: it waits for an equal call"):
        scheduler.run(cyclic(1))


def test_the_error_can_be_caught(scheduler: Scheduler) -> None:
    assert "can't finish" in scheduler.run(catch(awaits_itself(1), SchedulerError, recover))
    assert scheduler.run(catches_the_error(1)) == 2


def test_equal_calls_beside_each_other_are_no_cycle(scheduler: Scheduler) -> None:
    @task(cache=False)
    async def main():
        return await asyncio.gather(counts_down(5), counts_down(5), counts_down(4))

    assert scheduler.run(main()) == [5, 5, 4]


def test_a_coroutine_that_waits_for_something_else_is_left_alone(scheduler: Scheduler) -> None:
    @task(cache=False)
    async def slow(x):
        await asyncio.sleep(0.05)
        return await inc(x)

    @task(cache=False)
    async def main():
        return await slow(1)

    assert scheduler.run([main(), slow(1), slow(2)]) == [2, 2, 3]
