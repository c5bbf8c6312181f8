"""Garbage collection while a workflow runs, or a repo is looked at."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["patient_collector"]

COLLECT_AFTER = 200_000  # allocations


@contextmanager
def patient_collector() -> Iterator[None]:
    """Let the garbage collector wait longer between its rounds.

    A run, or a look at a large execution, allocates many objects that stay; looking through them
    every few hundred allocations would take a sixth of its time.
    """
    before = gc.get_threshold()
    if 0 < before[0] < COLLECT_AFTER:
        gc.set_threshold(COLLECT_AFTER, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
