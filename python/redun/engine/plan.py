"""Options of a job as the engine reads them: worked out once for all jobs that share their options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from redun.engine.outputs import must_exist
from redun.expression import Expression, TaskExpression
from redun.model.job import Job
from redun.promise import Promise
from redun.task import Task
from redun.task.options import CacheCheckValid, CacheResult, CacheScope
from redun.utils.nested import leaves

__all__ = ["Plan", "Planner"]

NOTHING_IMPOSED: dict[str, Any] = {}


class Plan:
    """What the options of a job mean to the engine.

    Parameters
    ----------
    options : merged and evaluated options.
    limits : resource name -> amount.
    is_async : the task is a coroutine function. What it awaited is no part of its result, so a
        single reduction can't stand for it: only the whole call is reused.
    """

    __slots__ = (
        "cse",
        "executor",
        "foreseeable",
        "limits",
        "lookup",
        "must_exist",
        "patient",
        "priority",
        "recording",
        "retries",
        "retry_delay",
        "shallow",
        "single",
        "tags",
        "timeout",
    )

    def __init__(
        self, options: dict[str, Any], limits: dict[str, int], is_async: bool = False
    ) -> None:
        scope = CacheScope(options.get("cache_scope", CacheScope.BACKEND))
        valid = CacheCheckValid(options.get("check_valid", CacheCheckValid.FULL))
        allowed = options.get("allowed_cache_results")
        assert allowed is None or isinstance(allowed, set), (
            f"allowed_cache_results must be a set of CacheResult, not {allowed!r}"
        )
        self.executor: str = options.get("executor") or "default"
        self.recording = bool(options.get("prov", True))
        if not self.recording:
            scope = CacheScope.NONE
        self.cse = scope != CacheScope.NONE and (allowed is None or CacheResult.CSE in allowed)
        backend = scope == CacheScope.BACKEND
        self.shallow = (
            backend
            and (is_async or valid == CacheCheckValid.SHALLOW)
            and (allowed is None or CacheResult.ULTIMATE in allowed)
        )
        self.single = (
            backend and not is_async and (allowed is None or CacheResult.SINGLE in allowed)
        )
        self.lookup = self.shallow or self.single
        # What is known of a call ahead holds unless the same call runs meanwhile and is not joined.
        self.foreseeable = self.cse and self.single and not self.shallow
        self.limits = list(limits.items()) or None
        self.priority = int(options.get("priority") or 0)
        self.tags: list[tuple[str, Any]] = options.get("tags") or []
        self.retries = int(options.get("retries") or 0)
        self.retry_delay = float(options.get("retry_delay") or 0)
        timeout = options.get("timeout")
        self.timeout = float(timeout) if timeout else None
        self.patient = bool(self.retries or self.timeout)
        self.must_exist = must_exist(options)


class Facts:
    """What the engine asks of a task for each of its calls."""

    __slots__ = ("bare", "config_args", "defaults", "plain_defaults")

    def __init__(self, task: Task[..., Any]) -> None:
        every = (*task.defaults, *task.positional_defaults)
        self.defaults = bool(every)
        self.plain_defaults = all(item.plain for item in every)
        self.config_args = bool(task.get_task_option("config_args"))
        self.bare = not self.defaults and not self.config_args


class Planner:
    """Works out the options of jobs during one run.

    Parameters
    ----------
    cache : False imposes `cache_scope=CSE` on every job.
    on_task : told of each task before its first call.
    """

    def __init__(
        self, cache: bool = True, on_task: Callable[[Task[..., Any]], None] | None = None
    ) -> None:
        self._on_task = on_task
        self._imposed: dict[str, Any] = {} if cache else {"cache_scope": CacheScope.CSE}
        self._imposed_unrecorded = {**self._imposed, "prov": False}
        self._simple: dict[int, Plan] = {}  # id(options of a task) -> plan
        self._kept: list[dict[str, Any]] = []  # alive, so that the ids stay theirs
        self._facts: dict[Task[..., Any], Facts] = {}
        self.checks_outputs = False  # whether any job of the run asks for it

    def facts(self, task: Task[..., Any]) -> Facts:
        """Return what is known of a task."""
        facts = self._facts.get(task)
        if facts is None:
            facts = self._facts[task] = Facts(task)
            if self._on_task is not None:
                self._on_task(task)
        return facts

    def imposed(self, parent: Job | None) -> dict[str, Any]:
        """Return the options that the scheduler imposes on a child of a job."""
        if parent is not None and parent.plan is not None and not parent.plan.recording:
            return self._imposed_unrecorded
        return self._imposed or NOTHING_IMPOSED

    def lazy_options(self, job: Job) -> list[Any]:
        """Return the expressions among the options of a job."""
        options = job.get_raw_options()
        task = job.task
        if options is task._task_options_base and task.plain_options:
            return []
        return [leaf for leaf in leaves(options) if isinstance(leaf, (Expression, Promise))]

    def settle_simple(self, job: Job) -> bool:
        """Settle the options of a job if they are its task's own and nothing must be evaluated.

        Returns whether that was so; else the options may hold expressions, or the defaults may.
        """
        options = job.get_raw_options()
        plan = self._simple.get(id(options))
        if plan is None:
            plan = self._own_plan(job.task) if options is job.task._task_options_base else None
            if plan is None:
                return False
        job.eval_options = options
        job.plan = plan
        return True

    def _own_plan(self, task: Task[..., Any]) -> Plan | None:
        """Return the plan of calls that have no options but those of their task.

        None if options or defaults are to be evaluated, or if the calls are not recorded.
        """
        options = task._task_options_base
        plan = self._simple.get(id(options))
        if plan is None:
            plain = task.plain_options and self.facts(task).plain_defaults
            if not plain or not options.get("prov", True):
                return None
            plan = self._simple[id(options)] = self._plan(options, task)
            self._kept.append(options)
        return plan

    def is_foreseeable(self, expr: TaskExpression[Any], task: Task[..., Any], parent: Job) -> bool:
        """Whether what is recorded of a call now is what its job will be told.

        Parameters
        ----------
        expr : a call that has no job yet.
        task : the task it calls.
        parent : the job in whose body it stands.
        """
        if expr._options or parent.export_options or self.imposed(parent):
            return False
        plan = self._own_plan(task)
        return plan is not None and plan.foreseeable

    def _plan(self, options: dict[str, Any], task: Task[..., Any]) -> Plan:
        plan = Plan(options, limits_of(options), task.is_async())
        self.checks_outputs = self.checks_outputs or plan.must_exist
        return plan

    def settle_options(self, job: Job) -> None:
        """Freeze the evaluated options of a job and work out its plan."""
        options = job.eval_options
        if options is None:
            options = job.get_raw_options()
        job.plan = self._plan(options, job.task)
        if not job.plan.recording:
            options = {**options, "cache_scope": CacheScope.NONE}
        job.eval_options = options


def limits_of(options: dict[str, Any]) -> dict[str, int]:
    """Return resource name -> amount from the option `limits`, a dict or a list of names."""
    limits = options.get("limits") or {}
    if isinstance(limits, list):
        return dict.fromkeys(limits, 1)
    assert isinstance(limits, dict), f"Limits must be a dict or a list, not {limits!r}."
    return limits
