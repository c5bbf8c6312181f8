"""What the stores share: one open repo."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from redun.backends.db.connection import Reader
from redun.backends.db.database import Database, DatabaseSource
from redun.backends.db.payloads import Payloads
from redun.backends.db.recorder import Recorder
from redun.backends.db.source import Row, Source
from redun.hashing import hashing_as

if TYPE_CHECKING:
    from redun.value import TypeRegistry


@dataclass
class Repo:
    """
    An open repo.

    `reader` sees what is committed; `recorder` writes; `payloads` are those in the value store.
    `max_value_size` is in bytes.
    """

    database: Database
    recorder: Recorder
    reader: Reader
    type_registry: TypeRegistry
    hash_scheme: str
    max_value_size: int
    payloads: Payloads

    def hashing(self) -> Any:
        """A context in which hashes are those of this repo."""
        return hashing_as(self.hash_scheme)

    def rows(self, statement: str, ids: Sequence[str]) -> list[Row]:
        """The rows a `Reader` statement gives, after all that was handed over."""
        self.recorder.flush(everything=False)
        return self.reader.rows(statement, ids)

    @contextmanager
    def reading(self) -> Iterator[Source]:
        """What answers other queries, after all that was handed over."""
        self.recorder.flush()
        with closing(DatabaseSource(self.database)) as source:
            yield source
