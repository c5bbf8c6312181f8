"""The local executor: threads, processes, configuration, failures of workers."""

import asyncio
import os
import threading
from contextvars import ContextVar

import pytest

from redun import Scheduler, task
from redun.executors import local
from redun.executors.local import TINY_TIMES, LocalExecutor
from redun.functools import seq

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


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """All jobs but those that take seconds count as tiny, however slow the machine is."""
    monkeypatch.setattr(local, "TINY_JOB_SECONDS", 2)


def is_here(names: list[str]) -> list[bool]:
    return [name == threading.current_thread().name for name in names]


def test_tiny_jobs_one_by_one_come_to_run_in_the_scheduler_thread(
    scheduler: Scheduler, tiny: None
) -> None:
    alone = [thread_name(i) for i in range(30)]
    together = [thread_name(-i) for i in range(1, 30)]
    *names, others = scheduler.run(seq([*alone, together]))
    assert is_here(names) == [False] * TINY_TIMES + [True] * (30 - TINY_TIMES)
    # Beside others they don't: those would wait.
    assert not any(is_here(others))


def test_jobs_that_take_longer_stay_in_their_thread(
    scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "TINY_JOB_SECONDS", 0)
    assert not any(is_here(scheduler.run(seq([thread_name(i) for i in range(30)]))))


def test_a_task_that_takes_long_once_goes_back_to_its_thread(
    scheduler: Scheduler, tiny: None
) -> None:
    @task()
    def uneven(x):
        threading.Event().wait(2.1 if x == 20 else 0)
        return threading.current_thread().name

    here = is_here(scheduler.run(seq([uneven(i) for i in range(32)])))
    assert here[TINY_TIMES:21] == [True] * (21 - TINY_TIMES)
    assert here[21:] == [False] * TINY_TIMES + [True]


@pytest.mark.parametrize(("options", "here"), [({"timeout": 60}, False), ({"executor": "b"}, True)])
def test_jobs_with_a_timeout_stay_in_their_thread_those_of_an_alias_do_not(
    make_scheduler, tiny: None, options: dict, here: bool
) -> None:
    scheduler = make_scheduler({"executors.b": {"type": "alias", "target": "default"}})
    calls = [thread_name.options(**options)(i) for i in range(TINY_TIMES + 5)]
    assert any(is_here(scheduler.run(seq(calls)))) == here


def test_a_tiny_task_that_is_to_have_a_process_gets_one(
    scheduler: Scheduler, tiny: None, process_tasks
) -> None:
    here = process_tasks.process_id.options(executor="default")
    calls = [*(here(i) for i in range(TINY_TIMES + 1)), here.options(mode="process")(-1)]
    *ids, last = scheduler.run(seq(calls))
    assert set(ids) == {os.getpid()}
    assert last != os.getpid()


def test_the_scheduler_thread_looks_like_any_other_to_a_task(
    scheduler: Scheduler, tiny: None
) -> None:
    variable: ContextVar[str] = ContextVar("variable", default="unset")

    @task()
    def look(x):
        async def answer():
            return variable.get()

        seen = asyncio.run(answer())
        variable.set("by a task")
        return seen, threading.current_thread().name

    variable.set("by the program")
    found = scheduler.run(seq([look(i) for i in range(30)]))
    assert "by the program" not in {seen for seen, _ in found}
    assert {seen for seen, name in found if any(is_here([name]))} == {"unset"}

    async def main() -> list:
        # Within an event loop, a task could not run one of its own in this thread.
        return scheduler.run(seq([look(-i) for i in range(1, 30)]))

    assert not any(is_here([name for _, name in asyncio.run(main())]))


def test_errors_in_the_scheduler_thread_are_those_of_the_job(
    scheduler: Scheduler, tiny: None
) -> None:
    tries = []

    @task(retries=1)
    def fails(x):
        if x == 20:
            tries.append(threading.current_thread().name)
            raise SystemExit("enough") if len(tries) == 1 else ValueError("never mind")
        return x

    with pytest.raises(ValueError, match="never mind"):
        scheduler.run(seq([fails(i) for i in range(30)]))
    assert is_here(tries) == [True, True]
    assert scheduler.traceback is not None
    frames = [line for line in scheduler.traceback.format() if 'File "' in line]
    assert not any("executors" in frame for frame in frames)
    assert frames[-1].rstrip().endswith("in fails")


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
