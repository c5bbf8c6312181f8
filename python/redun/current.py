"""What is running right now: the scheduler of this thread, the job of this async task.

Lower layers (files, handles, expressions) ask here instead of importing the engine. The engine enters
`scheduler_running` around a run and `job_running` around each asynchronous task.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

from redun.errors import RedunError

if TYPE_CHECKING:
    from redun.promise import Promise


class CurrentJob(Protocol):
    """What lower layers may ask of the job they run in."""

    @property
    def id(self) -> str: ...


class CurrentScheduler(Protocol):
    """What lower layers may ask of the scheduler they run under."""

    @property
    def backend(self) -> Any: ...

    def evaluate(self, expr: Any, parent_job: Any = None) -> Promise: ...

    def log(self, *messages: Any, **kwargs: Any) -> None: ...


class NoCurrentScheduler(RedunError):
    """Raised when the current scheduler is needed and none runs in this thread."""

    __module__ = "redun.scheduler"

    def __init__(self) -> None:
        super().__init__("Scheduler is not running.")

    def __reduce__(self) -> tuple[type, tuple]:
        return type(self), ()


class _ThreadState(threading.local):
    scheduler: Any = None


_state = _ThreadState()
_current_job: ContextVar[tuple[Any, Any]] = ContextVar("redun_current_job")


def get_current_scheduler(required: bool = True) -> Any:
    """The scheduler that runs in this thread.

    Parameters
    ----------
    required
        If false, return None instead of raising when no scheduler runs here.

    Raises
    ------
    NoCurrentScheduler
        No scheduler runs in this thread and `required` is true.
    """
    scheduler = _state.scheduler
    if scheduler is None and required:
        raise NoCurrentScheduler()
    return scheduler


def set_current_scheduler(scheduler: CurrentScheduler | None) -> None:
    """Make `scheduler` the current one of this thread; None unsets it."""
    _state.scheduler = scheduler


@contextmanager
def scheduler_running(scheduler: CurrentScheduler) -> Iterator[None]:
    """Make `scheduler` current within the block, then restore the one before (nested runs)."""
    previous = _state.scheduler
    _state.scheduler = scheduler
    try:
        yield
    finally:
        _state.scheduler = previous


def get_current_job() -> tuple[Any, Any]:
    """The (scheduler, job) of the asynchronous task that runs here.

    Raises
    ------
    LookupError
        Not called from within an asynchronous task.
    """
    return _current_job.get()


@contextmanager
def job_running(scheduler: CurrentScheduler, job: CurrentJob) -> Iterator[None]:
    """Make (scheduler, job) current for this context (thread or asyncio task) within the block."""
    token = _current_job.set((scheduler, job))
    try:
        yield
    finally:
        _current_job.reset(token)
