"""Run one shell command on an executor, outside of any workflow: nothing is recorded in a repo."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from queue import Empty, SimpleQueue
from threading import Event
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from redun.executors.base import Executor, get_executor_from_config
from redun.logging import logger
from redun.model.execution import Execution
from redun.model.job import Job
from redun.scripting import script_task
from redun.task import hash_args_eval
from redun.value import get_type_registry

if TYPE_CHECKING:
    from redun.config import Config
    from redun.engine.scheduler import Scheduler
    from redun.expression import TaskExpression

__all__ = ["find_executors", "launch_on", "launch_script"]

# Every scheduler has these, whatever the configuration says.
BUILT_IN = {
    "default": {"type": "local", "mode": "thread"},
    "process": {"type": "local", "mode": "process"},
}


class LaunchPad:
    """What an executor reports to, in place of a scheduler, when one job is launched.

    Parameters
    ----------
    config : the configuration; executors may look things up in it.
    executors : by name, all that the job may need.
    """

    def __init__(self, config: Config, executors: Mapping[str, Executor]) -> None:
        self.config = config
        self.executors = executors
        self.logger = logger
        self.is_running = True
        self._reports: SimpleQueue[tuple[str, Any]] = SimpleQueue()
        for executor in executors.values():
            executor.set_scheduler(cast("Scheduler", self))

    def log(self, *messages: object, level: int = logging.INFO, **_: Any) -> None:
        """Write messages, joined by spaces, to the log."""
        self.logger.log(level, " ".join(map(str, messages)))

    def done_job(self, job: Job, result: Any, job_tags: Sequence[tuple[str, Any]] = ()) -> None:
        """Report that the job is done. Thread-safe."""
        self._reports.put(("done", result))

    def reject_job(
        self,
        job: Job | None,
        error: BaseException,
        error_traceback: Any = None,
        job_tags: Sequence[tuple[str, Any]] = (),
    ) -> None:
        """Report that the job, or the executor, has failed. Thread-safe."""
        self._reports.put(("failed", error))

    def begin_job(self, job: Job) -> None:
        """Report that the job begins, from when on its `timeout` counts. Thread-safe."""
        self._reports.put(("begun", None))

    def add_job_tags(self, job: Job, tags: Sequence[tuple[str, Any]]) -> None:
        """Take tags of the job; there is no repo to record them in."""

    def check(self) -> None:
        """Raise the error that has been reported so far, if any."""
        while not self._reports.empty():
            kind, what = self._reports.get()
            if kind == "failed":
                raise what

    def wait(self, job: Job, executor: Executor) -> None:
        """Wait until the job has ended. Raises its error, or `TimeoutError`."""
        timeout = job.plan.timeout
        begun = None if executor.keeps_time() else time.monotonic()
        while True:
            left = None
            if timeout is not None and begun is not None:
                left = max(0.0, begun + timeout - time.monotonic())
            try:
                kind, what = self._reports.get(timeout=left)
            except Empty:
                executor.cancel(job)
                raise TimeoutError(f"The command took longer than {timeout:g} seconds.") from None
            if kind == "failed":
                raise what
            if kind == "done":
                return
            begun = time.monotonic()


def find_executors(config: Config, name: str) -> dict[str, Executor]:
    """Return an executor and, if it is an alias, those that it stands for, by name.

    Others are not built: their libraries need not be there. Raises `RuntimeError` for a name that the
    configuration does not have.
    """
    sections = {**BUILT_IN, **config.get("executors", {})}
    found: dict[str, Executor] = {}
    while name not in found:
        found[name] = get_executor_from_config(sections, name)
        name = getattr(found[name], "target", name)
    return found


def launch_script(
    config: Config,
    script_command: str,
    executor: Executor | None = None,
    executor_name: str | None = None,
    task_options: dict[str, Any] | None = None,
    execution_id: str | None = None,
) -> None:
    """Run a shell command on an executor, without a scheduler and a repo.

    Where jobs go on by themselves, the command has been submitted when this returns, and nobody asks
    what becomes of it; otherwise, as on the local executor, it has ended.

    Parameters
    ----------
    config : the configuration, which describes the executor.
    script_command : the command, as for `script()`.
    executor : where to run it; or else
    executor_name : name of an executor of the configuration.
    task_options : options of the job, such as `memory`, `timeout` or `retries`.
    execution_id : by which the executor is to know the execution; a fresh one by default.

    Raises `RuntimeError` for an executor that is not there, and what the submission or the command
    fails with, such as `ScriptError`.
    """
    if executor is None:
        assert executor_name is not None, "Give either executor or executor_name."
        executors = find_executors(config, executor_name)
    else:
        executors = {executor.name: executor}
    launch_on(config, executors, script_command, task_options or {}, execution_id)


def launch_on(
    config: Config,
    executors: dict[str, Executor],
    command: str,
    options: dict[str, Any],
    execution_id: str | None = None,
) -> None:
    """Run a shell command on the first of some executors, which may stand for the others.

    The other parameters, and what is raised, are those of `launch_script`.
    """
    pad = LaunchPad(config, executors)
    job = make_job(command, options, Execution(execution_id))
    executor = next(iter(executors.values()))
    pad.log(f"Run within Executor {executor.name}: {command}")
    for each in executors.values():
        each.start()
    try:
        for attempts_left in range(job.plan.retries, -1, -1):
            try:
                _attempt(pad, job, executor)
                return
            except Exception as error:
                if not attempts_left:
                    raise
                pad.log(f"Retry: {type(error).__name__}: {error}", level=logging.WARNING)
                job.attempt += 1
                Event().wait(job.plan.retry_delay)
    finally:
        for each in executors.values():
            each.stop()


def make_job(command: str, options: dict[str, Any], execution: Execution) -> Job:
    """Return a job of `redun.script_task` that is ready to be submitted."""
    expr = cast("TaskExpression", script_task.options(**options)(command))
    job = Job(script_task, expr, execution=execution)
    job.eval_args = job.args = ([command], {})
    job.eval_hash, job.args_hash = hash_args_eval(get_type_registry(), script_task, [command], {})
    timeout = options.get("timeout")
    job.plan = SimpleNamespace(
        timeout=float(timeout) if timeout else None,
        retries=int(options.get("retries") or 0),
        retry_delay=float(options.get("retry_delay") or 0),
    )
    return job


def _attempt(pad: LaunchPad, job: Job, executor: Executor) -> None:
    executor.submit_script(job)
    if executor.detaches():
        pad.check()
    else:
        pad.wait(job, executor)
