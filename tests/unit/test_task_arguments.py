"""Arguments of calls: hashing, defaults, display."""

from __future__ import annotations

import pytest

from redun.expression import TaskExpression
from redun.file import File
from redun.hashing import hash_struct, set_scheme
from redun.task import (
    Task,
    format_arg,
    format_task_call,
    get_arg_defaults,
    hash_args_eval,
    hashed_arguments,
    missing_defaults,
    set_arg_defaults,
)
from redun.value import Value, get_type_registry


def func(a, b=2, *args, c=3, **kwargs):
    pass


class Info(Value):
    type_name = "test_task_arguments.Info"
    not_hashed_as_argument = True

    def __getstate__(self):
        return {}

    def __setstate__(self, state):
        pass


@pytest.fixture(params=["blake3", "redun1"])
def scheme(request):
    set_scheme(request.param)
    return request.param


def args_hash(task, *args, **kwargs):
    return hash_args_eval(get_type_registry(), task, args, kwargs)[1]


def test_preimages(scheme):
    registry = get_type_registry()
    task = Task(func)
    one, two = registry.get_hash(1), registry.get_hash([2])
    eval_hash, digest = hash_args_eval(registry, task, (1,), {"k": [2]})
    assert digest == hash_struct(["TaskArguments", [one], {"k": two}])
    assert eval_hash == hash_struct(["Eval", task.hash, digest])


def test_spelling_counts_but_order_of_keywords_does_not(scheme):
    task = Task(func)
    hashes = {args_hash(task, 1, 3), args_hash(task, 1, b=3), args_hash(task, a=1, b=3)}
    assert len(hashes) == 3
    assert args_hash(task, a=1, b=3) == args_hash(task, b=3, a=1)
    assert len({args_hash(task, value) for value in (1, 1.0, True)}) == 3


def test_all_arguments_count_without_copies():
    args, kwargs = (1, File("x")), {"c": 1}
    assert hashed_arguments(Task(func), args, kwargs) == (args, kwargs)
    assert hashed_arguments(Task(func), args, kwargs)[0] is args
    assert hashed_arguments(Task(func), args, kwargs)[1] is kwargs


@pytest.mark.parametrize(
    ("config_args", "args", "kwargs"),
    [
        (["b"], [1, 3, 4], {"c": 5, "z": 6}),
        (["a"], [2, 3, 4], {"c": 5, "z": 6}),
        (["c"], [1, 2, 3, 4], {"z": 6}),
        (["args"], [1, 2], {"c": 5, "z": 6}),
        (["kwargs"], [1, 2, 3, 4], {"c": 5, "z": 6}),
        (["a", "b", "args"], [], {"c": 5, "z": 6}),
    ],
)
def test_config_args_do_not_count(config_args, args, kwargs):
    task = Task(func, task_options_base={"config_args": config_args})
    kept = hashed_arguments(task, (1, 2, 3, 4), {"c": 5, "z": 6})
    assert (list(kept[0]), kept[1]) == (args, kwargs)


def test_some_values_do_not_count():
    task = Task(func)
    assert args_hash(task, 1, Info(), c=Info()) == args_hash(task, 1)
    assert args_hash(task, 1, [Info()]) != args_hash(task, 1)


# -- defaults ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "kwargs", "defaults"),
    [
        ((1,), {}, {"b": 2, "c": 3}),
        ((), {}, {"b": 2, "c": 3}),
        ((1, 5), {}, {"c": 3}),
        ((1,), {"b": 5}, {"c": 3}),
        ((1,), {"c": 5, "z": 6}, {"b": 2}),
        ((1, 2, 3, 4), {}, {}),  # Python applies the default of c itself
    ],
)
def test_defaults(args, kwargs, defaults):
    task = Task(func)
    assert get_arg_defaults(task, args, kwargs) == defaults
    assert set_arg_defaults(task, args, kwargs) == (args, {**kwargs, **defaults})


def test_a_default_spelled_out_is_the_same_call(scheme):
    task = Task(func)
    args, kwargs = set_arg_defaults(task, (1,), {})
    spelled = set_arg_defaults(task, (1,), {"b": 2})
    registry = get_type_registry()
    assert hash_args_eval(registry, task, args, kwargs) == hash_args_eval(registry, task, *spelled)


def test_defaults_to_be_evaluated_are_passed_even_after_surplus_arguments():
    expr = TaskExpression("t", (), {})

    def with_expression(a, *args, k=expr):
        pass

    task = Task(with_expression)
    found = missing_defaults(task, (1, 2, 3), {})
    assert [item.name for item in found] == ["k"]
    assert found[0].value is expr
    assert not found[0].plain
    assert missing_defaults(task, (1, 2, 3), {"k": 1}) == []


def test_positional_only_defaults_are_passed_by_position():
    def positional(a, b=2, c=3, /, d=4):
        pass

    task = Task(positional)
    assert set_arg_defaults(task, (1,), {}) == ((1, 2, 3), {"d": 4})
    assert set_arg_defaults(task, (1, 5, 6), {"d": 7}) == ((1, 5, 6), {"d": 7})
    assert set_arg_defaults(task, (), {}) == (
        (),
        {"d": 4},
    )  # a is missing, and the call will say so


# -- display -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "kwargs", "text"),
    [
        ((1,), {}, "n.func(a=1, b=2, args=<class 'inspect._empty'>, c=3, "),
        (("x", [1]), {"c": None}, "n.func(a='x', b=[1], args=<class 'inspect._empty'>, c=None, "),
        ((1, 2, 3), {"z": 1}, "n.func(a=1, b=2, args=3, c=3, "),
        ((), {}, "n.func(a=<class 'inspect._empty'>, b=2, args=<class 'inspect._empty'>, c=3, "),
    ],
)
def test_display_of_calls(args, kwargs, text):
    task = Task(func, namespace="n")
    assert format_task_call(task, args, kwargs) == text + "kwargs=<class 'inspect._empty'>)"


def test_long_values_are_cut():
    assert format_arg("a", "x" * 300, 20) == "a='xxxxxxxxxxxxxxxx..."
    shown = format_task_call(Task(func), ("x" * 300,), {})
    assert shown.startswith("func(a='" + "x" * 196 + "..., b=2")
    assert len(format_arg("a", list(range(10**6)))) == 202
