"""Workflows as ordinary Python: lazy, parallel, cached, with provenance.

from redun import task

@task()
def add(a: int, b: int) -> int:
    return a + b
"""

from typing import TYPE_CHECKING, Any

from redun.context import get_context as get_context
from redun.current import get_current_scheduler, set_current_scheduler
from redun.file import Dir, File
from redun.handle import Handle
from redun.library.control import catch, cond, throw
from redun.library.handles import merge_handles
from redun.library.tagging import apply_tags
from redun.namespace import get_current_namespace, namespace
from redun.scripting import script
from redun.task import PartialTask, Task, get_task_registry, task
from redun.version import version

if TYPE_CHECKING:
    from redun.bootstrap.scheduler import run
    from redun.engine.scheduler import Scheduler
    from redun.executors.alias import AliasExecutor as AliasExecutor
    from redun.executors.base import register_executor as register_executor
    from redun.executors.local import LocalExecutor as LocalExecutor
    from redun.file.sharded import ShardedS3Dataset as ShardedS3Dataset

__version__ = version

__all__ = [
    "Dir",
    "File",
    "Handle",
    "PartialTask",
    "Scheduler",
    "Task",
    "__version__",
    "apply_tags",
    "catch",
    "cond",
    "get_current_namespace",
    "get_current_scheduler",
    "get_task_registry",
    "merge_handles",
    "namespace",
    "run",
    "script",
    "set_current_scheduler",
    "task",
    "throw",
    "version",
]

# Imported when first used: a module of tasks needs no scheduler until it runs.
_LAZY = {
    "AliasExecutor": "redun.executors.alias",
    "LocalExecutor": "redun.executors.local",
    "Scheduler": "redun.engine.scheduler",
    "ShardedS3Dataset": "redun.file.sharded",
    "register_executor": "redun.executors.base",
    "run": "redun.bootstrap.scheduler",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        import importlib

        value = getattr(importlib.import_module(_LAZY[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'redun' has no attribute '{name}'")
