"""Promises: states, callbacks, joins, and settling without recursion."""

import itertools

import pytest

from redun.promise import Promise, wait_promises

LONG = 100_000


def test_states() -> None:
    promise: Promise[int] = Promise()
    assert promise.is_pending
    assert promise.is_fulfilled is None
    assert promise.is_rejected is None
    with pytest.raises(ValueError, match=r"Promise is still pending\."):
        _ = promise.value
    assert promise.do_resolve(3) == 3
    assert (promise.is_pending, promise.is_fulfilled, promise.is_rejected) == (False, True, False)
    assert promise.value == 3
    with pytest.raises(ValueError, match=r"Promise is not rejected\."):
        _ = promise.error
    assert promise.do_resolve(4) == 4
    promise.do_reject(KeyError())
    assert promise.value == 3


def test_rejected_value_is_the_error() -> None:
    promise: Promise[int] = Promise()
    error = ValueError("bad")
    assert promise.do_reject(error) is error
    assert promise.is_rejected
    assert promise.value is error
    assert promise.error is error


def test_func_runs_at_once_and_may_raise() -> None:
    assert Promise(lambda resolve, reject: resolve(1)).value == 1

    def fail(resolve, reject):
        raise KeyError("x")

    assert isinstance(Promise(fail).error, KeyError)


def test_then_passes_through_and_maps() -> None:
    promise: Promise[int] = Promise()
    doubled = promise.then(lambda x: x * 2)
    caught = promise.then(lambda x: 1 / 0).catch(lambda e: type(e).__name__)
    through = promise.then(None, lambda e: 0)
    promise.do_resolve(21)
    assert doubled.value == 42
    assert caught.value == "ZeroDivisionError"
    assert through.value == 21
    assert promise.then(lambda x: x + 1).value == 22


def test_returned_promise_is_followed_but_resolving_with_one_stores_it() -> None:
    inner: Promise[int] = Promise()
    outer: Promise[int] = Promise()
    chained = outer.then(lambda _: inner)
    outer.do_resolve(1)
    assert chained.is_pending
    inner.do_resolve(7)
    assert chained.value == 7
    rejected: Promise[int] = Promise()
    rejected.do_reject(KeyError())
    assert isinstance(outer.then(lambda _: rejected).error, KeyError)
    holder: Promise = Promise()
    holder.do_resolve(inner)
    assert holder.value is inner


def test_callbacks_run_depth_first_in_order() -> None:
    seen: list[str] = []
    promise: Promise[int] = Promise()
    promise.then(lambda _: seen.append("a")).then(lambda _: seen.append("a2"))
    promise.then(lambda _: seen.append("b"))
    promise.do_resolve(1)
    assert seen == ["a", "a2", "b"]


def test_nested_resolve_is_synchronous() -> None:
    first: Promise[int] = Promise()
    second: Promise[int] = Promise()
    third = second.then(lambda x: x + 1)

    def callback(x):
        second.do_resolve(x)
        return third.value

    outcome = first.then(callback)
    first.do_resolve(1)
    assert outcome.value == 2


def test_base_exception_propagates() -> None:
    promise: Promise[int] = Promise()

    def interrupt(_):
        raise KeyboardInterrupt()

    promise.then(interrupt)
    with pytest.raises(KeyboardInterrupt):
        promise.do_resolve(1)
    other: Promise[int] = Promise()
    after = other.then(lambda x: x)
    other.do_resolve(5)
    assert after.value == 5


def test_all() -> None:
    assert Promise.all([]).value == []
    parts: list[Promise[int]] = [Promise() for _ in range(3)]
    joined = Promise.all(parts)
    parts[2].do_resolve(2)
    parts[0].do_resolve(0)
    assert joined.is_pending
    parts[1].do_resolve(1)
    assert joined.value == [0, 1, 2]
    parts = [Promise() for _ in range(3)]
    joined = Promise.all(parts)
    parts[1].do_reject(KeyError("k"))
    assert isinstance(joined.error, KeyError)
    parts[0].do_resolve(0)
    assert joined.is_rejected
    twice = Promise.all([parts[0], parts[0]])
    assert twice.value == [0, 0]


def test_wait_promises() -> None:
    assert wait_promises([]).value == []
    parts: list[Promise[int]] = [Promise(), Promise()]
    joined = wait_promises(parts)
    parts[0].do_reject(KeyError())
    assert joined.is_pending
    parts[1].do_resolve(1)
    assert joined.value == parts


def test_long_then_chain() -> None:
    first: Promise[int] = Promise()
    last = first
    for _ in range(LONG):
        last = last.then(lambda x: x + 1)
    first.do_resolve(0)
    assert last.value == LONG


def test_long_chain_of_explicit_resolves() -> None:
    promises: list[Promise[int]] = [Promise() for _ in range(LONG)]
    for left, right in itertools.pairwise(promises):
        left.then(right.do_resolve)
    promises[0].do_resolve(1)
    assert promises[-1].value == 1


def test_long_chain_of_joins_and_of_returned_promises() -> None:
    first: Promise = Promise()
    last = first
    for _ in range(LONG):
        last = Promise.all([last]).then(lambda values: values[0])
    first.do_resolve(9)
    assert last.value == 9

    start: Promise = Promise()
    tail = start
    for _ in range(LONG):
        tail = start.then(lambda _, p=tail: p)
    start.do_reject(KeyError())
    assert tail.is_rejected
