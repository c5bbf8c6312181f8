"""Face of the scheduler: the public names, wherever they are defined."""

from redun.backends.base import get_backend_from_config
from redun.current import (
    NoCurrentScheduler,
    get_current_scheduler,
    set_current_scheduler,
)
from redun.engine.listener import SchedulerListener
from redun.engine.ready import DepthFirstQueue, FifoQueue, PriorityQueue, ReadyQueue
from redun.engine.report import (
    JOB_ACTION_WIDTH,
    format_job_statuses,
    is_debugger_active,
    settrace_patch,
)
from redun.engine.root import needs_root_task, root_task
from redun.engine.scheduler import Scheduler
from redun.engine.settings import get_ignore_warnings_from_config, get_limits_from_config
from redun.expression import quote
from redun.library.control import catch, catch_all, cond, throw
from redun.library.handles import merge_handles
from redun.library.subrun import subrun, subrun_root_task
from redun.library.tagging import apply_tags, with_export_options
from redun.library.threads import Thread, fork_thread, join_thread
from redun.model.errors import DryRunResult, SchedulerError
from redun.model.execution import Execution
from redun.model.failure import ErrorValue, Frame, Traceback
from redun.model.job import Job, JobEnv
from redun.model.jobinfo import JobInfo
from redun.task import (
    CacheCheckValid,
    CacheResult,
    CacheScope,
    Task,
    format_arg,
    format_task_call,
    get_arg_defaults,
    scheduler_task,
    set_arg_defaults,
    task,
)

__all__ = [
    "JOB_ACTION_WIDTH",
    "CacheCheckValid",
    "CacheResult",
    "CacheScope",
    "DepthFirstQueue",
    "DryRunResult",
    "ErrorValue",
    "Execution",
    "FifoQueue",
    "Frame",
    "Job",
    "JobEnv",
    "JobInfo",
    "NoCurrentScheduler",
    "PriorityQueue",
    "ReadyQueue",
    "Scheduler",
    "SchedulerError",
    "SchedulerListener",
    "Task",
    "Thread",
    "Traceback",
    "apply_tags",
    "catch",
    "catch_all",
    "cond",
    "fork_thread",
    "format_arg",
    "format_job_statuses",
    "format_task_call",
    "get_arg_defaults",
    "get_backend_from_config",
    "get_current_scheduler",
    "get_ignore_warnings_from_config",
    "get_limits_from_config",
    "is_debugger_active",
    "join_thread",
    "merge_handles",
    "needs_root_task",
    "quote",
    "root_task",
    "scheduler_task",
    "set_arg_defaults",
    "set_current_scheduler",
    "settrace_patch",
    "subrun",
    "subrun_root_task",
    "task",
    "throw",
    "with_export_options",
]
