"""`keep_going`: independent branches finish, then all failures are told."""

import logging
import re

import pytest

from redun import Scheduler, task
from redun.backends.db import CallNode, Job
from redun.scheduler import catch

redun_namespace = "test_keep_going"


@task()
def ok(x):
    return x


@task()
def bad(x):
    raise ValueError(f"bad {x}")


@task()
def branch(x):
    return ok(ok(ok(x) + 1) + 1)


@task()
def recover(error):
    return "recovered"


@task()
def main():
    return [bad(1), branch(1), ok(bad(2)), branch(10), catch(bad(3), ValueError, recover)]


@pytest.fixture
def summary(scheduler: Scheduler, caplog):
    scheduler.logger.addHandler(caplog.handler)
    caplog.set_level(logging.INFO)
    yield lambda: [m for m in caplog.messages if m.startswith("***   Job") or "failed:" in m]
    scheduler.logger.removeHandler(caplog.handler)


def jobs_of(scheduler: Scheduler, name: str) -> list[Job]:
    return [job for job in scheduler.backend.session.query(Job) if job.task.name == name]


def test_independent_branches_finish(scheduler: Scheduler, summary) -> None:
    # Both failures are told; the first to come is that of the run.
    with pytest.raises(ValueError, match=r"bad [12]"):
        scheduler.run(main(), keep_going=True)
    assert [job.status for job in jobs_of(scheduler, "branch")] == ["DONE"] * 2
    assert len(jobs_of(scheduler, "ok")) == 6
    assert [job.status for job in jobs_of(scheduler, "main")] == ["FAILED"]
    assert all(job.end_time for job in scheduler.backend.session.query(Job))
    title, *lines = [m for m in summary() if not m.startswith("*** Execution")]
    assert title == "*** 2 jobs failed:"
    assert sorted(line.partition(":  ")[2] for line in lines) == [
        "test_keep_going.bad(x=1): ValueError: bad 1",
        "test_keep_going.bad(x=2): ValueError: bad 2",
    ]


def test_next_run_takes_what_was_finished(scheduler: Scheduler) -> None:
    calls = []

    @task()
    def counted(x):
        calls.append(x)
        return x

    @task()
    def mixed(fails):
        return [bad(1) if fails else 1, counted(counted(5) + 1)]

    with pytest.raises(ValueError):
        scheduler.run(mixed(True), keep_going=True)
    assert calls == [5, 6]
    assert scheduler.run(mixed(False)) == [1, 6]
    assert calls == [5, 6]


def test_default_stops_at_the_first_failure(scheduler: Scheduler, summary) -> None:
    with pytest.raises(ValueError):
        scheduler.run(main())
    assert len(jobs_of(scheduler, "ok")) < 6
    assert not [m for m in summary() if "jobs failed" in m]


def test_nothing_to_tell_without_a_failure(scheduler: Scheduler, summary) -> None:
    assert scheduler.run(catch(bad(1), ValueError, recover), keep_going=True) == "recovered"
    assert summary() == []


def test_error_caught_by_an_async_task_is_no_failure(scheduler: Scheduler, summary) -> None:
    @task(cache=False)
    async def careful():
        try:
            return await bad(7)
        except ValueError:
            return "caught"

    with pytest.raises(ValueError, match="bad 1"):
        scheduler.run([bad(1), careful()], keep_going=True)
    assert not [m for m in summary() if "bad 7" in m]


def test_program(cli, workdir) -> None:
    (workdir / "wf.py").write_text(
        "from redun import task\n"
        "redun_namespace = 'wf'\n"
        "@task()\ndef ok(x):\n    return x\n"
        "@task()\ndef bad(x):\n    raise ValueError(f'bad {x}')\n"
        "@task()\ndef main():\n    return [bad(1), ok(ok(5) + 1), bad(2)]\n"
    )
    done = cli("run", "--keep-going", "wf.py", "main")
    assert done.code == 1
    assert "*** 2 jobs failed:" in done.stderr
    assert "bad(x=2): ValueError: bad 2" in done.stderr
    # The first to fail is the one that the run fails with; which that is, threads decide.
    assert re.search("error: task `wf.main` failed: ValueError: bad [12]", done.stderr)
    assert done.stderr.count("Run    Job") == 5


@task()
def nested_failures():
    return [inner_failure(), branch(100)]


@task()
def inner_failure():
    return [bad(1), branch(1), branch(10)]


def test_calls_that_failed_first_know_children_that_ended_later(scheduler: Scheduler) -> None:
    with pytest.raises(ValueError, match="bad 1"):
        scheduler.run(nested_failures(), keep_going=True)
    calls = {
        node.task_name.split(".")[1]: node for node in scheduler.backend.session.query(CallNode)
    }
    children = {name: [c.task_name.split(".")[1] for c in n.children] for name, n in calls.items()}
    assert children["inner_failure"] == ["bad", "branch", "branch"]
    assert children["nested_failures"] == ["inner_failure", "branch"]
    for name in ("inner_failure", "nested_failures"):
        (job,) = jobs_of(scheduler, name)
        assert all(job.end_time >= child.end_time for child in job.child_jobs)


def test_a_failure_beside_a_cycle(scheduler: Scheduler) -> None:
    @task()
    def waits_for_itself(x):
        return waits_for_itself(x)

    @task()
    def both():
        return [bad(1), waits_for_itself(1), ok(1)]

    with pytest.raises(ValueError, match="bad 1"):
        scheduler.run(both(), keep_going=True)
    assert all(job.end_time for job in scheduler.backend.session.query(Job))
