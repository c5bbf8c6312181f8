"""One run: its parts, wired together, and one step of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice, zip_longest
from typing import TYPE_CHECKING, Any

from redun.engine import wire as protocol
from redun.engine.attempts import Attempts, too_long
from redun.engine.cache import Cache
from redun.engine.evaluate import Evaluator
from redun.engine.failures import Failures
from redun.engine.foresight import Foresight
from redun.engine.lifecycle import Lifecycle
from redun.engine.listener import notify
from redun.engine.memory import Memory
from redun.engine.plan import Planner
from redun.engine.ready import Dispatcher
from redun.engine.reasons import Reasons
from redun.engine.record import Journal
from redun.engine.report import Report, task_traceback
from redun.engine.stalls import find_stalled
from redun.engine.unused import UNUSED_CALL, warn_of_unused_calls
from redun.engine.wire import Wire
from redun.logging import log_handler
from redun.model.errors import SchedulerError
from redun.model.failure import Traceback
from redun.model.job import Job

if TYPE_CHECKING:
    from redun.engine.async_calls import AsyncCall
    from redun.engine.scheduler import Scheduler
    from redun.expression import TaskExpression
    from redun.model.execution import Execution

__all__ = ["Run"]

# Jobs prepared, looked up and submitted at a time: large enough to share the cost of a statement,
# small enough that the first jobs run while the rest is prepared.
WAVE = 1_000
# Up to so many events count as few, and then so many rounds make a step.
FEW = 16
ROUNDS = 16


class Run:
    """One run of a scheduler.

    Parameters
    ----------
    scheduler : whose run it is.
    execution : what is recorded of it.
    exec_argv : the command line to record.
    dryrun : take cached results only.
    use_cache : reuse results of earlier executions.
    keep_going : finish what does not depend on a failure.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        execution: Execution,
        exec_argv: Sequence[str],
        dryrun: bool,
        use_cache: bool,
        keep_going: bool = False,
    ) -> None:
        self.execution = execution
        self.exec_argv = exec_argv
        self.dryrun = dryrun
        self.use_cache = use_cache
        self.keep_going = keep_going
        self.failures = Failures()
        self.dryrun_jobs = 0
        self.wire = Wire(scheduler.limits)
        self.report = Report(scheduler.log, scheduler.logger)
        self.attempts = Attempts(self.report.retry)
        self._ready: deque[Job] = deque()
        warns = UNUSED_CALL not in scheduler.ignore_warnings
        on_task = partial(warn_of_unused_calls, logger=scheduler.logger) if warns else None
        planner = Planner(use_cache, on_task)
        self.evaluator = Evaluator(scheduler, self.wire, planner, self._ready)
        backend, types, tasks = scheduler.backend, scheduler.type_registry, scheduler.task_registry
        self.foresight = Foresight(backend, tasks, planner)
        self.reasons = Reasons(backend, scheduler.logger, use_cache, dryrun)
        self.journal = Journal(backend, types, tasks, self.wire, self.foresight)
        self.cache = Cache(backend, types, tasks, self.journal, self.foresight)
        self.memory = Memory(self.cache, self.journal, types)
        self.dispatcher = Dispatcher(scheduler.make_queue, scheduler.executors)
        # Jobs that will fail, with the error and the children that have not ended.
        self._failing: dict[Job, tuple[BaseException, list[Job]]] = {}
        self._scheduler = scheduler
        self.closing = False  # nothing is submitted any more
        self._tracebacks: dict[int, tuple[BaseException, Traceback]] = {}

    def begin(self) -> None:
        """Get ready to run, once the scheduler knows of the run."""
        self._lifecycle = Lifecycle(self._scheduler)

    # -- one step --------------------------------------------------------------------------------

    def step(self) -> bool:
        """Do what can be done now; returns whether there may be more to do.

        Where little happens at a time, as in a chain of calls, a step takes several rounds: what is
        done once a step then costs little a job.
        """
        held = log_handler.hold()
        try:
            for _ in range(ROUNDS):
                self.launch()
                few = len(self.wire.events) <= FEW and len(self._ready) <= FEW
                worked = self._round(few)
                if not worked or not few:
                    break
                if not self._has_more():
                    worked = False
                    break
        finally:
            if held:
                log_handler.let_go()
        if few:
            self.journal.hand_over_soon()
        else:
            self.journal.hand_over()
        return worked

    def launch(self, waiting: bool = False) -> None:
        """Let the executors begin what the last round has submitted, unless the run is ending.

        Parameters
        ----------
        waiting : nothing is left to do but to wait for what they report.
        """
        if self._lifecycle.launches and not self.closing:
            # What waits for promises is known to go on, but not by itself.
            alone = waiting and self.wire.active() == 1 + len(self.evaluator.suspended)
            self._lifecycle.launch(alone)

    def _has_more(self) -> bool:
        """Whether another round would do anything."""
        return bool(
            self.wire.events
            or self._ready
            or self._failing
            or self.memory.waiting
            or self.dispatcher.holds_back
        )

    def _round(self, few: bool) -> bool:
        """Let the machine and the jobs go one step further; returns whether anything was done.

        Many jobs are prepared once the machine has had all events, so that waves are large.
        """
        wire, worked = self.wire, False
        if few and self._ready and not self.closing:
            self._prepare()
            worked = True
        if wire.events:
            self._perform(wire.pump())
            worked = True
        if self.memory.waiting and not wire.events:
            self.memory.look_up()
            worked = True
        if not self.closing and self.attempts.is_due():
            self._expire()
            worked = True
        if self._ready and not few and not wire.events and not self.closing:
            self._prepare()
            worked = True
        if self._failing and self._fail_late():
            worked = True
        # Only now is it known what else has become ready.
        if not worked and not self.closing and (jobs := self.dispatcher.next_jobs()):
            self._lifecycle.submit(jobs)
            worked = True
        return worked

    def _prepare(self) -> None:
        """Prepare a wave of the jobs whose arguments are there."""
        count = min(WAVE, len(self._ready))
        self._lifecycle.prepare([self._ready.popleft() for _ in range(count)])

    def looking_ahead(self, exprs: Iterable[Any], parent: Job) -> Iterator[list[Any]]:
        """Iterate over what will be evaluated one by one; a wave of it is looked up at a time.

        Gives lists: of one item, or of calls whose results are recorded and hold nothing but data.
        As these run nothing, nobody can tell that they are evaluated together.

        Parameters
        ----------
        exprs : any values.
        parent : the job in whose body they stand.
        """
        each = iter(exprs)
        while wave := list(islice(each, WAVE)):
            known = self.foresight.expect(wave) if self.use_cache and len(wave) > 1 else []
            together: list[Any] = []
            for expr, eval_hash in zip_longest(wave, known):
                if eval_hash is not None and self._foresees(expr, eval_hash, parent):
                    together.append(expr)
                    continue
                if together:
                    yield together
                    together = []
                yield [expr]
            if together:
                yield together

    def _foresees(self, call: TaskExpression[Any], eval_hash: str, parent: Job) -> bool:
        task = self._scheduler.task_registry.get(call.task_name)
        planner = self.evaluator.planner
        return (
            task is not None
            and planner.is_foreseeable(call, task, parent)
            and self.cache.foresees(eval_hash)
        )

    def is_busy(self) -> bool:
        """Whether something runs, or could."""
        return bool(self._ready or self.wire.events or self.wire.active())

    def _expire(self) -> None:
        """Submit jobs again whose delay is over, and give up those whose time is."""
        again = []
        for job, executor in self.attempts.due():
            if executor is None:
                again.append(job)
                continue
            error = too_long(job)
            executor.cancel(job)
            self.dispatcher.returned(job)
            if not self.attempts.failed(job, error):
                self._lifecycle.reject(job, error)
        if again:
            self._submit(again)

    def _submit(self, jobs: list[Job]) -> None:
        """Hand jobs to their executors, or keep them until those have places."""
        if now := self.dispatcher.push(jobs):
            self._lifecycle.submit(now)

    def _perform(self, actions: list[list[tuple[Any, ...]]]) -> None:
        """Perform the actions of the state machine, a kind at a time.

        Ended jobs come first: what follows may let go of the jobs that they refer to.
        """
        nodes, life = self.wire.nodes, self._lifecycle
        if sequence := actions[protocol.SEQUENCE]:
            self._fail_dependants(sequence)
        if ended := actions[protocol.REJECTED]:
            life.settled(ended, lambda job: "FAILED")
        if ended := actions[protocol.SETTLED]:
            life.settled(ended, lambda job: "CACHED" if job.was_cached else "DONE")
        if not self.closing:
            self._go_on(actions)
        if reduces := actions[protocol.REDUCE]:
            life.reduce([nodes[node_id] for _, node_id in reduces])
        if (submits := actions[protocol.SUBMIT]) and not self.closing:
            self._submit([nodes[node_id] for _, node_id in submits])
        for _, node_id in actions[protocol.READY]:
            node = nodes[node_id]
            if isinstance(node, Job):
                self._ready.append(node)
            else:
                node.ready(self.evaluator)

    def _go_on(self, actions: list[list[tuple[Any, ...]]]) -> None:
        nodes, life = self.wire.nodes, self._lifecycle
        for _, node_id, limit in actions[protocol.OVERLIMIT]:
            job = nodes[node_id]
            life.reject(job, over_limit(job, limit, self._scheduler.limits.get(limit, 1)))
        for _, node_id, twin_id in actions[protocol.COLLAPSE]:
            life.collapse(nodes[node_id], nodes[twin_id])
        if replays := actions[protocol.REPLAY]:
            life.replay([(nodes[node_id], twin_id) for _, node_id, twin_id in replays])
        if checks := actions[protocol.CHECK]:
            life.look_up([nodes[node_id] for _, node_id in checks])

    def _fail_dependants(self, actions: list[tuple[Any, ...]]) -> None:
        """Pass failures on, in the order in which they spread."""
        nodes = self.wire.nodes
        for kind, node_id, cause_id, *rest in actions:
            node = nodes[node_id]
            if kind == protocol.MIRROR:
                self._lifecycle.mirror(node, cause_id, rest[0])
                continue
            error = nodes[cause_id].error
            if kind == protocol.ABANDON:
                node.error = error
            elif isinstance(node, Job):
                self._fail(node, error)
            else:
                node.rejected(self.evaluator, error)

    def _fail(self, job: Job, error: BaseException) -> None:
        """Let a job fail because of one below it.

        Where a run keeps going, other children still end; they belong to the call too, so its end
        waits for theirs.
        """
        rest = (
            [child for child in job.child_jobs if not has_ended(child)] if self.keep_going else []
        )
        if rest:
            self._failing[job] = (error, rest)
        else:
            self._lifecycle.reject(job, error)

    def _fail_late(self) -> bool:
        """Let jobs fail whose children have all ended meanwhile; returns whether there were any."""
        found = False
        for job, (error, rest) in list(self._failing.items()):
            while rest and has_ended(rest[-1]):
                rest.pop()
            if not rest:
                del self._failing[job]
                self._lifecycle.reject(job, error)
                found = True
        return found

    def unstick(self) -> bool:
        """Reject jobs that wait for each other for ever; returns whether there were any."""
        if self._ready or self.wire.events or self._lifecycle.launches:
            return False
        stuck = find_stalled(self.evaluator, self._scheduler.async_calls, self._failing)
        for node_id in stuck[:1]:
            job = self.wire.nodes[node_id]
            error = SchedulerError(
                f"{job.task.fullname}() can't finish: it waits for an equal call that waits for it. "
                "A task must not call itself with the same arguments."
            )
            self._lifecycle.reject(job, error)
        if not stuck and self._failing and self.wire.active() <= len(self._failing):
            # What is left below the innermost of them will never end.
            failed, (cause, _) = self._failing.popitem()
            self._lifecycle.reject(failed, cause)
            return True
        return bool(stuck)

    # -- events of executors ---------------------------------------------------------------------

    def take(self, events: list[tuple[Any, ...]]) -> None:
        """Take what executors have reported."""
        done = []
        holding = self.dispatcher.holds_back
        for event in events:
            kind, job = event[0], event[1]
            if kind == "wake":
                continue
            if job is None:
                self._scheduler.log("*** Workflow error")
                raise event[2]
            if job.execution is not self.execution or job._status is not None:
                if kind == "evaluate":
                    event[3].cancel()
                continue  # of a run that has ended, or reported twice
            if kind == "evaluate" and self.closing:
                event[3].cancel()
                continue
            if kind == "evaluate":
                self._evaluate_for(job, event[2], event[3])
                continue
            tags = event[-1]
            if tags:
                job.job_tags = [*(job.job_tags or ()), *tags]
            if holding and kind != "begin":
                self.dispatcher.returned(job)
            if kind == "done":
                if job.plan.patient:
                    self.attempts.ended(job)
                done.append((job, event[2]))
            elif kind == "begin":
                self.attempts.begun(job)
            elif kind == "reject" and not (
                not self.closing and job.plan.patient and self.attempts.failed(job, event[2])
            ):
                self._lifecycle.reject(job, event[2], traceback=event[3])
        if done:
            self._lifecycle.done(done)

    def _evaluate_for(self, job: Job, expr: Any, call: AsyncCall) -> None:
        """Evaluate what an asynchronous job waits for."""
        promise = self.evaluator.evaluate(expr, job)
        if promise.is_pending:
            # The node declared last is the one that settles the promise.
            self._scheduler.async_calls.waits_for(call, len(self.wire.nodes) - 1)
        promise.tell(call.resolve, call.reject)

    # -- the end ---------------------------------------------------------------------------------

    def wind_up(self, events: list[tuple[Any, ...]]) -> None:
        """Record what is left once no executor runs anything any more.

        Parameters
        ----------
        events : what executors have reported last.

        Jobs that ended meanwhile are recorded as usual. Those that were cut off, because they were
        running or because jobs below them will never run, end as failed and tagged.
        """
        self.closing = True
        self.take([event for event in events if event[1] is not None])
        while self.step():
            pass
        if not self.dryrun:
            self._cut()
        self.journal.hand_over()

    def _cut(self) -> None:
        error = SchedulerError("The run ended before the job did.")
        nodes, life = self.wire.nodes, self._lifecycle
        # Children are declared after their parents, and ended before them: one at a time, because
        # the end of one may bring about that of others.
        for node in reversed(list(nodes)):
            if not isinstance(node, Job) or not node.recorded or node._status is not None:
                continue
            life.cut(node, error)
            actions = self.wire.pump()
            life.settled(actions[protocol.REJECTED], lambda job: "FAILED")
            for kind, node_id, cause_id, *rest in actions[protocol.SEQUENCE]:
                if kind == protocol.MIRROR:
                    life.mirror(nodes[node_id], cause_id, rest[0])

    def tell_unfinished(self) -> None:
        """Tell the listeners which jobs of a dry run have not ended."""
        jobs = [node for node in self.wire.nodes if isinstance(node, Job) and node._status is None]
        scheduler = self._scheduler
        notify(scheduler.listeners, lambda told: told.dry_run_stopped(jobs), scheduler.logger)

    # -- failures --------------------------------------------------------------------------------

    def note_traceback(self, job: Job, error: BaseException, traceback: Traceback | None) -> None:
        """Keep the traceback of an error, as seen from the job that raised it."""
        if id(error) not in self._tracebacks:
            self._tracebacks[id(error)] = (error, task_traceback(job, error, traceback))

    def traceback_of(self, error: BaseException) -> Traceback | None:
        """Return the traceback of an error that has reached the root."""
        entry = self._tracebacks.get(id(error))
        return entry[1] if entry else None


def has_ended(job: Job) -> bool:
    """Whether a job has ended, or will never begin because its arguments failed."""
    return job._status is not None or job.error is not None


def over_limit(job: Job, limit: str, capacity: int) -> SchedulerError:
    """Return the error for a job that asks for more of a resource than there is."""
    asked = dict(job.plan.limits or ()).get(limit)
    return SchedulerError(
        f'{job.task.fullname}() needs {asked} of the resource "{limit}", of which there is only '
        f"{capacity}.",
        hints=[f"raise `{limit}` in the section [limits] of the configuration"],
    )
