"""What many catches came to is looked up in batches, and deep nests of them finish."""

from functools import reduce

import pytest

from redun import Scheduler, catch, task

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


def test_catch_inside_catch_many_times(scheduler: Scheduler) -> None:
    nested = reduce(lambda inner, _: catch(inner, ValueError, recover), range(200), ok(1))
    assert scheduler.run(nested) == 1


def test_recursion_through_catch(scheduler: Scheduler) -> None:
    with pytest.raises(ValueError, match="bottom"):
        scheduler.run(descend(300))
