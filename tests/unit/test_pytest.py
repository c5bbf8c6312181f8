"""The fixtures for the tests of workflows."""

from redun import task
from redun.pytest import scheduler as given_scheduler
from redun.scheduler import Scheduler

redun_namespace = "test_pytest"

# The fixture as a user gets it; the name `scheduler` is a fixture of these tests too.
offered = given_scheduler


@task()
def add(a, b):
    return a + b


def test_scheduler_runs_in_memory(offered: Scheduler) -> None:
    assert offered.run(add(1, add(2, 3))) == 6
    assert offered.backend.session.bind.url.database in (None, ":memory:")
