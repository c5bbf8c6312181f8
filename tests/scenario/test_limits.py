"""Resource limits, priorities and options that reach the engine."""

import threading

import pytest

from redun import Scheduler, task
from redun.model.errors import SchedulerError

redun_namespace = "test_limits"

gauge = {"now": 0, "peak": 0}
lock = threading.Lock()


def enter(barrier: threading.Event | None = None) -> None:
    with lock:
        gauge["now"] += 1
        gauge["peak"] = max(gauge["peak"], gauge["now"])
    threading.Event().wait(0.005)
    with lock:
        gauge["now"] -= 1


@pytest.fixture(autouse=True)
def _reset():
    gauge.update(now=0, peak=0)


@pytest.fixture
def limited(make_scheduler) -> Scheduler:
    return make_scheduler({"limits": {"api": "3"}})


def always_failed(error):
    return "failed"


@task(limits=["undeclared"])
def one_at_a_time(x):
    enter()
    return x


@task(limits={"api": 1})
def three_at_a_time(x):
    enter()
    return x


@task(limits={"api": 4})
def too_much(x):
    return x


def test_undeclared_limit_serialises(limited: Scheduler) -> None:
    assert limited.run([one_at_a_time(i) for i in range(20)]) == list(range(20))
    assert gauge["peak"] == 1


def test_declared_limit(limited: Scheduler) -> None:
    assert limited.run([three_at_a_time(i) for i in range(30)]) == list(range(30))
    assert 1 <= gauge["peak"] <= 3
    assert limited.limits_used == {}


def test_asking_for_more_than_there_is_fails_at_once(limited: Scheduler) -> None:
    with pytest.raises(SchedulerError, match='needs 4 of the resource "api"'):
        limited.run(too_much(1))


def test_failed_jobs_release_their_limits(limited: Scheduler) -> None:
    @task(limits=["undeclared"])
    def fail(x):
        raise ValueError(x)

    from redun import catch

    handled = [catch(fail(i), ValueError, always_failed) for i in range(5)]
    assert limited.run([*handled, one_at_a_time(1)]) == ["failed"] * 5 + [1]


def test_priority_decides_who_goes_first(limited: Scheduler) -> None:
    order = []

    @task(limits=["undeclared"])
    def note(x):
        order.append(x)
        return x

    limited.run([note.options(priority=p)(p) for p in (1, 5, 3, 9)])
    assert order == [9, 5, 3, 1]


def test_options_precedence_and_export(scheduler: Scheduler) -> None:
    from redun.scheduler import JobInfo

    @task(memory=1, cpus=1)
    def child(x, info: JobInfo = JobInfo()):
        return info.options["memory"], info.options["cpus"], info.options.get("color")

    @task(export_options={"color": "red"}, memory=5)
    def parent():
        return [
            child(1),
            child.options(memory=2)(2),
            child.options(memory=child_memory())(3),
        ]

    @task()
    def child_memory():
        return 7

    assert scheduler.run(parent()) == [(1, 1, "red"), (2, 1, "red"), (7, 1, "red")]
    assert scheduler.run(parent.export_options(cpus=4)(), cache=False) == [
        (1, 4, "red"),
        (2, 4, "red"),
        (7, 4, "red"),
    ]


def test_option_expression_on_a_root_call(scheduler: Scheduler) -> None:
    @task()
    def amount():
        return 3

    @task()
    def main(x):
        return x

    assert scheduler.run(main.options(memory=amount())(1)) == 1
