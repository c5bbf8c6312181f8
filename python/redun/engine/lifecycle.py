"""The life of jobs, in waves: bind, hash, look up, submit, reduce, record."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from redun.engine import wire as protocol
from redun.engine.cache import InvalidResult, Reuse
from redun.engine.listener import SchedulerListener, notify
from redun.engine.outputs import check_outputs, first_missing
from redun.engine.passage import Passage
from redun.engine.record import Settled
from redun.executors.base import Executor
from redun.expression import ApplyExpression, hash_expressions
from redun.hashing import hash_structs
from redun.logging import log_handler
from redun.model.errors import SchedulerError
from redun.model.failure import ErrorValue, Traceback, unusable
from redun.model.job import Job
from redun.model.jobinfo import JobInfo
from redun.task import Task, hashed_arguments, missing_defaults
from redun.utils.nested import leaves, substitute

if TYPE_CHECKING:
    from redun.engine.scheduler import Scheduler

__all__ = ["Lifecycle"]

JobTags = list[tuple[str, Any]]


CANCELLED_TAG = "redun.cancelled"
NO_KWARGS: dict[str, Any] = {}
FLAT = frozenset((int, str, float, bool, bytes, type(None)))


def is_flat(args: Iterable[Any]) -> bool:
    """Whether arguments need no copy, because a task can't change them."""
    return all(type(arg) in FLAT for arg in args)


class Lifecycle:
    """Performs what the state machine asks of jobs, and tells it what came of it.

    Each method takes all the jobs of a wave, so that hashing, look-ups and rows are done in batches.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        run = scheduler.current_run
        self._scheduler = scheduler
        self._types = scheduler.type_registry
        self._wire = run.wire
        self._evaluator = run.evaluator
        self._planner = run.evaluator.planner
        self._journal = run.journal
        self._passage = Passage(scheduler.type_registry, scheduler.backend, run.journal)
        self._cache = run.cache
        self._report = run.report
        self._attempts = run.attempts
        self._reasons = run.reasons
        self._dryrun = run.dryrun
        self._listeners = scheduler.listeners
        self.launches: list[tuple[Executor, list[Job]]] = []
        self._errors: dict[int, tuple[BaseException, ErrorValue, str]] = {}

    # -- prepare ---------------------------------------------------------------------------------

    def prepare(self, jobs: list[Job]) -> None:
        """Bind and hash the arguments of jobs whose arguments are there."""
        if self._listeners:
            for job in jobs:
                self._tell(job, "QUEUED")
        bound: list[Job] = []
        calls: list[tuple[Any, dict[str, Any]]] = []
        hashed: list[Job] = []
        for job in jobs:
            try:
                call = self._bind(job)
            except Exception as error:
                self.reject(job, error, prepared=False)
                continue
            bound.append(job)
            if call is not None:
                calls.append(call)
                hashed.append(job)
        failed = self._hash_arguments(hashed, calls)
        ready = [job for job in bound if job not in failed] if failed else bound
        structs = [["Eval", job.task.hash, job.args_hash] for job in ready]
        ahead = self._cache.foresight
        foreseen = ahead.holds and not self._dryrun
        missed: list[Job] = []
        for job, eval_hash in zip(ready, hash_structs(structs), strict=True):
            job.eval_hash = eval_hash
            if foreseen and job.plan.foreseeable and ahead.misses(eval_hash):
                missed.append(job)
                self._announce(job, look_up=False)
            else:
                self._announce(job)
        self._reasons.missed(missed)

    def _bind(self, job: Job) -> tuple[Any, dict[str, Any]] | None:
        """Fill in the arguments of a job; returns what is left to hash, None if that is known."""
        expr, task = job.expr, job.task
        facts = self._planner.facts(task)
        if expr._arg_hashes is not None and facts.bare and is_flat(expr.args) and not expr.kwargs:
            job.eval_args = job.args = (expr.args, NO_KWARGS)
            job.args_hash = expr._args_hash
            job.arg_hashes = expr._arg_hashes
            return None
        source = (expr.args, expr.kwargs)
        if job.deps:
            # Twice: values that took the place of expressions are copied too, so that a task which
            # changes its argument does not change that of another.
            mapping = {key: node.value for key, node in job.deps.items()}
            args, kwargs = substitute(substitute(source, mapping), {})
        else:
            mapping = {}
            args, kwargs = substitute(source, {})
        args = list(args)
        job.given_kwargs = len(kwargs)
        if facts.defaults:
            self._fill_defaults(task, args, kwargs, mapping)
        job.eval_args = (args, kwargs)
        if expr._plain and not job.deps and facts.plain_defaults:
            job.args = job.eval_args
            if facts.config_args:
                return hashed_arguments(task, args, kwargs)
            complete = len(kwargs) == job.given_kwargs and len(args) == len(expr.args)
            if complete and expr._arg_hashes is not None:
                job.args_hash = expr._args_hash
                job.arg_hashes = expr._arg_hashes
                return None
            return args, kwargs
        job.args = self._preprocess(job, args, kwargs)
        return hashed_arguments(task, *job.args)

    @staticmethod
    def _fill_defaults(
        task: Task[..., Any], args: list[Any], kwargs: dict[str, Any], mapping: dict[int, Any]
    ) -> None:
        """Add the defaults that a call leaves out; each call gets its own copy of a container."""
        for item in task.positional_defaults:
            if item.index == len(args):
                args.append(substitute(item.value, mapping))
        for item in missing_defaults(task, args, kwargs):
            kwargs[item.name] = substitute(item.value, mapping)

    def _preprocess(
        self, job: Job, args: list[Any], kwargs: dict[str, Any]
    ) -> tuple[list[Any], dict[str, Any]]:
        """Let the values among the arguments get ready for use in a task."""
        mapping: dict[int, Any] = {}
        for leaf in leaves((args, kwargs)):
            changed = self._passage.preprocess(job, leaf)
            if changed is not leaf:
                mapping[id(leaf)] = changed
        if not mapping:
            return args, kwargs
        return substitute((args, kwargs), mapping)

    def _hash_arguments(self, jobs: list[Job], calls: list[Any]) -> set[Job]:
        """Hash calls in one go; returns the jobs that failed because an argument can't be hashed."""
        if not jobs:
            return set()
        try:
            results = self._types.hash_args(calls)
        except Exception:
            return self._hash_one_by_one(jobs, calls)
        for job, (args_hash, by_position, by_keyword, _) in zip(jobs, results, strict=True):
            job.args_hash = args_hash
            assert job.eval_args is not None
            args, kwargs = job.eval_args
            # Arguments that are left out of the hash are hashed when they are recorded.
            complete = len(by_position) == len(args) and len(by_keyword) == len(kwargs)
            if complete and job.args is job.eval_args:
                job.arg_hashes = (by_position, by_keyword)
        return set()

    def _hash_one_by_one(self, jobs: list[Job], calls: list[Any]) -> set[Job]:
        failed = set()
        for job, call in zip(jobs, calls, strict=True):
            try:
                ((job.args_hash, _, _, _),) = self._types.hash_args([call])
            except Exception as error:
                failed.add(job)
                self.reject(job, unusable(error, f"An argument of {job.task.fullname}()"), False)
        return failed

    def _announce(self, job: Job, look_up: bool = True) -> None:
        """Tell the machine that a job is ready, and replace `JobInfo` arguments."""
        context = job.get_context()
        if context:
            job.context_hash = self._types.get_hash(context)
        if job.arg_hashes is None:
            self._fill_job_info(job)
        plan = job.plan
        flags = protocol.MAY_BE_REUSED if plan.recording else 0
        if plan.cse:
            flags |= protocol.MAY_REUSE
        if plan.lookup and look_up:
            flags |= protocol.WANTS_LOOKUP
        self._wire.send(
            protocol.PREPARED,
            job.node_id,
            job.eval_hash,
            job.args_hash,
            job.context_hash,
            flags,
            plan.priority,
            plan.limits,
        )

    @staticmethod
    def _fill_job_info(job: Job) -> None:
        assert job.args is not None
        args, kwargs = job.args
        if any(isinstance(value, JobInfo) for value in (*args, *kwargs.values())):
            info = JobInfo.from_job(job)
            job.args = (
                [info if isinstance(value, JobInfo) else value for value in args],
                {k: info if isinstance(v, JobInfo) else v for k, v in kwargs.items()},
            )

    # -- reuse -----------------------------------------------------------------------------------

    def look_up(self, jobs: list[Job]) -> None:
        """Look calls up in the repo."""
        checked = self._planner.checks_outputs
        misses: list[Job] = []
        missed: list[Job] = []  # without those whose result is no longer valid
        for job, found in zip(jobs, self._cache.look_up(jobs), strict=True):
            if isinstance(found, Reuse) and checked and job.plan.must_exist:
                # The option may be new: a file that was missing then is still as it was.
                found = None if first_missing(found.leaves) else found
            if isinstance(found, Reuse):
                self._report.cached(job, found.call_hash)
                self._reuse(job, found)
                continue
            if isinstance(found, InvalidResult):
                self._report.invalid(job, found.value)
                self._reasons.invalid(job, found.leaf)
            else:
                missed.append(job)
            misses.append(job)
        self._reasons.missed(missed)
        for job in missed if self._dryrun else ():
            self._report.miss(job, self._cache.explain_miss(job))
        for job in misses:
            self.miss(job)

    def replay(self, jobs: list[tuple[Job, int]]) -> None:
        """Take the results of equal calls that have ended in this run."""
        wire, fetch = self._wire, []
        for job, twin_id in jobs:
            twin = wire.nodes[twin_id]
            call_hash = wire.call_hash(twin_id)
            if twin is not None and twin.error is not None:
                self._replay_error(job, twin.error, call_hash)
            elif twin is not None:
                value = twin.value
                reuse = Reuse(value, twin.result_hash, call_hash, leaves(value))
                self._report.cached(job, call_hash)
                self._reuse(job, reuse)
            else:
                fetch.append((job, call_hash))
        if not fetch:
            return
        self._journal.flush()
        results = self._cache.replay([call_hash for _, call_hash in fetch])
        for job, call_hash in fetch:
            recorded = results.get(call_hash)
            if recorded is None:
                self.miss(job)
            elif isinstance(recorded.value, ErrorValue):
                self._replay_error(job, recorded.value.error, call_hash)
            else:
                self._report.cached(job, call_hash)
                self._reuse(job, recorded)

    def _replay_error(self, job: Job, error: BaseException, call_hash: str | None) -> None:
        self._report.cached(job, call_hash)
        self._wire.send(protocol.HIT, job.node_id, call_hash)
        job.was_cached = True
        self._start(job)
        self.reject(job, error)

    def _reuse(self, job: Job, reuse: Reuse) -> None:
        job.was_cached = True
        self._wire.send(protocol.HIT, job.node_id, reuse.call_hash)
        if reuse.subtree:
            self._wire.set_subtree(job.node_id, reuse.subtree)
        self._start(job)
        if reuse.call_hash is not None:
            # A final result: expressions in it, if any, are data.
            job.value = reuse.value
            job.result_hash = reuse.value_hash
            self._wire.send(protocol.FINISHED_PLAIN, job.node_id, reuse.value_hash)
        else:
            self._reduce(job, reuse.value, reuse.value_hash, reuse.leaves)

    def collapse(self, job: Job, twin: Job) -> None:
        """A job waits for an equal one that is under way."""
        self._start(job)

    def mirror(self, job: Job, twin_id: int, failed: bool) -> None:
        """A job takes the outcome of the equal one it waited for."""
        twin = self._wire.nodes[twin_id]
        job.was_cached = True
        job.call_hash = self._wire.call_hash(twin_id)
        if failed:
            job.error = twin.error
            self._report.rejected(job)
        else:
            job.value = twin.value
            job.result_hash = twin.result_hash
        self._end(job, "FAILED" if failed else "CACHED")

    # -- run -------------------------------------------------------------------------------------

    def miss(self, job: Job) -> None:
        """A job must run, unless this is a dry run."""
        if self._dryrun:
            self._would_run(job)
        else:
            self._wire.send(protocol.MISS, job.node_id)

    def _would_run(self, job: Job) -> None:
        self._start(job)
        reason = self._reasons.take(job)
        self._report.started(job, "Dryrun", reason)
        self._scheduler.current_run.dryrun_jobs += 1
        if self._listeners:
            logger = self._scheduler.logger
            notify(self._listeners, lambda listener: listener.job_missed(job, reason), logger)

    def submit(self, jobs: list[Job]) -> None:
        """Start jobs; `launch` hands them to their executors."""
        if self._dryrun:  # jobs that don't ask the cache get here, too
            for job in jobs:
                self._would_run(job)
            return
        by_executor: dict[int, tuple[Executor, list[Job]]] = {}
        for job in jobs:
            executor = self._scheduler.executors.get(job.plan.executor)
            self._start(job)
            if executor is None:
                self.reject(job, SchedulerError(f'Unknown executor "{job.plan.executor}"'))
            elif job.task.is_async() and not executor.supports_async():
                self.reject(
                    job,
                    SchedulerError(f'Executor "{executor.name}" does not support async tasks'),
                )
            else:
                self._passage.before_run(job)
                if job.plan.patient:
                    self._attempts.submitted(job, executor)
                self._report.started(job, "Run", self._reasons.take(job))
                if self._listeners:
                    self._tell(job, "STARTED")
                if job.task.script:
                    executor.submit_script(job)
                else:
                    by_executor.setdefault(id(executor), (executor, []))[1].append(job)
        self.launches += by_executor.values()

    def launch(self, alone: bool = False) -> None:
        """Let the executors begin what was submitted.

        A thread that begins wants the interpreter, so it is best woken when this one is about to wait;
        what is `alone` then, with nothing else going on, may run in this one.
        """
        launches, self.launches = self.launches, []
        # What has been logged and recorded so far is on its way before user code runs.
        log_handler.write_held()
        for executor, _ in launches:
            if not executor.in_background:
                self._journal.hand_over()
                break
        else:
            self._journal.hand_over_soon()
        for executor, batch in launches:
            if not (alone and self._scheduler.run_here(executor, batch)):
                executor.submit_many(batch)

    def _start(self, job: Job) -> None:
        if job.plan.recording and not job.recorded:
            self._journal.start(job, self._scheduler.current_run.exec_argv)

    def done(self, results: list[tuple[Job, Any]]) -> None:
        """Take the results of executors."""
        jobs: list[Job] = []
        values: list[Any] = []
        inner: list[list[Any]] = []
        for job, value in results:
            found = leaves(value)
            if found:
                try:
                    value, found = self._postprocess(job, value, found)
                except Exception as error:
                    self.reject(job, error)
                    continue
            jobs.append(job)
            values.append(value)
            inner.append(found)
        journal = self._journal
        hashes = self._hash_results(jobs, values, inner)
        for job, value, found, hashed in zip(jobs, values, inner, hashes, strict=True):
            if isinstance(hashed, Exception):
                self.reject(job, hashed)
                continue
            value_hash, plain = hashed
            try:
                if job.plan.recording:
                    journal.value(value, value_hash, plain)
                    journal.evaluation(job.eval_hash, job.task.hash, job.args_hash, value_hash)
                self._reduce(job, value, value_hash, found)
            except Exception as error:
                self.reject(job, unusable(error, f"The result of {job.task.fullname}()"))

    def _postprocess(self, job: Job, value: Any, found: list[Any]) -> tuple[Any, list[Any]]:
        """Let the values in a result get ready to be recorded; returns the result and its leaves."""
        if job.plan.must_exist:
            check_outputs(job, found)
        mapping: dict[int, Any] = {}
        for leaf in found:
            changed = self._passage.postprocess(job, leaf)
            if changed is not leaf:
                mapping[id(leaf)] = changed
        if not mapping:
            return value, found
        value = substitute(value, mapping)
        return value, leaves(value)

    def _hash_results(
        self, jobs: list[Job], values: list[Any], inner: list[list[Any]]
    ) -> list[tuple[str, bool] | Exception]:
        """Hash results in one go; a result that can't be hashed gives its error."""
        try:
            lazy = [leaf for found in inner for leaf in found if isinstance(leaf, ApplyExpression)]
            if lazy:
                hash_expressions(lazy)
            return list(self._types.hash_many(values))
        except Exception:
            return [self._hash_result(job, value) for job, value in zip(jobs, values, strict=True)]

    def _hash_result(self, job: Job, value: Any) -> tuple[str, bool] | Exception:
        try:
            return self._types.hash_many([value])[0]
        except Exception as error:
            return unusable(error, f"The result of {job.task.fullname}()")

    # -- reduce ----------------------------------------------------------------------------------

    def _reduce(self, job: Job, value: Any, value_hash: str, found: list[Any]) -> None:
        """Evaluate a result: its expressions become children of the job."""
        deps = self._evaluator.declare(found, job) if found else {}
        if not deps:
            job.value = value
            job.result_hash = value_hash
            follower = job.follower
            if follower is None or self._listeners:
                self._wire.send(protocol.FINISHED_PLAIN, job.node_id, value_hash)
                return
            # Nothing can go wrong with the value any more. The machine need not call back.
            self._evaluator.settle(follower, None)
            self._wire.send(protocol.FINISHED_PLAIN, job.node_id, value_hash)
            self._wire.nodes[follower.node_id] = None
            follower.on_value(value)
            return
        job.value = value  # with the expressions still in it
        ids = [dep.node_id for dep in deps.values() if dep.node_id >= 0]
        self._wire.send(protocol.FINISHED, job.node_id, ids)

    def reduce(self, jobs: list[Job]) -> None:
        """Put the values of the children in place; the result is final."""
        final: list[Any] = []
        kept: list[Job] = []
        checked = self._planner.checks_outputs
        for job in jobs:
            try:
                value = self._evaluator.fill_in(job.value, job)
                if checked and job.plan.must_exist:
                    check_outputs(job, leaves(value))
                final.append(value)
                kept.append(job)
            except Exception as error:  # an evaluated key of a dict may not be hashable
                self.reject(job, error)
        hashes = self._hash_results(kept, final, [leaves(value) for value in final])
        for job, value, hashed in zip(kept, final, hashes, strict=True):
            if isinstance(hashed, Exception):
                self.reject(job, hashed)
                continue
            job.value = value
            job.result_hash, plain = hashed
            try:
                # The call of a cached job is most often recorded, its value with it.
                if job.plan.recording and not job.was_cached:
                    self._journal.value(value, job.result_hash, plain)
            except Exception as error:
                self.reject(job, error)
            else:
                self._wire.send(protocol.RESOLVED, job.node_id, job.result_hash)

    # -- end -------------------------------------------------------------------------------------

    def settled(self, actions: list[tuple[Any, ...]], status: Callable[[Job], str]) -> None:
        """Record jobs that have ended.

        Parameters
        ----------
        actions : (kind, id, call hash, subtree id, ids of children).
        status : the final status of a job.
        """
        nodes = self._wire.nodes
        ended: list[Job] = []
        calls: list[Settled] = []
        for _, node_id, call_hash, subtree_id, children in actions:
            job = nodes[node_id]
            job.call_hash = call_hash
            if job.recorded:
                job.expr.call_hash = call_hash
            ended.append(job)
            if job.recorded and job.eval_args is not None:
                calls.append((job, subtree_id, children))
        self._journal.calls(calls)
        for job in ended:
            self._end(job, status(job))

    def _end(self, job: Job, status: str) -> None:
        if job.recorded:
            self._journal.end(job)
        if self._listeners:
            self._tell(job, status)
        self._forget_body(job)
        job.finish(status)

    def _tell(self, job: Job, event: str) -> None:
        def tell(listener: SchedulerListener) -> None:
            if event == "FAILED":
                assert job.error is not None
                listener.job_failed(job, job.error)
            else:
                getattr(listener, f"job_{event.lower()}")(job)

        notify(self._listeners, tell, self._scheduler.logger)

    def _forget_body(self, job: Job) -> None:
        """Let go of the nodes of a job's body; those still under way stay until they end."""
        nodes = self._wire.nodes
        for node in (job.nodes or {}).values():
            if isinstance(node, Job):
                if node._status is not None:
                    nodes[node.node_id] = None
            elif node.settled:
                nodes[node.node_id] = None

    def reject(
        self,
        job: Job,
        error: BaseException,
        prepared: bool = True,
        traceback: Traceback | None = None,
    ) -> None:
        """A job fails with an error."""
        job.error = error
        error_value, value_hash = self._error_value(error, traceback)
        self._scheduler.note_failure(job, error, error_value.traceback)
        self._report.rejected(job)
        if not prepared:
            # The arguments could not be made: the call has no hash and is not recorded.
            self._wire.send(protocol.FAILED, job.node_id, value_hash)
            return
        job.result_hash = value_hash
        self._wire.send(protocol.FAILED, job.node_id, value_hash)

    def cut(self, job: Job, error: BaseException) -> None:
        """A job ends because the run does."""
        job.error = error
        job.job_tags = [*(job.job_tags or ()), (CANCELLED_TAG, True)]
        self._report.cancelled(job)
        job.result_hash = self._error_value(error, None)[1]
        self._wire.send(protocol.FAILED, job.node_id, job.result_hash)

    def _error_value(
        self, error: BaseException, traceback: Traceback | None
    ) -> tuple[ErrorValue, str]:
        """Return the value that stands for an error; one for all the jobs it passes through."""
        entry = self._errors.get(id(error))
        if entry is None:
            if traceback is None:
                traceback = getattr(error, "redun_traceback", None)
            assert isinstance(error, Exception)
            with suppress(AttributeError):  # of a class with slots: it is kept beside the error
                error.redun_traceback = traceback  # type: ignore[attr-defined]
            error_value = ErrorValue(error, traceback)
            value_hash = self._journal.error(error_value)
            entry = self._errors[id(error)] = (error, error_value, value_hash)
        return entry[1], entry[2]
