"""
A file of records on its way into a repo: checked line by line, then kept in a temporary bundle.

Files come in any order; those of the original name owners before what they own. From the bundle they are copied
like from any other store, children first, so that the repo is closed at any time. Nothing is copied unless
the whole file is in order.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any

from redun.backends.records import RecordError
from redun.sync.bundle import BundleStore
from redun.sync.lines import LineError, read_lines
from redun.sync.store import BATCH, RecordStore
from redun.sync.transfer import Counts, transfer

#: Characters of payloads that are held at once.
BATCH_SIZE = 16 << 20


@contextmanager
def spooled(
    stream: IO[bytes],
    name: str,
    verify: bool = True,
    told: Callable[[int], object] = lambda count: None,
) -> Iterator[BundleStore]:
    """
    The records of a file as a store, which is gone after the block.

    Parameters
    ----------
    stream, name : the lines, and what the file is called in errors.
    verify : whether content must match its hash, where that can be recomputed.
    told : is called now and then with the number of lines read.

    Raises `LineError` for the first line that can't be used.
    """
    with tempfile.TemporaryDirectory(prefix="redun-import-") as directory:
        store = BundleStore(os.path.join(directory, "import.redun"))
        try:
            for first, records in _batches(stream, name):
                try:
                    store.put(records, verify)
                except RecordError as error:
                    line = first + error.index
                    raise LineError(name, line, str(error), tuple(error.hints)) from None
                told(first + len(records) - 1)
            yield store
        finally:
            store.close()


def copy_all(
    spool: BundleStore, target: RecordStore, told: Callable[[int], object] = lambda count: None
) -> int:
    """
    Copies all records of a spool that a store lacks; returns how many.

    Parameters
    ----------
    told : is called after each transaction with the number of records copied so far.
    """
    done = 0

    def tell(counts: Counts) -> None:
        told(done + counts.total)

    done += transfer(spool, target, verify=False, progress=tell).total
    # What no execution leads to.
    for kind, ids in spool.ids():
        roots = [(kind, record_id) for record_id in _missing(target, kind, ids)]
        if roots:
            done += transfer(spool, target, roots, verify=False, progress=tell).total
            # What a closed store would have had: an execution whose jobs came without it.
            left = _missing(target, kind, ids)
            if left:
                done += sum(target.put(spool.get(kind, left), verify=False).values())
    return done


def _missing(target: RecordStore, kind: str, ids: list[str]) -> list[str]:
    held = set(target.job_states(ids)) if kind == "Job" else target.has(kind, ids)
    return [record_id for record_id in ids if record_id not in held]


def _batches(stream: IO[bytes], name: str) -> Iterator[tuple[int, list[Any]]]:
    """What may be records, with the number of the line of the first."""
    batch: list[Any] = []
    first, size = 1, 0
    values = read_lines(stream, name)
    while True:
        try:
            number, record = next(values)
        except StopIteration:
            break
        except LineError:
            # A line before it may be wrong, too, and should be named rather than this one.
            if batch:
                yield first, batch
            raise
        batch.append(record)
        # A number or the like has no size, but is small.
        data = record.get("data") if isinstance(record, dict) else record
        size += len(data) if isinstance(data, str | list) else 0
        if len(batch) >= BATCH or size >= BATCH_SIZE:
            yield first, batch
            first, batch, size = number + 1, [], 0
    if batch:
        yield first, batch
