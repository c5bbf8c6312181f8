"""Scheduler tasks and partial tasks."""

from __future__ import annotations

import pytest

from redun.expression import SchedulerExpression
from redun.hashing import set_scheme
from redun.task import PartialTask, SchedulerTask, get_task_registry, scheduler_task, task
from redun.utils import pickle_dumps, pickle_loads


def plain(a, b=1):
    return a + b


@pytest.fixture
def f():
    return task(namespace="n", source="def f(a, b=1): return a\n", name="f")(plain)


@pytest.fixture(params=["blake3", "redun1"])
def scheme(request):
    set_scheme(request.param)
    return request.param


def round_trip(value):
    return pickle_loads(pickle_dumps(value))


# -- scheduler tasks ---------------------------------------------------------------------------------


def test_scheduler_tasks():
    @scheduler_task(namespace="n", name="renamed", memory=1)
    def original(scheduler, parent_job, sexpr, x):
        return x

    assert isinstance(original, SchedulerTask)
    assert (original.fullname, original.version) == ("n.renamed", "1")
    assert get_task_registry().get("n.renamed") is original
    call = original.options(cpus=2, nout=3)(5)
    assert type(call) is SchedulerExpression
    assert call._options == {"cpus": 2, "nout": 3}
    assert call._export_options == set()
    assert call._length == 3
    assert type(original.options(a=1)) is SchedulerTask
    assert type(round_trip(original)) is SchedulerTask


# -- partial tasks -----------------------------------------------------------------------------------


def test_partial_calls_the_task(f):
    call = f.partial(1, b=2, c=3)(4, b=5)
    assert call.task_name == "n.f"
    assert (call.args, call.kwargs) == ((1, 4), {"b": 5, "c": 3})


def test_partial_of_partial_is_flat(f):
    made = f.partial(1, a=1).partial(2, b=3)
    assert made.task is f
    assert (made.args, made.kwargs) == ((1, 2), {"a": 1, "b": 3})


def test_options_of_partial_tasks(f):
    made = f.partial(1).options(memory=2)
    assert isinstance(made, PartialTask)
    assert made(2)._options == {"memory": 2}
    assert made.get_task_option("memory") == 2
    assert made.has_task_option("memory")
    assert made.get_task_options() == {"memory": 2}
    exported = f.partial(1).export_options(memory=2)
    assert exported(2)._export_options == {"memory"}
    context = f.partial(1).update_context({"a": 1}).update_context(b=2)
    assert context(1)._options["_context_override"] == {"a": 1, "b": 2}
    assert f.partial(1).signature == f.signature


def test_partial_round_trip(f, scheme):
    made = f.options(memory=2).partial(1, b=[f(2)])
    loaded = round_trip(made)
    assert isinstance(loaded, PartialTask)
    assert repr(loaded) == repr(made)
    assert loaded.hash == made.hash
    assert loaded.is_valid()
    assert loaded()._options == {"memory": 2}
    task(namespace="n", name="f", source="changed")(plain)
    assert not round_trip(made).is_valid()


def test_partial_of_a_scheduler_task():
    @scheduler_task(namespace="n")
    def st(scheduler, parent_job, sexpr, x):
        return x

    loaded = round_trip(st.partial(1))
    assert type(loaded.task) is SchedulerTask
    assert type(loaded()) is SchedulerExpression


def test_partial_arguments_count_in_the_hash(f, scheme):
    hashes = {made.hash for made in (f.partial(1), f.partial(2), f.partial(a=1), f.partial())}
    assert len(hashes) == 4
    assert f.hash not in hashes
