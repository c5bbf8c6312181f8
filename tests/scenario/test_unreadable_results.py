"""Recorded results whose type is gone: their calls run again, and a warning names the type."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable

import pytest

from redun import Scheduler, task

redun_namespace = "test_unreadable_results"

ran: list[str] = []


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A module with a class, `gone_module.Point`."""
    found = types.ModuleType("gone_module")
    exec("class Point:\n    def __init__(self, x):\n        self.x = x\n", found.__dict__)
    monkeypatch.setitem(sys.modules, "gone_module", found)
    ran.clear()
    return found


def without_class(module: types.ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(module, "Point")


def without_module(module: types.ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "gone_module")


@pytest.mark.parametrize("remove", [without_class, without_module])
@pytest.mark.parametrize("nested", [False, True])
def test_a_result_whose_type_is_gone_is_computed_again(
    scheduler: Scheduler,
    module: types.ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    remove: Callable[[types.ModuleType, pytest.MonkeyPatch], None],
    nested: bool,
) -> None:
    point = module.Point(1)

    @task(version="1")
    def make(number):
        ran.append("make")
        if "gone_module" in sys.modules and hasattr(sys.modules["gone_module"], "Point"):
            return [point] if nested else point
        return number

    @task(version="1")
    def main():
        ran.append("main")
        return [make(number) for number in range(3)]

    scheduler.run(main())
    remove(module, monkeypatch)
    ran.clear()
    assert scheduler.run(main()) == [0, 1, 2]
    assert ran == ["make"] * 3
    # One warning for all values of a type that fail for the same reason.
    (warning,) = [record.message for record in caplog.records if record.levelname == "WARNING"]
    name = "builtins.list" if nested else "gone_module.Point"
    assert f"A recorded value of type {name} " in warning
    assert "cannot be used, so its call runs again" in warning
    assert "gone_module" in warning
    assert "Point" in warning or remove is without_module
