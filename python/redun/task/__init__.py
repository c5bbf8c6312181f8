"""Tasks: functions whose calls are lazy, recorded and cached."""

from redun.namespace import compute_namespace
from redun.task.arguments import (
    format_arg,
    format_task_call,
    get_arg_defaults,
    hash_args_eval,
    hashed_arguments,
    missing_defaults,
    set_arg_defaults,
)
from redun.task.decorators import scheduler_task, task
from redun.task.options import (
    CacheCheckValid,
    CacheResult,
    CacheScope,
    get_context_value,
)
from redun.task.registry import TaskRegistry, get_task_registry, split_task_fullname
from redun.task.signature import Default, Parameters, get_tuple_type_length
from redun.task.task import PartialTask, SchedulerTask, Task, undefined_task
from redun.task.wraps import wraps_task

__all__ = [
    "CacheCheckValid",
    "CacheResult",
    "CacheScope",
    "Default",
    "Parameters",
    "PartialTask",
    "SchedulerTask",
    "Task",
    "TaskRegistry",
    "compute_namespace",
    "format_arg",
    "format_task_call",
    "get_arg_defaults",
    "get_context_value",
    "get_task_registry",
    "get_tuple_type_length",
    "hash_args_eval",
    "hashed_arguments",
    "missing_defaults",
    "scheduler_task",
    "set_arg_defaults",
    "split_task_fullname",
    "task",
    "undefined_task",
    "wraps_task",
]
