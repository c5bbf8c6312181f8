"""One thread with an event loop, on which asynchronous tasks run."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from redun.current import job_running
from redun.executors.base import load_task_module
from redun.hashing import get_scheme, set_scheme
from redun.model.failure import Traceback

if TYPE_CHECKING:
    from redun.engine.scheduler import Scheduler
    from redun.model.job import Job

__all__ = ["EventLoopThread"]


class EventLoopThread:
    """Runs any number of asynchronous jobs at a time.

    Parameters
    ----------
    name : prefix of the name of the thread.
    """

    def __init__(self, name: str) -> None:
        self._scheme = get_scheme()  # that of the scheduler, in whose thread this is
        self._loop = asyncio.new_event_loop()
        self._running: dict[Job, asyncio.Task[None]] = {}
        self._thread = threading.Thread(target=self._run, name=f"{name}-loop", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        set_scheme(self._scheme)
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    def submit(self, scheduler: Scheduler, jobs: list[Job]) -> None:
        """Start jobs. Thread-safe."""
        self._loop.call_soon_threadsafe(self._start, scheduler, jobs)

    def _start(self, scheduler: Scheduler, jobs: list[Job]) -> None:
        for job in jobs:
            self._running[job] = self._loop.create_task(self._run_job(scheduler, job))

    async def _run_job(self, scheduler: Scheduler, job: Job) -> None:
        task = job.task
        assert job.args is not None
        args, kwargs = job.args
        if job.plan.timeout is not None:
            scheduler.begin_job(job)
        with job_running(scheduler, job):
            try:
                load_task_module(task.load_module, task.fullname)
                result = await task.func(*args, **kwargs)
            except asyncio.CancelledError as error:
                if asyncio.current_task() is not self._running.get(job):
                    return  # dropped from outside: nobody waits for the job any more
                if scheduler.async_calls.closed:
                    del self._running[job]
                    return  # the run ends, and what the job awaits with it
                failure = RuntimeError(f"{task.fullname}() was cancelled from within.")
                failure.__cause__ = error
                scheduler.reject_job(job, failure, Traceback.from_error(error))
            except Exception as error:
                scheduler.reject_job(job, error, Traceback.from_error(error))
            except BaseException as error:  # let out, it would end the loop and all other jobs
                exit_call = RuntimeError(f"Task called sys.exit({error})")
                exit_call.__cause__ = error
                scheduler.reject_job(job, exit_call, Traceback.from_error(error))
            else:
                scheduler.done_job(job, result)
            if self._running.get(job) is asyncio.current_task():
                del self._running[job]

    def cancel(self, job: Job) -> None:
        """Drop a job: it gets a `CancelledError` where it waits, and reports nothing. Thread-safe."""
        self._loop.call_soon_threadsafe(self._cancel, job)

    def _cancel(self, job: Job) -> None:
        task = self._running.pop(job, None)
        if task is not None:
            task.cancel()

    def stop(self, wait: bool = True) -> None:
        """End the thread.

        Parameters
        ----------
        wait : let running jobs finish first; else they are dropped where they wait.
        """
        self._loop.call_soon_threadsafe(lambda: self._loop.create_task(self._finish(wait)))
        if wait:
            self._thread.join()

    async def _finish(self, wait: bool) -> None:
        own = asyncio.current_task()
        if not wait:
            for job in list(self._running):
                self._cancel(job)
        while others := [task for task in asyncio.all_tasks() if task is not own]:
            if not self._running:  # only tasks that jobs have left behind
                for task in others:
                    task.cancel()
            await asyncio.wait(others, return_when=asyncio.FIRST_COMPLETED)
        self._loop.stop()
