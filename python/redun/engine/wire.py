"""The only caller of the state machine: events are collected here and handed over in batches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from redun._core import Machine

__all__ = ["Wire"]

JOB, OP = 0, 1

# Events; the protocol is described in src/sched/mod.rs.
DECLARE, AWAIT, PREPARED, HIT, MISS = 0, 1, 2, 3, 4
FINISHED, RESOLVED, FINISHED_PLAIN, FAILED = 5, 6, 7, 8
SETTLE, FAIL, CANCEL, SUBTREE = 9, 10, 11, 12

# Actions.
READY, CHECK, SUBMIT, COLLAPSE, REPLAY, REDUCE = 0, 1, 2, 3, 4, 5
SETTLED, REJECT, ABANDON, MIRROR, OVERLIMIT, REJECTED = 6, 7, 8, 9, 10, 11

# Failures spread through several kinds of action, whose order matters: they are kept in sequence.
SEQUENCE = REJECT

# Events handed over in one call, which bounds what their copies take.
MAX_EVENTS = 10_000

# Flags of PREPARED.
MAY_REUSE, WANTS_LOOKUP, MAY_BE_REUSED = 1, 2, 4


class Wire:
    """Collects events for the state machine and returns its actions.

    Parameters
    ----------
    limits : capacity of each declared resource.
    """

    def __init__(self, limits: Mapping[str, int]) -> None:
        self._machine = Machine(dict(limits))
        self._tasks: dict[str, int] = {}
        self._task_hashes: list[str] = []
        self._subtrees: dict[int, list[str]] = {}
        self.events: list[tuple[Any, ...]] = []
        self.nodes: list[Any] = []  # node id -> node; None once its scope has ended

    def declare(self, node: Any, kind: int, scope_id: int, task_hash: str | None = None) -> None:
        """Give a node its id and announce it."""
        node.node_id = len(self.nodes)
        self.nodes.append(node)
        task = -1 if task_hash is None else self.task(task_hash)
        self.events.append((DECLARE, node.node_id, kind, scope_id, task))

    def task(self, task_hash: str) -> int:
        """Return the index by which the machine knows a task hash."""
        index = self._tasks.get(task_hash)
        if index is None:
            index = self._tasks[task_hash] = self._machine.task(task_hash)
            self._task_hashes.append(task_hash)
        return index

    def send(self, *event: Any) -> None:
        """Queue one event."""
        self.events.append(event)

    def pump(self) -> list[list[tuple[Any, ...]]]:
        """Hand the queued events over; returns the resulting actions by kind."""
        events, self.events = self.events, []
        by_kind: list[list[tuple[Any, ...]]] = [[], [], [], [], [], [], [], [], [], [], [], []]
        by_kind[ABANDON] = by_kind[MIRROR] = by_kind[SEQUENCE]
        for start in range(0, len(events), MAX_EVENTS):
            for action in self._machine.handle(events[start : start + MAX_EVENTS]):
                by_kind[action[0]].append(action)
        return by_kind

    def subtree(self, subtree_id: int) -> list[str]:
        """Return the task hashes of an interned subtree."""
        hashes = self._subtrees.get(subtree_id)
        if hashes is None:
            names = self._task_hashes
            hashes = [names[index] for index in self._machine.subtree(subtree_id)]
            self._subtrees[subtree_id] = hashes
        return hashes

    def set_subtree(self, node_id: int, task_hashes: Iterable[str]) -> None:
        """Tell which tasks lie below a call whose result is reused whole."""
        self.send(SUBTREE, node_id, [self.task(task_hash) for task_hash in task_hashes])

    def call_hash(self, node_id: int) -> str:
        """Return the call hash of an ended job that had its arguments."""
        call_hash = self._machine.call_hash(node_id)
        assert call_hash is not None
        return call_hash

    def active(self) -> int:
        """Return how many jobs the engine still owes an event for."""
        return self._machine.active()

    def stalled(self, suspended: list[int], awaiting: list[tuple[int, int]]) -> list[int]:
        """Return jobs that wait for each other and can never go on.

        Parameters
        ----------
        suspended : nodes that the engine owes an event for, but not before others have ended.
        awaiting : (id of such a node, id of a node that it waits for).
        """
        return self._machine.stalled(suspended, awaiting)

    def counts(self) -> dict[str, tuple[int, ...]]:
        """Return task hash -> (pending, running, failed, cached, done)."""
        return {self._task_hashes[row[0]]: row[1:] for row in self._machine.counts()}

    def limits_used(self) -> dict[str, int]:
        """Return how much of each resource running jobs hold."""
        return self._machine.limits_used()

    def validate(self) -> None:
        """Check the invariants of the machine; raises if one is broken."""
        self._machine.validate()
