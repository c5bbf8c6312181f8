"""Fixtures for the tests of workflows: `from redun.pytest import scheduler`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from redun.scheduler import Scheduler

__all__ = ["scheduler"]


@pytest.fixture
def scheduler() -> Iterator[Scheduler]:
    """A scheduler with an empty repo in memory."""
    scheduler = Scheduler()
    yield scheduler
    scheduler.backend.close()
