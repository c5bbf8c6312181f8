"""Listeners of a scheduler: told of each step of each job."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from redun import Scheduler, task
from redun.scheduler import SchedulerListener

redun_namespace = "test_listener"
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "custom_scheduler" / "workflow.py"


@task()
def double(x):
    return 2 * x


@task()
def fail(x):
    raise ValueError("bad")


@task()
def main(x):
    return [double(x), double(double(x))]


class Recorder(SchedulerListener):
    def __init__(self) -> None:
        self.seen: list = []

    def job_queued(self, job):
        self.seen.append(("queued", job.task.name))

    def job_started(self, job):
        self.seen.append(("started", job.task.name))

    def job_cached(self, job):
        self.seen.append(("cached", job.task.name, job.value))

    def job_done(self, job):
        self.seen.append(("done", job.task.name, job.value))

    def job_failed(self, job, error):
        self.seen.append(("failed", job.task.name, str(error)))


@pytest.fixture
def recorder(scheduler: Scheduler) -> Recorder:
    recorder = Recorder()
    scheduler.listeners.append(recorder)
    return recorder


def test_jobs_that_run(scheduler: Scheduler, recorder: Recorder) -> None:
    scheduler.run(main(1))
    assert recorder.seen[:2] == [("queued", "main"), ("started", "main")]
    assert recorder.seen.count(("queued", "double")) == 2
    assert recorder.seen.count(("started", "double")) == 2
    assert ("done", "double", 2) in recorder.seen
    assert recorder.seen[-1] == ("done", "main", [2, 4])


def test_cached_jobs(scheduler: Scheduler, recorder: Recorder) -> None:
    scheduler.run(main(1))
    recorder.seen.clear()
    scheduler.run(main(1))
    assert {event[0] for event in recorder.seen} == {"queued", "cached"}
    assert recorder.seen[-1] == ("cached", "main", [2, 4])


def test_failures_and_retries(scheduler: Scheduler, recorder: Recorder) -> None:
    with pytest.raises(ValueError):
        scheduler.run(fail.options(retries=1)(1))
    assert recorder.seen == [
        ("queued", "fail"),
        ("started", "fail"),
        ("started", "fail"),
        ("failed", "fail", "bad"),
    ]


def test_listener_that_fails_is_ignored(scheduler: Scheduler, recorder: Recorder, caplog) -> None:
    class Broken(SchedulerListener):
        def job_done(self, job):
            raise KeyError("mine")

    scheduler.listeners.insert(0, Broken())
    scheduler.logger.addHandler(caplog.handler)
    try:
        with caplog.at_level(logging.ERROR):
            assert scheduler.run(double(4)) == 8
    finally:
        scheduler.logger.removeHandler(caplog.handler)
    assert "A listener of the scheduler failed" in caplog.text
    assert recorder.seen[-1] == ("done", "double", 8)


def test_example(workdir: Path) -> None:
    done = subprocess.run([sys.executable, EXAMPLE], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    total, *times = done.stdout.splitlines()
    assert total == "285"
    assert [line.partition(",")[0] for line in times] == [
        "main: 1 jobs",
        "square: 10 jobs",
        "total: 1 jobs",
    ]
