"""A sequence of calls is looked up ahead, and what is found is judged when its turn comes."""

import threading
from pathlib import Path

import pytest

from redun import File, Scheduler, task
from redun.functools import seq
from redun.scheduler import SchedulerListener

redun_namespace = "test_look_ahead"

calls: list[object] = []


@pytest.fixture(autouse=True)
def _no_calls():
    calls.clear()


@pytest.fixture
def look_ups(scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the look-ups in the repo."""
    found: list[int] = []
    for name in ("check_cache_many", "known_calls"):
        ask = getattr(scheduler.backend, name)

        def counted(queries, *args, ask=ask):
            found.append(len(queries))
            return ask(queries, *args)

        monkeypatch.setattr(scheduler.backend, name, counted)
    return found


@task()
def note(x):
    calls.append(x)
    return x


@task()
def twice(x):
    calls.append(x)
    return [note(x), note(x + 1000)]


@task()
def write(path, text):
    calls.append(path)
    file = File(path)
    file.write(text)
    return file


@task(cache=False)
def remove(path):
    Path(path).unlink(missing_ok=True)


@task(cache=False)
def steps(n):
    return seq([note(i) for i in range(n)])


@task(cache=False)
def nested_steps(n):
    return seq([twice(i) for i in range(n)])


def test_steps_share_look_ups(scheduler: Scheduler, look_ups: list[int]) -> None:
    assert scheduler.run(steps(300)) == list(range(300))
    assert calls == list(range(300))
    assert len(look_ups) < 10
    look_ups.clear()
    assert scheduler.run(steps(300)) == list(range(300))
    assert len(calls) == 300
    assert len(look_ups) < 10


def test_long_sequence_in_several_waves(scheduler: Scheduler) -> None:
    assert scheduler.run(steps(2_500)) == list(range(2_500))
    assert scheduler.run(steps(2_500)) == list(range(2_500))
    assert len(calls) == 2_500


def test_steps_with_calls_below(scheduler: Scheduler) -> None:
    expected = [[i, i + 1000] for i in range(20)]
    assert scheduler.run(nested_steps(20)) == expected
    assert len(calls) == 60
    assert scheduler.run(nested_steps(20)) == expected
    assert len(calls) == 60


def test_all_calls_are_recorded(scheduler: Scheduler) -> None:
    from redun.backends.db import CallNode

    for _ in range(2):
        scheduler.run(steps(50))
        found = scheduler.backend.session.query(CallNode).filter_by(task_name=note.fullname)
        assert found.count() == 50


def test_a_result_is_judged_when_its_turn_comes(scheduler: Scheduler, workdir: Path) -> None:
    path = str(workdir / "file")
    assert scheduler.run(write(path, "text")).read() == "text"
    # When the steps are looked up the file is there; when the turn of the second comes it is not.
    assert scheduler.run(seq([remove(path), write(path, "text")]))[1].read() == "text"
    assert calls == [path, path]


def test_without_cache_nothing_is_looked_up(scheduler: Scheduler, look_ups: list[int]) -> None:
    scheduler.run(steps(20))
    look_ups.clear()
    scheduler.run(steps(20), cache=False)
    assert look_ups == []
    assert len(calls) == 40


# -- how much a step takes, by count: time depends on the machine ---------------------------------


@pytest.fixture
def rounds(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many events the state machine was handed, call by call."""
    from redun.engine.wire import Wire

    handed: list[int] = []
    pump = Wire.pump

    def counted(wire: Wire) -> object:
        handed.append(len(wire.events))
        return pump(wire)

    monkeypatch.setattr(Wire, "pump", counted)
    return handed


def test_a_step_that_runs_takes_one_round(scheduler: Scheduler, rounds: list[int]) -> None:
    scheduler.run(steps(200))
    # The end of one step, the follow-up and the start of the next go in together.
    assert len(rounds) < 200 + 20
    assert sum(rounds) < 200 * 7


def test_steps_that_run_nothing_share_rounds(scheduler: Scheduler, rounds: list[int]) -> None:
    scheduler.run(steps(200))
    rounds.clear()
    scheduler.run(steps(200))
    assert len(rounds) < 20


def test_steps_share_one_thread(scheduler: Scheduler) -> None:
    @task()
    def thread_name(x):
        return threading.current_thread().name

    names = set(scheduler.run(seq([thread_name(i) for i in range(200)])))
    assert len(names - {threading.current_thread().name}) == 1


# -- what runs still runs alone -------------------------------------------------------------------


def mixed(known: list[int], scheduler: Scheduler) -> None:
    scheduler.run([note(x) for x in known])
    calls.clear()


def test_steps_that_are_known_and_steps_that_run(scheduler: Scheduler) -> None:
    known = [0, 1, 2, 5, 8, 9]
    mixed(known, scheduler)
    assert scheduler.run(steps(10)) == list(range(10))
    assert calls == [3, 4, 6, 7]


def test_repeated_steps(scheduler: Scheduler) -> None:
    @task(cache=False)
    def main():
        return seq([note(1), note(2), note(1), [note(2)], 7, note(3), note(1)])

    for expected in ([1, 2, 3], []):
        calls.clear()
        assert scheduler.run(main()) == [1, 2, 1, [2], 7, 3, 1]
        assert calls == expected


def test_a_failure_ends_what_is_known_too(scheduler: Scheduler) -> None:
    @task()
    def fail(x):
        calls.append(x)
        raise ValueError("stop")

    @task(cache=False)
    def main():
        return seq([note(0), note(1), fail(2), note(3), note(4)])

    mixed([0, 1, 3], scheduler)
    with pytest.raises(ValueError, match="stop"):
        scheduler.run(main())
    assert calls == [2]


def test_options_at_the_call_or_from_the_parent_count(scheduler: Scheduler) -> None:
    @task(cache=False)
    def called():
        return seq([note.options(cache=False)(i) for i in range(5)])

    mixed(list(range(5)), scheduler)
    assert scheduler.run(called()) == list(range(5))
    assert calls == list(range(5))
    calls.clear()
    exported = steps.export_options(cache=False)
    assert scheduler.run(exported(5)) == list(range(5))
    assert calls == list(range(5))


def test_results_with_calls_below_are_not_taken_together(scheduler: Scheduler) -> None:
    @task(version="1", cache=False)
    def inner(x):
        calls.append(x)
        return x

    @task()
    def outer(x):
        return inner(x)

    @task(cache=False)
    def main(n):
        return seq([outer(i) for i in range(n)])

    for _ in range(2):
        calls.clear()
        assert scheduler.run(main(20)) == list(range(20))
        assert calls == list(range(20))


def test_listeners_hear_of_the_end_of_a_step_before_the_next(scheduler: Scheduler) -> None:
    heard: list[tuple[str, int]] = []

    class Listener(SchedulerListener):
        def job_queued(self, job):
            if job.task is note:
                heard.append(("queued", job.expr.args[0]))

        def job_started(self, job):
            if job.task is note:
                heard.append(("started", job.expr.args[0]))

        def job_done(self, job):
            if job.task is note:
                heard.append(("done", job.value))

    scheduler.listeners.append(Listener())
    scheduler.run(steps(3))
    assert heard == [(word, i) for i in range(3) for word in ("queued", "started", "done")]


def test_sequences_side_by_side_and_within(scheduler: Scheduler) -> None:
    @task(cache=False)
    def main():
        return [
            seq([note(i) for i in range(5)]),
            seq([seq([note(10 + i), note(20 + i)]) for i in range(3)]),
            seq([note(i) for i in range(3, 8)]),
        ]

    expected = [[0, 1, 2, 3, 4], [[10, 20], [11, 21], [12, 22]], [3, 4, 5, 6, 7]]
    assert scheduler.run(main()) == expected
    assert sorted(calls) == [*range(8), 10, 11, 12, 20, 21, 22]
    inner = [x for x in calls if x >= 10]
    assert inner == [10, 20, 11, 21, 12, 22]
    assert scheduler.run(main()) == expected
    assert len(calls) == 14
