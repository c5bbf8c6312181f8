"""Trying again what a passing error of the database stopped."""

from __future__ import annotations

import sqlite3
import weakref

import pytest

from redun.backends.db.connection import Retry


class Resource:
    """Something that a frame holds, such as an open connection."""


def locked() -> None:
    raise sqlite3.OperationalError("database is locked")


def test_waits_get_longer_up_to_a_limit() -> None:
    waits: list[float] = []
    retry = Retry(retries=4, backoff=1, backoff_max=5, sleep=waits.append)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        retry.run("write", locked, lambda: None)
    assert waits == [2, 4, 5, 5]


def test_what_was_given_up_within_is_not_tried_again() -> None:
    waits: list[float] = []
    inner, outer = (Retry(retries=2, sleep=waits.append) for _ in range(2))
    with pytest.raises(sqlite3.OperationalError):
        outer.run("all", lambda: inner.run("a part", locked, lambda: None), lambda: None)
    assert len(waits) == 2


def test_an_error_that_was_dealt_with_keeps_nothing() -> None:
    held: list[weakref.ref[Resource]] = []

    def work() -> None:
        resource = Resource()
        held.append(weakref.ref(resource))
        locked()

    retry = Retry(retries=1, sleep=lambda seconds: None)
    with pytest.raises(sqlite3.OperationalError) as caught:
        retry.run("write", work, lambda: None)
    assert held[-1]() is not None
    del caught
    assert [resource() for resource in held] == [None, None]
