"""Tasks that wrap tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from redun.task.decorators import task
from redun.task.registry import format_fullname, get_task_registry
from redun.task.task import Task

__all__ = ["wraps_task"]


def wraps_task(
    wrapper_name: str | None = None,
    wrapper_hash_includes: list[Any] = [],
    use_wrapper_signature: bool = False,
    **wrapper_task_options_base: Any,
) -> Callable[
    [Callable[[Task[..., Any]], Callable[..., Any]]], Callable[[Callable[..., Any]], Task[..., Any]]
]:
    """Make a decorator of tasks from a function that is given a task and returns what runs instead.

    ```py
    @wraps_task()
    def doubled(inner: Task):
        def run(*args, **kwargs):
            return 2 * inner.func(*args, **kwargs)
        return run

    @doubled
    @task
    def value(x):
        return x
    ```

    The wrapped task is renamed to `<namespace>.<wrapper name>.<name>`, and the wrapper takes its name.

    Parameters
    ----------
    wrapper_name : part of the new name of the wrapped task; name of the decorated function by default.
    wrapper_hash_includes : values that enter the hash of the wrapper, beside the wrapped task.
    use_wrapper_signature : the wrapper has a signature of its own, not that of the wrapped task.
    **wrapper_task_options_base : options of the wrapper, and other arguments of `task`. Those of the
        wrapped task do not hold for it.
    """

    def make_decorator(
        wrapper: Callable[[Task[..., Any]], Callable[..., Any]],
    ) -> Callable[[Callable[..., Any]], Task[..., Any]]:
        hidden = wrapper_name or wrapper.__name__

        def decorate(func_or_task: Callable[..., Any]) -> Task[..., Any]:
            inner = func_or_task if isinstance(func_or_task, Task) else task(func_or_task)
            namespace, name = inner.namespace, inner.name
            _hide(inner, hidden)
            return task(
                name=name,
                namespace=namespace,
                hash_includes=[*wrapper_hash_includes, inner],
                wrapped_task=inner.fullname,
                use_wrapper_signature=use_wrapper_signature,
                load_module=inner.load_module,
                **wrapper_task_options_base,
            )(wrapper(inner))

        return decorate

    return make_decorator


def _hide(task: Task[..., Any], wrapper_name: str) -> None:
    """Rename a task and, before it, those that it wraps."""
    chain = [task]
    while (wrapped := chain[-1].wrapped_task) is not None:
        chain.append(wrapped)
    hidden: str | None = None
    for item in reversed(chain):
        if hidden is not None:
            item._task_options_base["wrapped_task"] = hidden
        get_task_registry().rename(
            item.fullname, format_fullname(item.namespace, wrapper_name), item.name
        )
        hidden = item.fullname
