"""Handles: states, how they came from one another, and which are valid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redun.backends.base import Records
from redun.backends.db.repo import Repo
from redun.backends.db.store.values import ValueStoreRows

if TYPE_CHECKING:
    from redun.handle import Handle

SELECT_VALID = "SELECT is_valid FROM handle WHERE hash {in_ids}"

#: Makes the valid states below one, of the same name, invalid: (hash, fullname, fullname, hash).
INVALIDATE = """
    WITH RECURSIVE below (hash) AS (
        SELECT edge.child_id
        FROM handle_edge AS edge JOIN handle ON handle.hash = edge.child_id
        WHERE edge.parent_id = ? AND handle.is_valid AND handle.fullname = ?
        UNION
        SELECT edge.child_id
        FROM below
        JOIN handle_edge AS edge ON edge.parent_id = below.hash
        JOIN handle ON handle.hash = edge.child_id
        WHERE handle.is_valid AND handle.fullname = ?
    )
    UPDATE handle SET is_valid = FALSE
    WHERE hash IN (SELECT below.hash FROM below) AND hash <> ?
"""


class HandleRows:
    """The tables `handle` and `handle_edge`."""

    def __init__(self, repo: Repo, values: ValueStoreRows) -> None:
        self._repo = repo
        self._values = values

    def advance(self, parents: list[Handle], child: Handle) -> None:
        """Records that a state came from others; see `RedunBackend.advance_handle`."""
        records = Records()
        states: list[tuple[Any, ...]] = []
        with self._repo.hashing():
            for handle in (*parents, child):
                self._add_with_forks(records, states, handle)
            child_hash = child.__handle__.hash
            for parent in parents:
                if parent.__handle__.hash != child_hash:
                    records.handle_edges.append((parent.__handle__.hash, child_hash))
        self._repo.recorder.record(records, states)

    def rollback(self, handle: Handle) -> None:
        """Makes the valid states that came from this one invalid, through valid states only."""
        with self._repo.hashing():
            handle_hash = handle.__handle__.hash
        fullname = handle.__handle__.fullname
        self._repo.recorder.transact(
            lambda transaction: transaction.execute(
                INVALIDATE, (handle_hash, fullname, fullname, handle_hash)
            )
        )

    def is_valid(self, handle: Handle) -> bool | None:
        """Whether a state is valid; None if it isn't recorded."""
        with self._repo.hashing():
            handle_hash = handle.__handle__.hash
        for (is_valid,) in self._repo.rows(SELECT_VALID, [handle_hash]):
            return bool(is_valid)
        return None

    def _add_with_forks(
        self, records: Records, states: list[tuple[Any, ...]], handle: Handle
    ) -> None:
        """Adds a state, and those it was forked from that were never recorded."""
        current: Handle | None = handle
        while current is not None:
            info = current.__handle__
            value_hash = self._values.add(records, current)
            states.append((info.hash, info.fullname, value_hash, info.key, True))
            info.is_recorded = True
            parent = info.fork_parent
            if parent is not None and parent.__handle__.hash != info.hash:
                records.handle_edges.append((parent.__handle__.hash, info.hash))
            current = None if parent is None or parent.__handle__.is_recorded else parent
