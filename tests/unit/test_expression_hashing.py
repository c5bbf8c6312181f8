"""Hashes of expressions: vectors of the original, what counts, and graphs of any size."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from redun.expression import (
    SimpleExpression,
    TaskExpression,
    ValueExpression,
    hash_expressions,
    quote,
)
from redun.hashing import hash_struct, set_scheme
from redun.task import PartialTask, hash_args_eval, scheduler_task, task
from redun.value import get_type_registry

# Recorded by running version 0.44.1 of the original.
GOLDEN = json.loads(
    (Path(__file__).parents[1] / "golden" / "language_redun1.json").read_text(encoding="utf-8")
)


@pytest.fixture(params=["blake3", "redun1"])
def scheme(request):
    set_scheme(request.param)
    return request.param


def define():
    """The tasks whose hashes were recorded; their sources are given as they were then."""

    @task(namespace="n", source="def f(a, b=1): return a\n")
    def f(a, b=1):
        return a

    @task(namespace="n", version="1", name="g", memory=3)
    def g(a, *xs, k=3, **kw):
        return a

    @scheduler_task(namespace="n")
    def st(s, j, x, a):
        return a

    return f, g, st


def calls():
    f, _, st = define()
    return {
        "call": f(1),
        "kw": f(a=1, b=2),
        "opt": f.options(memory=2)(1),
        "exp": f.export_options(memory=2)(1),
        "nest": f(f(1)),
        "lst": f([f(1), 2]),
        "add": f(1) + 1,
        "radd": 1 + f(1),
        "attr": f(1).foo,
        "item": f(1)["k"],
        "callx": f(1)(1, k=2),
        "val": ValueExpression(3),
        "vall": ValueExpression([1, f(1)]),
        "sched": st(1),
        "sched2": st.options(a=1)(1),
        "task": f(f),
        "partial": f(f.partial(1)),
    }


@pytest.mark.parametrize("name", sorted(calls()))
def test_hashes_of_the_original(name):
    set_scheme("redun1")
    assert calls()[name].get_hash() == GOLDEN[f"hash {name}"]


def test_value_hashes_of_the_original():
    set_scheme("redun1")
    f, g, _ = define()
    registry = get_type_registry()
    assert registry.get_hash([f(1), 2]) == GOLDEN["hlist"]
    assert registry.get_hash(quote(f(1))) == GOLDEN["quote"]
    assert list(hash_args_eval(registry, f, (1,), {"b": 2})) == GOLDEN["eval1"]
    assert list(hash_args_eval(registry, g, (1, 2, 3), {"k": 2, "z": 3})) == GOLDEN["eval2"]


def test_preimages(scheme):
    registry = get_type_registry()
    args_hash = registry.hash_args([((1,), {})])[0][0]
    one = registry.get_hash(1)
    assert SimpleExpression("op", (1,)).get_hash() == hash_struct(
        ["SimpleExpression", "op", args_hash]
    )
    assert ValueExpression(1).get_hash() == hash_struct(["ValueExpression", one])
    plain = TaskExpression("t", (1,), {})
    plain.get_hash()
    assert plain._args_hash == args_hash


def test_what_counts(scheme):
    f, _, st = define()
    base = f(1).get_hash()
    assert f(1).get_hash() == base
    others = [
        f(2),
        f(a=1),
        f.options(memory=1)(1),
        f.options(memory=2)(1),
        f.export_options(memory=1)(1),
        TaskExpression("n.other", (1,), {}),
        SimpleExpression("n.f", (1,)),
        f(1.0),
        f(True),
        f(f(1)),
    ]
    hashes = [expr.get_hash() for expr in others]
    assert base not in hashes
    assert len(set(hashes)) == len(hashes)
    assert st(1).get_hash() == st.options(memory=1)(1).get_hash()
    assert f(1, b=2, a=3).get_hash() == f(1, a=3, b=2).get_hash()


def test_equal_options_give_equal_hashes():
    f, _, _ = define()
    text = "".join(["me", "mory"])
    first = f.options(a=text, b={"x", "y", "z"})(1)
    second = f.options(a="memory", b={"z", "y", "x"})(1)
    assert first.get_hash() == second.get_hash()


def test_expressions_among_options(scheme):
    f, _, _ = define()
    deep = f(0)
    for _ in range(2_000 if scheme == "blake3" else 20):
        deep = f.options(after=deep)(1)
    assert deep.get_hash() != f.options(after=f(1))(1).get_hash()


def test_memoised_facts_about_the_arguments(scheme):
    f, _, _ = define()
    registry = get_type_registry()
    plain, nested, container = f(1, k="a"), f(f(1)), f([f(2)], 3)
    hash_expressions([plain, nested, container])
    assert plain._plain
    assert plain._arg_hashes == ((registry.get_hash(1),), (registry.get_hash("a"),))
    assert not nested._plain
    assert nested._arg_hashes is None
    assert container._arg_hashes is None
    assert nested.args[0]._hash is not None
    value = f(PartialTask(f, (), {}))
    hash_expressions([value])
    assert not value._plain
    assert value._arg_hashes is not None


def test_hash_follows_the_active_scheme():
    f, _, _ = define()
    expr = f(f(1)) + 1
    modern = expr.get_hash()
    set_scheme("redun1")
    old = expr.get_hash()
    assert old != modern
    assert old == (f(f(1)) + 1).get_hash()
    set_scheme("blake3")
    assert expr.get_hash() == modern


def test_an_expression_that_contains_itself():
    f, _, _ = define()
    items = []
    expr = f(items)
    items.append(f(expr))
    with pytest.raises(ValueError, match="contain itself"):
        expr.get_hash()


def test_deep_chains_are_hashed(scheme):
    f, _, _ = define()
    first, second = f(0), f(0)
    for _ in range(20_000):
        first, second = f(first), f(second)
    assert first.get_hash() == second.get_hash()
    assert first.args[0]._hash is not None


def test_deep_operators_are_hashed():
    f, _, _ = define()
    total = f(0)
    for _ in range(5_000):
        total = (total + 1)["k"]
    assert len(total.get_hash()) == 40


def test_shared_parts_are_hashed_once():
    f, _, _ = define()
    expr = f(0)
    for _ in range(200):  # 2 ** 200 paths
        expr = expr + expr
    assert len(expr.get_hash()) == 40


def test_wide_and_repeated_expressions():
    f, _, _ = define()
    shared = f(0)
    exprs = [f(shared, i % 10) for i in range(1_000)]
    hash_expressions([*exprs, *exprs])
    assert len({expr._hash for expr in exprs}) == 10
