"""Dry runs take what is cached and say what is not."""

import logging

import pytest

from redun import Scheduler, task
from redun.scheduler import DryRunResult

pytestmark = pytest.mark.each_repo

redun_namespace = "test_dryrun"


@task()
def leaf(x):
    return x


@task()
def main(x):
    return [leaf(x), leaf(x + 1)]


def test_stops_where_a_job_would_run(scheduler: Scheduler, caplog) -> None:
    scheduler.logger.addHandler(caplog.handler)
    try:
        with caplog.at_level(logging.INFO), pytest.raises(DryRunResult):
            scheduler.run(main(1), dryrun=True)
    finally:
        scheduler.logger.removeHandler(caplog.handler)
    assert "Dryrun Job" in caplog.text
    assert "Dryrun: Additional jobs would run." in caplog.text


def test_returns_what_is_cached(scheduler: Scheduler) -> None:
    scheduler.run(main(1))
    assert scheduler.run(main(1), dryrun=True) == [1, 2]


def test_explains_misses(scheduler: Scheduler, caplog) -> None:
    scheduler.run(main(1))
    scheduler.logger.addHandler(caplog.handler)
    try:
        with caplog.at_level(logging.INFO), pytest.raises(DryRunResult):
            scheduler.run(main(2), dryrun=True)
    finally:
        scheduler.logger.removeHandler(caplog.handler)
    assert "Existing task 'test_dryrun.main()' is called with new arguments" in caplog.text


def test_runs_nothing_even_where_the_cache_is_off(scheduler: Scheduler) -> None:
    ran = []

    @task(cache=False)
    def always(x):
        ran.append(x)
        return x

    with pytest.raises(DryRunResult):
        scheduler.run(always(1), dryrun=True)
    with pytest.raises(DryRunResult):
        scheduler.run(always(1), dryrun=True, cache=False)
    assert ran == []
