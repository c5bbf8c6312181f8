"""Which of the jobs that could run are handed to their executors next."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from redun.model.errors import SchedulerError

if TYPE_CHECKING:
    from redun.executors.base import Executor
    from redun.model.job import Job

__all__ = [
    "DepthFirstQueue",
    "Dispatcher",
    "FifoQueue",
    "PriorityQueue",
    "QueuePolicy",
    "ReadyQueue",
    "get_queue_factory",
]


class ReadyQueue:
    """The order in which jobs that are ready to run get a place on their executor.

    Override all three methods for a policy of your own and give the class (or any function that
    returns such an object) to `Scheduler(queue=...)`. Each executor has a queue of its own. All calls
    are made in the scheduler's thread. A job's arguments are in `job.eval_args`, its options in
    `job.get_options()`.
    """

    __module__ = "redun.scheduler"

    def push(self, jobs: Sequence[Job]) -> None:
        """Take jobs that have become ready together, in the order of their calls."""
        raise NotImplementedError

    def pop(self) -> Job:
        """Return the job to run next, and forget it. Called only while there is one."""
        raise NotImplementedError

    def __len__(self) -> int:
        """Return how many jobs wait."""
        raise NotImplementedError


QueuePolicy: TypeAlias = "str | Callable[[], ReadyQueue]"


class FifoQueue(ReadyQueue):
    """First come, first served."""

    __module__ = "redun.scheduler"

    def __init__(self) -> None:
        self._jobs: deque[Job] = deque()

    def push(self, jobs: Sequence[Job]) -> None:
        """Add jobs at the end."""
        self._jobs.extend(jobs)

    def pop(self) -> Job:
        """Return the job that came first."""
        return self._jobs.popleft()

    def __len__(self) -> int:
        return len(self._jobs)


class DepthFirstQueue(FifoQueue):
    """What became ready last runs first, so that what was begun ends before more is begun."""

    __module__ = "redun.scheduler"

    def push(self, jobs: Sequence[Job]) -> None:
        """Add jobs at the front, in their order."""
        self._jobs.extendleft(reversed(jobs))


class PriorityQueue(ReadyQueue):
    """The highest task option `priority` (0 by default) first; first come among equals."""

    __module__ = "redun.scheduler"

    def __init__(self) -> None:
        self._jobs: list[tuple[int, int, Job]] = []
        self._count = 0

    def push(self, jobs: Sequence[Job]) -> None:
        """Add jobs by their priority."""
        for job in jobs:
            self._count += 1
            heapq.heappush(self._jobs, (-job.plan.priority, self._count, job))

    def pop(self) -> Job:
        """Return the first of the jobs with the highest priority."""
        return heapq.heappop(self._jobs)[2]

    def __len__(self) -> int:
        return len(self._jobs)


POLICIES: dict[str, type[ReadyQueue]] = {
    "fifo": FifoQueue,
    "depth_first": DepthFirstQueue,
    "priority": PriorityQueue,
}


def get_queue_factory(policy: QueuePolicy) -> Callable[[], ReadyQueue]:
    """Return what makes the queues of a policy, given by name or as itself.

    Raises `SchedulerError` for an unknown name.
    """
    if not isinstance(policy, str):
        return policy
    if policy not in POLICIES:
        raise SchedulerError(
            f'Unknown queue policy "{policy}".',
            hints=[f"`queue` in the section [scheduler] is one of: {', '.join(POLICIES)}"],
        )
    return POLICIES[policy]


class Dispatcher:
    """Hands jobs out in the order of a policy, as far as their executors have places.

    First come, first served is what executors do by themselves, so then nothing is held back.

    Parameters
    ----------
    make_queue : makes the queue of an executor.
    executors : by name.
    """

    def __init__(
        self, make_queue: Callable[[], ReadyQueue], executors: Mapping[str, Executor]
    ) -> None:
        self._make_queue = make_queue
        self._executors = executors
        self.holds_back = make_queue is not FifoQueue
        self._queues: dict[str, ReadyQueue] = {}
        self._out: dict[Job, str] = {}  # on which executor a job has a place
        self._used: dict[str, int] = {}

    def push(self, jobs: list[Job]) -> list[Job]:
        """Take jobs that are ready to run; returns those that need not wait for a place."""
        if not self.holds_back:
            return jobs
        now: list[Job] = []
        waves: dict[str, list[Job]] = {}
        for job in jobs:
            name = job.plan.executor
            # A coroutine may wait for jobs below it, which then need places: it takes up none.
            if name not in self._executors or job.task.is_async():
                now.append(job)
            else:
                waves.setdefault(name, []).append(job)
        for name, wave in waves.items():
            if name not in self._queues:
                self._queues[name] = self._make_queue()
            self._queues[name].push(wave)
        return now

    def next_jobs(self) -> list[Job]:
        """Return the jobs for which there are places now, in the order of the policy."""
        found: list[Job] = []
        for name, queue in self._queues.items():
            if not len(queue):
                continue
            capacity = self._executors[name].capacity()
            free = len(queue) if capacity is None else capacity - self._used.get(name, 0)
            wave = [queue.pop() for _ in range(min(free, len(queue)))]
            self._used[name] = self._used.get(name, 0) + len(wave)
            self._out.update(dict.fromkeys(wave, name))
            found += wave
        return found

    def returned(self, job: Job) -> None:
        """The executor has done with a job, or with an attempt at it."""
        name = self._out.pop(job, None)
        if name is not None:
            self._used[name] -= 1
