"""In which order jobs run that could all run: first come, depth first, by priority, one's own way."""

import threading

import pytest

from redun import Scheduler, cond, task
from redun.executors.local import LocalExecutor
from redun.scheduler import ReadyQueue, SchedulerError

redun_namespace = "test_ready_queue"

ran: list[str] = []
gate = threading.Event()


@pytest.fixture(autouse=True)
def _nothing_ran():
    ran.clear()
    gate.clear()


@pytest.fixture
def scheduler_with(make_scheduler):
    """Makes a scheduler with a policy, by default with one worker."""

    def make(queue, workers=1):
        executor = LocalExecutor("default", config={"max_workers": workers})
        return make_scheduler(executor=executor, queue=queue)

    return make


@task(cache=False)
def step(name, *after):
    ran.append(name)
    return name


@task(cache=False)
def branch(name):
    ran.append(name)
    return step(name + "2", step(name + "1"))


@task(cache=False)
def branches():
    return [branch("a"), branch("b"), branch("c")]


@task(cache=False)
def by_priority():
    return [step.options(priority=number)(f"p{number}") for number in (1, 3, 2, 0, 3)] + [step("q")]


def test_first_come_first_served(scheduler_with) -> None:
    scheduler_with("fifo").run(branches())
    assert ran[:3] == ["a", "b", "c"]
    assert sorted(ran[3:6]) == ["a1", "b1", "c1"]
    assert sorted(ran[6:]) == ["a2", "b2", "c2"]


def test_depth_first_ends_what_it_has_begun(scheduler_with) -> None:
    scheduler_with("depth_first").run(branches())
    assert ran == ["a", "a1", "a2", "b", "b1", "b2", "c", "c1", "c2"]


def test_priority(scheduler_with) -> None:
    scheduler_with("priority").run(by_priority())
    assert ran[:3] == ["p3", "p2", "p1"]  # the second p3 is the same call
    assert sorted(ran[3:]) == ["p0", "q"]


@task(cache=False)
def waiting(name):
    assert gate.wait(20)
    ran.append(name)


@task(cache=False)
def urgent_later(numbers):
    # While the first step runs, the others wait; then a more urgent one comes.
    return [waiting("first"), *[step(str(number)) for number in numbers], opened()]


@task(cache=False, executor="side")
def opened():
    return cond(opener(), step.options(priority=1)("urgent"))


@task(cache=False, executor="side")
def opener():
    return True


def test_a_job_that_comes_late_may_go_first(scheduler_with) -> None:
    scheduler = scheduler_with("priority")
    scheduler.add_executor(LocalExecutor("side"))

    class Watch(ReadyQueue):
        def __init__(self):
            self.inner = inner()

        def push(self, jobs):
            self.inner.push(jobs)
            if any(job.plan.priority for job in jobs):
                gate.set()

        def pop(self):
            return self.inner.pop()

        def __len__(self):
            return len(self.inner)

    inner, scheduler.make_queue = scheduler.make_queue, Watch
    scheduler.run(urgent_later(list(range(50))))
    assert ran[:2] == ["first", "urgent"]
    assert len(ran) == 52


def test_policy_of_ones_own(scheduler_with) -> None:
    class Backwards(ReadyQueue):
        """By name, from the end of the alphabet."""

        def __init__(self):
            self.jobs = []

        def push(self, jobs):
            self.jobs += jobs
            self.jobs.sort(key=lambda job: str(job.eval_args[0]))

        def pop(self):
            return self.jobs.pop()

        def __len__(self):
            return len(self.jobs)

    @task(cache=False)
    def letters():
        return [step(letter) for letter in "bdac"]

    scheduler_with(Backwards).run(letters())
    assert ran == ["d", "c", "b", "a"]


def test_policy_from_the_configuration(make_scheduler) -> None:
    sections = {"scheduler": {"queue": "depth_first"}, "executors.default": ONE_WORKER}
    make_scheduler(sections).run(branches())
    assert ran[:3] == ["a", "a1", "a2"]


ONE_WORKER = {"type": "local", "max_workers": "1"}


def test_unknown_policy() -> None:
    with pytest.raises(SchedulerError, match='Unknown queue policy "lifo"') as caught:
        Scheduler(queue="lifo")
    assert "depth_first" in caught.value.hints[0]


@pytest.mark.parametrize("policy", ["depth_first", "priority"])
def test_many_jobs_with_retries_failures_and_limits(policy: str, make_scheduler) -> None:
    failed: set[int] = set()

    @task(cache=False, retries=1, limits=["few"])
    def flaky(number):
        if number % 7 == 0 and number not in failed:
            failed.add(number)
            raise ValueError(number)
        return number

    @task(cache=False)
    def many():
        return [flaky(number) for number in range(200)]

    scheduler = make_scheduler({"limits": {"few": "3"}}, queue=policy)
    assert scheduler.run(many()) == list(range(200))
    assert len(failed) == 29


@task(cache=False)
def fails():
    raise ValueError("no")


@task(cache=False)
def some_fail():
    return [fails(), *[step(str(number)) for number in range(20)]]


@pytest.mark.parametrize("policy", ["depth_first", "priority"])
def test_a_scheduler_that_failed_runs_again(policy: str, scheduler_with) -> None:
    scheduler = scheduler_with(policy)
    with pytest.raises(ValueError, match="no"):
        scheduler.run(some_fail())
    ran.clear()
    scheduler.run(branches())
    assert len(ran) == 9


async def _two(name):
    first = await branch(name)
    return first, await branch(name + "'")


def test_coroutines_take_no_place(scheduler_with) -> None:
    two = task(cache=False, name="two")(_two)

    @task(cache=False)
    def main():
        return [two("a"), two("b")]

    scheduler = scheduler_with("depth_first")
    assert scheduler.run(main()) == [("a2", "a'2"), ("b2", "b'2")]
