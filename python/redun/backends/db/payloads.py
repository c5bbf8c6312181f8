"""Payloads that live outside of the rows: sent to the value store, and fetched back."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from typing import IO, Any, cast

from redun.backends.db.connection import Reader
from redun.backends.db.database import Database
from redun.backends.value_store import Payload, ValueStore

SELECT_KNOWN = "SELECT value_hash, length(value) FROM value WHERE value_hash {in_ids}"

#: What the threshold counts on top of the bytes: it is compared with the size of the object.
OBJECT_OVERHEAD = sys.getsizeof(b"")


class Payloads:
    """
    The payloads of one repo.

    Parameters
    ----------
    database : of the repo.
    store : where large payloads are; None if that is not configured.
    min_size : objects of at least this many bytes, payload and Python's overhead, are stored there.
    logger : gets the warnings.
    """

    def __init__(
        self, database: Database, store: ValueStore | None, min_size: int, logger: logging.Logger
    ) -> None:
        self.store = store
        self.store_from = max(0, min_size - OBJECT_OVERHEAD) if store else float("inf")
        self._database = database
        self._logger = logger
        self._reader: Reader | None = None
        self._warned = False
        #: Whether a payload turned out to be missing or damaged.
        self.some_lost = False

    def send(self, payloads: Sequence[tuple[str, bytes]]) -> None:
        """
        Puts payloads into the store. Called by the writer, before it writes their rows.

        What has no row yet is written unasked; for the rest it is made sure that it is there. A
        value whose row holds the bytes needs no file.
        """
        if not payloads or self.store is None:
            return
        unique = dict(payloads)
        if self._reader is None:
            self._reader = Reader(self._database)
        sizes: dict[str, int] = dict(self._reader.rows(SELECT_KNOWN, list(unique)))
        wanted = [item for item in unique.items() if not sizes.get(item[0])]
        self.store.put_many(wanted, lambda value_hash: value_hash not in sizes)

    def stream(self, value_hash: str, write: Callable[[IO[bytes]], object], max_size: int) -> bool:
        """
        Puts what `write` writes into the store; false, and nothing is kept, above `max_size` bytes.

        Raises `ValueError` if there is no store.
        """
        if self.store is None:
            raise ValueError("There is no value store to stream to.")
        try:
            with self.store.writing(value_hash) as stream:
                write(cast("IO[bytes]", _Limited(stream, max_size)))
        except _TooLargeError:
            return False
        return True

    def fetch(self, value_hashes: Sequence[str]) -> dict[str, Payload]:
        """The payloads of rows that hold none; those that can't be had are left out."""
        if not value_hashes:
            return {}
        if self.store is None:
            self._warn_once(
                f"{len(value_hashes)} value(s) of this repo, such as {value_hashes[0][:8]}, are in a "
                "value store, but none is configured: they count as missing, and calls run again. "
                "Set `value_store_path` in [backend]."
            )
            return {}
        found = self.store.read_many(value_hashes)
        self.some_lost = self.some_lost or len(found) < len(set(value_hashes))
        return found

    def distrust(self) -> None:
        """Notes that a payload is damaged."""
        self.some_lost = True
        if self.store is not None:
            self.store.distrust()

    def close(self) -> None:
        """Lets go of the database."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()

    def _warn_once(self, message: str) -> None:
        if not self._warned:
            self._warned = True
            self._logger.warning(message)


class _TooLargeError(Exception):
    """More was written than the limit allows."""


class _Limited:
    """A stream that takes no more than so many bytes."""

    def __init__(self, stream: IO[bytes], limit: int) -> None:
        self._stream = stream
        self._left = limit

    def write(self, data: Any) -> int:
        view = memoryview(data)
        self._left -= view.nbytes
        if self._left < 0:
            raise _TooLargeError
        self._stream.write(view)
        return view.nbytes
