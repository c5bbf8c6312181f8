"""The task registry."""

from __future__ import annotations

import pytest

from redun.hashing import set_scheme
from redun.task import Task, TaskRegistry, get_task_registry, split_task_fullname


def func(x):
    return x


@pytest.fixture
def registry():
    return TaskRegistry()


def test_look_up(registry):
    first, second = Task(func, name="first"), Task(func, name="second", namespace="ns")
    registry.add(first)
    registry.add(second)
    assert registry.get("first") is first
    assert registry.get(task_name="ns.second") is second
    assert registry.get(hash=second.hash) is second
    assert registry.get("second") is None
    assert registry.get(hash="x") is None
    assert list(registry) == [first, second]
    with pytest.raises(ValueError, match=r"No task field given\."):
        registry.get()


def test_the_latest_definition_wins(registry):
    registry.add(Task(func, version="1"))
    latest = Task(func, version="2")
    registry.add(latest)
    assert list(registry) == [latest]
    assert registry.task_hashes == {latest.hash}


def test_hashes_of_tasks_that_share_one(registry):
    first, second = Task(func, compat=["same"]), Task(func, name="other", compat=["same"])
    registry.add(first)
    registry.add(second)
    assert registry.task_hashes == {"same"}
    registry.add(Task(func, name="other", compat=["new"]))
    assert registry.task_hashes == {"same", "new"}


def test_hashes_follow_the_active_scheme(registry):
    registry.add(Task(func))
    before = registry.task_hashes
    set_scheme("redun1")
    assert registry.task_hashes != before


def test_the_mapping_is_live(registry):
    made = Task(func)
    registry._tasks["func"] = made
    assert registry.get("func") is made
    registry._tasks = {}
    assert registry.get("func") is None
    assert registry.task_hashes == set()


def test_rename_keeps_the_hash(registry):
    made = Task(func, namespace="a")
    registry.add(made)
    before = made.hash
    assert registry.rename("a.func", "b.c", "other") is made
    assert made.fullname == "b.c.other"
    assert registry.get("b.c.other") is made
    assert registry.get("a.func") is None
    assert made.hash == before
    assert made.is_valid()
    assert made(1).task_name == "b.c.other"
    with pytest.raises(KeyError):
        registry.rename("a.func", "x", "y")


def test_one_registry_for_the_process():
    assert get_task_registry() is get_task_registry()


@pytest.mark.parametrize(
    ("fullname", "parts"), [("a.b.c", ("a.b", "c")), ("c", ("", "c")), ("a.c", ("a", "c"))]
)
def test_split(fullname, parts):
    assert split_task_fullname(fullname) == parts
