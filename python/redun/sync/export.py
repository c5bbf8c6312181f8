"""
Walking a store: everything that some records own, and the tags attached to it, for `redun export`.

The order is that of the original, which can therefore read it: owners before what they own, tags last. What
has been met is kept in a temporary file, so memory does not grow with the repo.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter

from redun.backends.records import Record, owned
from redun.sync.store import BATCH, RecordStore

Node = tuple[str, str]

_first = itemgetter(0)

#: Page cache of the temporary file, in KiB.
_CACHE_KIB = 8192


def export_records(
    store: RecordStore, roots: Iterable[Node] | None = None, payloads: bool = False
) -> Iterator[Record]:
    """
    The records that roots own, directly or not, with all their tags; each once.

    Parameters
    ----------
    roots : (kind, id) of records; None: all executions.
    payloads : whether to read what lies in a value store. The format of the original leaves it out.
    """
    met = _Met()
    try:
        if roots is None:
            for ids in store.execution_ids():
                met.add(("Execution", record_id) for record_id in ids)
                yield from _walk(store, met, payloads)
        else:
            met.add(roots)
            yield from _walk(store, met, payloads)
        yield from _tags(store, met, payloads)
    finally:
        met.close()


class _Met:
    """The records that were met, in order, on disk."""

    def __init__(self) -> None:
        # Without a name the database is temporary, and its pages leave memory when it gets short.
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("PRAGMA journal_mode=OFF")
        self._database.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
        self._database.execute(
            "CREATE TABLE met (place INTEGER PRIMARY KEY, kind TEXT, id TEXT, UNIQUE (kind, id))"
        )
        self._done = 0

    def add(self, nodes: Iterable[Node]) -> None:
        """Adds those that are new."""
        self._database.executemany("INSERT OR IGNORE INTO met (kind, id) VALUES (?, ?)", nodes)

    def next(self) -> list[Node]:
        """Those that come next, at most `BATCH`."""
        query = "SELECT place, kind, id FROM met WHERE place > ? ORDER BY place LIMIT ?"
        rows = self._database.execute(query, (self._done, BATCH)).fetchall()
        if rows:
            self._done = rows[-1][0]
        return [(kind, record_id) for _, kind, record_id in rows]

    def has(self, node: Node) -> bool:
        """Whether a record was met."""
        query = "SELECT 1 FROM met WHERE kind = ? AND id = ?"
        return self._database.execute(query, node).fetchone() is not None

    def close(self) -> None:
        """Drops it."""
        self._database.close()


def _walk(store: RecordStore, met: _Met, payloads: bool) -> Iterator[Record]:
    while nodes := met.next():
        for kind, group in groupby(sorted(nodes, key=_first), key=_first):
            for record in store.get(kind, [record_id for _, record_id in group], payloads):
                met.add(list(owned(record)))
                yield record


def _tags(store: RecordStore, met: _Met, payloads: bool) -> Iterator[Record]:
    """The tags of what was met, and those that take such tags away, which are about nothing."""
    for ids in store.tag_ids():
        owners = store.tag_owners(ids)
        met.add([("Tag", tag) for tag, owner in owners.items() if met.has((owner.kind, owner.id))])
        yield from _walk(store, met, payloads)
    for ids in store.tag_ids():
        owners = store.tag_owners(ids)
        deleting = [tag for tag, owner in owners.items() if owner.kind == "Null"]
        met.add(_replacing(store, met, deleting))
        yield from _walk(store, met, payloads)


def _replacing(store: RecordStore, met: _Met, tags: Sequence[str]) -> list[Node]:
    return [
        ("Tag", record["tag_hash"])
        for record in store.get("Tag", tags)
        if any(met.has(("Tag", parent)) for parent in record["parents"])
    ]
