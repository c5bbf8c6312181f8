"""One call of a task within an execution."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from redun.model.ids import new_id
from redun.utils import merge_dicts

if TYPE_CHECKING:
    from redun.expression import TaskExpression
    from redun.model.execution import Execution
    from redun.promise import Promise
    from redun.task import Task

__all__ = ["Job", "JobEnv"]

NO_OPTIONS: dict[str, Any] = {}
NO_NAMES: frozenset[str] = frozenset()


class Job:
    """One call of a task within an execution.

    A job is also the scope in which the expressions of its body are evaluated: `nodes` maps the hash
    of each expression met in the body to the node that computes it, so that equal expressions are
    computed once.

    Parameters
    ----------
    task : the registered task.
    expr : the call being evaluated.
    id : UUID text; a fresh one by default.
    parent_job : the job in whose body the call stands; None for the root job.
    execution : the run this job belongs to.
    options : options imposed by the scheduler; they win over all others.
    """

    __module__ = "redun.scheduler"

    STATUSES = ("PENDING", "RUNNING", "FAILED", "CACHED", "DONE", "TOTAL")

    __slots__ = (
        "__weakref__",
        "_context",
        "_status",
        "arg_hashes",
        "args",
        "args_hash",
        "attempt",
        "call_hash",
        "context_hash",
        "deps",
        "error",
        "eval_args",
        "eval_hash",
        "eval_options",
        "execution",
        "execution_tags",
        "export_options",
        "expr",
        "follower",
        "given_kwargs",
        "handle_forks",
        "id",
        "job_tags",
        "node_id",
        "nodes",
        "options",
        "parent_job",
        "plan",
        "recorded",
        "result_hash",
        "task",
        "tasks_below",
        "value",
        "value_tags",
        "was_cached",
    )

    def __init__(
        self,
        task: Task,
        expr: TaskExpression,
        id: str | None = None,
        parent_job: Job | None = None,
        execution: Execution | None = None,
        options: dict[str, Any] | None = None,
    ) -> None:
        self.task = task
        self.expr: Any = expr
        self.id = id or new_id()
        self.parent_job = parent_job
        self.execution = execution
        self.options = NO_OPTIONS if options is None else options
        self.nodes: dict[str, Any] | None = None  # expression hash -> node, while the body lives
        self.node_id = -1
        self.follower: Any = None  # of the evaluator: called back when the task has returned
        self.deps: dict[int, Any] | None = None  # id(leaf of the arguments) -> node
        self.eval_options: dict[str, Any] | None = None
        self.plan: Any = None  # the options, as the engine reads them
        self.eval_args: tuple[Any, dict[str, Any]] | None = None
        self.args: tuple[Any, dict[str, Any]] | None = None
        self.given_kwargs = 0  # how many of the keyword arguments were given rather than defaulted
        self.arg_hashes: tuple[tuple[str, ...], tuple[str, ...]] | None = None
        self.args_hash: Any = None  # the hashes are text once they are known
        self.eval_hash: Any = None
        self.context_hash: str | None = None
        self.call_hash: Any = None
        self.attempt = 0  # how many attempts have failed
        self.was_cached = False
        self.recorded = False
        self.result_hash: Any = None
        self.value: Any = None
        self.error: BaseException | None = None
        self.handle_forks: dict[str, int] | None = None
        self.tasks_below: set[str] | None = None  # hashes of tasks that sub-schedulers ran below
        self.job_tags: list[tuple[str, Any]] | None = None
        self.execution_tags: list[tuple[str, Any]] | None = None
        self.value_tags: list[tuple[str, list[tuple[str, Any]]]] | None = None
        self._context: dict[str, Any] | None = None
        self._status: str | None = None
        exported = getattr(task, "_export_options", None) or ()
        called = getattr(expr, "_export_options", None) or ()
        if exported or called or (parent_job is not None and parent_job.export_options):
            inherited = parent_job.export_options if parent_job is not None else NO_NAMES
            self.export_options: frozenset[str] | set[str] = {*exported, *called, *inherited}
        else:
            self.export_options = NO_NAMES
        if execution is not None and execution.job is None:
            execution.add_job(self)

    def __repr__(self) -> str:
        return f"Job(id={self.id}, task_name={self.task.fullname})"

    @property
    def status(self) -> str:
        """PENDING, RUNNING, FAILED, CACHED or DONE."""
        if self._status is not None:
            return self._status
        return "PENDING" if self.eval_args is None else "RUNNING"

    @property
    def fails(self) -> bool:
        """Whether the job has failed."""
        return self._status == "FAILED"

    @property
    def child_jobs(self) -> list[Job]:
        """The jobs of the calls in the body, while it is evaluated."""
        return [node for node in (self.nodes or {}).values() if isinstance(node, Job)]

    # -- options ---------------------------------------------------------------------------------

    def get_raw_options(self) -> dict[str, Any]:
        """Return the merged options before the expressions among them are evaluated.

        Later wins: the task's own, those exported by the parent job, those of the call, those imposed.
        """
        base = self.task._task_options_base
        called = self.expr._options if self.expr is not None else None
        parent = self.parent_job
        if not called and not self.options and not (parent and parent.export_options):
            return base
        exported = parent.get_export_options() if parent and parent.export_options else NO_OPTIONS
        return {**base, **exported, **(called or NO_OPTIONS), **self.options}

    def get_options(self) -> dict[str, Any]:
        """Return the merged and evaluated options of this job."""
        if self.eval_options is not None:
            return self.eval_options
        return self.get_raw_options()

    def get_option(
        self, key: str, default: Any = None, as_type: Callable[[Any], Any] | None = None
    ) -> Any:
        """Return one option, converted by `as_type` if given."""
        options = self.get_options()
        if key not in options:
            return default
        value = options[key]
        return as_type(value) if as_type else value

    def get_export_options(self) -> dict[str, Any]:
        """Return the options this job hands to its children."""
        keys = self.export_options
        return {key: value for key, value in self.get_options().items() if key in keys}

    def recording_provenance(self) -> bool:
        """Whether this job is recorded in the repo."""
        return bool(self.get_option("prov", True))

    def get_context(self) -> dict[str, Any]:
        """Return the context that `get_context` reads in this job."""
        if self._context is None:
            if self.parent_job is not None:
                context = self.parent_job.get_context()
            else:
                context = self.execution.context if self.execution is not None else {}
            override = self.get_options().get("_context_override")
            self._context = merge_dicts([context, override]) if override else context
        return self._context

    # -- life cycle ------------------------------------------------------------------------------

    def finish(self, status: str) -> None:
        """Freeze the status and let go of what only a live job needs."""
        self._status = status
        self.clear()

    def clear(self) -> None:
        """Let go of arguments, expressions, children and context."""
        if self.expr is not None:
            self.expr.forget_arguments()
        self.expr = None
        self.args_hash = None
        self.eval_args = None
        self.args = None
        self.arg_hashes = None
        self.deps = None
        self.follower = None
        self.nodes = None
        self._context = None
        self.job_tags = self.execution_tags = self.value_tags = None
        self.tasks_below = None

    @property
    def result_promise(self) -> Promise:
        """A promise already settled with the job's outcome; only meaningful once it has ended."""
        from redun.promise import Promise

        promise: Promise = Promise()
        if self._status is not None:
            if self.error is not None:
                promise.do_reject(self.error)  # type: ignore[arg-type]
            else:
                promise.do_resolve(self.value)
        return promise


class JobEnv:
    """A job seen with another context: the scope in which default arguments are evaluated.

    Children created in it belong to the job; expressions are kept apart, because equal expressions
    may read different contexts.
    """

    __module__ = "redun.scheduler"

    def __init__(self, job: Job, context: dict[str, Any]) -> None:
        self.job = job
        self.nodes: dict[str, Any] | None = None
        self._env_context = context

    def __getattr__(self, name: str) -> Any:
        return getattr(self.job, name)

    def get_context(self) -> dict[str, Any]:
        """Return the context of this scope."""
        return self._env_context
