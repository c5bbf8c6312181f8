"""Edge cases of the language: the finer points of what `test_edge_cases.py` and its sequel state.

The numbers are those of the list 'Edge cases that bite' in the description of the language.
"""

from __future__ import annotations

import asyncio
import math
import threading
from pathlib import Path
from typing import Any

import pytest

from redun import Scheduler, catch, task
from redun.backends.db import Job as JobRow
from redun.expression import SimpleExpression
from redun.functools import compose, map_
from redun.task import get_task_registry
from redun.value import InvalidValueError

redun_namespace = "test_edge_cases_more"

calls: list[Any] = []


@pytest.fixture(autouse=True)
def _no_calls() -> None:
    calls.clear()


def take() -> list[Any]:
    taken, calls[:] = list(calls), []
    return taken


@task(version="1")
def same(x: Any) -> Any:
    return x


@task(version="1")
def inc(x: int) -> int:
    return x + 1


@task(version="1")
def fail(x: Any = None) -> None:
    calls.append("fail")
    raise ValueError(f"failed {x}")


@task(version="1")
def recover(error: Exception) -> str:
    return f"recovered: {error}"


@pytest.mark.parametrize("kind", ["module", "coroutine", "generator", "lock"])
def test_02_results_that_can_not_be_pickled_fail_their_task(
    scheduler: Scheduler, kind: str
) -> None:
    coroutine = asyncio.sleep(0)

    @task(version="1")
    def give() -> Any:
        return {
            "module": math,
            "coroutine": coroutine,
            "generator": (x for x in [1]),
            "lock": threading.Lock(),
        }[kind]

    with pytest.raises(InvalidValueError, match=r"The result of .*\.give\(\) cannot be pickled"):
        scheduler.run(give())
    caught = scheduler.run(catch(give(), InvalidValueError, recover))
    assert "cannot be pickled" in caught  # the original ends the run
    coroutine.close()


def test_12_an_expression_that_contains_itself_fails_cleanly(scheduler: Scheduler) -> None:
    expr = SimpleExpression("add", (1, 2))
    expr.args = (1, expr)
    with pytest.raises((ValueError, RecursionError)):
        scheduler.run([expr])


def test_20_a_call_whose_default_failed_is_not_recorded(scheduler: Scheduler) -> None:
    @task()
    def f(a: int, b: Any = fail("default")) -> Any:
        calls.append("f")
        return a

    assert scheduler.run(catch(f(1), ValueError, recover)) == "recovered: failed default"
    assert take() == ["fail"]
    names = {row.task.name for row in scheduler.backend.session.query(JobRow).all()}
    assert names == {"root_task", "fail", "recover"}


def test_23_keywords_of_any_name_can_not_be_left_out_of_the_hash(scheduler: Scheduler) -> None:
    @task(config_args=["kw"], version="1")
    def f(x: int, **kw: Any) -> Any:
        calls.append(x)
        return kw

    assert scheduler.run(f(1, a=1)) == {"a": 1}
    assert scheduler.run(f(1, a=2)) == {"a": 2}
    assert take() == [1, 1]


def test_31_the_class_to_catch_may_not_be_an_expression(scheduler: Scheduler) -> None:
    with pytest.raises(TypeError):
        scheduler.run(catch(fail(1), same(ValueError), recover))


def test_32_a_replayed_recovery_that_fails_is_recovered_once_more(scheduler: Scheduler) -> None:
    failing: list[bool] = []

    @task(version="1", cache=False)
    def fragile(error: Exception) -> str:
        calls.append(str(error))
        if failing and "failed" in str(error):
            raise ValueError("the recovery, too")
        return "recovered"

    def run() -> Any:
        return scheduler.run(catch(fail(1), ValueError, fragile))

    assert run() == "recovered"
    take()
    failing.append(True)
    assert run() == "recovered"
    assert take() == ["failed 1", "the recovery, too"]  # and `fail` did not run again


def test_36_of_two_modules_with_one_full_name_the_last_counts(
    scheduler: Scheduler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("edge_first", "edge_second"):
        (tmp_path / f"{name}.py").write_text(
            "from redun import task\n"
            f"@task(namespace='edge', name='shared')\ndef f():\n    return '{name}'\n"
        )
    import edge_first
    import edge_second

    assert scheduler.run([edge_first.f(), edge_second.f()]) == ["edge_second", "edge_second"]
    assert get_task_registry().get("edge.shared").func is edge_second.f.func


def test_39_decorators_of_async_tasks_do_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    for name, option in (("edge_async", ""), ("edge_async_memory", ", memory=2")):
        (tmp_path / f"{name}.py").write_text(
            "from redun import task\n"
            f"@task(namespace='edge', cache=False{option})\nasync def f():\n    return 1\n"
        )
    import edge_async
    import edge_async_memory

    assert edge_async.f.hash == edge_async_memory.f.hash  # the original counts them


def test_44_a_limit_that_nobody_declared_lets_jobs_run_one_at_a_time(scheduler: Scheduler) -> None:
    running: list[int] = []
    most: list[int] = []
    pause = threading.Event()

    @task(limits=["undeclared"])
    def use(x: int) -> int:
        running.append(x)
        most.append(len(running))
        pause.wait(0.01)
        running.remove(x)
        return x

    assert scheduler.run([use(1), use(2), use(3)]) == [1, 2, 3]
    assert max(most) == 1


def test_54_map_takes_a_lazy_list(scheduler: Scheduler) -> None:
    assert scheduler.run(map_(inc, same([1, 2, 3]))) == [2, 3, 4]


def test_56_composing_nothing_fails_when_it_is_called(scheduler: Scheduler) -> None:
    nothing = compose()
    with pytest.raises((StopIteration, RuntimeError)):
        scheduler.run(nothing(1))
