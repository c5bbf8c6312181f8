"""What expressions evaluate to: reduction, nesting, operators, defaults, order of jobs."""

from dataclasses import dataclass
from typing import NamedTuple

import pytest

from redun import File, Scheduler, task
from redun.expression import QuotedExpression, SimpleExpression, TaskExpression, quote
from redun.promise import Promise

redun_namespace = "test_evaluation"


@task()
def add(a, b=2):
    return a + b


@task()
def identity(x):
    return x


@task()
def double(x):
    return [x, x]


@task()
def fib(n):
    if n < 2:
        return n
    return fib(n - 1) + fib(n - 2)


class Point(NamedTuple):
    x: int
    y: int


@dataclass
class Box:
    content: object
    label: str = "box"


def test_concrete_values_are_returned_as_they_are(scheduler: Scheduler) -> None:
    for value in (1, "a", None, [1, {"b": (2, 3)}], {1, 2}, Point(1, 2), Box(3)):
        assert scheduler.run(value) == value


def test_call_with_default(scheduler: Scheduler) -> None:
    assert scheduler.run(add(1)) == 3
    assert scheduler.run(add(1, b=5)) == 6
    assert scheduler.run(add(add(1), add(2, add(3)))) == 10


def test_nested_containers_are_evaluated(scheduler: Scheduler) -> None:
    expr = {"a": [add(1), (add(2), {add(3)})], add(4): Point(add(5), 0), "box": Box(add(6))}
    assert scheduler.run(expr) == {
        "a": [3, (4, {5})],
        6: Point(7, 0),
        "box": Box(8),
    }


def test_recursion_and_operators(scheduler: Scheduler) -> None:
    assert scheduler.run(fib(15)) == 610


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        (lambda e: e + 1, 6),
        (lambda e: 1 + e, 6),
        (lambda e: e - 1, 4),
        (lambda e: 1 - e, -4),
        (lambda e: e * 2, 10),
        (lambda e: e / 2, 2.5),
        (lambda e: 10 / e, 2.0),
        (lambda e: e == 5, True),
        (lambda e: e != 5, False),
        (lambda e: 1 < e, True),
        (lambda e: e >= 6, False),
        (lambda e: e & 0, 0),
        (lambda e: 0 | e, 5),
        (lambda e: double(e)[1], 5),
        (lambda e: identity("a,b").split(",")[1], "b"),
        (lambda e: identity(Point(e, 2)).x, 5),
        (lambda e: sum([e, e]), 10),
    ],
)
def test_lazy_operators(scheduler: Scheduler, expr, expected) -> None:
    assert scheduler.run(expr(identity(5))) == expected


def test_unknown_operator_and_unknown_task(scheduler: Scheduler) -> None:
    with pytest.raises(NotImplementedError, match="'nope' does not exist"):
        scheduler.run([SimpleExpression("nope", (1,))])
    with pytest.raises(AssertionError, match="Could not find task `gone`"):
        scheduler.run(TaskExpression("gone", (), {}))
    with pytest.raises(NotImplementedError, match="Task not found in registry: gone"):
        scheduler.run([TaskExpression("gone", (), {})])


def test_quoted_expressions_and_tasks_are_values(scheduler: Scheduler) -> None:
    quoted = scheduler.run(identity(quote(add(1))))
    assert isinstance(quoted, QuotedExpression)
    assert scheduler.run(quoted.eval()) == 3

    @task()
    def give():
        return add

    assert scheduler.run(give()(5)) == 7


def test_promise_in_a_value_is_awaited(scheduler: Scheduler) -> None:
    promise: Promise = Promise()
    promise.do_resolve(4)
    assert scheduler.run([promise, add(1)]) == [4, 3]


def test_default_arguments_may_be_expressions(scheduler: Scheduler) -> None:
    calls = []

    @task()
    def noisy(x):
        calls.append(x)
        return x * 10

    @task()
    def main(a, b=noisy(4), c={"k": noisy(5)}):
        return [a, b, c]

    assert scheduler.run(main(1)) == [1, 40, {"k": 50}]
    assert sorted(calls) == [4, 5]
    assert scheduler.run(main(1, 2, c=3)) == [1, 2, 3]


def test_positional_only_defaults_and_keyword_only_expressions(scheduler: Scheduler) -> None:
    @task()
    def positional(a, b=3, /):
        return (a, b)

    @task()
    def variadic(a, *args, k=add(1)):
        return (a, args, k)

    assert scheduler.run(positional(1)) == (1, 3)
    assert scheduler.run(variadic(1)) == (1, (), 3)
    assert scheduler.run(variadic(1, 2, 3)) == (1, (2, 3), 3)


def test_arguments_are_copied(scheduler: Scheduler) -> None:
    @task(cache=False)
    def change(items):
        items.append("changed")
        return items

    shared = [1]

    @task()
    def main():
        made = double(7)
        return [change(shared), change([*shared, 0]), change(made), identity(made)]

    assert scheduler.run(main()) == [
        [1, "changed"],
        [1, 0, "changed"],
        [7, 7, "changed"],
        [7, 7],
    ]
    assert shared == [1]


def test_order_of_jobs_is_that_of_the_code(scheduler: Scheduler) -> None:
    from redun.backends.db import Job

    @task()
    def opt(x):
        return x

    @task()
    def user(a, k=None, d=opt("default")):
        return (a, k, d)

    @task()
    def main():
        return user.options(memory=opt("option"))(opt("arg"), k=opt("key"))

    assert scheduler.run(main()) == ("arg", "key", "default")
    execution = scheduler.backend.session.query(Job).filter_by(parent_id=None).one()
    names = [edge.child_node.args_display for edge in execution.call_node.child_edges]
    assert names[1:] == ["['option']", "['arg']", "['key']", "['default']"]


def test_wrong_arguments_fail_the_job(scheduler: Scheduler) -> None:
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        scheduler.run(add())
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        scheduler.run(add(1, z=1))


def test_unhashable_key_rejects(scheduler: Scheduler) -> None:
    with pytest.raises(TypeError, match="unhashable"):
        scheduler.run({double(1): 2})


def test_files_pass_through(scheduler: Scheduler, workdir) -> None:
    @task()
    def write(text):
        file = File("out.txt")
        file.write(text)
        return {"file": file}

    @task()
    def read(files):
        return files["file"].read()

    assert scheduler.run(read(write("hello"))) == "hello"


def test_large_fan_out_of_one_list(scheduler: Scheduler) -> None:
    @task()
    def main(n):
        return [add(i, 0) for i in range(n)]

    assert scheduler.run(main(3_000)) == list(range(3_000))


def test_scheduler_is_reusable_after_failure(scheduler: Scheduler) -> None:
    @task()
    def fail(x):
        raise ValueError(x)

    with pytest.raises(ValueError):
        scheduler.run([fail(i) for i in range(50)])
    assert scheduler.run([add(i) for i in range(50)]) == [i + 2 for i in range(50)]
