"""The local executor: threads, processes, configuration, failures of workers."""

import os
import threading

import pytest

from redun import Scheduler, task
from redun.executors.local import LocalExecutor

redun_namespace = "test_local"


@task()
def thread_name(x):
    return threading.current_thread().name


def test_threads_are_not_the_scheduler_thread(scheduler: Scheduler) -> None:
    names = scheduler.run([thread_name(i) for i in range(50)])
    assert threading.current_thread().name not in names
    assert not [t for t in threading.enumerate() if t.name.startswith("redun-default")]


def test_blocking_jobs_use_all_threads(make_scheduler) -> None:
    barrier = threading.Barrier(8, timeout=20)

    @task()
    def meet(x):
        return barrier.wait() >= 0

    scheduler = make_scheduler({"executors.default": {"type": "local", "max_workers": "8"}})
    assert scheduler.run([meet(i) for i in range(16)]) == [True] * 16


def test_processes(scheduler: Scheduler, process_tasks) -> None:
    ids = scheduler.run([process_tasks.process_id(i) for i in range(4)])
    assert os.getpid() not in ids


def test_error_of_a_process_arrives(scheduler: Scheduler, process_tasks) -> None:
    with pytest.raises(ValueError, match="in process 1"):
        scheduler.run(process_tasks.fail_in_process(1))


def test_death_of_a_worker_rejects_the_job(scheduler: Scheduler, process_tasks) -> None:
    with pytest.raises(Exception, match=r"terminated abruptly|process pool"):
        scheduler.run(process_tasks.die(1))


def test_bad_configuration() -> None:
    with pytest.raises(AssertionError, match="Unknown mode"):
        LocalExecutor("x", config={"mode": "fibre"})
    with pytest.raises(AssertionError, match="Unknown start_method"):
        LocalExecutor("x", config={"start_method": "clone"})


def test_unknown_mode_of_a_task(scheduler: Scheduler) -> None:
    with pytest.raises(ValueError, match="Unknown mode: fibre"):
        scheduler.run(thread_name.options(mode="fibre")(1))


@pytest.fixture
def process_tasks(tmp_path, monkeypatch):
    """A module of tasks that worker processes can import."""
    import importlib
    import sys

    (tmp_path / "tasks_for_processes.py").write_text(
        "import os\n"
        "from redun import task\n"
        "redun_namespace = 'tasks_for_processes'\n"
        "@task(executor='process')\n"
        "def process_id(x):\n    return os.getpid()\n"
        "@task(executor='process')\n"
        "def fail_in_process(x):\n    raise ValueError(f'in process {x}')\n"
        "@task(executor='process')\n"
        "def die(x):\n    os._exit(3)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module("tasks_for_processes")
    sys.modules.pop("tasks_for_processes")
