from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from redun import task
from redun.backends.base import CacheHit, CacheQuery, Records
from redun.backends.db import RedunBackendDb
from redun.task import CacheCheckValid, CacheResult, CacheScope

pytestmark = pytest.mark.each_repo

redun_namespace = "dbcache"

PICKLE = "application/python-pickle"
TASK, BELOW = "a" * 40, "b" * 40
ARGS, EVAL = "c" * 40, "d" * 40
ONE, TWO, LAZY, GONE = "1" * 40, "2" * 40, "3" * 40, "4" * 40
OLD_CALL, NEW_CALL, BARE_CALL = "5" * 40, "6" * 40, "7" * 40


@pytest.fixture(params=["backend", "file_backend"])
def repo(request: pytest.FixtureRequest) -> RedunBackendDb:
    """A task called twice with the same arguments; the newer call ran another task below."""
    backend = request.getfixturevalue(request.param)
    backend.record(
        Records(
            values=[
                (TASK, "redun.Task", PICKLE, b"?"),
                (BELOW, "redun.Task", PICKLE, b"?"),
                (ONE, "builtins.int", PICKLE, b"\x80\x03K\x01."),
                (TWO, "builtins.int", PICKLE, b"\x80\x03K\x02."),
                (LAZY, "builtins.int", PICKLE, b"\x80\x03K\x03."),
                (GONE, "gone.Foo", PICKLE, b"\x80\x03cgone_module\nFoo\n)\x81."),
            ],
            tasks=[(TASK, "sample", "dbcache", ""), (BELOW, "below", "dbcache", "")],
            evaluations=[(EVAL, TASK, ARGS, LAZY)],
            call_nodes=[
                (OLD_CALL, "dbcache.sample", TASK, ARGS, ONE, 1000.0),
                (NEW_CALL, "dbcache.sample", TASK, ARGS, TWO, 2000.0),
            ],
            subtree_tasks=[(OLD_CALL, TASK), (NEW_CALL, TASK), (NEW_CALL, BELOW)],
            executions=[("exec", "[]", "root")],
            job_starts=[("root", 1.0, TASK, None, "exec"), ("again", 2.0, TASK, "root", "exec")],
            job_ends=[("root", 9.0, False, NEW_CALL), ("again", 8.0, False, OLD_CALL)],
        )
    )
    return backend


def query(shallow: bool = False, single: bool = False, **changes: Any) -> CacheQuery:
    return CacheQuery(TASK, ARGS, EVAL, None, shallow, single)._replace(**changes)


NEW_HIT = CacheHit(TWO, "builtins.int", b"\x80\x03K\x02.", NEW_CALL)
OLD_HIT = CacheHit(ONE, "builtins.int", b"\x80\x03K\x01.", OLD_CALL)
LAZY_HIT = CacheHit(LAZY, "builtins.int", b"\x80\x03K\x03.", None)


def test_answers_are_in_the_order_of_the_queries(repo: RedunBackendDb) -> None:
    queries = [
        query(),
        query(single=True),
        query(shallow=True),
        query(shallow=True, single=True),
        query(single=True, eval_hash="e" * 40),
        query(shallow=True, args_hash="e" * 40),
        query(shallow=True, task_hash=BELOW),
    ]
    hits = repo.check_cache_many(queries, {TASK, BELOW})
    assert hits == [None, LAZY_HIT, NEW_HIT, NEW_HIT, None, None, None]
    assert repo.check_cache_many([], set()) == []


def test_newest_call_whose_tasks_all_exist_is_found(repo: RedunBackendDb) -> None:
    queries = [query(shallow=True), query(shallow=True, single=True)]
    assert repo.check_cache_many(queries, {TASK}) == [OLD_HIT, OLD_HIT]
    assert repo.check_cache_many(queries, set()) == [None, LAZY_HIT]


def test_call_without_known_tasks_always_fits(repo: RedunBackendDb) -> None:
    repo.record(Records(call_nodes=[(BARE_CALL, "dbcache.sample", TASK, ARGS, ONE, 3000.0)]))
    (hit,) = repo.check_cache_many([query(shallow=True)], set())
    assert hit is not None
    assert hit.call_hash == BARE_CALL


def test_context_restricts_calls(repo: RedunBackendDb) -> None:
    context = repo.record_call_node_context(OLD_CALL, None, {"a": 1})
    assert repo.record_call_node_context(NEW_CALL, "9" * 40, {}) == "9" * 40
    queries = [
        query(shallow=True, context_hash=context),
        query(shallow=True, context_hash="9" * 40),
        query(shallow=True, single=True, context_hash="8" * 40),
    ]
    assert repo.check_cache_many(queries, {TASK, BELOW}) == [OLD_HIT, NEW_HIT, LAZY_HIT]


def test_what_was_handed_over_a_moment_ago_is_found(repo: RedunBackendDb) -> None:
    repo.flush()
    repo.record(Records(evaluations=[("f" * 40, TASK, "0" * 40, ONE)]))
    (hit,) = repo.check_cache_many([query(single=True, eval_hash="f" * 40)], set())
    assert hit is not None
    assert hit.value_hash == ONE


def test_payload_that_is_stored_elsewhere_is_a_miss(repo: RedunBackendDb) -> None:
    repo.record(
        Records(
            values=[("8" * 40, "builtins.int", PICKLE, b"")],
            evaluations=[(EVAL, TASK, ARGS, "8" * 40)],
            call_nodes=[(BARE_CALL, "dbcache.sample", TASK, ARGS, "8" * 40, 3000.0)],
        )
    )
    queries = [query(single=True), query(shallow=True)]
    assert repo.check_cache_many(queries, {TASK, BELOW}) == [None, None]
    assert repo.get_call_results([BARE_CALL]) == {}


def test_statements_do_not_grow_with_the_queries(
    repo: RedunBackendDb, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo.flush()
    statements: list[str] = []
    rows = repo.repo.reader.rows

    def count(statement: str, ids: Sequence[str]) -> list[tuple[Any, ...]]:
        statements.append(statement)
        return rows(statement, ids)

    monkeypatch.setattr(repo.repo.reader, "rows", count)
    queries = [query(shallow=n % 2 == 0, single=True, eval_hash=f"{n:040x}") for n in range(5000)]
    hits = repo.check_cache_many(queries, {TASK, BELOW})
    assert hits[:2] == [NEW_HIT, None]
    # Calls, their contexts, the tasks below them, their results; then single reductions.
    assert len(statements) == 5


def test_get_call_results(repo: RedunBackendDb) -> None:
    results = repo.get_call_results([OLD_CALL, NEW_CALL, "f" * 40])
    assert results == {OLD_CALL: OLD_HIT, NEW_CALL: NEW_HIT}
    assert repo.known_calls([OLD_CALL, "f" * 40]) == {OLD_CALL}


# One call at a time.


def check(
    repo: RedunBackendDb,
    scope: CacheScope = CacheScope.BACKEND,
    valid: CacheCheckValid = CacheCheckValid.FULL,
    execution: str = "other",
    **kwargs: Any,
) -> tuple[Any, str | None, CacheResult]:
    return repo.check_cache(TASK, ARGS, EVAL, execution, {TASK, BELOW}, scope, valid, **kwargs)


def test_check_cache_looks_at_each_level_in_turn(repo: RedunBackendDb) -> None:
    shallow = CacheCheckValid.SHALLOW
    assert check(repo, CacheScope.NONE, execution="exec") == (None, None, CacheResult.MISS)
    # In the execution itself the newest job counts, not the newest call.
    assert check(repo, execution="exec") == (1, OLD_CALL, CacheResult.CSE)
    assert check(repo, CacheScope.CSE, execution="exec") == (1, OLD_CALL, CacheResult.CSE)
    assert check(repo, CacheScope.CSE) == (None, None, CacheResult.MISS)
    assert check(repo) == (3, None, CacheResult.SINGLE)
    assert check(repo, valid=shallow) == (2, NEW_CALL, CacheResult.ULTIMATE)


def test_check_cache_is_held_to_the_allowed_results(repo: RedunBackendDb) -> None:
    shallow = CacheCheckValid.SHALLOW
    found = {
        result: check(repo, valid=shallow, execution="exec", allowed_cache_results={result})[2]
        for result in CacheResult
    }
    assert found == {result: result for result in CacheResult}


def test_check_cache_in_a_context(repo: RedunBackendDb) -> None:
    context = repo.record_call_node_context(NEW_CALL, None, {"a": 1})
    found = check(repo, execution="exec", context_hash=context)
    assert found == (2, NEW_CALL, CacheResult.CSE)
    found = check(repo, CacheScope.CSE, execution="exec", context_hash="8" * 40)
    assert found == (None, None, CacheResult.MISS)


def test_result_that_cannot_be_read_is_no_hit(repo: RedunBackendDb) -> None:
    repo.record(Records(call_nodes=[(BARE_CALL, "dbcache.sample", TASK, ARGS, GONE, 3000.0)]))
    found = check(repo, valid=CacheCheckValid.SHALLOW)
    assert found == (3, None, CacheResult.SINGLE)
    repo.set_eval_cache(EVAL, TASK, ARGS, None, value_hash=GONE)
    assert check(repo) == (None, None, CacheResult.MISS)


def test_evaluation_is_recorded_and_replaced(repo: RedunBackendDb) -> None:
    repo.set_eval_cache("f" * 40, TASK, ARGS, [1, 2])
    assert repo.get_eval_cache("f" * 40) == ([1, 2], True)
    repo.set_eval_cache("f" * 40, TASK, ARGS, [3])
    assert repo.get_eval_cache("f" * 40) == ([3], True)
    assert repo.get_eval_cache("0" * 40) == (None, False)
    assert repo.get_call_cache(OLD_CALL) == (1, True)
    assert repo.get_call_cache("0" * 40) == (None, False)


def test_explanation_of_a_miss(repo: RedunBackendDb) -> None:
    @task(name="sample", namespace="dbcache")
    def sample() -> None: ...

    @task(name="unknown", namespace="dbcache")
    def unknown() -> None: ...

    assert repo.explain_cache_miss(sample, ARGS) == {
        "reason": "new_task",
        "call_hash": NEW_CALL,
        "call_task_hash": TASK,
        "call_args_hash": ARGS,
    }
    sample.hash = TASK
    assert repo.explain_cache_miss(sample, "0" * 40) == {
        "reason": "new_args",
        "call_hash": NEW_CALL,
        "call_task_hash": TASK,
        "call_args_hash": ARGS,
    }
    assert repo.explain_cache_miss(unknown, ARGS) == {"reason": "new_call"}
