"""The executor port: registry, configuration, what an executor can't do."""

import pytest

from redun import task
from redun.executors.alias import AliasExecutor
from redun.executors.base import (
    Executor,
    ExecutorError,
    get_executor_class,
    get_executor_from_config,
    get_executors_from_config,
    load_task_module,
    register_executor,
)
from redun.executors.local import LocalExecutor

redun_namespace = "test_executors_base"


@task()
def one():
    return 1


def test_types_are_imported_when_first_used() -> None:
    assert get_executor_class("local") is LocalExecutor
    assert get_executor_class("alias") is AliasExecutor
    assert get_executor_class("nowhere", required=False) is None
    with pytest.raises(ExecutorError, match=r"Unknown executor 'nowhere'\. Known types: alias"):
        get_executor_class("nowhere")


def test_class_path() -> None:
    path = "redun.executors.local.LocalExecutor"
    assert get_executor_class("mine_by_path", class_path=path) is LocalExecutor
    for bad in ("nodots", "redun.nope.X", "redun.executors.local.Nope"):
        with pytest.raises(ExecutorError, match="Failed to load executor"):
            get_executor_class(f"bad_{bad}", class_path=bad)
    with pytest.raises(ExecutorError, match="is not a subclass of Executor"):
        get_executor_class("bad_class", class_path="redun.config.Config")


def test_own_executor_runs_jobs(make_scheduler) -> None:
    @register_executor("inline_for_test")
    class InlineExecutor(Executor):
        def submit(self, job) -> None:
            args, kwargs = job.args
            self._scheduler.done_job(job, job.task.func(*args, **kwargs), job_tags=[("in", "line")])

    sections = {"a": {"type": "inline_for_test"}, "b": {"type": "local", "mode": "process"}}
    executors = list(get_executors_from_config(sections))
    assert [executor.name for executor in executors] == ["a", "b"]
    assert get_executor_from_config(sections, "b").mode == "process"
    with pytest.raises(RuntimeError, match=r"Unknown Executor c\."):
        get_executor_from_config(sections, "c")
    scheduler = make_scheduler()
    scheduler.add_executor(executors[0])
    assert scheduler.run(one.options(executor="a")()) == 1


def test_executor_that_cannot_run_tasks(make_scheduler) -> None:
    scheduler = make_scheduler(executor=Executor("default"))
    with pytest.raises(ExecutorError, match="does not support submitting tasks"):
        scheduler.run(one())


def test_alias(make_scheduler) -> None:
    scheduler = make_scheduler()
    scheduler.add_executor(AliasExecutor("other", target="default"))
    assert scheduler.run(one.options(executor="other")()) == 1
    scheduler.add_executor(AliasExecutor("broken", target="missing"))
    with pytest.raises(ExecutorError, match="Could not find executor `missing`"):
        scheduler.run(one.options(executor="broken")(), cache=False)
    with pytest.raises(AssertionError):
        AliasExecutor("x")


def test_missing_task_module_is_explained() -> None:
    with pytest.raises(ModuleNotFoundError, match="Failed to find module nowhere_at_all for task"):
        load_task_module("nowhere_at_all", "ns.task")
