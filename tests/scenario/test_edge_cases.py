"""Edge cases of the language: what tasks return and are given, identity, arguments, errors.

The numbers are those of the list 'Edge cases that bite' in the description of the language; the rest of it
is in `test_edge_cases_code.py`. Where the original fails for no reason, the outcome here is the better one.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict, deque
from dataclasses import dataclass
from typing import Any

import pytest

from redun import PartialTask, Scheduler, Task, catch, cond, get_context, task
from redun.backends.db import CallEdge, CallNode
from redun.backends.db import Job as JobRow
from redun.expression import Expression, ValueExpression
from redun.model.errors import SchedulerError
from redun.promise import Promise
from redun.scheduler import ErrorValue, JobInfo, scheduler_task
from redun.task import CacheScope
from redun.value import InvalidValueError

redun_namespace = "test_edge_cases"

calls: list[Any] = []


@pytest.fixture(autouse=True)
def _no_calls() -> None:
    calls.clear()


def take() -> list[Any]:
    taken, calls[:] = list(calls), []
    return taken


@task()
def one() -> int:
    return 1


@task()
def inc(x: int) -> int:
    calls.append(x)
    return x + 1


@task(version="1")
def fail(x: Any = None) -> None:
    calls.append("fail")
    raise ValueError(f"failed {x}")


@task(version="1")
def recover(error: Exception) -> str:
    return f"recovered: {error}"


@task(version="1")
def same(x: Any) -> Any:
    return x


def module_function(x: int) -> int:
    return x * 10


class Plain:
    """A class that a task returns."""


class ListType(list):
    """A subclass of list."""


class UnpicklableError(Exception):
    """An error that can't be pickled."""

    def __reduce__(self) -> Any:
        raise TypeError("cannot pickle this error")


class OddError(Exception):
    """An error that pickles, but can't be rebuilt."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code}: {text}")


def told(error: Any) -> str:
    return f"told: {error.value}"


# -- returning and passing ---------------------------------------------------------------------------


def test_01_a_task_that_returns_a_task(scheduler: Scheduler) -> None:
    @task()
    def ret_task() -> Any:
        return inc

    @task()
    def ret_partial() -> Any:
        return inc.partial(8)

    found, partial = scheduler.run([ret_task(), ret_partial()])
    assert isinstance(found, Task)
    assert isinstance(partial, PartialTask)
    assert scheduler.run([ret_task()(5), ret_partial()()]) == [6, 9]


def test_02_picklable_results_work_and_others_can_be_caught(scheduler: Scheduler) -> None:
    @task()
    def give(number: int) -> Any:
        return [Plain, module_function, range(3), map(str, [1]), iter([1, 2])][number]

    @task()
    def give_lock() -> Any:
        return threading.Lock()

    assert scheduler.run([give(0), give(1), give(2)]) == [Plain, module_function, range(3)]
    assert [list(found) for found in scheduler.run([give(3), give(4)])] == [["1"], [1, 2]]
    with pytest.raises(Exception, match="cannot pickle"):
        scheduler.run(give_lock())
    assert "cannot pickle" in scheduler.run(catch(give_lock(), Exception, recover))


def test_03_a_generator_task_fails_as_its_result_can_not_be_pickled(scheduler: Scheduler) -> None:
    @task()
    def generate() -> Any:
        yield 1

    with pytest.raises(Exception, match="cannot pickle"):
        scheduler.run(generate())


def test_04_lambdas_and_local_functions(scheduler: Scheduler) -> None:
    @task()
    def give() -> Any:
        return lambda: 1

    with pytest.raises(InvalidValueError, match="must be defined globally"):
        scheduler.run(give())
    with pytest.raises(InvalidValueError, match="must be defined globally"):
        scheduler.run(same(lambda: 1))


def test_05_returned_errors_are_values(scheduler: Scheduler) -> None:
    @task(version="1")
    def give() -> Any:
        return ValueError("a value")

    @task(version="1")
    def give_error_value() -> Any:
        calls.append("run")
        return ErrorValue(ValueError("inner"))

    result = scheduler.run(catch(give(), ValueError, recover))
    assert isinstance(result, ValueError)
    for _ in range(2):
        assert isinstance(scheduler.run(give_error_value()), ErrorValue)
    assert take() == ["run", "run"]


def test_06_sets_of_expressions(scheduler: Scheduler) -> None:
    @task()
    def give(values: Any) -> Any:
        return values

    assert scheduler.run({inc(1)}) == {2}
    assert scheduler.run({inc(1), inc(2)}) == {2, 3}  # the original can't hash this
    assert scheduler.run(give({1, "a", None})) == {1, "a", None}  # nor this


def test_07_keys_may_be_expressions(scheduler: Scheduler) -> None:
    assert scheduler.run({inc(1): inc(2)}) == {2: 3}
    assert scheduler.run({inc(1): "a", same(2): "b"}) == {2: "b"}

    @task()
    def unhashable() -> Any:
        return {same([1]): 1}

    assert "unhashable" in scheduler.run(catch(unhashable(), TypeError, recover))


def test_08_expressions_in_other_containers_are_left_alone(scheduler: Scheduler) -> None:
    for container in (
        OrderedDict(a=one()),
        defaultdict(list, a=one()),
        deque([one()]),
        ListType([one()]),
    ):
        result = scheduler.run(container)
        inner = next(iter(result.values())) if isinstance(result, dict) else result[0]
        assert type(result) is type(container)
        assert isinstance(inner, Expression)
    assert isinstance(next(iter(scheduler.run(frozenset([one()])))), Expression)


def test_09_a_value_expression_is_unwrapped_once(scheduler: Scheduler) -> None:
    (inner,) = scheduler.run(ValueExpression([one()]))
    assert isinstance(inner, Expression)


def test_10_what_a_scheduler_task_gives_is_not_evaluated_again(scheduler: Scheduler) -> None:
    @scheduler_task()
    def leak(scheduler: Scheduler, parent_job: Any, sexpr: Any) -> Promise:
        promise: Promise = Promise()
        promise.do_resolve(one())
        return promise

    @task()
    def main() -> Any:
        return leak()

    assert isinstance(scheduler.run(leak()), Expression)
    assert isinstance(scheduler.run(main()), Expression)
    assert isinstance(scheduler.run(get_context("x", one())), Expression)


def test_11_a_promise_in_a_value_is_awaited(scheduler: Scheduler) -> None:
    @scheduler_task()
    def fetch(scheduler: Scheduler, parent_job: Any, sexpr: Any) -> Promise:
        value = [scheduler.evaluate(inc(1), parent_job=parent_job), 5]
        return scheduler.evaluate(value, parent_job=parent_job)

    assert scheduler.run(fetch()) == [2, 5]


def test_12_containers_that_contain_themselves_fail_cleanly(scheduler: Scheduler) -> None:
    @task()
    def ring() -> Any:
        values: list[Any] = [1]
        values.append(values)
        return values

    with pytest.raises((ValueError, RecursionError)):
        scheduler.run(ring())


# -- identity and CSE ------------------------------------------------------------------------------------


def test_13_equal_expressions_of_one_body_run_once(scheduler: Scheduler) -> None:
    @task(cache_scope=CacheScope.NONE)
    def dice(x: int) -> int:
        calls.append("dice")
        return x

    @task(cache_scope=CacheScope.NONE)
    def roll(x: int) -> Any:
        return [dice(1), dice(1)]

    @task()
    def main() -> Any:
        expr = dice(1)
        return [expr, expr, dice(1)]

    scheduler.run(main())
    assert take() == ["dice"]
    scheduler.run([roll(1), roll(2)])
    assert take() == ["dice", "dice"]


def test_14_spelling_and_type_of_arguments_count(scheduler: Scheduler) -> None:
    @task()
    def f(a: Any, b: int = 2) -> Any:
        calls.append(a)
        return a

    scheduler.run([f(1), f(a=1)])
    assert len(take()) == 2
    scheduler.run([f(5), f(5, b=2)])
    assert len(take()) == 1
    scheduler.run([f(8), f(8.0), f(True)])
    assert len(take()) == 3


def test_15_options_do_not_make_another_call(scheduler: Scheduler) -> None:
    @task()
    def f(x: int, info: JobInfo = JobInfo()) -> Any:
        calls.append("f")
        return info.options.get("memory")

    assert scheduler.run([f.options(memory=1)(1), f.options(memory=9)(1)]) == [1, 1]
    assert take() == ["f"]


def test_16_without_cache_even_uncached_tasks_share_within_the_run(scheduler: Scheduler) -> None:
    @task(cache_scope="NONE")
    def f(x: int) -> int:
        calls.append("f")
        return x

    @task()
    def caller(x: int) -> Any:
        return f(1)

    scheduler.run([caller(1), caller(2)])
    assert len(take()) == 2
    scheduler.run([caller(1), caller(2)], cache=False)
    assert len(take()) == 1


def test_17_a_task_that_calls_itself_with_the_same_arguments(scheduler: Scheduler) -> None:
    @task()
    def forever(x: int) -> Any:
        return forever(x)

    with pytest.raises(SchedulerError, match="must not call itself"):  # the original hangs
        scheduler.run(forever(1))


def test_18_duplicates_under_way_are_jobs_of_one_call(scheduler: Scheduler) -> None:
    gate = threading.Event()

    @task()
    def slow(x: int) -> int:
        assert gate.wait(20)
        return x

    @task()
    def opener() -> int:
        gate.set()
        return 0

    @task()
    def main() -> Any:
        return [slow(1), slow.options(memory=2)(1), opener()]

    assert scheduler.run(main()) == [1, 1, 0]
    session = scheduler.backend.session
    jobs = (
        session.query(JobRow)
        .filter(
            JobRow.call_hash.in_(
                session.query(CallNode.call_hash).filter_by(task_name="test_edge_cases.slow")
            )
        )
        .all()
    )
    assert sorted(job.cached for job in jobs) == [False, True]
    (call_hash,) = {job.call_hash for job in jobs}
    assert session.query(CallEdge).filter_by(child_id=call_hash).count() == 2


def test_19_errors_are_replayed_within_an_execution_only(scheduler: Scheduler) -> None:
    @task()
    def first() -> Any:
        return catch(fail(1), ValueError, recover)

    @task()
    def second(_: Any) -> Any:
        return fail(1)

    with pytest.raises(ValueError, match="failed 1"):
        scheduler.run(second(first()))
    assert take() == ["fail"]
    with pytest.raises(ValueError, match="failed 1"):
        scheduler.run(fail(1))
    assert take() == ["fail"]


# -- arguments and defaults ------------------------------------------------------------------------------


def test_20_expression_defaults_are_evaluated_at_call_time(scheduler: Scheduler) -> None:
    @task()
    def f(a: int, b: Any = inc(10)) -> Any:
        return [a, b]

    @task()
    def g(a: int, b: Any = fail("default")) -> Any:
        return a

    @task()
    def main() -> Any:
        return [f(1), f(2)]

    assert scheduler.run(main()) == [[1, 11], [2, 11]]
    assert take() == [10]
    assert scheduler.run(catch(g(1), ValueError, recover)) == "recovered: failed default"


def test_21_keyword_only_defaults_are_evaluated_beside_star_args(scheduler: Scheduler) -> None:
    @task()
    def f(a: int, *args: int, k: Any = inc(10)) -> Any:
        return [a, args, k]

    @task()
    def main() -> Any:
        return [f(1), f(1, 2), f(1, 2, 3)]

    assert scheduler.run(main()) == [[1, (), 11], [1, (2,), 11], [1, (2, 3), 11]]


def test_22_positional_only_defaults(scheduler: Scheduler) -> None:
    @task()
    def f(a: int, b: int = 3, /) -> int:
        return a + b

    assert scheduler.run(f(1)) == 4


def test_23_config_args_do_not_count(scheduler: Scheduler) -> None:
    @task(config_args=["config"], version="1")
    def f(x: int, config: str = "") -> str:
        calls.append("f")
        return config

    @task(config_args=["args"], version="1")
    def g(x: int, *args: Any) -> Any:
        calls.append("g")
        return args

    assert scheduler.run(f(1, "old")) == "old"
    assert scheduler.run(f(1, "new")) == "old"
    assert scheduler.run(f(1, config="newer")) == "old"
    assert scheduler.run([g(1, 2), g(1, 3, 4)]) == [(2,), (2,)]
    assert take() == ["f", "g"]


def test_24_wrong_arguments_fail_the_job_and_can_be_caught(scheduler: Scheduler) -> None:
    assert "argument" in scheduler.run(catch(inc(1, 2, 3), TypeError, recover))


def test_25_a_cached_result_has_the_ids_of_the_first_job(scheduler: Scheduler) -> None:
    @task(version="1")
    def who(info: JobInfo = JobInfo()) -> str:
        return info.job_id

    first = scheduler.run(who())
    assert first
    assert scheduler.run(who()) == first


def test_26_changing_an_argument_is_seen_by_nobody_else(scheduler: Scheduler) -> None:
    @task()
    def change(values: list[int]) -> list[int]:
        values.append(9)
        return values

    @task()
    def main() -> Any:
        values = [1]
        return [change(values), same(values), values]

    assert scheduler.run(main()) == [[1, 9], [1], [1]]


@dataclass
class Drifting:
    """A class whose construction changes what it was given."""

    count: int

    def __post_init__(self) -> None:
        self.count += 1


def test_27_dataclasses_that_count_their_constructions_drift(scheduler: Scheduler) -> None:
    assert scheduler.run(same(Drifting(1))).count > 2


# -- errors ----------------------------------------------------------------------------------------------


def test_28_errors_that_can_not_be_pickled(scheduler: Scheduler) -> None:
    @task()
    def broken() -> None:
        raise UnpicklableError("kept")

    with pytest.raises(UnpicklableError, match="kept"):
        scheduler.run(broken())
    assert scheduler.run(catch(broken(), UnpicklableError, told)) == "told: kept"
    with pytest.raises(Exception, match="pickle"):  # it would have to be an argument
        scheduler.run(catch(broken(), UnpicklableError, recover))


def test_29_errors_that_can_not_be_rebuilt(scheduler: Scheduler) -> None:
    @task()
    def broken() -> None:
        calls.append("broken")
        raise OddError(7, "odd")

    @task()
    def later(_: Any) -> Any:
        return catch(broken(), OddError, told)

    assert scheduler.run(later(catch(broken(), OddError, told))) == "told: 7: odd"
    assert take() == ["broken"]


def test_30_the_traceback_is_that_of_the_error_that_ends_the_run(scheduler: Scheduler) -> None:
    @task()
    def late(_: Any) -> None:
        raise KeyError("the last")

    with pytest.raises(KeyError, match="the last"):
        scheduler.run(late(catch(fail(1), ValueError, recover)))
    assert list(scheduler.traceback.format())[-1] == "KeyError: 'the last'"


def test_31_arguments_of_catch(scheduler: Scheduler) -> None:
    @task()
    def give_recover() -> Any:
        return recover

    assert scheduler.run(catch(fail(1), ValueError, give_recover())) == "recovered: failed 1"
    assert scheduler.run(catch(fail(1), (KeyError, ValueError), recover)) == "recovered: failed 1"
    with pytest.raises(TypeError):
        scheduler.run(catch(fail(1), [KeyError, ValueError], recover))


def test_32_a_recovered_catch_stays_recovered(scheduler: Scheduler) -> None:
    @task(version="1")
    def outer() -> Any:
        return fail(1)

    assert scheduler.run(catch(outer(), ValueError, recover)) == "recovered: failed 1"

    @task(name="fail", version="2")
    def fixed(x: Any) -> int:
        return 5

    assert scheduler.run(catch(outer(), ValueError, recover)) == "recovered: failed 1"


def test_33_errors_of_scheduler_tasks_are_caught_wherever_they_are_raised(
    scheduler: Scheduler,
) -> None:
    @scheduler_task()
    def broken(scheduler: Scheduler, parent_job: Any, sexpr: Any) -> Promise:
        raise ValueError("from a scheduler task")

    expected = "recovered: from a scheduler task"
    assert scheduler.run(catch(broken(), ValueError, recover)) == expected
    assert scheduler.run(catch(cond(True, broken(), 1), ValueError, recover)) == expected


def test_34_sys_exit_fails_the_job(scheduler: Scheduler) -> None:
    @task()
    def leave() -> None:
        raise SystemExit(3)

    with pytest.raises(RuntimeError, match=r"sys\.exit\(3\)"):  # the original hangs
        scheduler.run(leave())


def test_35_the_first_uncaught_error_ends_the_run(scheduler: Scheduler) -> None:
    gate = threading.Event()

    @task()
    def slow() -> str:
        gate.wait(0.5)
        calls.append("slow")
        return "lost"

    @task()
    def main() -> Any:
        return [slow(), fail(1), same(slow())]

    with pytest.raises(ValueError, match="failed 1"):
        scheduler.run(main())
    assert calls.count("slow") == 1  # it was awaited, and nothing followed it
