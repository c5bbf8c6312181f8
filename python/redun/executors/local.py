"""Run jobs on this machine, in threads or processes."""

from __future__ import annotations

import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import Context
from queue import SimpleQueue
from time import perf_counter
from typing import TYPE_CHECKING, Any

from redun.current import get_current_job
from redun.executors.base import Executor, load_task_module, register_executor
from redun.hashing import get_scheme, set_scheme
from redun.model.failure import Traceback
from redun.scripting import exec_script, get_task_command
from redun.task import get_task_registry

if TYPE_CHECKING:
    from concurrent.futures import Future, ProcessPoolExecutor

    from redun.engine.scheduler import Scheduler
    from redun.executors.event_loop import EventLoopThread
    from redun.model.job import Job

__all__ = ["LocalExecutor", "get_current_job"]

MODES = {"thread": "thread", "threads": "thread", "process": "process", "processes": "process"}
START_METHODS = ("fork", "spawn", "forkserver")
DEFAULT_MAX_WORKERS = 20
MARGIN = 4  # of so many workers, one has its next job waiting

# How often it is judged whether waiting jobs need more threads, in seconds.
PACE_SECONDS = 0.001
# Jobs shorter than this gain nothing from further threads.
TINY_JOB_SECONDS = 0.0002
# Of a task that was so short so many times in a row, the next job is likely to be short as well.
TINY_TIMES = 10


def run_task(module_name: str, task_name: str, args: Any, kwargs: dict[str, Any]) -> Any:
    """Import the module of a task and call its function, or run the script that it returns."""
    if module_name not in sys.modules:
        load_task_module(module_name, task_name)
    task = get_task_registry().get(task_name)
    if task is None:
        load_task_module(module_name, task_name)
        raise ModuleNotFoundError(f"Module {module_name} does not define task {task_name}.")
    if task.script:
        return exec_script(get_task_command(task, args, kwargs))
    return task.func(*args, **kwargs)


class OutOfTime(BaseException):
    """Raised within a task whose time is over; not an `Exception`, which the task might catch."""


@contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Raise `OutOfTime` in the block when its time is over. Main thread only."""
    if seconds is None:
        yield
        return

    def on_alarm(*_: Any) -> None:
        raise OutOfTime

    previous = signal.signal(signal.SIGALRM, on_alarm)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def run_task_in_process(
    scheme: str,
    paths: list[str],
    timeout: float | None,
    module_name: str,
    task_name: str,
    args: Any,
    kwargs: Any,
) -> tuple[bool, Any, Traceback | None]:
    """Run a task in a worker process; returns (ok, result or error, traceback)."""
    set_scheme(scheme)
    for path in reversed(paths):
        if path not in sys.path:
            sys.path.insert(0, path)
    try:
        with time_limit(timeout):
            return True, run_task(module_name, task_name, args, kwargs), None
    except OutOfTime as end:
        overdue = TimeoutError(f"{task_name}() took longer than {timeout:g} seconds.")
        return False, overdue, Traceback.from_error(end)
    except (Exception, SystemExit) as error:
        return False, as_exception(error), Traceback.from_error(error)


def as_exception(error: BaseException) -> Exception:
    """Return an error that a workflow can handle: `sys.exit()` in a task fails the task only."""
    if isinstance(error, Exception):
        return error
    failure = RuntimeError(f"Task called sys.exit({error})")
    failure.__cause__ = error
    return failure


class WorkerThreads:
    """A pool of threads that start on demand and take jobs from one queue.

    Threads that all want the interpreter at once cost more than they gain: with tiny jobs, most of
    the time would go to handing the interpreter over. So a batch of jobs begins with one thread, and
    a pacer adds more, doubling, for as long as jobs wait and take long, because they block or
    compute outside the interpreter. Jobs that come alone get a thread at once.

    Parameters
    ----------
    name : prefix of the names of the threads.
    max_workers : how many jobs may run at a time.
    """

    def __init__(self, name: str, max_workers: int) -> None:
        if max_workers <= 0:
            raise ValueError("max_workers must be greater than 0")
        self._name = name
        self._max_workers = max_workers
        self._scheme = get_scheme()  # that of the scheduler, in whose thread this is
        self._jobs: deque[tuple[Scheduler, Job]] = deque()
        self._lock = threading.Lock()
        # The rest is guarded by the lock, but for `_taken`, which need not be exact.
        self._threads: list[threading.Thread] = []
        self._bell: SimpleQueue[bool] = SimpleQueue()  # True: look for jobs, False: end
        self._idle = 0
        self._pacer: threading.Thread | None = None
        self._pacing = False
        self._pacer_bell: SimpleQueue[bool] = SimpleQueue()
        self._stopping = threading.Event()
        self._taken = 0
        self._tiny: dict[str, int] = {}  # task name -> how many of its last jobs were tiny
        self._timed: dict[Job, threading.Thread] = {}  # who runs jobs with a timeout
        self._abandoned: set[threading.Thread] = set()

    def submit(self, scheduler: Scheduler, jobs: list[Job]) -> None:
        """Queue jobs."""
        for job in jobs:
            self._jobs.append((scheduler, job))
        with self._lock:
            if len(jobs) == 1 or self._idle == len(self._threads):
                self._activate(1)
            if len(jobs) > 1 and not self._pacing and self._max_workers > 1:
                self._pacing = True
                if self._pacer is None:
                    self._pacer = self._start(self._pace, "pacer")
                self._pacer_bell.put(True)

    def _start(self, target: Callable[[], None], name: str) -> threading.Thread:
        thread = threading.Thread(target=target, name=f"{self._name}-{name}", daemon=True)
        thread.start()
        return thread

    def _activate(self, count: int) -> None:
        """Let further threads look for jobs. Called locked."""
        for _ in range(count):
            if self._idle:
                self._idle -= 1
                self._bell.put(True)
            elif len(self._threads) < self._max_workers:
                self._threads.append(self._start(self._work, str(len(self._threads))))
            else:
                return

    def _pace(self) -> None:
        while self._pacer_bell.get():
            while True:
                before = self._taken
                self._stopping.wait(PACE_SECONDS)
                with self._lock:
                    if not self._jobs or self._stopping.is_set():
                        self._pacing = False
                        break
                    active = len(self._threads) - self._idle
                    taken = self._taken - before
                    if taken * TINY_JOB_SECONDS < PACE_SECONDS * max(active, 1):
                        self._activate(min(max(active, 1), len(self._jobs)))

    def _work(self) -> None:
        jobs = self._jobs
        resting = False
        while True:
            if resting and not self._bell.get():
                return
            try:
                scheduler, job = jobs.popleft()
            except IndexError:
                resting = self._rest()
                continue
            self._taken += 1
            set_scheme(self._scheme)  # a job may have opened another repo
            attempt = job.attempt
            if job.plan.timeout is not None:
                if not self._run_timed(scheduler, job):
                    return
                resting = False
                continue
            # Jobs that come one by one may be tiny ones, for which this thread need not be woken.
            outcome = run_job(job) if jobs else self._run_alone(job)
            # Before it is told: what is submitted in response is then for this thread, where it would
            # wake, or start, another one that finds nothing to do.
            resting = not jobs and self._rest()
            report(scheduler, job, attempt, outcome)

    def _run_alone(self, job: Job) -> tuple[Any, BaseException | None]:
        """Run a job, and keep in mind whether it was tiny."""
        begin = perf_counter()
        outcome = run_job(job)
        tiny = perf_counter() - begin < TINY_JOB_SECONDS
        name = job.task.fullname
        self._tiny[name] = self._tiny.get(name, 0) + 1 if tiny else 0
        return outcome

    def is_tiny(self, job: Job) -> bool:
        """Whether a job is likely to be tiny, as those of its task before."""
        return self._tiny.get(job.task.fullname, 0) >= TINY_TIMES

    def run_here(self, scheduler: Scheduler, job: Job) -> None:
        """Run a job in the calling thread."""
        # As in a thread of the pool: without the caller's context variables.
        outcome = Context().run(self._run_alone, job)
        set_scheme(self._scheme)
        if isinstance(outcome[1], KeyboardInterrupt):  # of the user, to the scheduler
            raise outcome[1]
        report(scheduler, job, job.attempt, outcome)

    def _rest(self) -> bool:
        """Count this thread as idle, unless there is a job; returns whether it is to wait."""
        with self._lock:
            if self._jobs:  # queued since the last look
                return False
            self._idle += 1
            return True

    def _run_timed(self, scheduler: Scheduler, job: Job) -> bool:
        """Run a job with a timeout; returns whether this thread still belongs to the pool."""
        thread = threading.current_thread()
        with self._lock:
            self._timed[job] = thread
        scheduler.begin_job(job)
        attempt = job.attempt
        report(scheduler, job, attempt, run_job(job))
        with self._lock:
            if self._timed.get(job) is thread:
                del self._timed[job]
            return thread not in self._abandoned

    def abandon(self, job: Job) -> None:
        """Replace the thread that runs a job: it can't be ended, and nobody waits for it."""
        with self._lock:
            thread = self._timed.pop(job, None)
            if thread is not None:
                self._abandoned.add(thread)
                self._threads.remove(thread)
                if self._jobs:
                    self._activate(1)

    def stop(self, wait: bool = True) -> None:
        """Drop queued jobs, end the threads, and wait for those that run jobs if so asked."""
        self._jobs.clear()
        self._stopping.set()
        with self._lock:
            threads = list(self._threads)
        for _ in threads:
            self._bell.put(False)
        self._pacer_bell.put(False)
        for thread in (*threads, self._pacer):
            if thread is not None and wait:
                thread.join()


def is_in_event_loop() -> bool:
    """Whether this thread runs an event loop, in which a task could not run one of its own."""
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and asyncio._get_running_loop() is not None


def run_job(job: Job) -> tuple[Any, BaseException | None]:
    """Run a job in this thread; returns its result, or what it raised."""
    task = job.task
    assert job.args is not None
    args, kwargs = job.args
    try:
        return run_task(task.load_module, task.fullname, args, kwargs), None
    except BaseException as error:
        return None, error


def report(
    scheduler: Scheduler, job: Job, attempt: int, outcome: tuple[Any, BaseException | None]
) -> None:
    """Tell what came of an attempt at a job, unless its time was over before."""
    if job.attempt != attempt:
        return
    result, error = outcome
    if error is None:
        scheduler.done_job(job, result)
    else:
        failure = as_exception(error)
        scheduler.reject_job(job, failure, error_traceback=Traceback.from_error(error))


@register_executor("local")
class LocalExecutor(Executor):
    """Runs jobs on this machine, in threads (default) or processes.

    Parameters
    ----------
    name : the name that the task option `executor` refers to.
    scheduler : set later by `Scheduler.add_executor`.
    config : section with `mode` (thread, process), `max_workers` (20 for each pool) and
        `start_method` (fork, spawn, forkserver).
    mode : as in the section, for executors built by hand.
    """

    in_background = True

    def __init__(
        self,
        name: str,
        scheduler: Scheduler | None = None,
        config: Mapping[str, Any] | None = None,
        mode: str = "thread",
    ) -> None:
        super().__init__(name, scheduler=scheduler)
        config = config or {}
        mode = config.get("mode", mode)
        assert mode in MODES, f"Unknown mode: {mode}. Expected one of: {', '.join(MODES)}."
        self.mode = MODES[mode]
        self.max_workers = int(config.get("max_workers", DEFAULT_MAX_WORKERS))
        self.start_method = config.get("start_method", "forkserver")
        assert self.start_method in START_METHODS, (
            f"Unknown start_method: {self.start_method}. "
            f"Expected one of: {', '.join(START_METHODS)}."
        )
        self._scratch = config.get("scratch", "/tmp/redun")
        self._threads: WorkerThreads | None = None
        self._processes: ProcessPoolExecutor | None = None
        self._loop: EventLoopThread | None = None

    def scratch_root(self) -> str:
        """Return the directory for files exchanged with other processes."""
        return self._scratch

    def supports_async(self) -> bool:
        """Whether `async def` tasks can run here: they share one event loop, whatever the mode."""
        return True

    def keeps_time(self) -> bool:
        """Yes: jobs may wait long for a thread or process."""
        return True

    def capacity(self) -> int:
        """As many as can run, and in large pools some more, so that no worker waits for the next."""
        return self.max_workers + self.max_workers // MARGIN

    def cancel(self, job: Job) -> None:
        """Drop a job: an async one is cancelled, a thread goes on but is replaced in the pool.

        A process sees to its time itself: the task is interrupted and its process used again.
        """
        if self._loop is not None and job.task.is_async():
            self._loop.cancel(job)
        elif self._threads is not None:
            self._threads.abandon(job)

    def submit(self, job: Job) -> None:
        """Start a job."""
        self.submit_many([job])

    def submit_many(self, jobs: list[Job]) -> None:
        """Start several jobs at once. Raises `ValueError` for an unknown option `mode`."""
        threaded = []
        awaiting = []
        for job in jobs:
            if job.task.is_async():
                awaiting.append(job)
                continue
            mode = job.get_options().get("mode", self.mode)
            if MODES.get(mode) == "thread":
                threaded.append(job)
            elif MODES.get(mode) == "process":
                self._submit_process(job)
            else:
                raise ValueError(f"Unknown mode: {mode}")
        assert self._scheduler is not None
        if awaiting:
            if self._loop is None:
                from redun.executors.event_loop import EventLoopThread

                self._loop = EventLoopThread(f"redun-{self.name}")
            self._loop.submit(self._scheduler, awaiting)
        if threaded:
            self._submit_threaded(threaded)

    def is_brief(self, job: Job) -> bool:
        """Whether this is a job for a thread, and its task has been tiny many times."""
        if self._threads is None or not self._threads.is_tiny(job) or is_in_event_loop():
            return False
        if job.task.is_async() or job.plan.timeout is not None:
            return False
        return MODES.get(job.get_options().get("mode", self.mode)) == "thread"

    def run_here(self, job: Job) -> None:
        """Run a job in this thread, which saves waking another one."""
        assert self._threads is not None
        assert self._scheduler is not None
        self._threads.run_here(self._scheduler, job)

    def submit_script(self, job: Job) -> None:
        """Start a script; it has its own process, so a thread, whatever the mode, waits for it."""
        self._submit_threaded([job])

    def _submit_threaded(self, jobs: list[Job]) -> None:
        if self._threads is None:
            self._threads = WorkerThreads(f"redun-{self.name}", self.max_workers)
        assert self._scheduler is not None
        self._threads.submit(self._scheduler, jobs)

    def _submit_process(self, job: Job) -> None:
        if self._processes is None:
            import multiprocessing
            from concurrent.futures import ProcessPoolExecutor

            self._processes = ProcessPoolExecutor(
                max_workers=self.max_workers,
                mp_context=multiprocessing.get_context(self.start_method),
                # A terminal sends Ctrl-C to workers too, whose tasks are to finish.
                initializer=signal.signal,
                initargs=(signal.SIGINT, signal.SIG_IGN),
            )
        assert job.args is not None
        future = self._processes.submit(
            run_task_in_process,
            get_scheme(),
            [path for path in sys.path if path not in ("",)],
            job.plan.timeout,
            job.task.load_module,
            job.task.fullname,
            *job.args,
        )
        future.add_done_callback(lambda done: self._on_done(job, done))

    def _on_done(self, job: Job, future: Future[tuple[bool, Any, Traceback | None]]) -> None:
        assert self._scheduler is not None
        if future.cancelled():
            return
        error = future.exception()
        if error is not None:  # the pool itself failed: a worker died, or pickling did
            self._scheduler.reject_job(job, as_exception(error))
            return
        ok, result, traceback = future.result()
        if ok:
            self._scheduler.done_job(job, result)
        else:
            self._scheduler.reject_job(job, result, error_traceback=traceback)

    def stop(self) -> None:
        """Wait for running jobs and end the pools; they start again when next used."""
        if self._threads is not None:
            self._threads.stop()
            self._threads = None
        if self._processes is not None:
            self._processes.shutdown(wait=True, cancel_futures=True)
            self._processes = None
        if self._loop is not None:
            self._loop.stop()
            self._loop = None

    def abort(self) -> None:
        """Drop all jobs: processes are killed, async tasks cancelled, threads left alone."""
        if self._threads is not None:
            self._threads.stop(wait=False)
            self._threads = None
        if self._processes is not None:
            workers = list((self._processes._processes or {}).values())
            self._processes.shutdown(wait=False, cancel_futures=True)
            for worker in workers:
                worker.kill()
            self._processes = None
        if self._loop is not None:
            self._loop.stop(wait=False)
            self._loop = None
