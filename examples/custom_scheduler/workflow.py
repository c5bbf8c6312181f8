"""A scheduler with an executor, an order of jobs and a listener of one's own.

Run it with `python workflow.py`.
"""

import heapq
import time
from collections import defaultdict

from redun import Scheduler, task
from redun.executors.base import Executor
from redun.scheduler import ReadyQueue, SchedulerListener

redun_namespace = "redun.examples.custom_scheduler"


class InlineExecutor(Executor):
    """Runs each job at once in the thread of the scheduler: handy under a debugger."""

    def capacity(self):
        return 1

    def submit(self, job):
        args, kwargs = job.args
        try:
            result = job.task.func(*args, **kwargs)
        except Exception as error:
            self._scheduler.reject_job(job, error)
        else:
            self._scheduler.done_job(job, result)


class ShortestFirst(ReadyQueue):
    """Runs the jobs with the smallest option `minutes` first."""

    def __init__(self):
        self.jobs = []
        self.count = 0

    def push(self, jobs):
        for job in jobs:
            self.count += 1
            heapq.heappush(self.jobs, (job.get_option("minutes", 0), self.count, job))

    def pop(self):
        return heapq.heappop(self.jobs)[-1]

    def __len__(self):
        return len(self.jobs)


class Stopwatch(SchedulerListener):
    """Adds up the seconds from the start of each job to its end, by task."""

    def __init__(self):
        self.began = {}
        self.seconds = defaultdict(float)
        self.count = defaultdict(int)

    def job_started(self, job):
        self.began[job.id] = time.monotonic()

    def job_done(self, job):
        self.seconds[job.task.name] += time.monotonic() - self.began.pop(job.id)
        self.count[job.task.name] += 1

    def report(self):
        for name in sorted(self.count):
            yield f"{name}: {self.count[name]} jobs, {self.seconds[name]:.3f} s"


@task()
def square(x):
    return x * x


@task()
def total(numbers):
    return sum(numbers)


@task()
def main(n=10):
    return total([square.options(minutes=n - i)(i) for i in range(n)])


if __name__ == "__main__":
    scheduler = Scheduler(executor=InlineExecutor("default"), queue=ShortestFirst)
    stopwatch = Stopwatch()
    scheduler.listeners.append(stopwatch)
    print(scheduler.run(main()))
    for line in stopwatch.report():
        print(line)
