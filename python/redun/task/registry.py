"""The tasks of this process by full name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from redun.expression.classes import set_task_lookup

if TYPE_CHECKING:
    from redun.task.task import Task

__all__ = ["TaskRegistry", "format_fullname", "get_task_registry", "split_task_fullname"]


def format_fullname(namespace: str | None, name: str) -> str:
    """Return `namespace.name`, or `name` if there is no namespace."""
    return f"{namespace}.{name}" if namespace else name


def split_task_fullname(task_fullname: str) -> tuple[str, str]:
    """Return namespace and name: the full name split at its last dot."""
    namespace, _, name = task_fullname.rpartition(".")
    return namespace, name


class TaskRegistry:
    """The tasks of this process by full name.

    The mapping `_tasks` is live: whoever changes it (test fixtures do) changes what is found.
    """

    __module__ = "redun.task"

    def __init__(self) -> None:
        self._tasks: dict[str, Task[..., Any]] = {}

    @property
    def task_hashes(self) -> set[str]:
        """The hashes of all registered tasks, under the active hash scheme."""
        return {task.hash for task in self._tasks.values()}

    def add(self, task: Task[..., Any]) -> None:
        """Register a task. A task of the same full name is replaced."""
        self._tasks[task.fullname] = task

    def get(self, task_name: str | None = None, hash: str | None = None) -> Task[..., Any] | None:
        """Return the task of a full name or, without a name, of a hash; None if there is none.

        Raises `ValueError` if neither is given.
        """
        if task_name:
            return self._tasks.get(task_name)
        if hash:
            return next((task for task in self._tasks.values() if task.hash == hash), None)
        raise ValueError("No task field given.")

    def rename(self, old_name: str, new_namespace: str, new_name: str) -> Task[..., Any]:
        """Give a registered task another name; its hash stays. Raises `KeyError` if unknown."""
        task = self._tasks.pop(old_name)
        task._rename(new_namespace, new_name)
        self.add(task)
        return task

    def __iter__(self) -> Iterator[Task[..., Any]]:
        return iter(self._tasks.values())


_task_registry = TaskRegistry()


def get_task_registry() -> TaskRegistry:
    """Return the task registry of this process."""
    return _task_registry


set_task_lookup(_task_registry.get)
