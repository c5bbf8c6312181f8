"""Lazy operations: which syntax gives which operation, and what it does to values."""

from __future__ import annotations

import pytest

from redun.expression import (
    Expression,
    SimpleExpression,
    TaskExpression,
    get_lazy_operation,
    lazy_operation,
)


@pytest.fixture
def e():
    return TaskExpression("ns.task", (1,), {})


@pytest.mark.parametrize(
    ("make", "name", "swapped"),
    [
        (lambda e: e == 2, "eq", False),
        (lambda e: e != 2, "ne", False),
        (lambda e: e < 2, "lt", False),
        (lambda e: e <= 2, "le", False),
        (lambda e: e > 2, "gt", False),
        (lambda e: e >= 2, "ge", False),
        (lambda e: 2 == e, "eq", False),
        (lambda e: 2 < e, "gt", False),
        (lambda e: 2 >= e, "le", False),
        (lambda e: e + 2, "add", False),
        (lambda e: 2 + e, "radd", True),
        (lambda e: e - 2, "sub", False),
        (lambda e: 2 - e, "rsub", True),
        (lambda e: e * 2, "mul", False),
        (lambda e: 2 * e, "rmul", True),
        (lambda e: e / 2, "div", False),
        (lambda e: 2 / e, "rdiv", True),
        (lambda e: e & 2, "and", False),
        (lambda e: 2 & e, "rand", True),
        (lambda e: e | 2, "or", False),
        (lambda e: 2 | e, "ror", True),
        (lambda e: e[2], "getitem", False),
    ],
)
def test_operators_keep_the_expression_first(e, make, name, swapped):
    made = make(e)
    assert isinstance(made, SimpleExpression)
    assert made.func_name == name
    assert made.args[0] is e
    assert made.args[1] == 2
    assert made.kwargs == {}


def test_attributes_and_calls(e):
    assert (e.foo.func_name, e.foo.args[1]) == ("getattr", "foo")
    called = e(1, k=2)
    assert called.func_name == "call"
    assert called.args[0] is e
    assert called.args[1:] == ((1,), {"k": 2})
    assert e.__wrapped__.func_name == "getattr"


def test_real_attributes_win(e):
    assert e.args == (1,)
    assert isinstance(e.get_hash(), str)


def test_in_place_operators_fall_back(e):
    total = e
    total += 1
    assert total.func_name == "add"
    assert sum([e, e]).func_name == "add"


@pytest.mark.parametrize(
    "use",
    [
        bool,
        lambda e: not e,
        lambda e: 1 < e < 3,
        lambda e: max(e, e),
        lambda e: sorted([e, e]),
        lambda e: 5 in [1, e],
    ],
)
def test_truth_is_not_known(e, use):
    with pytest.raises(TypeError, match=r"Expressions cannot be coerced to bool\."):
        use(e)


@pytest.mark.parametrize(
    "use",
    [
        lambda e: -e,
        lambda e: ~e,
        lambda e: abs(e),
        lambda e: e % 2,
        lambda e: e**2,
        lambda e: e // 2,
        lambda e: e << 1,
        lambda e: e ^ 1,
        lambda e: e @ e,
        lambda e: divmod(e, 2),
        lambda e: len(e),
        lambda e: int(e),
        lambda e: float(e),
        lambda e: [1, 2][e],
        lambda e: range(e),
    ],
)
def test_unsupported_operations(e, use):
    with pytest.raises(TypeError):
        use(e)


@pytest.mark.parametrize(
    ("name", "args", "value"),
    [
        ("eq", (1, 1), True),
        ("lt", (1, 2), True),
        ("add", (1, 2), 3),
        ("radd", ("b", "a"), "ab"),
        ("rsub", (1, 5), 4),
        ("div", (1, 2), 0.5),
        ("rdiv", (2, 1), 0.5),
        ("rmul", (2, [1]), [1, 1]),
        ("and", (6, 3), 3),
        ("and", (0, 3), 0),
        ("rand", (6, 3), 6),
        ("or", ([], 5), 5),
        ("ror", ([], 5), 5),
        ("ror", (4, 5), 5),
        ("getattr", (3, "real"), 3),
        ("getitem", ({"a": 1}, "a"), 1),
        ("call", (dict, ([("a", 1)],), {"b": 2}), {"a": 1, "b": 2}),
    ],
)
def test_what_operations_do(name, args, value):
    operation = get_lazy_operation(name)
    assert operation is not None
    assert operation(*args) == value


def test_unknown_operation():
    assert get_lazy_operation("nope") is None


def test_new_operations_can_be_added(e, monkeypatch):
    @lazy_operation(method="__mod__", name="mod_for_test", symbol="%")
    def modulo(left, right):
        return left % right

    try:
        made = e % 3
        assert made.func_name == "mod_for_test"
        assert repr(made) == "(ns.task(1) % 3)"
        assert get_lazy_operation("mod_for_test") is modulo
        assert modulo(7, 4) == 3
    finally:
        del Expression.__mod__


def test_operations_are_named_after_their_function():
    @lazy_operation()
    def named_for_test(value):
        return value

    assert get_lazy_operation("named_for_test") is named_for_test


@pytest.mark.parametrize(
    ("use", "text"),
    [
        (bool, r"^Expressions cannot be coerced to bool\. .*Choose with cond\(\)"),
        (iter, r"^Expressions of unknown length cannot be iterated\. .*map_\(\).*@task\(nout="),
        (len, r"^Expressions of unknown length have no len\(\)\. .*map_\(\)"),
        (lambda e: 1 in e, r"^Expressions cannot be searched with `in`\. .*in a task that takes"),
        (int, r"^Expressions cannot be converted to int\. .*in a task that takes"),
        (float, r"^Expressions cannot be converted to float\. .*in a task that takes"),
        (range, r"^Expressions cannot be used as an index .*in a task that takes"),
        (lambda e: [1, 2][e], r"^Expressions cannot be used as an index .*in a task that takes"),
        (lambda e: e[1:], r"^Slices of expressions need a stop\. .*in a task that takes"),
    ],
)
def test_error_names_the_expression_and_the_cure(e, use, text):
    with pytest.raises(TypeError, match=text) as caught:
        use(e)
    assert repr(e) in str(caught.value)


def test_length_that_is_known():
    pair = TaskExpression("pair", (), {}, length=2)
    assert len(pair) == 2
    assert len(list(pair)) == 2
