"""Task calls that a task drops are found, with their lines; others are left alone."""

import logging
from functools import partial

import pytest

from redun import functools, script, task
from redun.engine.unused import find_unused_calls
from redun.functools import seq

redun_namespace = "test_unused"


@task()
def step(x=0):
    return x


def plain(x):
    return x


@task(
    version="1",
)
def drops():
    """Of these, the marked ones are dropped."""
    step(1)  # dropped
    for number in range(3):
        if number:
            step.options(memory=1)(number)  # dropped
    [step(n) for n in range(3)]  # dropped
    unread = step(2)  # noqa: F841  # dropped
    functools.identity(step(3))  # dropped
    script("echo")  # dropped
    return 1


@task()
def uses(items, step_of=None):
    """Nothing is dropped here."""
    results = []
    first = step(1)
    results.append(step(2))
    again = [step(n) for n in range(3)]
    _ignored = step(5)
    plain(step(3))
    step_of(4)
    items.step(4)

    def inner():
        return step(first)

    seq([step(4)]).value if False else None
    return [inner(), results, again]


@task(cache=False)
async def waits():
    await step(1)
    step(2)  # dropped
    return await step(3)


def marked_lines() -> dict[str, list[int]]:
    """The lines of this file with a mark, by the name of the function around them."""
    found: dict[str, list[int]] = {}
    with open(__file__) as file:
        for number, line in enumerate(file, 1):
            if line.startswith(("def ", "async def ")):
                name = line.split("def ")[1].split("(")[0]
            elif line.endswith("# dropped\n"):
                found.setdefault(name, []).append(number)
    return found


@pytest.mark.parametrize("called", [drops, uses, waits], ids=lambda called: called.name)
def test_lines(called) -> None:
    found = find_unused_calls(called)
    assert [line for line, _ in found] == marked_lines().get(called.name, [])


def test_names() -> None:
    names = [name for _, name in find_unused_calls(drops)]
    assert names == [*["test_unused.step"] * 4, "redun.identity", "script"]


def test_variables_of_an_enclosing_function() -> None:
    local = task(name="local")(partial(plain).func)

    @task()
    def outer():
        local(1)
        return later()

    @task()
    def later():
        return 1

    assert [name for _, name in find_unused_calls(outer)] == ["test_unused.local"]


def test_tasks_without_source_are_passed_over() -> None:
    namespace = {"step": step, "__name__": __name__}
    exec("def made():\n    step(1)\n", namespace)
    made = task(name="made", source="def made(): pass")(namespace["made"])
    assert find_unused_calls(made) == []


def test_warned_once_a_line(caplog: pytest.LogCaptureFixture, make_scheduler) -> None:
    scheduler = make_scheduler()

    @task()
    def forgets(x):
        step(x)
        return x

    @task()
    def main():
        return [forgets(1), forgets(2)]

    caplog.set_level(logging.WARNING)
    assert scheduler.run(main()) == [1, 2]
    (warning,) = {text for text in caplog.messages if "never used" in text}
    assert warning.startswith("Task call on line ")
    assert f"of {__file__} is never used: test_unused.step(...)" in warning
    assert "test_unused.forgets() returns" in warning
    assert "seq(" in warning

    caplog.clear()
    quiet = make_scheduler({"scheduler": {"ignore_warnings": "unused_call"}})
    assert quiet.run(main()) == [1, 2]
    assert [text for text in caplog.messages if "never used" in text] == []
