"""The decorators that make tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, overload

from redun.task.registry import get_task_registry
from redun.task.task import SchedulerTask, Task

if TYPE_CHECKING:
    from redun.expression.classes import SchedulerExpression
    from redun.promise import Promise

__all__ = ["scheduler_task", "task"]

P = ParamSpec("P")
R = TypeVar("R")


@overload
def task(func: Callable[P, R]) -> Task[P, R]: ...


@overload
def task(
    *,
    name: str | None = None,
    namespace: str | None = None,
    version: str | None = None,
    compat: list[str] | None = None,
    script: bool = False,
    hash_includes: list[Any] | None = None,
    source: str | None = None,
    export_options: dict[str, Any] | None = None,
    **task_options_base: Any,
) -> Callable[[Callable[P, R]], Task[P, R]]: ...


def task(
    func: Callable[P, R] | None = None,
    *,
    name: str | None = None,
    namespace: str | None = None,
    version: str | None = None,
    compat: list[str] | None = None,
    script: bool = False,
    hash_includes: list[Any] | None = None,
    source: str | None = None,
    export_options: dict[str, Any] | None = None,
    **task_options_base: Any,
) -> Task[P, R] | Callable[[Callable[P, R]], Task[P, R]]:
    """Make a function a task and register it: `@task` or `@task(name="...", ...)`.

    Parameters
    ----------
    func : the function.
    name : name of the task; that of the function by default.
    namespace : prefix of the full name; by default the module's `redun_namespace`, or what
        `redun.namespace` was called with.
    version : stands for the source text in the hash of the task.
    compat : if not empty, its first item is the hash of the task.
    script : the function returns a shell script, which is run.
    hash_includes : further values that enter the hash, in any order.
    source : source text; extracted from the function by default.
    export_options : options that also hold for all calls below those of the task.
    **task_options_base : further options, for the scheduler or the executor.

    Raises `ValueError` or `TypeError` for invalid names or options, `OSError` if the source is needed
    and cannot be found.
    """

    def decorate(func: Callable[P, R]) -> Task[P, R]:
        made = Task(
            func,
            name=name,
            namespace=namespace,
            version=version,
            compat=compat,
            script=script,
            task_options_base={**task_options_base, **(export_options or {})},
            export_options=set(export_options or ()),
            hash_includes=hash_includes,
            source=source,
        )
        get_task_registry().add(made)
        return made

    return decorate if func is None else decorate(func)


def scheduler_task(
    name: str | None = None,
    namespace: str | None = None,
    version: str = "1",
    **task_options_base: Any,
) -> Callable[
    [Callable[Concatenate[Any, Any, SchedulerExpression[Any], P], Promise[R]]], SchedulerTask[P, R]
]:
    """Make a function a scheduler task and register it: `@scheduler_task()`.

    The function has the form `func(scheduler, parent_job, sexpr, *args, **kwargs)` and returns a
    promise; see `SchedulerTask`.

    Parameters
    ----------
    name, namespace, version : as for `task`.
    **task_options_base : options of the task.
    """

    def decorate(func: Callable[..., Any]) -> SchedulerTask[P, R]:
        made: SchedulerTask[P, R] = SchedulerTask(
            func,
            name=name,
            namespace=namespace,
            version=version,
            task_options_base=task_options_base,
        )
        get_task_registry().add(made)
        return made

    return decorate
