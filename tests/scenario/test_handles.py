"""Handles: what stands for a database outside, and how its state is followed."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from redun import Handle, Scheduler, merge_handles, task
from redun.backends.db import Handle as HandleRow
from redun.backends.db import HandleEdge

pytestmark = pytest.mark.each_repo

redun_namespace = "test_handles"


class Database(Handle):
    """A real SQLite database."""

    def __init__(self, name: str, path: str) -> None:
        self.instance = sqlite3.connect(path, check_same_thread=False)


class Calls(list):
    """What ran; a module global, so that tasks can add to it."""

    def take(self) -> list[str]:
        taken, self[:] = list(self), []
        return taken


calls = Calls()


@pytest.fixture(autouse=True)
def _no_calls() -> None:
    calls.clear()


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "shop.db")


def rows(path: str) -> list[str]:
    with sqlite3.connect(path) as connection:
        return [name for (name,) in connection.execute("SELECT name FROM items ORDER BY rowid")]


def define(first: str = "1", second: str = "1") -> Callable[[str], Any]:
    """Define a workflow of three steps on a database; the versions are those of two of its steps."""

    @task(version="1")
    def create(db: Database) -> Database:
        calls.append("create")
        db.execute("DROP TABLE IF EXISTS items")
        db.execute("CREATE TABLE items (name TEXT)")
        db.commit()
        return db

    @task(version=first)
    def fill(db: Database) -> Database:
        calls.append(f"fill{first}")
        db.execute("DELETE FROM items")
        db.execute("INSERT INTO items VALUES (?)", [f"apple{first}"])
        db.commit()
        return db

    @task(version=second)
    def add(db: Database) -> Database:
        calls.append(f"add{second}")
        db.execute("DELETE FROM items WHERE name LIKE 'pear%'")
        db.execute("INSERT INTO items VALUES (?)", [f"pear{second}"])
        db.commit()
        return db

    @task(version="1")
    def main(path: str) -> Any:
        db = Database("shop", path)
        return add(fill(create(db)))

    return main


def test_steps_run_in_order_on_a_real_database(scheduler: Scheduler, path: str) -> None:
    db = scheduler.run(define()(path))
    assert calls == ["create", "fill1", "add1"]
    assert isinstance(db, Database)
    assert rows(path) == ["apple1", "pear1"]


def test_state_is_the_chain_of_calls(scheduler: Scheduler, path: str) -> None:
    db = scheduler.run(define()(path))
    session = scheduler.backend.session
    parent_of = {edge.child_id: edge.parent_id for edge in session.query(HandleEdge)}
    chain = [db.__handle__.hash]
    while chain[-1] in parent_of:
        chain.append(parent_of[chain[-1]])
    keys = [session.get(HandleRow, state).key for state in chain]
    assert keys == ["", "1", "", "1", "", "1", ""]  # from the last state back to the fresh handle
    assert chain[-1] == Database("shop", path).__handle__.hash
    assert {row.fullname for row in session.query(HandleRow)} == {"test_handles.shop"}


def test_second_run_takes_all_from_the_cache(scheduler: Scheduler, path: str) -> None:
    first = scheduler.run(define()(path))
    calls.clear()
    again = scheduler.run(define()(path))
    assert calls == []
    assert again.__handle__.hash == first.__handle__.hash
    assert again.execute("SELECT count(*) FROM items").fetchone() == (2,)  # it has reconnected


def test_a_changed_step_runs_again_and_all_after_it(scheduler: Scheduler, path: str) -> None:
    scheduler.run(define()(path))
    calls.clear()
    scheduler.run(define(first="2")(path))
    assert calls.take() == ["fill2", "add1"]
    scheduler.run(define(first="2", second="2")(path))
    assert calls.take() == ["add2"]
    assert rows(path) == ["apple2", "pear2"]


def test_reverted_code_runs_again_because_the_database_has_moved_on(
    scheduler: Scheduler, path: str
) -> None:
    scheduler.run(define()(path))
    scheduler.run(define(first="2")(path))
    calls.clear()
    scheduler.run(define(first="1")(path))
    assert calls.take() == ["fill1", "add1"]
    assert rows(path) == ["apple1", "pear1"]
    scheduler.run(define(first="1")(path))  # what ran again is valid again
    assert calls.take() == []


def test_rollback_marks_what_came_after(scheduler: Scheduler, path: str) -> None:
    old = scheduler.run(define()(path))
    new = scheduler.run(define(first="2")(path))
    session = scheduler.backend.session
    assert not session.get(HandleRow, old.__handle__.hash).is_valid
    assert session.get(HandleRow, new.__handle__.hash).is_valid


@pytest.mark.parametrize("options", [{}, {"limits": ["db"]}, {"limits": {"db": 1}}])
def test_each_use_is_a_fork_with_a_key_of_its_own(
    scheduler: Scheduler, path: str, options: dict[str, Any]
) -> None:
    @task(version="1", **options)
    def look(db: Database, number: int) -> str:
        calls.append("look")
        return db.__handle__.key

    @task(version="1")
    def main(path: str) -> list[Any]:
        db = Database("shop", path)
        return [look(db, number) for number in range(4)]

    assert scheduler.run(main(path)) == ["1", "2", "3", "4"]
    assert len(calls.take()) == 4
    assert scheduler.run(main(path)) == ["1", "2", "3", "4"]
    assert calls == []


def test_the_root_call_forks_with_key_zero(scheduler: Scheduler, path: str) -> None:
    @task()
    def look(db: Database) -> str:
        return db.__handle__.key

    assert scheduler.run(look(Database("shop", path))) == "0"


def test_handles_in_containers_are_followed_too(scheduler: Scheduler, path: str) -> None:
    @task(version="1")
    def step(parts: dict[str, Any]) -> dict[str, Any]:
        calls.append("step")
        (db,) = parts["handles"]
        assert db.__handle__.key == "1"
        return {"db": [db], "sum": db.execute("SELECT 1 + 1").fetchone()[0]}

    @task(version="1")
    def main(path: str) -> Any:
        return step({"handles": [Database("shop", path)]})

    result = scheduler.run(main(path))
    assert result["sum"] == 2
    state = result["db"][0].__handle__
    row = scheduler.backend.session.get(HandleRow, state.hash)
    assert row.is_valid
    assert row.key == ""
    assert scheduler.run(main(path))["db"][0].__handle__.hash == state.hash
    assert calls == ["step"]


def test_merged_branches_are_parents_of_what_follows(scheduler: Scheduler, path: str) -> None:
    def workflow(version: str) -> Any:
        @task(version="1")
        def left(db: Database) -> Database:
            calls.append("left")
            return db

        @task(version=version)
        def right(db: Database) -> Database:
            calls.append(f"right{version}")
            return db

        @task(version="1")
        def after(db: Database) -> Database:
            calls.append("after")
            return db

        @task(version="1")
        def main(path: str) -> Any:
            db = Database("shop", path)
            return after(merge_handles([left(db), right(db)]))

        return main

    scheduler.run(workflow("1")(path))
    assert sorted(calls.take()) == ["after", "left", "right1"]
    scheduler.run(workflow("1")(path))
    assert calls.take() == []
    # What was merged from the branch that runs again is rolled back, and made anew.
    scheduler.run(workflow("2")(path))
    assert calls.take()[-2:] == ["right2", "after"]


def test_merge_refuses_nothing_and_strangers(scheduler: Scheduler, path: str) -> None:
    with pytest.raises(AssertionError, match="at least one"):
        scheduler.run(merge_handles([]))
    with pytest.raises(AssertionError, match="one name"):
        scheduler.run(merge_handles([Database("a", path), Database("b", path)]))


def test_handle_of_a_job_without_provenance_is_not_recorded(
    scheduler: Scheduler, path: str
) -> None:
    @task(prov=False)
    def step(db: Database) -> str:
        calls.append("step")
        return db.__handle__.key

    @task()
    def main(path: str) -> Any:
        return step(Database("shop", path))

    assert scheduler.run(main(path)) == "1"
    assert scheduler.backend.session.query(HandleRow).filter_by(key="1").count() == 0
    assert scheduler.run(main(path)) == "1"
    assert calls == ["step", "step"]


def test_a_handle_whose_class_has_gone_is_not_valid(scheduler: Scheduler, path: str) -> None:
    db = Database("shop", path)
    db.__handle__.class_name = "gone.Database"

    @task()
    def ask() -> bool:
        return True

    scheduler.run(ask())
    assert db.is_valid() is False
