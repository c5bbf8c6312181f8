"""Tasks that take tasks: composition, mapping, sequences, evaluation without provenance."""

from functools import reduce

import pytest

from redun import File, Scheduler, cond, task
from redun.functools import (
    apply_func,
    as_task,
    compose,
    const,
    delay,
    eval_,
    flat_map,
    flatten,
    force,
    identity,
    map_,
    no_prov,
    seq,
    starmap,
    zip_,
)
from redun.value import InvalidValueError

redun_namespace = "test_functools"


@task()
def inc(x):
    return x + 1


@task()
def double(x):
    return 2 * x


@task()
def area(width, height=10):
    return width * height


@task()
def upto(n):
    return list(range(n))


@task()
def pick(name):
    return {"inc": inc, "double": double}[name]


@task()
def fail(x):
    raise ValueError(f"bad {x}")


def power(base, exponent=2):
    return base**exponent


def executed(scheduler: Scheduler) -> list[str]:
    """Return the names of the tasks of all recorded jobs."""
    from redun.backends.db import Job, Task

    query = scheduler.backend.session.query(Task.name).join(Job, Job.task_hash == Task.hash)
    return sorted(name for (name,) in query)


def test_compose_applies_the_last_task_first(scheduler: Scheduler) -> None:
    assert scheduler.run(compose(inc, double)(5)) == 11
    assert scheduler.run(compose(double, inc)(5)) == 12
    assert scheduler.run(compose(inc, area)(2, height=3)) == 7
    assert scheduler.run(compose(inc)(1)) == 2


def test_composition_of_nothing_fails(scheduler: Scheduler) -> None:
    with pytest.raises(StopIteration):
        scheduler.run(compose()(1))


def test_long_composition(scheduler: Scheduler) -> None:
    assert scheduler.run(compose(*[inc] * 2_000)(0)) == 2_000


def test_compositions_can_be_composed(scheduler: Scheduler) -> None:
    assert scheduler.run(reduce(compose, [inc, double, inc])(1)) == 5


def test_identity_const_delay_force(scheduler: Scheduler) -> None:
    assert scheduler.run(identity([inc(1)])) == [2]
    assert scheduler.run(const(1, inc(2))) == 1
    with pytest.raises(ValueError, match="bad 2"):
        scheduler.run(const(1, fail(2)))
    assert scheduler.run(force(delay(inc(1)))) == 2
    assert scheduler.run(cond(True, 1, force(delay(fail(1))))) == 1


def test_delayed_expression_is_not_evaluated(scheduler: Scheduler) -> None:
    assert repr(scheduler.run(delay(fail(1)))).startswith("PartialTask(fullname=redun.identity")


def test_apply_func_and_as_task(scheduler: Scheduler) -> None:
    assert scheduler.run(apply_func(power, inc(1), exponent=3)) == 8
    assert scheduler.run(as_task(power)(3)) == 9
    assert scheduler.run(map_(as_task(power), [1, 2])) == [1, 4]
    with pytest.raises(InvalidValueError, match="must be defined globally"):
        scheduler.run(apply_func(lambda: 1))


def test_eval(scheduler: Scheduler) -> None:
    assert scheduler.run(eval_("x + y", x=1, y=inc(1))) == 3
    assert scheduler.run(eval_("x + y", 1, inc(1), pos_args=["x", "y"])) == 3
    assert scheduler.run(eval_("\n    [\n        x,\n    ]\n", x=1)) == [1]
    with pytest.raises(TypeError, match="arguments given 1, expected 2"):
        scheduler.run(eval_("x + y", 1, pos_args=["x", "y"]))


def test_map(scheduler: Scheduler) -> None:
    assert scheduler.run(map_(inc, [1, inc(1), 3])) == [2, 3, 4]
    assert scheduler.run(map_(inc, upto(3))) == [1, 2, 3]
    assert scheduler.run(map_(pick("double"), upto(3))) == [0, 2, 4]
    assert scheduler.run(map_(a_task=area.partial(height=2), values=(1, 2))) == [2, 4]
    assert scheduler.run(map_(inc, identity(range(3)))) == [1, 2, 3]
    assert scheduler.run(map_(inc, [])) == []
    with pytest.raises(ValueError, match="bad 1"):
        scheduler.run(map_(fail, [1]))


def test_nested_maps_are_fused(scheduler: Scheduler) -> None:
    nested = map_(inc, map_(double, values=map_(pick("inc"), upto(3))))
    assert scheduler.run(nested) == [3, 5, 7]
    assert executed(scheduler).count("compose_apply") == 3


def test_many_nested_maps(scheduler: Scheduler) -> None:
    nested = reduce(lambda values, _: map_(inc, values), range(500), [0, 100])
    assert scheduler.run(nested) == [500, 600]


def test_starmap(scheduler: Scheduler) -> None:
    calls = [{"width": 1}, {"width": inc(1), "height": 3}]
    assert scheduler.run(starmap(area, calls)) == [10, 6]
    assert scheduler.run(starmap(area, identity(calls))) == [10, 6]
    assert scheduler.run(starmap(area)) == []


def test_flatten_flat_map_zip(scheduler: Scheduler) -> None:
    assert scheduler.run(flatten([[1], [], [inc(1), 3]])) == [1, 2, 3]
    assert scheduler.run(flat_map(upto, [1, inc(1)])) == [0, 0, 1]
    assert scheduler.run(zip_([1, inc(1)], "ab", upto(3))) == [(1, "a", 0), (2, "b", 1)]


def test_seq_is_strictly_sequential(scheduler: Scheduler) -> None:
    begun = []

    @task(cache=False)
    def note(x):
        begun.append(x)
        if x == 3:
            raise ValueError("stop")
        return x

    assert scheduler.run(seq([note(1), 5, [note(2)]])) == [1, 5, [2]]
    assert begun == [1, 2]
    begun.clear()
    with pytest.raises(ValueError, match="stop"):
        scheduler.run(seq([note(1), note(3), note(4)]))
    assert begun == [1, 3]
    assert scheduler.run(seq([])) == []


def test_seq_of_an_expression_fails(scheduler: Scheduler) -> None:
    with pytest.raises(TypeError, match="Expressions cannot be coerced to bool"):
        scheduler.run(seq(upto(3)))


def test_no_prov_records_itself_only(scheduler: Scheduler) -> None:
    calls = []

    @task()
    def noted(x):
        calls.append(x)
        return inc(x)

    @task()
    def main(x):
        return no_prov([noted(x), noted(inc(x))])

    assert scheduler.run(main(1)) == [2, 3]
    assert executed(scheduler) == ["main", "no_prov"]
    assert sorted(calls) == [1, 2]
    assert scheduler.run(main(1)) == [2, 3]
    assert sorted(calls) == [1, 2]


def test_values_in_no_prov_are_still_checked(scheduler: Scheduler, workdir) -> None:
    @task()
    def write(text):
        file = File("out.txt")
        file.write(text)
        return file

    @task(cache=False)
    def main():
        return no_prov(write("a"))

    assert scheduler.run(main()).read() == "a"
    File("out.txt").remove()
    assert scheduler.run(main()).read() == "a"
