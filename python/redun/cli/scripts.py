"""From the words SCRIPT and TASK to a registered task."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

from redun.bootstrap.errors import RedunClientError
from redun.bootstrap.scripts import import_script

if TYPE_CHECKING:
    from redun.task import Task

__all__ = ["find_task", "full_task_name", "import_script", "task_names"]


def full_task_name(module: ModuleType, name: str) -> str:
    """The full name that TASK means for a script.

    A name without a dot belongs to the script's `redun_namespace`, if it has one.
    """
    namespace = getattr(module, "redun_namespace", None)
    if "." in name or not namespace:
        return name
    return f"{namespace}.{name}"


def find_task(module: ModuleType, script: str, name: str) -> Task:
    """Look up the task a user named.

    Parameters
    ----------
    module
        The imported script.
    script
        The script as typed, for hints.
    name
        Short or full task name.

    Raises
    ------
    RedunClientError
        If no such task is registered; names that are near are suggested.
    """
    from redun.task import get_task_registry

    registry = get_task_registry()
    full_name = full_task_name(module, name)
    task = registry.get(full_name)
    if task is not None:
        return task
    if full_name != name and (task := registry.get(name)) is not None:
        return task
    raise RedunClientError(f'Unknown task "{full_name}"', hints=_hints(script, full_name))


def task_names() -> list[str]:
    """Full names of the user's tasks, sorted; those of this package are left out."""
    from redun.task import get_task_registry

    return sorted(task.fullname for task in get_task_registry() if task.namespace != "redun")


def _hints(script: str, full_name: str) -> list[str]:
    from difflib import get_close_matches

    names = task_names()
    if not names:
        return [f"`{script}` defines no task: decorate a function with `@redun.task()`"]
    near = get_close_matches(full_name, names, n=1)
    if not near:
        # The user may have left out or mistaken the namespace only.
        short = full_name.rpartition(".")[2]
        near = [name for name in names if name.rpartition(".")[2] == short][:1]
    hints = [f"did you mean `{near[0]}`?"] if near else []
    return [*hints, f"`redun run {script} help` lists the tasks"]
