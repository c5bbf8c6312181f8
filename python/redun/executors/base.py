"""The executor port: what the scheduler asks of an executor, and the registry of executor types."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from redun.errors import RedunError

if TYPE_CHECKING:
    from redun.engine.scheduler import Scheduler
    from redun.model.job import Job

__all__ = [
    "Executor",
    "ExecutorError",
    "get_executor_class",
    "get_executor_from_config",
    "get_executors_from_config",
    "load_task_module",
    "register_executor",
]


class ExecutorError(RedunError):
    """An executor can't be built, or can't do what a job asks of it."""


class Executor:
    """Runs jobs and reports back to the scheduler.

    A subclass implements `submit`. It reports each job exactly once, from any thread, with
    `scheduler.done_job(job, result)` or `scheduler.reject_job(job, error)`.

    Parameters
    ----------
    name : the name that the task option `executor` refers to.
    scheduler : the scheduler; set later by `Scheduler.add_executor`.
    config : the section of the configuration; all values are strings.
    """

    #: Whether `submit` returns at once whatever a job does. Else the scheduler first sees to all that
    #: should be in the repo if the job ends this process.
    in_background = False

    def __init__(
        self,
        name: str,
        scheduler: Scheduler | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = name
        self._scheduler = scheduler

    def set_scheduler(self, scheduler: Scheduler) -> None:
        """Tell the executor whom it reports to."""
        self._scheduler = scheduler

    def log(self, *messages: object, level: int = logging.INFO) -> None:
        """Write to the log of the scheduler."""
        if self._scheduler is not None:
            self._scheduler.log(f"Executor[{self.name}]:", *messages, level=level)

    def supports_async(self) -> bool:
        """Whether `async def` tasks can run here."""
        return False

    def submit(self, job: Job) -> None:
        """Start an ordinary job."""
        self._reject(job, "does not support submitting tasks.")

    def submit_many(self, jobs: list[Job]) -> None:
        """Start several ordinary jobs at once; override where a batch is cheaper."""
        for job in jobs:
            self.submit(job)

    def is_brief(self, job: Job) -> bool:
        """Whether a job is likely to end at once, sooner than it takes to wake another thread.

        Asked when nothing else goes on, in the scheduler's thread, which then calls `run_here`.
        """
        return False

    def run_here(self, job: Job) -> None:
        """Run a brief job in this thread, and report it."""
        self.submit(job)

    def submit_script(self, job: Job) -> None:
        """Start a job whose task returns a shell script."""
        self._reject(job, "does not support submitting script tasks.")

    def _reject(self, job: Job, reason: str) -> None:
        assert self._scheduler is not None, "The executor has no scheduler."
        error = ExecutorError(f"Executor {type(self).__name__} {reason}")
        self._scheduler.reject_job(job, error)

    def keeps_time(self) -> bool:
        """Whether jobs are timed here from the moment they begin, which may be long after `submit`.

        Then the executor, for each job with an option `timeout`, calls `scheduler.begin_job(job)` or
        rejects the job itself when its time is over. Else the time runs from `submit`.
        """
        return False

    def detaches(self) -> bool:
        """Whether jobs, once submitted, go on without this process."""
        return False

    def capacity(self) -> int | None:
        """How many jobs should be here at a time, for queue policies other than FIFO; None: any number."""
        return None

    def cancel(self, job: Job) -> None:
        """Stop a job whose result is not wanted any more, if possible. It is not reported."""

    def start(self) -> None:
        """Called once at the start of every run."""

    def stop(self) -> None:
        """Called at the end of every run, also a failed one; may be called twice."""

    def abort(self) -> None:
        """Called when `stop` takes too long for the user: drop all jobs and wait for nothing."""

    def scratch_root(self) -> str:
        """Return the directory for files exchanged with remote jobs."""
        raise NotImplementedError(f"Executor {type(self).__name__} has no scratch space.")


E_ = TypeVar("E_", bound=type[Executor])

# Type name -> class, or the class path to import when first used.
_executor_classes: dict[str, type[Executor] | str] = {
    "local": "redun.executors.local.LocalExecutor",
    "alias": "redun.executors.alias.AliasExecutor",
}


def register_executor(executor_name: str, class_path: str | None = None) -> Any:
    """Register an executor type for the configuration.

    Parameters
    ----------
    executor_name : the value of `type =` in an `[executors.*]` section.
    class_path : `package.module.Class`, imported when first used; without it the function is a
        class decorator.
    """
    if class_path is not None:
        _executor_classes[executor_name] = class_path
        return None

    def register(cls: E_) -> E_:
        _executor_classes[executor_name] = cls
        return cls

    return register


def _import_class(executor_name: str, class_path: str) -> type[Executor]:
    module_name, _, class_name = class_path.rpartition(".")
    try:
        if not module_name:
            raise ImportError("expected package.module.Class")
        cls = getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError) as error:
        raise ExecutorError(
            f"Failed to load executor '{executor_name}' from class path '{class_path}': {error}"
        ) from error
    if not (isinstance(cls, type) and issubclass(cls, Executor)):
        raise ExecutorError(f"Class '{class_path}' is not a subclass of Executor.")
    return cls


def get_executor_class(
    executor_name: str, required: bool = True, class_path: str | None = None
) -> type[Executor] | None:
    """Return the class of an executor type.

    Raises `ExecutorError` if the type is unknown (and `required`) or its class can't be loaded.
    """
    entry = _executor_classes.get(executor_name)
    if entry is None and class_path is not None:
        entry = class_path
    if entry is None:
        if not required:
            return None
        raise ExecutorError(
            f"Unknown executor '{executor_name}'. Known types: "
            f"{', '.join(sorted(_executor_classes))}. For your own executor add "
            "`class = package.module.Class` to its section, or import it in `setup_scheduler`."
        )
    if isinstance(entry, str):
        entry = _executor_classes[executor_name] = _import_class(executor_name, entry)
    return entry


def _build(name: str, section: Mapping[str, Any]) -> Executor:
    cls = get_executor_class(section["type"], class_path=section.get("class"))
    assert cls is not None
    return cls(name, config=section)


def get_executors_from_config(config: Mapping[str, Any]) -> Iterator[Executor]:
    """Yield the executors of the `[executors.*]` sections, in the order of the file."""
    for name in config:
        yield _build(name, config[name])


def get_executor_from_config(config: Mapping[str, Any], executor_name: str) -> Executor:
    """Return one executor of the `[executors.*]` sections."""
    if executor_name not in config:
        raise RuntimeError(f"Unknown Executor {executor_name}.")
    return _build(executor_name, config[executor_name])


def load_task_module(module_name: str, task_name: str) -> None:
    """Import the module that defines a task, in the thread or process that is to run it."""
    try:
        importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"Failed to find module {module_name} for task {task_name}. If this is remotely "
            "executed, ensure module is included in code packaging."
        ) from error
