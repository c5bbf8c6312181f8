"""How runs end before their time: no job is left running in the repo, whoever ends them."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from redun import Scheduler, task
from redun.backends.db import Execution, Job
from redun.executors import local
from redun.functools import seq
from redun.scheduler import SchedulerListener, catch

redun_namespace = "test_interrupt"
REDUN = Path(sys.executable).parent / "redun"


@task()
def ok(x):
    return x


def jobs_of(scheduler: Scheduler) -> dict[str, Job]:
    return {job.task.name: job for job in scheduler.backend.session.query(Job)}


def tag_keys(job: Job) -> set:
    return {tag.key for tag in job.tags}


def make_slow_and_bad():
    began = threading.Event()
    failed = threading.Event()

    @task()
    def slow(x):
        began.set()
        failed.wait(20)
        threading.Event().wait(0.2)
        return x

    @task()
    def above():
        return ok(slow(1))

    @task()
    def bad():
        began.wait(20)
        failed.set()
        raise ValueError("bad")

    return above, bad


def test_failure_leaves_no_job_running(scheduler: Scheduler) -> None:
    above, bad = make_slow_and_bad()

    @task()
    def main():
        return [above(), bad()]

    with pytest.raises(ValueError, match="bad"):
        scheduler.run(main())
    jobs = jobs_of(scheduler)
    assert set(jobs) == {"main", "above", "slow", "bad"}
    assert all(job.end_time is not None for job in jobs.values())
    # What ran was let finish and is recorded; what could not go on is marked.
    assert jobs["slow"].status == "DONE"
    assert jobs["above"].status == "FAILED"
    assert tag_keys(jobs["above"]) == {"redun.cancelled"}
    assert jobs["bad"].status == jobs["main"].status == "FAILED"
    assert tag_keys(jobs["bad"]) == tag_keys(jobs["main"]) == set()
    assert scheduler.backend.session.query(Execution).one().status == "FAILED"
    (edge,) = jobs["above"].call_node.children
    assert edge.call_hash == jobs["slow"].call_hash


def test_cut_jobs_run_again(scheduler: Scheduler) -> None:
    above, bad = make_slow_and_bad()

    @task()
    def main():
        return [above(), bad()]

    with pytest.raises(ValueError):
        scheduler.run(main())
    assert scheduler.run(above()) == 1


def test_recovered_failure_leaves_no_job_running(scheduler: Scheduler) -> None:
    above, bad = make_slow_and_bad()

    @task()
    def recover(error):
        return "recovered"

    assert scheduler.run(catch([above(), bad()], ValueError, recover)) == "recovered"
    assert all(job.end_time is not None for job in jobs_of(scheduler).values())


def test_equal_calls_are_cut_together(scheduler: Scheduler) -> None:
    above, bad = make_slow_and_bad()

    @task()
    def wrap(i):
        return above()

    with pytest.raises(ValueError):
        scheduler.run([wrap(1), wrap(2), bad()])
    jobs = scheduler.backend.session.query(Job).all()
    assert all(job.end_time is not None for job in jobs)
    assert {job.status for job in jobs if job.task.name in ("wrap", "above")} == {"FAILED"}


def test_waiting_async_job_is_cut(scheduler: Scheduler) -> None:
    above, bad = make_slow_and_bad()

    @task(cache=False)
    async def waits():
        return [await above(), await ok(2)]

    with pytest.raises(ValueError):
        scheduler.run([waits(), bad()])
    jobs = jobs_of(scheduler)
    assert jobs["waits"].status == "FAILED"
    assert tag_keys(jobs["waits"]) == {"redun.cancelled", "redun.reason"}  # its cache is off


def test_handler_is_put_back(scheduler: Scheduler) -> None:
    before = signal.getsignal(signal.SIGINT)
    scheduler.run(ok(1))
    assert signal.getsignal(signal.SIGINT) is before


def test_interrupt_before_a_job_begins_cuts_it(scheduler: Scheduler) -> None:
    ran = []

    @task()
    def late():
        ran.append(1)

    class Interrupter(SchedulerListener):
        def job_started(self, job):
            os.kill(os.getpid(), signal.SIGINT)

    scheduler.listeners.append(Interrupter())
    with pytest.raises(SystemExit):
        scheduler.run(late())
    (job,) = jobs_of(scheduler).values()
    assert ran == []
    assert job.status == "FAILED"
    assert tag_keys(job) == {"redun.cancelled"}
    scheduler.listeners.clear()
    scheduler.run(late())
    assert ran == [1]


@pytest.mark.parametrize("here", [False, True])
def test_interrupt_within_the_process_lets_the_running_task_finish(
    scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch, here: bool
) -> None:
    monkeypatch.setattr(local, "TINY_JOB_SECONDS", 60)
    threads = []

    @task()
    def interrupts(x=9):
        if x == 9:
            threads.append(threading.current_thread())
            os.kill(os.getpid(), signal.SIGINT)
            threading.Event().wait(0.2)
        return 1

    @task()
    def main():
        before = [interrupts(-n) for n in range(local.TINY_TIMES if here else 0)]
        return ok(seq([*before, interrupts()]))

    with pytest.raises(SystemExit) as end:
        scheduler.run(main())
    assert end.value.code == 1
    assert (threads == [threading.current_thread()]) == here
    jobs = jobs_of(scheduler)
    assert (jobs["interrupts"].status, jobs["main"].status) == ("DONE", "FAILED")
    assert scheduler.run(ok(2)) == 2


WORKFLOW = """
import time
from redun import task
from redun.functools import seq

redun_namespace = "wf"

@task({options})
def sleep(x):
    if x == 1:
        print("running", flush=True)
        for _ in range(300):
            time.sleep(0.1)
    return x

@task()
def main():
    return {calls}
"""


@pytest.mark.parametrize(
    ("options", "calls"),
    [
        ("", "[sleep(1)]"),
        ("executor='process'", "[sleep(1)]"),
        # The last runs in the thread of the scheduler.
        ("", "seq([sleep(-n) for n in range(500)] + [sleep(1)])"),
    ],
)
def test_second_interrupt_ends_at_once(
    workdir: Path, programs_repo: str, rows_of, options: str, calls: str
) -> None:
    (workdir / "wf.py").write_text(WORKFLOW.format(options=options, calls=calls))
    program = subprocess.Popen(
        [REDUN, "run", "wf.py", "main"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert program.stdout is not None
    assert program.stderr is not None
    assert program.stdout.readline() == "running\n"
    started = time.monotonic()
    program.send_signal(signal.SIGINT)
    for line in program.stderr:
        if "again to force shutdown" in line:
            break
    threading.Event().wait(0.2)
    program.send_signal(signal.SIGINT)
    _, err = program.communicate(timeout=60)
    assert program.returncode == 130, err
    assert time.monotonic() - started < 20
    assert "Traceback" not in err
    for what, count in (
        ("job WHERE end_time IS NULL", 0),
        ("tag WHERE key = 'redun.cancelled'", 2),
    ):
        assert rows_of(programs_repo, f"SELECT count(*) FROM {what}") == [(count,)]
