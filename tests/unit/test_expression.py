"""Lazy expressions: what they hold, when they are valid, how they show."""

from __future__ import annotations

import asyncio
import gc
import inspect

import pytest

from redun.expression import (
    ApplyExpression,
    Expression,
    QuotedExpression,
    SchedulerExpression,
    SimpleExpression,
    TaskExpression,
    ValueExpression,
    derive_expression,
    direct_leaves,
    format_arguments,
    quote,
)
from redun.file import File
from redun.task import get_task_registry, scheduler_task, task
from redun.value import Value, get_type_registry


@task(namespace="exprs")
def twice(x, *args, **kwargs):
    return 2 * x


@scheduler_task(namespace="exprs")
def in_scheduler(scheduler, parent_job, sexpr, x):
    raise NotImplementedError


@pytest.fixture(autouse=True)
def _tasks():
    for made in (twice, in_scheduler):
        get_task_registry().add(made)


class Stale(Value):
    type_name = "test_expression.Stale"

    def is_valid(self):
        return False

    def __getstate__(self):
        return {}

    def __setstate__(self, state):
        pass


def chain(length):
    expr = twice(0)
    for _ in range(length):
        expr = twice(expr)
    return expr


def test_hierarchy():
    assert issubclass(Expression, Value)
    assert issubclass(ApplyExpression, Expression)
    assert issubclass(SchedulerExpression, TaskExpression)
    assert issubclass(SimpleExpression, ApplyExpression)
    assert not issubclass(QuotedExpression, Expression)


def test_a_call_holds_its_parts():
    expr = twice.options(memory=2)(1, b=3)
    assert expr.task_name == "exprs.twice"
    assert (expr.args, expr.kwargs) == ((1,), {"b": 3})
    assert expr._options == {"memory": 2}
    assert expr._export_options == set()
    assert (expr.call_hash, expr._hash, expr._length) == (None, None, None)
    assert expr._upstreams == [(1,), {"b": 3}]


def test_type_names_are_the_public_ones():
    registry = get_type_registry()
    assert registry.get_type_name(type(twice(1))) == "redun.expression.TaskExpression"
    assert registry.get_type_name(type(twice(1) + 1)) == "redun.expression.SimpleExpression"
    assert registry.parse_type_name("redun.expression.ValueExpression") is ValueExpression


def test_value_expression_refuses_expressions():
    assert ValueExpression(1).value == 1
    with pytest.raises(AssertionError):
        ValueExpression(twice(1))


def test_base_expression_has_no_hash():
    with pytest.raises(NotImplementedError):
        Expression().get_hash()


def test_quote_holds_the_expression():
    expr = twice(1)
    assert isinstance(quote(expr), QuotedExpression)
    assert quote(expr).eval() is expr


def test_derived_expressions_name_what_they_come_from():
    origin = twice(1)
    value = derive_expression(origin, 3)
    assert isinstance(value, ValueExpression)
    assert value.value == 3
    assert value._upstreams[0] is origin
    further = twice(2)
    assert derive_expression(origin, further) is further
    assert further._upstreams[0] is origin


def test_upstreams_can_be_replaced():
    expr = twice(1) + 1
    expr._upstreams = ["other"]
    assert expr._upstreams == ["other"]
    assert ValueExpression(1)._upstreams == []


def test_expressions_are_hashable_by_identity():
    expr, other = twice(1), twice(1)
    assert len({expr: 1, other: 2}) == 2
    assert {expr: 1}[expr] == 1


def test_direct_leaves_are_in_document_order_and_memoised():
    first, second, file = twice(1), twice(2), File("x")
    expr = twice([first, {"k": (file, 1)}], "text", key={second})
    found = direct_leaves(expr)
    assert len(found) == 3
    assert all(a is b for a, b in zip(found, [first, file, second], strict=True))
    assert direct_leaves(expr) is found
    assert direct_leaves(twice(1, "a", [2.0, None])) == []


# -- iteration and items -----------------------------------------------------------------------------


@pytest.mark.parametrize("length", [0, 1, 3])
def test_iteration_of_known_length(length):
    expr = twice.options(nout=length)(1)
    assert [item.args[1] for item in expr] == list(range(length))
    assert all(item.func_name == "getitem" for item in expr)


def test_iteration_of_unknown_length():
    with pytest.raises(TypeError, match="Expressions of unknown length cannot be iterated"):
        iter(twice(1))


def test_slices_are_lists_of_items():
    expr = twice(1)
    assert [item.args[1] for item in expr[1:7:2]] == [1, 3, 5]
    assert [item.args[1] for item in expr[:2]] == [0, 1]
    assert expr[:-1] == []
    with pytest.raises(TypeError):
        expr[1:]


def test_await_outside_an_asynchronous_task():
    async def main():
        return await twice(1)

    with pytest.raises(LookupError):
        asyncio.run(main())


def test_await_asks_the_running_scheduler():
    from redun.current import job_running

    class FakeScheduler:
        async def evaluate_async(self, expr, parent_job):
            return expr.task_name, parent_job

    async def main():
        with job_running(FakeScheduler(), "job"):
            return await twice(1)

    assert asyncio.run(main()) == ("exprs.twice", "job")


def test_expression_is_not_awaitable_by_accident():
    assert inspect.isawaitable(twice(1))
    assert not inspect.isawaitable([twice(1)])


# -- validity ----------------------------------------------------------------------------------------


def test_calls_are_valid_while_their_tasks_exist():
    expr = twice(twice(1))
    assert expr.is_valid()
    del get_task_registry()._tasks["exprs.twice"]
    assert not expr.is_valid()


def test_the_registry_may_be_replaced_and_restored():
    registry = get_task_registry()
    saved = registry._tasks
    registry._tasks = {}
    try:
        assert not twice(1).is_valid()
    finally:
        registry._tasks = saved
    assert twice(1).is_valid()


def test_calls_are_valid_while_their_values_are():
    assert not twice([1, {"k": Stale()}]).is_valid()
    assert not twice(twice(Stale())).is_valid()


def test_operations_are_not_looked_into():
    assert (twice(Stale()) + 1).is_valid()
    assert twice(twice(Stale()) + 1).is_valid()
    assert ValueExpression(1).is_valid()


def test_validity_of_a_deep_chain():
    assert chain(20_000).is_valid()


# -- display -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda e: e, "exprs.twice(1)"),
        (lambda e: twice("a", b=2, a=e), "exprs.twice('a', a=exprs.twice(1), b=2)"),
        (lambda e: e + 1, "(exprs.twice(1) + 1)"),
        (lambda e: 1 - e, "(1 - exprs.twice(1))"),
        (lambda e: 2 & e, "(2 & exprs.twice(1))"),
        (lambda e: 1 < e, "(exprs.twice(1) > 1)"),
        (lambda e: e.foo.bar, "exprs.twice(1).foo.bar"),
        (lambda e: e["k"], "exprs.twice(1)['k']"),
        (lambda e: e[1, 2], "exprs.twice(1)[(1, 2)]"),
        (lambda e: e.method(3, k=e), "exprs.twice(1).method(3, k=exprs.twice(1))"),
        (lambda e: ValueExpression([1]), "ValueExpression([1])"),
        (lambda e: quote(e), "QuotedExpression(exprs.twice(1))"),
        (
            lambda e: SimpleExpression("foo", (1,), {"a": 2}),
            "SimpleExpression('foo', (1,), {'a': 2})",
        ),
        (lambda e: SimpleExpression("add", (1,)), "SimpleExpression('add', (1,), {})"),
        (
            lambda e: SimpleExpression("call", (1, 2, 3)),
            "SimpleExpression('call', (1, 2, 3), {})",
        ),
        (lambda e: in_scheduler(e), "exprs.in_scheduler(exprs.twice(1))"),
        (lambda e: f"{e}", "exprs.twice(1)"),
    ],
)
def test_repr(make, text):
    shown = make(twice(1))
    assert (shown if isinstance(shown, str) else repr(shown)) == text


def test_repr_of_huge_and_deep_expressions_is_cut():
    assert len(repr(twice("x" * 10**7))) == 10_000
    assert len(repr(twice(list(range(10**6))))) == 10_000
    assert repr(chain(20_000)).endswith("...")
    total = twice(0)
    for _ in range(5_000):
        total = total + 1
    assert repr(total).startswith("((((")


def test_format_arguments():
    assert (
        format_arguments((1, "a"), {"z": [1], "b": twice(1)}) == "1, 'a', b=exprs.twice(1), z=[1]"
    )
    assert format_arguments((), {}) == ""


# -- size --------------------------------------------------------------------------------------------


def test_deep_chains_are_collected():
    expr = chain(20_000)
    assert expr.task_name == "exprs.twice"
    del expr
    gc.collect()
    total = twice(0)
    for _ in range(20_000):
        total = [total + 1][0]
    del total
    assert gc.collect() >= 0


def test_creating_a_call_neither_hashes_nor_copies():
    exports = twice.export_options(memory=1)
    first, second = exports(1), exports(2)
    assert first._hash is None
    assert first._options is second._options
    assert first._export_options is second._export_options == {"memory"}
