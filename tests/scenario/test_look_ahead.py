"""A sequence of calls is looked up ahead, and what is found is judged when its turn comes."""

from pathlib import Path

import pytest

from redun import File, Scheduler, task
from redun.functools import seq

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
