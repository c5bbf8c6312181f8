"""Expressions that asynchronous tasks wait for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio

    from redun.engine.scheduler import Scheduler
    from redun.model.job import Job

__all__ = ["AsyncCalls"]


class AsyncCall:
    """One awaited expression: carries its outcome from the scheduler's thread to the event loop."""

    __slots__ = ("_calls", "_future", "_loop", "job")

    def __init__(
        self,
        calls: AsyncCalls,
        job: Job,
        loop: asyncio.AbstractEventLoop,
        future: asyncio.Future[Any],
    ) -> None:
        self._calls = calls
        self.job = job
        self._loop = loop
        self._future = future

    def resolve(self, value: Any) -> None:
        """Deliver a value."""
        self._deliver(self._future.set_result, value)

    def reject(self, error: BaseException) -> None:
        """Deliver an error."""
        if isinstance(error, StopIteration):  # a future refuses it: it means something to `await`
            failure = RuntimeError(f"The awaited expression raised {error!r}.")
            failure.__cause__ = error
            error = failure
        self._deliver(self._future.set_exception, error)

    def cancel(self) -> None:
        """Tell the task that the answer will never come."""
        self._deliver(lambda _: self._future.cancel(), None)

    def _deliver(self, set_outcome: Callable[[Any], Any], outcome: Any) -> None:
        self._calls.answered(self)
        try:
            self._loop.call_soon_threadsafe(self._set, set_outcome, outcome)
        except RuntimeError:
            if not self._loop.is_closed():  # else the run has ended, and nobody waits any more
                raise

    def _set(self, set_outcome: Callable[[Any], Any], outcome: Any) -> None:
        if not self._future.done():
            set_outcome(outcome)


class AsyncCalls:
    """The awaited expressions of one run.

    Parameters
    ----------
    scheduler : evaluates them, in its own thread.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self.closed = False
        self.open: set[AsyncCall] = set()
        # Scheduler thread only: job -> the nodes that its calls wait for.
        self.waits: dict[Job, dict[AsyncCall, int]] = {}

    def call(self, expr: Any, job: Job) -> asyncio.Future[Any]:
        """Ask for a value in the scope of a job, from a running event loop."""
        import asyncio

        loop = asyncio.get_running_loop()
        call = AsyncCall(self, job, loop, loop.create_future())
        self.open.add(call)
        self._scheduler.events_queue.put(("evaluate", job, expr, call, ()))
        # The other way round in `close`: whichever comes second sees the other.
        if self.closed:
            call.cancel()
        return call._future

    def waits_for(self, call: AsyncCall, node_id: int) -> None:
        """A call waits for a node of the state machine. Scheduler thread only."""
        self.waits.setdefault(call.job, {})[call] = node_id

    def answered(self, call: AsyncCall) -> None:
        """A call has its answer."""
        self.open.discard(call)
        calls = self.waits.get(call.job)
        if calls is not None:
            calls.pop(call, None)
            if not calls:
                del self.waits[call.job]

    def close(self) -> None:
        """Cancel what is waited for, now and later: nothing more will be evaluated."""
        self.closed = True
        for call in list(self.open):
            call.cancel()
