"""Rows of the ORM for a dataflow, for those who go on working with what a walk yields."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import object_session

from redun.backends.db.bulk import in_chunks
from redun.backends.db.orm import Argument, CallNode, Value
from redun.backends.db.session import as_source
from redun.backends.db.source import Source

_CALLS = sa.select(CallNode)
_VALUES = sa.select(Value)
_ARGUMENTS = sa.select(Argument)


class OrmLoader:
    """
    Loads rows for a walk in the session of the caller.

    Parameters
    ----------
    session : the unit of work.
    """

    def __init__(self, session: Any) -> None:
        self.source = as_source(session)
        self._session = session

    def calls(self, hashes: Collection[str]) -> dict[str, CallNode]:
        """Calls by hash."""
        rows = in_chunks(self._session, _CALLS, CallNode.call_hash, hashes)
        return {call.call_hash: call for (call,) in rows}

    def values(self, hashes: Collection[str]) -> dict[str, Value]:
        """Values by hash."""
        rows = in_chunks(self._session, _VALUES, Value.value_hash, hashes)
        return {value.value_hash: value for (value,) in rows}

    def arguments(self, calls: Collection[str]) -> Iterator[Argument]:
        """The arguments of calls, in no order."""
        for (argument,) in in_chunks(self._session, _ARGUMENTS, Argument.call_hash, calls):
            yield argument


def source_of(row: Any) -> Source | None:
    """What reads the repo that a row is from; None for a row without a session."""
    session = object_session(row)
    return None if session is None else as_source(session)
