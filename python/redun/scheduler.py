"""Face of the scheduler: the public names, wherever they are defined."""

from redun.current import (
    NoCurrentScheduler,
    get_current_scheduler,
    set_current_scheduler,
)
from redun.engine.report import (
    JOB_ACTION_WIDTH,
    format_job_statuses,
    is_debugger_active,
)
from redun.engine.root import root_task
from redun.engine.scheduler import Scheduler
from redun.expression import quote
from redun.library.control import catch, catch_all, cond, throw
from redun.library.handles import merge_handles
from redun.library.tagging import apply_tags, with_export_options
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
    format_task_call,
    scheduler_task,
    task,
)

__all__ = [
    "JOB_ACTION_WIDTH",
    "CacheCheckValid",
    "CacheResult",
    "CacheScope",
    "DryRunResult",
    "ErrorValue",
    "Execution",
    "Frame",
    "Job",
    "JobEnv",
    "JobInfo",
    "NoCurrentScheduler",
    "Scheduler",
    "SchedulerError",
    "Task",
    "Traceback",
    "apply_tags",
    "catch",
    "catch_all",
    "cond",
    "format_job_statuses",
    "format_task_call",
    "get_current_scheduler",
    "is_debugger_active",
    "merge_handles",
    "quote",
    "root_task",
    "scheduler_task",
    "set_current_scheduler",
    "task",
    "throw",
    "with_export_options",
]
