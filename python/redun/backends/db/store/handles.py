"""Handles: states, how they came from one another, and which are valid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from redun.backends.base import Records
from redun.backends.db import orm
from redun.backends.db.repo import Repo
from redun.backends.db.store.values import ValueStoreRows

if TYPE_CHECKING:
    from redun.handle import Handle

SELECT_VALID = "SELECT is_valid FROM handle WHERE hash {in_ids}"


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
        self._repo.recorder.transact(
            lambda connection: _invalidate(connection, handle_hash, handle.__handle__.fullname)
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


def _invalidate(connection: sa.Connection, handle_hash: str, fullname: str) -> None:
    handle: Any = orm.Handle.__table__
    edge: Any = orm.HandleEdge.__table__
    valid = sa.and_(handle.c.is_valid, handle.c.fullname == fullname)
    below = (
        sa.select(edge.c.child_id.label("hash"))
        .join(handle, handle.c.hash == edge.c.child_id)
        .where(edge.c.parent_id == handle_hash, valid)
        .cte("below", recursive=True)
    )
    below = below.union(
        sa.select(edge.c.child_id)
        .join(below, edge.c.parent_id == below.c.hash)
        .join(handle, handle.c.hash == edge.c.child_id)
        .where(valid)
    )
    connection.execute(
        sa.update(handle)
        .where(handle.c.hash.in_(sa.select(below.c.hash)), handle.c.hash != handle_hash)
        .values(is_valid=False)
    )
