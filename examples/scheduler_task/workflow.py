"""A control structure of one's own: a scheduler task that tries alternatives until one succeeds."""

from redun import task
from redun.expression import SchedulerExpression
from redun.promise import Promise
from redun.scheduler import Job, Scheduler, scheduler_task

redun_namespace = "redun.examples.scheduler_task"


@scheduler_task()
def first_success(
    scheduler: Scheduler, parent_job: Job, sexpr: SchedulerExpression, *alternatives: object
) -> Promise:
    """Evaluate alternatives one after another; the result is that of the first one that succeeds.

    A scheduler task gets its arguments unevaluated, so later alternatives need not run at all.
    """

    def attempt(index: int) -> Promise:
        promise = scheduler.evaluate(alternatives[index], parent_job=parent_job)
        if index + 1 == len(alternatives):
            return promise
        return promise.catch(lambda error: attempt(index + 1))

    return attempt(0)


@task()
def fetch(mirror: str, reachable: list[str]) -> str:
    if mirror not in reachable:
        raise ConnectionError(f"{mirror} is not reachable")
    return f"data from {mirror}"


@task()
def main(reachable: list[str] = ["south", "west"]) -> str:
    return first_success(*[fetch(name, reachable) for name in ("north", "south", "west")])
