"""What happens when tasks fail: errors, tracebacks, recovery, stuck and impossible workflows."""

import logging

import pytest

from redun import Scheduler, catch, cond, task, throw
from redun.functools import seq
from redun.model.errors import SchedulerError
from redun.scheduler import ErrorValue, catch_all
from redun.value import InvalidValueError

redun_namespace = "test_failures"


@task()
def fail(x):
    raise ValueError(f"bad {x}")


@task()
def ok(x):
    return x


@task()
def recover(error):
    return f"recovered from {error}"


@task()
def nest(x):
    return [ok(x), fail(x)]


def describe(error):
    return str(error.value)


def always_caught(error):
    return "caught"


def test_error_keeps_its_type_and_object(scheduler: Scheduler) -> None:
    with pytest.raises(ValueError, match="bad 1") as caught:
        scheduler.run(nest(1))
    assert caught.value.redun_traceback is not None


def test_traceback_leads_from_the_root_to_the_line(scheduler: Scheduler) -> None:
    with pytest.raises(ValueError):
        scheduler.run(nest(7))
    lines = list(scheduler.traceback.format())
    text = "\n".join(lines)
    assert "in nest" in lines[0]
    assert "x = 7" in text
    assert 'raise ValueError(f"bad {x}")' in text
    assert lines[-1] == "ValueError: bad 7"
    assert "redun/executors" not in text


def test_traceback_is_that_of_the_error_that_ends_the_run(scheduler: Scheduler) -> None:
    @task()
    def main():
        return [catch(fail("first"), ValueError, recover), late(ok(1))]

    @task()
    def late(_x):
        raise KeyError("second")

    with pytest.raises(KeyError):
        scheduler.run(main())
    assert list(scheduler.traceback.format())[-1] == "KeyError: 'second'"


def test_failed_jobs_are_recorded(scheduler: Scheduler) -> None:
    from redun.backends.db import Execution, Job

    with pytest.raises(ValueError):
        scheduler.run(nest(3))
    jobs = {job.task.name: job for job in scheduler.backend.session.query(Job)}
    assert jobs["fail"].status == jobs["nest"].status == "FAILED"
    assert jobs["fail"].call_node.value.type == "redun.ErrorValue"
    assert jobs["nest"].call_hash is not None
    assert scheduler.backend.session.query(Execution).one().status == "FAILED"


def test_catch_with_task_function_and_several_classes(scheduler: Scheduler) -> None:
    assert scheduler.run(catch(fail(1), ValueError, recover)) == "recovered from bad 1"
    assert scheduler.run(catch(ok(1), ValueError, recover)) == 1
    assert scheduler.run(catch(fail(2), KeyError, ok, (ValueError, OSError), recover)) == (
        "recovered from bad 2"
    )
    assert scheduler.run(catch(fail(3), ValueError, describe)) == "bad 3"
    with pytest.raises(ValueError):
        scheduler.run(catch(fail(4), KeyError, recover))


def test_catch_is_remembered(scheduler: Scheduler) -> None:
    calls = []

    @task()
    def flaky(x):
        calls.append(x)
        raise ValueError("flaky")

    @task()
    def main():
        return catch(flaky(1), ValueError, recover)

    assert scheduler.run(main()) == "recovered from flaky"
    assert scheduler.run(main()) == "recovered from flaky"
    assert calls == [1]
    assert scheduler.run(main(), cache=False) == "recovered from flaky"
    assert calls == [1, 1]


def test_catch_inside_catch(scheduler: Scheduler) -> None:
    @task()
    def bad_recover(error):
        raise KeyError("worse")

    inner = catch(fail(1), ValueError, bad_recover)
    assert scheduler.run(catch(inner, KeyError, recover)) == "recovered from 'worse'"


def test_catch_all(scheduler: Scheduler) -> None:
    assert scheduler.run(catch_all([ok(1), {"a": ok(2)}])) == [1, {"a": 2}]
    with pytest.raises(ValueError, match="bad 1"):
        scheduler.run(catch_all([ok(1), fail(1), fail(2)]))

    @task()
    def summary(results):
        return [r if isinstance(r, int) else f"error {r}" for r in results]

    assert scheduler.run(catch_all([ok(1), fail(1)], ValueError, summary)) == [1, "error bad 1"]
    with pytest.raises(ValueError):
        scheduler.run(catch_all([ok(1), fail(1)], KeyError, summary))


def test_throw_cond_seq(scheduler: Scheduler) -> None:
    with pytest.raises(RuntimeError, match="thrown"):
        scheduler.run(throw(RuntimeError("thrown")))
    assert scheduler.run(cond(ok(0), fail(1), ok(1), ok("second"), fail(2))) == "second"
    assert scheduler.run(cond(ok(0), fail(1), ok("otherwise"))) == "otherwise"
    with pytest.raises(IndexError):
        scheduler.run(cond(ok(0), ok(1)))
    assert scheduler.run(seq([ok(1), ok(2), 3])) == [1, 2, 3]
    assert scheduler.run(seq([])) == []


def test_seq_runs_in_order_and_stops(scheduler: Scheduler) -> None:
    order = []

    @task()
    def step(x):
        order.append(x)
        if x == 2:
            raise ValueError("stop")
        return x

    with pytest.raises(ValueError, match="stop"):
        scheduler.run(seq([step(i) for i in range(5)]))
    assert order == [0, 1, 2]


def test_equal_calls_share_a_failure(scheduler: Scheduler) -> None:
    calls = []

    @task()
    def once(x):
        calls.append(x)
        raise ValueError("shared")

    @task()
    def attempt(_salt):
        return catch(once(1), ValueError, recover)

    assert scheduler.run([attempt(1), attempt(2), seq([ok(1), attempt(3)])]) == [
        "recovered from shared",
        "recovered from shared",
        [1, "recovered from shared"],
    ]
    assert calls == [1]


def test_error_that_cannot_be_pickled(scheduler: Scheduler) -> None:
    class LocalError(Exception):
        pass

    @task()
    def strange():
        raise LocalError("local")

    with pytest.raises(LocalError, match="local"):
        scheduler.run(strange())
    from redun.backends.db import Value

    (value,) = scheduler.backend.session.query(Value).filter_by(type="redun.ErrorValue")
    assert "LocalError" in repr(scheduler.backend.get_value(value.value_hash)[0])


def test_error_with_an_odd_constructor_is_replayed_as_itself(scheduler: Scheduler) -> None:
    @task()
    def odd(x):
        raise OddError(1, 2)

    @task()
    def attempt(_salt):
        return catch(odd(1), OddError, always_caught)

    assert scheduler.run(seq([attempt(1), attempt(2)])) == ["caught", "caught"]


class OddError(Exception):
    def __init__(self, a, b):
        super().__init__("odd")


def test_system_exit_fails_the_job(scheduler: Scheduler) -> None:
    @task()
    def leave():
        raise SystemExit(3)

    with pytest.raises(RuntimeError, match=r"sys\.exit"):
        scheduler.run(leave())


def test_unusable_values_fail_the_job_and_can_be_caught(scheduler: Scheduler) -> None:
    @task()
    def generator():
        return (i for i in range(3))

    with pytest.raises(InvalidValueError, match=r"result of test_failures.generator\(\)"):
        scheduler.run(generator())

    @task()
    def main():
        return ok(lambda: 1)

    with pytest.raises(InvalidValueError):
        scheduler.run(main())
    assert scheduler.run(catch(generator(), InvalidValueError, always_caught)) == "caught"


def test_local_function_in_the_root_expression(scheduler: Scheduler) -> None:
    with pytest.raises(InvalidValueError, match="cannot be pickled"):
        scheduler.run([ok(1), catch(fail(1), ValueError, lambda error: None)])


def test_self_call_is_reported_instead_of_hanging(scheduler: Scheduler) -> None:
    @task()
    def loop(x):
        return loop(x)

    with pytest.raises(SchedulerError, match="can't finish"):
        scheduler.run(loop(1))


def test_unknown_executor(scheduler: Scheduler) -> None:
    with pytest.raises(SchedulerError, match='Unknown executor "nowhere"'):
        scheduler.run(ok.options(executor="nowhere")(1))


def test_returned_errors_are_values(scheduler: Scheduler) -> None:
    @task()
    def give():
        return ValueError("just data")

    result = scheduler.run(catch(give(), ValueError, recover))
    assert isinstance(result, ValueError)
    assert not isinstance(result, ErrorValue)


def test_log_of_a_failure(scheduler: Scheduler, caplog) -> None:
    scheduler.logger.addHandler(caplog.handler)
    try:
        with caplog.at_level(logging.INFO), pytest.raises(ValueError):
            scheduler.run(nest(1))
    finally:
        scheduler.logger.removeHandler(caplog.handler)
    text = caplog.text
    assert "*** Reject Job" in text
    assert "*** Execution failed. Traceback (most recent task last):" in text
