"""Edge cases of the language: code and registry, options, context, limits, operators, names.

The numbers are those of the list 'Edge cases that bite' in the description of the language; it begins in
`test_edge_cases.py`. Where the original fails for no reason, the outcome here is the better one.
"""

from __future__ import annotations

import importlib.util
import linecache
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import redun
from redun import Handle, Scheduler, catch, cond, get_context, merge_handles, task
from redun.backends.db import Execution as ExecutionRow
from redun.backends.db import Job as JobRow
from redun.expression import Expression, TaskExpression
from redun.functools import seq
from redun.model.errors import SchedulerError
from redun.scheduler import JobInfo, catch_all
from redun.task import get_task_registry

redun_namespace = "test_edge_cases_code"

calls: list[Any] = []


@pytest.fixture(autouse=True)
def _no_calls() -> None:
    calls.clear()


def take() -> list[Any]:
    taken, calls[:] = list(calls), []
    return taken


@task(version="1")
def same(x: Any) -> Any:
    return x


@task(version="1")
def inc(x: int) -> int:
    return x + 1


@task(version="1")
def fail() -> None:
    raise ValueError("failed")


@task(version="1")
def recover(error: Exception) -> str:
    return f"recovered: {error}"


def define(directory: Path, text: str, name: str = "code") -> Any:
    """Import a module that is written now; returns it."""
    path = directory / f"{name}.py"
    path.write_text("from redun import task\nredun_namespace = 'edge'\n" + text)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    linecache.checkcache(str(path))
    spec.loader.exec_module(module)
    return module


# -- code and registry -----------------------------------------------------------------------------------


def test_36_the_last_definition_of_a_name_counts(scheduler: Scheduler) -> None:
    @task(name="twice")
    def first() -> str:
        return "first"

    expr = first()

    @task(name="twice")
    def second() -> str:
        return "second"

    assert scheduler.run(expr) == "second"
    assert scheduler.run(first()) == "second"


def test_37_a_reduction_to_a_task_that_is_gone(scheduler: Scheduler) -> None:
    @task(version="1")
    def gone() -> int:
        return 1

    expr = gone()

    @task(version="1")
    def direct() -> Any:
        calls.append("direct")
        return expr

    @task(version="1")
    def hidden() -> Any:
        calls.append("hidden")
        return expr + 1

    assert scheduler.run([direct(), hidden()]) == [1, 2]
    take()
    del get_task_registry()._tasks["test_edge_cases_code.gone"]
    with pytest.raises(NotImplementedError, match="Task not found in registry"):
        scheduler.run(direct())
    assert take() == ["direct"]  # the recorded reduction is not valid: the job runs again
    with pytest.raises(NotImplementedError, match="Task not found in registry"):
        scheduler.run(hidden())
    assert take() == []


def test_38_a_task_whose_module_was_never_imported(scheduler: Scheduler) -> None:
    unknown = TaskExpression("nowhere.task", (), {})
    with pytest.raises(AssertionError, match=r"Could not find task `nowhere\.task`"):
        scheduler.run(unknown)
    with pytest.raises(NotImplementedError, match="Task not found in registry"):
        scheduler.run(same(unknown))
    data = pickle.dumps(same)
    before = dict(get_task_registry()._tasks)
    del get_task_registry()._tasks["test_edge_cases_code.same"]
    loaded = pickle.loads(data)
    with pytest.raises(ValueError, match=r"Task test_edge_cases_code\.same is undefined"):
        loaded.func(1)
    with pytest.raises(AssertionError, match="Could not find task"):
        scheduler.run(loaded(1))
    get_task_registry()._tasks.update(before)


def test_39_what_of_the_text_of_a_task_counts(tmp_path: Path) -> None:
    def hash_of(text: str) -> str:
        return str(define(tmp_path, text).f.hash)

    plain = hash_of("@task()\ndef f():\n    return 1\n")
    assert hash_of("@task(memory=2)\ndef f():\n    return 1\n") == plain
    assert hash_of("@task()\ndef f():\n    return 1  # one\n") != plain
    assert hash_of("if True:\n    @task()\n    def f():\n        return 1\n") != plain


def test_40_hash_includes_and_options(scheduler: Scheduler) -> None:
    @task(hash_includes=["v1"], version="1")
    def f(x: int) -> int:
        calls.append("f")
        return x

    derived = f.options(memory=3)
    assert derived.hash != f.hash
    assert scheduler.run([f(1), derived(1)]) == [1, 1]
    assert take() == ["f"]
    scheduler.run(derived(1))
    assert take() == []


def test_41_a_decorated_method_is_a_plain_task(scheduler: Scheduler) -> None:
    class Holder:
        @task(name="method")
        def method(x: Any) -> Any:
            return x

    assert scheduler.run(Holder().method(5)) == 5  # type: ignore[arg-type,call-arg]


# -- options, context, limits ----------------------------------------------------------------------------


def test_42_options_may_be_expressions(scheduler: Scheduler) -> None:
    @task()
    def f(info: JobInfo = JobInfo()) -> Any:
        return info.options["memory"]

    @task()
    def main() -> Any:
        return f.options(memory=inc(1), executor=same("default"), limits=same(["x"]))()

    assert scheduler.run(main()) == 2
    assert scheduler.run(f.options(memory=inc(2))(), cache=False) == 3  # a root call
    with pytest.raises(TypeError, match="coerced to bool"):
        f.options(cache=inc(1))
    with pytest.raises(ValueError, match="not a valid"):
        f.options(cache_scope=inc(1))


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"allowed_cache_results": ["CSE"]}, "must be a set"),
        ({"limits": ("x",)}, "must be a dict or a list"),
    ],
)
def test_43_options_of_a_wrong_type(scheduler: Scheduler, options: Any, error: str) -> None:
    with pytest.raises(AssertionError, match=error):
        scheduler.run(same.options(**options)(1))
    assert scheduler.run(same(2)) == 2


def test_43_tags_given_as_a_tuple_are_taken(scheduler: Scheduler) -> None:
    assert scheduler.run(same.options(tags=(("colour", "red"),))(1)) == 1
    job = scheduler.backend.session.query(JobRow).one()
    assert [(tag.key, tag.value) for tag in job.tags] == [("colour", "red")]


def test_44_limits_that_nobody_declared(scheduler: Scheduler) -> None:
    @task(limits={"x": 2})
    def greedy() -> int:
        return 1

    with pytest.raises(SchedulerError, match="of which there is only 1"):  # the original hangs
        scheduler.run(greedy())


class Counter(Handle):
    """A handle with nothing behind it."""

    def __init__(self, name: str) -> None:
        self.instance = None


def test_45_waiting_for_a_limit_does_not_change_fork_keys(make_scheduler) -> None:
    scheduler = make_scheduler({"limits": {"x": 1}})

    @task(limits=["x"])
    def use(handle: Any, number: int) -> str:
        return str(handle.__handle__.key)

    @task()
    def main() -> Any:
        counter = Counter("counter")
        return [use(counter, number) for number in range(3)]

    assert scheduler.run(main()) == ["1", "2", "3"]


def test_46_update_context_is_for_what_is_below(scheduler: Scheduler) -> None:
    @task()
    def read(given: Any, default: Any = get_context("a.x")) -> Any:
        return [given, default, get_context("a.x"), get_context("a.y")]

    @task()
    def main() -> Any:
        return read.update_context({"a": {"x": 2}})(get_context("a.x"))

    assert scheduler.run(main(), context={"a": {"x": 1, "y": 5}}) == [1, 2, 2, 5]


def test_47_provenance_can_not_be_switched_on_again(scheduler: Scheduler) -> None:
    @task(prov=True)
    def inner() -> int:
        return 1

    @task(prov=False)
    def outer() -> Any:
        return inner.options(prov=True)()

    assert scheduler.run(outer()) == 1
    assert scheduler.backend.session.query(JobRow).count() == 0
    assert scheduler.backend.session.query(ExecutionRow).count() == 0


def test_48_a_shallow_task_whose_newest_call_failed_runs_again(scheduler: Scheduler) -> None:
    broken: list[bool] = []

    @task(version="1", check_valid="shallow")
    def f() -> int:
        calls.append("f")
        if broken:
            raise ValueError("broken")
        return 1

    scheduler.run(f())
    broken.append(True)
    with pytest.raises(ValueError, match="broken"):
        scheduler.run(f(), cache=False)
    broken.clear()
    take()
    assert scheduler.run(f()) == 1
    assert take() == ["f"]


# -- the surface of the language -------------------------------------------------------------------------


def test_49_slices(scheduler: Scheduler) -> None:
    expr = same((1, 2, 3))
    with pytest.raises(TypeError):
        expr[1:]
    with pytest.raises(TypeError):
        expr[::-1]
    assert isinstance(expr[:2], list)
    assert scheduler.run(expr[:2]) == [1, 2]
    assert scheduler.run(same("word")[1:3]) == ["o", "r"]


def test_50_and_or_are_logical_and_evaluate_both_sides(scheduler: Scheduler) -> None:
    assert scheduler.run(same(6) & same(3)) == 3
    assert scheduler.run(same([]) | same(5)) == 5
    assert scheduler.run(catch(same(True) | fail(), ValueError, recover)) == "recovered: failed"


def test_51_builtin_functions_over_expressions(scheduler: Scheduler) -> None:
    assert scheduler.run(sum([inc(1), inc(2)])) == 5
    for function in (max, sorted, any, all):
        with pytest.raises(TypeError, match="coerced to bool"):
            function([inc(1), inc(2)])  # type: ignore[operator]
    with pytest.raises(TypeError, match="coerced to bool"):
        assert 2 in [inc(1)]


def test_52_text_of_an_expression() -> None:
    assert f"<{inc(1)}>" == "<test_edge_cases_code.inc(1)>"
    assert str(inc(1) + 2) == "(test_edge_cases_code.inc(1) + 2)"


def test_53_deep_chains_and_deep_nesting_work(scheduler: Scheduler) -> None:
    chain: Any = inc(0)
    for _ in range(5_000):
        chain = chain + 1
    assert scheduler.run(chain) == 5_001
    nested: Any = 0
    for _ in range(2_000):
        nested = same(nested)
    assert scheduler.run(nested) == 0


def test_54_lazy_lists_where_a_list_is_needed(scheduler: Scheduler) -> None:
    with pytest.raises(TypeError):
        scheduler.run(seq(same([1, 2])))


def test_54_catch_all_takes_a_lazy_recover(scheduler: Scheduler) -> None:
    @task()
    def all_told(values: Any) -> Any:
        return [str(value) for value in values]

    assert scheduler.run(catch_all([inc(1), fail()], ValueError, same(all_told))) == ["2", "failed"]


def test_55_annotations_as_text_give_no_nout() -> None:
    @task()
    def pair() -> tuple[int, int]:
        return 1, 2

    assert pair.nout is None  # this module postpones its annotations
    with pytest.raises(TypeError, match="unknown length cannot be iterated"):
        list(pair())


def test_56_nothing_to_choose_from(scheduler: Scheduler) -> None:
    with pytest.raises(IndexError):
        scheduler.run(cond(False, 1))
    with pytest.raises(AssertionError):
        scheduler.run(merge_handles([]))


def test_57_the_decorator_shadows_its_module() -> None:
    import redun.task as decorator
    from redun.task import Task

    assert decorator is task
    assert callable(redun.namespace)
    assert isinstance(same, Task)
    assert isinstance(same(1), Expression)


def test_58_a_scheduler_may_run_while_its_module_is_the_main_program(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "from redun import Scheduler, task\n"
        "redun_namespace = 'main_program'\n"
        "@task()\n"
        "def f(x):\n"
        "    return x + 1\n"
        "print(Scheduler().run(f(1)))\n"
    )
    done = subprocess.run(
        [sys.executable, str(program)], capture_output=True, text=True, timeout=60, cwd=tmp_path
    )
    assert done.stdout == "2\n", done.stderr


def test_58_a_scheduler_may_run_while_its_module_is_imported(tmp_path: Path) -> None:
    (tmp_path / "imported.py").write_text(
        "from redun import Scheduler, task\n"
        "redun_namespace = 'imported'\n"
        "@task()\n"
        "def f(x):\n"
        "    return x + 1\n"
        "result = Scheduler().run(f(1))\n"
    )
    done = subprocess.run(  # the original deadlocks
        [sys.executable, "-c", "import imported; print(imported.result)"],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
    )
    assert done.stdout == "2\n", done.stderr
