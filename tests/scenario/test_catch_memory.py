"""What many catches came to is looked up in batches, and deep nests of them finish."""

import logging
from functools import reduce

import pytest

from redun import Scheduler, catch, task
from redun.backends.db import Evaluation, Value

# About the engine: what the repo costs is measured elsewhere.
pytestmark = pytest.mark.sqlite

redun_namespace = "test_catch_memory"


@task()
def ok(x):
    return x


@task()
def recover(error):
    return "recovered"


@task()
def fail_odd(x):
    if x % 2:
        raise ValueError(x)
    return x


@task()
def many(n):
    return [catch(fail_odd(i), ValueError, recover) for i in range(n)]


@task()
def descend(n):
    if n == 0:
        raise ValueError("bottom")
    return catch(descend(n - 1), KeyError, recover)


def test_look_ups_are_shared(scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch) -> None:
    look_ups = []
    check = scheduler.backend.check_cache_many
    monkeypatch.setattr(
        scheduler.backend,
        "check_cache_many",
        lambda queries, tasks: look_ups.append(len(queries)) or check(queries, tasks),
    )
    expected = ["recovered" if i % 2 else i for i in range(600)]
    assert scheduler.run(many(600)) == expected
    assert len(look_ups) < 30
    look_ups.clear()
    assert scheduler.run(many(600)) == expected
    assert len(look_ups) < 30


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """No line a job: the log would be captured, and dominate."""
    caplog.set_level(logging.WARNING, logger="redun")


@pytest.mark.usefixtures("quiet")
def test_catch_inside_catch_in_one_expression(scheduler: Scheduler) -> None:
    def nested():
        return reduce(lambda inner, _: catch(inner, ValueError, recover), range(10_000), ok(1))

    assert scheduler.run(nested()) == 1
    assert scheduler.run(nested()) == 1


@pytest.mark.usefixtures("quiet")
def test_recursion_through_catch(scheduler: Scheduler) -> None:
    with pytest.raises(ValueError, match="bottom"):
        scheduler.run(descend(10_000))


@pytest.mark.usefixtures("quiet")
def test_recovery_at_the_top_of_a_deep_nest(scheduler: Scheduler) -> None:
    assert scheduler.run(catch(descend(2_000), ValueError, recover)) == "recovered"


def test_a_success_is_not_recorded_over_and_over(scheduler: Scheduler) -> None:
    nested = reduce(lambda inner, _: catch(inner, ValueError, recover), range(100), ok(1))
    assert scheduler.run(nested) == 1
    rows = scheduler.backend.session.query(Evaluation).join(Value)
    assert sum(len(row.value.value) for row in rows) < 100_000


def test_a_success_replaces_a_recovery(scheduler: Scheduler) -> None:
    fails = [True]

    @task(version="1")
    def may_fail(x):
        if fails[0]:
            raise ValueError(x)
        return x

    expr = catch(may_fail(1), ValueError, recover)
    assert scheduler.run(expr) == "recovered"
    fails[0] = False
    assert scheduler.run(expr) == "recovered"
    assert scheduler.run(expr, cache=False) == 1
    assert scheduler.run(expr) == 1
