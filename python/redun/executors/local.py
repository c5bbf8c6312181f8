"""Run jobs on this machine, in threads or processes."""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Mapping
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from redun.executors.base import Executor, load_task_module, register_executor
from redun.hashing import get_scheme, set_scheme
from redun.model.failure import Traceback
from redun.task import get_task_registry

if TYPE_CHECKING:
    from concurrent.futures import Future, ProcessPoolExecutor

    from redun.engine.scheduler import Scheduler
    from redun.model.job import Job

__all__ = ["LocalExecutor"]

MODES = {"thread": "thread", "threads": "thread", "process": "process", "processes": "process"}
START_METHODS = ("fork", "spawn", "forkserver")
DEFAULT_MAX_WORKERS = 20


def run_task(module_name: str, task_name: str, args: Any, kwargs: dict[str, Any]) -> Any:
    """Import the module of a task and call its function."""
    if module_name not in sys.modules:
        load_task_module(module_name, task_name)
    task = get_task_registry().get(task_name)
    if task is None:
        load_task_module(module_name, task_name)
        raise ModuleNotFoundError(f"Module {module_name} does not define task {task_name}.")
    return task.func(*args, **kwargs)


def run_task_in_process(
    scheme: str, paths: list[str], module_name: str, task_name: str, args: Any, kwargs: Any
) -> tuple[bool, Any, Traceback | None]:
    """Run a task in a worker process; returns (ok, result or error, traceback)."""
    set_scheme(scheme)
    for path in reversed(paths):
        if path not in sys.path:
            sys.path.insert(0, path)
    try:
        return True, run_task(module_name, task_name, args, kwargs), None
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

    At most one wake-up is under way at a time: a woken worker passes it on only while jobs wait.
    Short jobs are thus run by few threads without a context switch each, while jobs that block
    spread over all threads at once.
    """

    def __init__(self, name: str, max_workers: int) -> None:
        if max_workers <= 0:
            raise ValueError("max_workers must be greater than 0")
        self._name = name
        self._max_workers = max_workers
        self._jobs: deque[Job] = deque()
        self._bell: SimpleQueue[bool] = SimpleQueue()  # True: look for jobs, False: end
        self._lock = threading.Lock()
        self._idle = 0
        self._waking = False
        self._threads: list[threading.Thread] = []

    def submit(self, scheduler: Scheduler, jobs: list[Job]) -> None:
        """Queue jobs."""
        self._scheduler = scheduler
        self._jobs.extend(jobs)
        self._wake()

    def _wake(self) -> None:
        with self._lock:
            if self._waking:
                return
            if self._idle:
                self._idle -= 1
                self._waking = True
                self._bell.put(True)
            elif len(self._threads) < self._max_workers:
                self._waking = True
                thread = threading.Thread(
                    target=self._work, name=f"{self._name}-{len(self._threads)}", daemon=True
                )
                self._threads.append(thread)
                thread.start()

    def _work(self) -> None:
        jobs = self._jobs
        while True:
            self._waking = False
            while True:
                try:
                    job = jobs.popleft()
                except IndexError:
                    break
                if jobs and not self._waking:
                    self._wake()
                self._run(job)
            with self._lock:
                if jobs:  # queued between the last look and the lock
                    continue
                self._idle += 1
            if not self._bell.get():
                return

    def _run(self, job: Job) -> None:
        task = job.task
        assert job.args is not None
        args, kwargs = job.args
        try:
            result = run_task(task.load_module, task.fullname, args, kwargs)
        except BaseException as error:
            failure = as_exception(error)
            self._scheduler.reject_job(job, failure, error_traceback=Traceback.from_error(error))
        else:
            self._scheduler.done_job(job, result)

    def stop(self) -> None:
        """Drop queued jobs, wait for running ones, end the threads."""
        self._jobs.clear()
        for _ in self._threads:
            self._bell.put(False)
        for thread in self._threads:
            thread.join()
        self._threads = []
        self._bell = SimpleQueue()
        self._idle = 0
        self._waking = False


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

    def scratch_root(self) -> str:
        """Return the directory for files exchanged with other processes."""
        return self._scratch

    def submit(self, job: Job) -> None:
        """Start a job."""
        self.submit_many([job])

    def submit_many(self, jobs: list[Job]) -> None:
        """Start several jobs at once. Raises `ValueError` for an unknown option `mode`."""
        threaded = []
        for job in jobs:
            mode = job.get_options().get("mode", self.mode)
            if MODES.get(mode) == "thread":
                threaded.append(job)
            elif MODES.get(mode) == "process":
                self._submit_process(job)
            else:
                raise ValueError(f"Unknown mode: {mode}")
        if threaded:
            if self._threads is None:
                self._threads = WorkerThreads(f"redun-{self.name}", self.max_workers)
            assert self._scheduler is not None
            self._threads.submit(self._scheduler, threaded)

    def _submit_process(self, job: Job) -> None:
        if self._processes is None:
            import multiprocessing
            from concurrent.futures import ProcessPoolExecutor

            self._processes = ProcessPoolExecutor(
                max_workers=self.max_workers,
                mp_context=multiprocessing.get_context(self.start_method),
            )
        assert job.args is not None
        future = self._processes.submit(
            run_task_in_process,
            get_scheme(),
            [path for path in sys.path if path not in ("",)],
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
