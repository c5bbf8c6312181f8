"""The scheduler: what users and executors call, and the loop that drives a run."""

from __future__ import annotations

import logging
import os
import shlex
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from redun.backends.base import RedunBackend, TagEntity, get_backend_from_config
from redun.config import Config
from redun.current import scheduler_running
from redun.engine.async_calls import AsyncCalls
from redun.engine.collector import patient_collector
from redun.engine.interrupts import Interrupts
from redun.engine.listener import SchedulerListener
from redun.engine.ready import QueuePolicy, get_queue_factory
from redun.engine.reasons import CACHE_OFF
from redun.engine.record import HOLD_SECONDS
from redun.engine.report import (
    count_jobs,
    format_job_statuses,
    is_debugger_active,
    namespace_warning,
)
from redun.engine.root import needs_root_task, root_task
from redun.engine.run import Run
from redun.engine.settings import (
    get_ignore_warnings_from_config,
    get_limits_from_config,
    read_context,
)
from redun.engine.stand_in import StandIn
from redun.executors.base import Executor, get_executors_from_config
from redun.expression import (
    SchedulerExpression,
    TaskExpression,
    bounded_repr,
    quote,
)
from redun.hashing import set_scheme
from redun.logging import log_line
from redun.logging import logger as default_logger
from redun.model.errors import DryRunResult
from redun.model.execution import Execution
from redun.model.failure import Traceback
from redun.model.ids import new_ids
from redun.model.job import Job, JobEnv
from redun.promise import Promise
from redun.tags import parse_tag_value
from redun.task import get_task_registry
from redun.utils import merge_dicts
from redun.value import get_type_registry

if TYPE_CHECKING:
    import asyncio

__all__ = ["Scheduler"]

DEFAULT_JOB_STATUS_INTERVAL = 20
MAX_EVENTS = 2_000  # results of executors taken at once
ID_BATCH = 256
SIGNAL_SECONDS = 0.5  # how late Ctrl-C may be noticed
EXIT_INTERRUPTED = 130
WAITING_FOR_JOB = b"Waiting for the running job to end. Ctrl+C again to force shutdown.\n"


class Scheduler:
    """Evaluates workflows.

    Parameters
    ----------
    config : the configuration; an empty one by default.
    backend : the repo; by default the one that the configuration names, else one in memory.
    executor : the only executor; by default `default` (threads), `process` and those configured.
    logger : where the log goes; the logger `redun` by default.
    use_task_traceback : log the way from the root job to the failing line when a workflow fails.
    job_status_interval : seconds between tables of job counts while nothing happens; negative
        switches them off; by default as configured, else 20.
    migrate : accepted for compatibility; `load` takes it.
    queue : which of the jobs that could run go first: `fifo`, `depth_first`, `priority`, or a class
        derived from `ReadyQueue`; by default as configured, else `fifo`.
    """

    __module__ = "redun.scheduler"

    def __init__(
        self,
        config: Config | None = None,
        backend: RedunBackend | None = None,
        executor: Executor | None = None,
        logger: logging.Logger | None = None,
        use_task_traceback: bool = True,
        job_status_interval: int | None = None,
        migrate: bool | None = None,
        queue: QueuePolicy | None = None,
    ) -> None:
        self.config = config if config is not None else Config()
        self.logger = logger or default_logger
        self.use_task_traceback = use_task_traceback
        self.traceback: Traceback | None = None
        section: Mapping[str, Any] = self.config.get("scheduler", {})
        self.ignore_warnings = get_ignore_warnings_from_config(section)
        interval = job_status_interval or int(
            section.get("job_status_interval") or DEFAULT_JOB_STATUS_INTERVAL
        )
        self.job_status_interval: int | None = interval if interval > 0 else None
        self.task_registry = get_task_registry()
        self.type_registry = get_type_registry()
        self.context = read_context(section)
        self.limits = get_limits_from_config(self.config.get("limits"))
        self.make_queue = get_queue_factory(queue or section.get("queue") or "fifo")
        self.backend = backend if backend is not None else self._configured_backend()
        self.executors: dict[str, Executor] = {}
        self.listeners: list[SchedulerListener] = []
        self._add_executors(executor)
        self.thread_id: int | None = None
        self.events_queue: SimpleQueue[tuple[Any, ...]] = SimpleQueue()
        self.async_calls = AsyncCalls(self)
        self.workflow_promise: Promise | None = None
        self.current_execution: Execution | None = None
        self.dryrun = False
        self.use_cache = True
        self._run: Run | None = None
        self._stand_in: StandIn | None = None
        self._ids: list[str] = []
        self._counts: dict[str, list[int]] = {}  # of the last run
        self.root_job_id: str | None = None  # of the last run
        self._promises: dict[int, Promise] = {}
        self._next_promise = 0

    # -- construction ----------------------------------------------------------------------------

    def _configured_backend(self) -> RedunBackend:
        section = self.config.get("backend")
        if section and section.get("db_uri"):
            return get_backend_from_config(section)
        backend = get_backend_from_config(None)
        backend.load()
        return backend

    def _add_executors(self, executor: Executor | None) -> None:
        if executor is not None:
            self.add_executor(executor)
        else:
            from redun.executors.base import get_executor_class

            local: Any = get_executor_class("local")
            self.add_executor(local("default", mode="thread"))
            self.add_executor(local("process", mode="process"))
        for configured in get_executors_from_config(self.config.get("executors", {})):
            self.add_executor(configured)

    def add_executor(self, executor: Executor) -> None:
        """Make an executor available under its name; replaces one of the same name."""
        self.executors[executor.name] = executor
        executor.set_scheduler(self)

    def load(self, migrate: bool | None = None) -> None:
        """Open the repo; `migrate` brings its schema up to date (None: as configured).

        From then on values hash and show as that repo has them.
        """
        self.backend.load(migrate=migrate)
        set_scheme(self.backend.hash_scheme)

    # -- state -----------------------------------------------------------------------------------

    @property
    def is_running(self) -> bool:
        """Whether a run is going on."""
        return self._run is not None

    @property
    def current_run(self) -> Run:
        """The parts of the run that is going on."""
        assert self._run is not None, "Scheduler is not currently running."
        return self._run

    @property
    def limits_used(self) -> dict[str, int]:
        """How much of each resource running jobs hold."""
        return self._run.wire.limits_used() if self._run is not None else {}

    def next_id(self) -> str:
        """Return a fresh id for a job."""
        if not self._ids:
            self._ids = new_ids(ID_BATCH)
        return self._ids.pop()

    def log(
        self,
        *messages: object,
        indent: int = 0,
        multiline: bool = False,
        level: int = logging.INFO,
    ) -> None:
        """Write messages, joined by spaces, to the log: one record a line unless `multiline`."""
        if not self.logger.isEnabledFor(level):
            return
        text = " " * indent + " ".join(map(str, messages))
        if multiline or "\n" not in text:
            log_line(self.logger, level, text)
            return
        for line in text.split("\n"):
            log_line(self.logger, level, line)

    # -- callbacks of executors, from any thread -------------------------------------------------

    def done_job(self, job: Job, result: Any, job_tags: Sequence[tuple[str, Any]] = ()) -> None:
        """Report the result of a job; it may hold expressions. Thread-safe."""
        self.events_queue.put(("done", job, result, job_tags))

    def reject_job(
        self,
        job: Job | None,
        error: BaseException,
        error_traceback: Traceback | None = None,
        job_tags: Sequence[tuple[str, Any]] = (),
    ) -> None:
        """Report that a job failed; without a job, that the executor did. Thread-safe."""
        self.events_queue.put(("reject", job, error, error_traceback, job_tags))

    def begin_job(self, job: Job) -> None:
        """Report that a job begins, from when on its `timeout` counts. Thread-safe."""
        self.events_queue.put(("begin", job, ()))

    def add_job_tags(self, job: Job, tags: Sequence[tuple[str, Any]]) -> None:
        """Add tags to a job before it ends. Thread-safe."""
        self.events_queue.put(("tags", job, tags))

    # -- evaluation ------------------------------------------------------------------------------

    def evaluate(self, expr: Any, parent_job: Job | JobEnv | None = None) -> Promise:
        """Evaluate a value in the scope of a job; returns a promise. Scheduler thread only."""
        return self.current_run.evaluator.evaluate(expr, parent_job)

    def evaluate_async(self, expr: Any, parent_job: Job) -> asyncio.Future[Any]:
        """Evaluate a value in the scope of a running job, for asynchronous code. Thread-safe.

        Call it on a running event loop; the future belongs to that loop.
        """
        return self.async_calls.call(expr, parent_job)

    def set_cache(self, eval_hash: str, task_hash: str, args_hash: str, value: Any) -> None:
        """Record one evaluation, for reuse by later calls with the same hashes."""
        self.backend.set_eval_cache(eval_hash, task_hash, args_hash, value)

    def run(
        self,
        expr: Any,
        exec_argv: Sequence[str] | None = None,
        dryrun: bool = False,
        cache: bool = True,
        tags: Iterable[tuple[str, Any]] = (),
        context: dict[str, Any] | None = None,
        execution_id: str | None = None,
        keep_going: bool = False,
    ) -> Any:
        """Evaluate an expression (or any value) as one execution; returns its value.

        Parameters
        ----------
        expr : what to evaluate.
        exec_argv : the command line to record; words.
        dryrun : take cached results only.
        cache : reuse results of earlier executions.
        tags : tags of the execution.
        context : added to the configured context.
        execution_id : id to use instead of a fresh one.
        keep_going : after a failure, finish what does not depend on it; then log all failures and
            raise the first.

        Raises `DryRunResult` if a dry run stops short, else what the workflow raises.
        """
        if exec_argv is None:
            exec_argv = ["scheduler.run", bounded_repr(expr, 200)]
        execution = Execution(execution_id, merge_dicts([self.context, context or {}]))
        previous_scheme = set_scheme(self.backend.hash_scheme)
        try:
            with scheduler_running(self), patient_collector():
                root = self._rooted(expr)
                self._record_execution(execution, exec_argv, tags if cache else [*tags, CACHE_OFF])
                self.log(f"Start Execution {execution.id}:  redun {shlex.join(exec_argv[1:])}")
                run = Run(self, execution, exec_argv, dryrun, cache, keep_going)
                return self._run_expr(root, run)
        finally:
            set_scheme(previous_scheme)

    def extend_run(
        self,
        expr: Any,
        parent_job_id: str,
        dryrun: bool = False,
        cache: bool = True,
        context: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Evaluate an expression below a job of an execution that is under way elsewhere.

        Parameters
        ----------
        expr : what to evaluate.
        parent_job_id : a job that is in the repo.
        dryrun, cache : as for `run`.
        context : the context of the job; that of the configuration does not count.

        Returns a dict with `job_id`, `call_hash` and one of `result`, `error` (what the workflow
        raised) and `dryrun` (True). Raises `ValueError` for an unknown job.
        """
        recorded = self.backend.get_job(parent_job_id)
        if recorded is None:
            raise ValueError(f"Unknown parent_job_id: {parent_job_id}")
        execution = Execution(recorded["execution_id"])
        stand_in = root_task(quote(None))
        options = {"_context_override": context} if context else None
        parent = Job(root_task, stand_in, parent_job_id, None, execution, options)
        previous_scheme = set_scheme(self.backend.hash_scheme)
        outcome: dict[str, Any] = {}
        self.workflow_promise = None
        try:
            with scheduler_running(self), patient_collector():
                root = self._rooted(expr)
                run = Run(self, execution, ["scheduler.extend_run"], dryrun, cache)
                outcome["result"] = self._run_expr(root, run, parent)
        except DryRunResult:
            outcome["dryrun"] = True
        except Exception as error:
            promise = self.workflow_promise
            if promise is None or not promise.is_rejected or promise.error is not error:
                raise
            outcome["error"] = error
        finally:
            set_scheme(previous_scheme)
        job = (parent.nodes or {})[root._hash or ""]
        self.root_job_id = job.id
        return {**outcome, "job_id": job.id, "call_hash": job.call_hash}

    def _record_execution(
        self, execution: Execution, exec_argv: Sequence[str], tags: Iterable[tuple[str, Any]]
    ) -> None:
        configured = [
            (key, parse_tag_value(value)) for key, value in self.config.get("tags", {}).items()
        ]
        all_tags = [*configured, *tags]
        if all_tags:
            self.backend.record_tags(TagEntity.Execution, execution.id, all_tags)

    def _rooted(self, expr: Any) -> TaskExpression:
        """Return a task call for any value: only a call has a job and can be recorded."""
        if isinstance(expr, TaskExpression) and not isinstance(expr, SchedulerExpression):
            task = self.task_registry.get(expr.task_name)
            assert task is not None, (
                f"Could not find task `{expr.task_name}`, found options "
                f"{[known.fullname for known in self.task_registry]}"
            )
            if not needs_root_task(self.task_registry, expr):
                return expr
        return root_task(quote(expr))

    def _run_expr(self, root: TaskExpression, run: Run, parent: Job | None = None) -> Any:
        self.thread_id = threading.get_ident()
        self.traceback = None
        self.dryrun, self.use_cache = run.dryrun, run.use_cache
        self.current_execution = run.execution
        self.events_queue = SimpleQueue()  # what an earlier run left behind is dropped
        self.async_calls = AsyncCalls(self)
        self._run = run
        self._stand_in = StandIn(run.journal.hand_over, self._idle, self.job_status_interval)
        self._warn_namespace()
        started = time.monotonic()
        with Interrupts(self._wake) as interrupts:
            try:
                run.begin()
                for executor in self.executors.values():
                    executor.start()
                promise = self.workflow_promise = self.evaluate(root, parent)
                self._drive(promise, interrupts)
                if interrupts.asked:
                    raise KeyboardInterrupt
                run.journal.flush()
                self.log_job_statuses()
                self.log(f"Execution duration: {time.monotonic() - started:.2f} seconds")
            except KeyboardInterrupt:
                if not interrupts.insisted:
                    self.log("Shutting down... Ctrl+C again to force shutdown.")
                sys.exit(1)
            finally:
                self._close_run(run, interrupts)
        return self._outcome(promise, run)

    def _close_run(self, run: Run, interrupts: Interrupts) -> None:
        """Let running jobs end, and leave nothing open in the repo."""
        try:
            run.closing = interrupts.impatient = True
            assert self._stand_in is not None
            self._stand_in.close()
            self._stop_executors(run, interrupts)
        finally:
            try:
                run.journal.flush()
            finally:
                self._counts = self.job_counts()
                root = run.execution.job
                self.root_job_id = root.id if root is not None else None
                self._run = None
                self._promises.clear()
                self.current_execution = None
                self.thread_id = None

    def _stop_executors(self, run: Run, interrupts: Interrupts) -> None:
        self.async_calls.close()
        try:
            if interrupts.insisted:
                raise KeyboardInterrupt
            for executor in self.executors.values():
                executor.stop()
            interrupts.muted = True
        except KeyboardInterrupt:
            interrupts.muted = True
            self.log("Cancelling the jobs that still run.")
            for executor in self.executors.values():
                executor.abort()
            sys.exit(EXIT_INTERRUPTED)
        finally:
            events = []
            with suppress(Empty):
                while True:
                    events.append(self.events_queue.get_nowait())
            run.wind_up(events)

    def _outcome(self, promise: Promise, run: Run) -> Any:
        if promise.is_pending:
            self.log("Dryrun: Additional jobs would run.")
            raise DryRunResult("Additional jobs would run.")
        if promise.is_rejected:
            error = promise.error
            self.traceback = run.traceback_of(error)
            if self.traceback is not None:
                self.log("*** Execution failed. Traceback (most recent task last):")
                for line in self.traceback.format():
                    self.log(line)
            for line in run.failures.summary():
                self.log(line, level=logging.ERROR)
            raise error
        return promise.value

    # -- the loop --------------------------------------------------------------------------------

    def _drive(self, promise: Promise, interrupts: Interrupts) -> None:
        """Handle events until the workflow has settled, a dry run can't go on, or Ctrl-C."""
        run = self.current_run
        self.backend.record_updated_time(run.execution.id)

        def goes_on() -> bool:
            wanted = promise.is_pending or (run.keep_going and run.is_busy())
            return wanted and not interrupts.asked

        while goes_on():
            while run.step():
                self._take_events(block=False)
                if not goes_on():
                    return
            if not goes_on():
                return
            if run.unstick():
                continue
            if run.dryrun and self.events_queue.empty():
                run.tell_unfinished()
                return
            self._take_events(block=True)

    def _take_events(self, block: bool) -> None:
        """Take what executors have reported: as much as there is, up to a wave."""
        queue, events = self.events_queue, []
        run = self.current_run
        try:
            if block:
                patience = run.attempts.patience(self.job_status_interval)
                events.append(self._wait_event(run, patience))
            else:
                events.append(queue.get_nowait())
            while len(events) < MAX_EVENTS and not queue.empty():
                events.append(queue.get_nowait())
        except Empty:
            if not events and block and not run.attempts.is_due():
                self._idle()
        if events:
            run.take(events)

    def _wait_event(self, run: Run, patience: float | None) -> tuple[Any, ...]:
        """Wait for an event, at most so many seconds. Raises `Empty`.

        The wait is cut in slices: a signal that comes just before it begins is noticed at its end.
        """
        run.launch(waiting=True)
        journal = run.journal
        if journal.holding:
            try:
                return self.events_queue.get(timeout=min(HOLD_SECONDS, patience or HOLD_SECONDS))
            except Empty:
                journal.hand_over()
        deadline = float("inf") if patience is None else time.monotonic() + patience
        while True:
            left = deadline - time.monotonic()
            try:
                return self.events_queue.get(timeout=max(0.0, min(left, SIGNAL_SECONDS)))
            except Empty:
                if left <= SIGNAL_SECONDS:
                    raise

    def run_here(self, executor: Executor, jobs: list[Job]) -> bool:
        """Run a job in this thread if it is one that ends at once; returns whether it was run."""
        if len(jobs) > 1 or not executor.is_brief(jobs[0]):
            return False
        assert self._stand_in is not None
        with self._stand_in:
            executor.run_here(jobs[0])
        return True

    def _wake(self) -> None:
        """Notice Ctrl-C; called in the signal handler, maybe while a task runs in this thread."""
        self.events_queue.put(("wake", None))
        if self._stand_in is not None and self._stand_in.is_asked:
            # The task may hold any lock, also those of the log.
            os.write(2, WAITING_FOR_JOB)

    def _idle(self) -> None:
        self.backend.record_updated_time(self.current_run.execution.id)
        if not is_debugger_active():
            self.log_job_statuses()

    def track_promise(self, promise: Promise) -> int:
        """Keep a promise of this run; returns the id to fetch it by."""
        self._next_promise += 1
        self._promises[self._next_promise] = promise
        return self._next_promise

    def pop_promise(self, promise_id: int | None) -> Promise | None:
        """Return a promise that was kept, once; None if there is none of that id."""
        return self._promises.pop(promise_id, None) if promise_id is not None else None

    # -- failures --------------------------------------------------------------------------------

    def note_failure(self, job: Job, error: BaseException, traceback: Traceback | None) -> None:
        """Keep what is to be told of an error that a run may end with."""
        if self.current_run.keep_going:
            self.current_run.failures.note(job, error)
        if self.use_task_traceback:
            self.current_run.note_traceback(job, error, traceback)

    def note_recovery(self, error: BaseException) -> None:
        """A workflow has recovered from an error: it is no failure of the run."""
        self.current_run.failures.forget(error)

    # -- reports ---------------------------------------------------------------------------------

    def get_job_status_report(self) -> list[str]:
        """Return the lines of the table of job counts of the current or last run."""
        return format_job_statuses(self.job_counts())

    def job_counts(self) -> dict[str, list[int]]:
        """Return task name -> counts in the order of `Job.STATUSES`."""
        if self._run is None:
            return self._counts
        names = {task.hash: task.fullname for task in self.task_registry}
        return count_jobs(self._run.wire, names)

    def log_job_statuses(self) -> None:
        """Write the table of job counts to the log."""
        self.log()
        for line in self.get_job_status_report():
            self.log(line)
        self.log()
        self.log()

    def clear(self) -> None:
        """Forget what earlier runs left behind."""
        self.events_queue = SimpleQueue()
        self.traceback = None

    def _warn_namespace(self) -> None:
        if "namespace" not in self.ignore_warnings:
            warning = namespace_warning(self.task_registry)
            if warning:
                self.logger.warning(warning)
