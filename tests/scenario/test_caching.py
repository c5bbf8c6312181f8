"""What is reused, within a run and from earlier ones."""

import pytest

from redun import File, Scheduler, task
from redun.task import CacheResult

pytestmark = pytest.mark.each_repo

redun_namespace = "test_caching"


class Calls(list):
    """Names of the tasks whose functions have run; a module global, so that tasks can add to it."""

    def take(self) -> list:
        taken, self[:] = list(self), []
        return taken


calls = Calls()


@pytest.fixture(autouse=True)
def _no_calls():
    calls.clear()


def make_tasks(leaf_version: str = "1", options: dict | None = None):
    """Define leaf and main (again)."""

    @task(version=leaf_version)
    def leaf(x):
        calls.append(f"leaf{leaf_version}")
        return x + int(leaf_version)

    @task(version="1", **(options or {}))
    def main(x):
        calls.append("main")
        return [leaf(x), leaf(x + 1)]

    return main


def test_second_run_calls_nothing(scheduler: Scheduler) -> None:
    main = make_tasks()
    assert scheduler.run(main(1)) == [2, 3]
    assert calls.take() == ["main", "leaf1", "leaf1"]
    assert scheduler.run(main(1)) == [2, 3]
    assert calls.take() == []


def test_changed_leaf_reruns_only_the_leaf(scheduler: Scheduler) -> None:
    scheduler.run(make_tasks("1")(1))
    calls.clear()
    assert scheduler.run(make_tasks("5")(1)) == [6, 7]
    assert calls.take() == ["leaf5", "leaf5"]
    assert scheduler.run(make_tasks("1")(1)) == [2, 3]  # reverting the code hits again
    assert calls.take() == []


def test_shallow_reuse_skips_children_and_sees_changes_below(scheduler: Scheduler) -> None:
    from redun.backends.db import Job

    main = make_tasks("1", {"check_valid": "shallow"})
    scheduler.run(main(1))
    calls.clear()
    before = scheduler.backend.session.query(Job).count()
    assert scheduler.run(main(1)) == [2, 3]
    assert calls.take() == []
    assert scheduler.backend.session.query(Job).count() == before + 1
    assert scheduler.run(make_tasks("5", {"check_valid": "shallow"})(1)) == [6, 7]
    assert "leaf5" in calls.take()


def test_shallow_caller_of_a_reused_call_still_sees_changes_below_it(scheduler) -> None:
    def define(version):
        @task(version=version)
        def leaf(x):
            calls.append("leaf")
            return f"{x}{version}"

        @task(version="1")
        def middle(x):
            return leaf(x)

        @task(version="1", check_valid="shallow")
        def outer(x):
            return middle(x)

        @task(version="1")
        def main(x, salt):
            return [middle(x), outer(x)]

        return main, outer

    main, outer = define("1")
    scheduler.run(main("a", 1))  # outer's child is equal to a call of this run
    calls.clear()
    _, outer = define("2")
    assert scheduler.run(outer("a")) == "a2"
    assert calls.take() == ["leaf"]


def test_cache_off_runs_each_time_but_seeds(scheduler: Scheduler) -> None:
    @task(cache=False, version="1")
    def noisy(x):
        calls.append(x)
        return x

    scheduler.run(noisy(1))
    scheduler.run(noisy(1))
    assert calls.take() == [1, 1]

    @task(version="1")
    def noisy(x):
        calls.append(x)
        return x

    scheduler.run(noisy(1))
    assert calls.take() == []


def test_run_without_cache_reuses_within_the_run_only(scheduler: Scheduler) -> None:
    main = make_tasks()
    scheduler.run(main(1))
    calls.clear()
    scheduler.run([main(1), main(1)], cache=False)
    assert sorted(calls.take()) == ["leaf1", "leaf1", "main"]


def test_equal_calls_in_one_run_run_once(scheduler: Scheduler) -> None:
    @task()
    def slow(x):
        calls.append(x)
        return x

    @task()
    def wrap(x, _salt):
        return slow(x)

    # Equal expressions of one body, equal calls of several bodies, pending and finished.
    assert scheduler.run([slow(1), slow(1), wrap(1, "a"), wrap(1, "b")]) == [1, 1, 1, 1]
    assert calls.take() == [1]


def test_scope_none_runs_once_per_body(scheduler: Scheduler) -> None:
    @task(cache_scope="NONE")
    def rnd():
        calls.append("rnd")
        return len(calls)

    @task(cache=False)
    def wrap(_salt):
        return [rnd(), rnd()]

    assert len(set(map(tuple, scheduler.run([wrap(1), wrap(2)])))) == 2
    assert len(calls.take()) == 2


def test_spelling_of_arguments_matters_as_specified(scheduler: Scheduler) -> None:
    @task()
    def f(a, b=2):
        calls.append((a, b))
        return a

    scheduler.run([f(1), f(1, b=2)])
    assert len(calls.take()) == 1
    scheduler.run([f(a=1), f(1, 2)])
    assert len(calls.take()) == 2
    scheduler.run([f(1), f(True), f(1.0)])
    assert len(calls.take()) == 2


def test_config_args_do_not_count(scheduler: Scheduler) -> None:
    @task(config_args=["memory"])
    def f(x, memory=1):
        calls.append((x, memory))
        return memory

    assert scheduler.run(f(1, memory=1)) == 1
    assert scheduler.run(f(1, memory=2)) == 1
    assert scheduler.run(f(1, 3)) == 1
    assert calls.take() == [(1, 1)]


def test_allowed_cache_results(scheduler: Scheduler) -> None:
    @task(allowed_cache_results={CacheResult.CSE})
    def f(x):
        calls.append(x)
        return x

    scheduler.run([f(1), [f(1)]])
    scheduler.run(f(1))
    assert calls.take() == [1, 1]


def test_errors_are_not_reused_by_later_runs(scheduler: Scheduler) -> None:
    @task()
    def fail(x):
        calls.append(x)
        raise ValueError("no")

    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            scheduler.run(fail(1))
    assert calls.take() == [1, 1]


def test_file_results_are_checked(scheduler: Scheduler, workdir) -> None:
    @task()
    def write(path, text):
        calls.append("write")
        file = File(path)
        file.write(text)
        return [file]

    @task()
    def read(files):
        calls.append("read")
        return files[0].read()

    expr = read(write("f.txt", "hello"))
    assert scheduler.run(expr) == "hello"
    assert scheduler.run(expr) == "hello"
    assert calls.take() == ["write", "read"]
    (workdir / "f.txt").unlink()
    assert scheduler.run(expr) == "hello"
    assert "write" in calls.take()
    (workdir / "f.txt").write_text("edited by hand")
    assert scheduler.run(expr) == "hello"
    assert "write" in calls.take()


def test_context_restricts_shared_results(scheduler: Scheduler) -> None:
    from redun import get_context

    @task(check_valid="shallow")
    def f(x):
        return [x, get_context("who")]

    assert scheduler.run(f(1), context={"who": "a"}) == [1, "a"]
    assert scheduler.run(f(1), context={"who": "b"}) == [1, "b"]
    assert scheduler.run(f(1), context={"who": "a"}) == [1, "a"]
    assert scheduler.run([f(1), f.update_context(who="c")(1)]) == [[1, None], [1, "c"]]


def test_result_of_a_class_that_is_gone_is_a_miss(scheduler: Scheduler, monkeypatch) -> None:
    import sys
    import types

    module = types.ModuleType("shapes_of_test")
    exec("class Shape:\n    side = 1\n", module.__dict__)
    monkeypatch.setitem(sys.modules, "shapes_of_test", module)

    @task()
    def shape():
        calls.append("shape")
        return sys.modules["shapes_of_test"].Shape()

    scheduler.run(shape())
    kept = module.Shape
    del module.Shape
    scheduler.task_registry.get("test_caching.shape").func = lambda: calls.append("again")
    assert scheduler.run(shape()) is None
    assert calls.take() == ["shape", "again"]
    module.Shape = kept
