"""Pickles of expressions: the original's layout, the flat one, graphs of any depth and sharing."""

from __future__ import annotations

import copy
import json
import pickle
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from redun.expression import TaskExpression, ValueExpression, quote, restore_graph
from redun.file import File
from redun.hashing import get_scheme, set_scheme
from redun.task import scheduler_task, task
from redun.utils import pickle_dumps, pickle_loads, with_pickle_preview
from redun.value import get_type_registry

GOLDEN = json.loads(
    (Path(__file__).parents[1] / "golden" / "language_redun1.json").read_text(encoding="utf-8")
)


@dataclass
class Pair:
    left: Any
    right: Any


@pytest.fixture
def f():
    @task(namespace="n", source="def f(a, b=1): return a\n")
    def f(a, b=1):
        return a

    return f


@pytest.fixture(params=["blake3", "redun1"])
def scheme(request):
    set_scheme(request.param)
    return request.param


def round_trip(value):
    registry = get_type_registry()
    return registry.deserialize(registry.get_type_name(type(value)), registry.serialize(value))


def samples(f):
    @scheduler_task(namespace="n")
    def st(s, j, x, a):
        return a

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


NAMES = sorted(name[4:] for name in GOLDEN if name.startswith("pkl "))


@pytest.mark.parametrize("name", NAMES)
def test_bytes_of_the_original(f, name):
    set_scheme("redun1")
    assert pickle_dumps(samples(f)[name]).hex() == GOLDEN[f"pkl {name}"]
    assert get_type_registry().serialize(samples(f)[name]).hex() == GOLDEN[f"pkl {name}"]


@pytest.mark.parametrize("name", NAMES)
def test_bytes_of_the_original_can_be_read(f, name):
    set_scheme("redun1")
    expr = samples(f)[name]
    loaded = pickle_loads(bytes.fromhex(GOLDEN[f"pkl {name}"]))
    assert type(loaded) is type(expr)
    assert repr(loaded) == repr(expr)
    assert loaded.get_hash() == expr.get_hash()


def test_records_without_later_keys_can_be_read():
    expr = TaskExpression.__new__(TaskExpression)
    expr.__setstate__({"task_name": "n.f", "args": pickle_dumps((1,)), "kwargs": pickle_dumps({})})
    assert (expr._options, expr._export_options, expr._length) == ({}, set(), None)
    assert expr.args == (1,)


@pytest.mark.parametrize("name", NAMES)
def test_round_trip(f, scheme, name):
    expr = samples(f)[name]
    expr.get_hash()
    loaded = round_trip(expr)
    assert type(loaded) is type(expr)
    assert loaded._hash is None
    assert loaded._leaves is None
    assert repr(loaded) == repr(expr)
    assert loaded.get_hash() == expr.get_hash()


def test_state_is_restored_in_full(f, scheme):
    expr = f.export_options(memory=2, nout=3)(1, b=[2])
    expr.call_hash = "c" * 40
    expr._upstreams = ["x"]
    loaded = round_trip(expr)
    assert (loaded.task_name, loaded.args, loaded.kwargs) == ("n.f", (1,), {"b": [2]})
    assert loaded._options == {"memory": 2, "nout": 3}
    assert loaded._export_options == {"memory", "nout"}
    assert loaded._length == 3
    assert loaded.call_hash is None
    assert loaded._upstreams == [(1,), {"b": [2]}]


def test_containers_of_expressions(f, scheme):
    value = {"a": [f(1), (f(2) + 1, {f(3)})], "pair": Pair(f(4), 5), 6: None}
    loaded = round_trip(value)
    assert repr(loaded["a"]) == repr(value["a"])
    assert loaded["pair"].left.args == (4,)
    assert get_type_registry().get_hash(loaded["a"][0]) == value["a"][0].get_hash()


def test_values_travel_with_expressions(f, scheme, tmp_path):
    path = tmp_path / "data"
    path.write_text("text")
    file = File(str(path))
    loaded = round_trip(f(f(file), [file]))
    assert isinstance(loaded.args[0].args[0], File)
    assert loaded.args[1][0].get_hash() == file.get_hash()


def test_expressions_where_nothing_looks_for_them(f, scheme):
    hidden = OrderedDict(a=f(1))
    assert round_trip(hidden)["a"].args == (1,)
    assert round_trip(f(hidden)).args[0]["a"].args == (1,)
    assert round_trip(quote(f(f(1)))).eval().args[0].args == (1,)
    partial = round_trip([f.partial(f(1))])[0]
    assert partial.args[0].args == (1,)


def test_sharing_is_kept(f):
    shared = f(0)
    first, second = round_trip([f(shared), f(shared)])
    assert first.args[0] is second.args[0]
    expr = shared
    for _ in range(200):
        expr = expr + expr
    loaded = round_trip(expr)
    assert loaded.args[0] is loaded.args[1]
    assert loaded.get_hash() == expr.get_hash()


def test_sharing_does_not_explode_in_compatible_repos(f):
    set_scheme("redun1")
    expr = f(0)
    for _ in range(45):
        expr = expr + expr
    assert len(get_type_registry().serialize(expr)) < 10_000


@pytest.mark.parametrize("depth", [60, 20_000])
def test_deep_chains(f, scheme, depth):
    expr = f(0)
    for _ in range(depth):
        expr = f(expr)
    data = get_type_registry().serialize(expr)
    assert len(data) < 100 * depth
    loaded = get_type_registry().deserialize("redun.expression.TaskExpression", data)
    assert loaded.get_hash() == expr.get_hash()
    assert pickle.loads(pickle.dumps(expr)).task_name == "n.f"


def test_deep_chains_through_containers_and_operators(f):
    expr = f(0)
    for _ in range(5_000):
        expr = f([expr + 1, {"k": expr}])
    assert round_trip([expr])[0].get_hash() == expr.get_hash()


def test_deep_containers_among_the_arguments(f):
    deep: list = [f(1)]
    for _ in range(20_000):
        deep = [deep]
    expr = f(deep, b={"k": deep})
    loaded = round_trip(expr)
    assert loaded.get_hash() == expr.get_hash()
    assert loaded.args[0] is loaded.kwargs["b"]["k"]


def test_deep_dataclasses_tuples_and_sets(f):
    deep: Any = f(1)
    for _ in range(2_000):
        deep = Pair({(deep,)} if isinstance(deep, TaskExpression) else (deep,), {"k": 1})
    loaded = round_trip(f(deep))
    assert loaded.get_hash() == f(deep).get_hash()


def test_the_flat_layout_names_its_public_function(f):
    data = get_type_registry().serialize([f(1)])
    assert b"credun.expression\nrestore_graph\n" in data
    assert restore_graph.__module__ == "redun.expression"
    assert data[:2] == b"\x80\x03"


def test_flat_and_original_layouts_are_read_under_either_scheme(f):
    flat = get_type_registry().serialize(f(f(1)))
    set_scheme("redun1")
    nested = get_type_registry().serialize(f(f(1)))
    for data in (flat, nested):
        for scheme in ("blake3", "redun1"):
            set_scheme(scheme)
            assert repr(pickle_loads(data)) == "n.f(n.f(1))"
    assert get_scheme() == "redun1"


def test_previews_show_classes_that_are_gone(f):
    data = get_type_registry().serialize(f(f(Pair(1, 2))))
    module = Pair.__module__.encode()
    with with_pickle_preview():
        shown = pickle_loads(data.replace(module, b"x" * len(module)))
    assert repr(shown).startswith("n.f(n.f(Pair(")


def test_plain_copies(f):
    copied = copy.copy(f(f(1)))
    assert repr(copied) == "n.f(n.f(1))"


def test_bytes_are_the_same_each_time(f):
    first = get_type_registry().serialize([f(1, b=f(2)), f(3) + 1])
    second = get_type_registry().serialize([f(1, b=f(2)), f(3) + 1])
    assert first == second
