"""Depth and width: nothing recurses with the user's graph, nothing is quadratic."""

import logging
import time

import pytest

from redun import Scheduler, task
from redun.functools import seq

# About the engine: what the repo costs is measured elsewhere.
pytestmark = pytest.mark.sqlite

redun_namespace = "test_scale"


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    """No line a job: the log would be captured, and dominate."""
    caplog.set_level(logging.WARNING, logger="redun")


@task()
def inc(x):
    return x + 1


@task()
def chain(n):
    x = 0
    for _ in range(n):
        x = inc(x)
    return x


@task()
def prefixes(n):
    results, x = [], 0
    for _ in range(n):
        x = inc(x)
        results.append(x)
    return results


@task()
def deep_operators(n):
    x = inc(0)
    for _ in range(n):
        x = x + 1
    return x


@task()
def fan_out(n):
    return [inc(i) for i in range(n)]


@task()
def down(n):
    return 0 if n == 0 else down(n - 1)


def test_chain_of_20_000_dependent_calls(scheduler: Scheduler) -> None:
    assert scheduler.run(chain(20_000)) == 20_000
    assert scheduler.run(chain(20_000)) == 20_000  # from the cache


def test_chain_given_as_the_root_expression(scheduler: Scheduler) -> None:
    x = 0
    for _ in range(5_000):
        x = inc(x)
    assert scheduler.run(x) == 5_000


def test_expression_nested_5_000_deep(scheduler: Scheduler) -> None:
    assert scheduler.run(deep_operators(5_000)) == 5_001


def test_list_of_100_000_expressions(scheduler: Scheduler) -> None:
    assert sum(scheduler.run(fan_out(100_000))) == sum(range(1, 100_001))


def test_all_prefixes_of_a_chain(scheduler: Scheduler) -> None:
    assert scheduler.run(prefixes(3_000)) == list(range(1, 3_001))


def test_tasks_that_call_tasks_10_000_deep(scheduler: Scheduler) -> None:
    assert scheduler.run(down(10_000)) == 0
    assert scheduler.run(down(10_000)) == 0


def test_seq_of_5_000(scheduler: Scheduler) -> None:
    @task()
    def main():
        return seq([inc(i) for i in range(5_000)])

    assert scheduler.run(main()) == list(range(1, 5_001))


def test_cost_per_job_does_not_grow(scheduler: Scheduler) -> None:
    def cost(n: int) -> float:
        started = time.process_time()
        scheduler.run(fan_out(n), cache=False)
        return (time.process_time() - started) / n

    cost(500)
    small, large = cost(1_000), cost(20_000)
    # Generous: quadratic behaviour would show as a factor of twenty.
    assert large < small * 5
