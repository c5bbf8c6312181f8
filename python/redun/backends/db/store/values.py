"""Values: recording them with what they contain, and reading them back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from redun.backends.base import Records
from redun.backends.db.errors import RedunDatabaseError
from redun.backends.db.repo import Repo
from redun.file import File
from redun.handle import Handle
from redun.task import PartialTask, Task
from redun.utils import trim_string
from redun.value import InvalidValueError

SELECT_VALUE = "SELECT value_hash, type, value FROM value WHERE value_hash {in_ids}"
SELECT_KNOWN = "SELECT value_hash FROM value WHERE value_hash {in_ids}"


class ValueStoreRows:
    """The tables `value`, `subvalue`, `file` and `task`, and the rows of fresh handles."""

    def __init__(self, repo: Repo) -> None:
        self._repo = repo

    def known(self, value_hashes: Iterable[str]) -> set[str]:
        """Those of the values that are recorded or handed over."""
        wanted = set(value_hashes)
        found = self._repo.recorder.pending_values(wanted)
        missing = list(wanted - found)
        if missing:
            found.update(row[0] for row in self._repo.reader.rows(SELECT_KNOWN, missing))
        return found

    def record(self, value: Any, data: bytes | None = None) -> str:
        """
        Records a value with the values in it, and returns its hash.

        Raises `RedunDatabaseError` for a value above the configured size.
        """
        records = Records()
        value_hash = self.add(records, value, data)
        self._repo.recorder.record(records)
        self._repo.recorder.flush()
        return value_hash

    def add(self, records: Records, value: Any, data: bytes | None = None) -> str:
        """Adds the rows of a value, unless it is known; returns its hash."""
        registry = self._repo.type_registry
        with self._repo.hashing():
            if data is None:
                data = registry.serialize(value)
            if len(data) > self._repo.max_value_size:
                raise value_too_large(value, self._repo.max_value_size)
            value_hash = registry.get_hash(value, data=data)
            stored = len(data) >= self._repo.payloads.store_from
            if stored:
                records.payloads.append((value_hash, data))
            if stored or not self.known([value_hash]):
                self._add_rows(records, value_hash, value, b"" if stored else data)
                for child in registry.iter_subvalues(value):
                    child_hash = registry.get_hash(child)
                    records.subvalues.append((child_hash, value_hash))
                    self._add_rows(records, child_hash, child, registry.serialize(child))
        return value_hash

    def get(self, value_hash: str) -> tuple[Any, bool]:
        """
        Returns (value, True), or (None, False) if it is missing or can't be used any more.

        That includes payloads that the value store has lost, or that are damaged.
        """
        for _, type_name, data in self._repo.rows(SELECT_VALUE, [value_hash]):
            return self.load(value_hash, type_name, data)
        return None, False

    def load(self, value_hash: str, type_name: str, data: bytes) -> tuple[Any, bool]:
        """Deserializes a row as `get` does."""
        stored = not data
        if stored:
            payload: Any = self._repo.payloads.fetch([value_hash]).get(value_hash)
            if payload is None:
                return None, False
            data = payload
        registry = self._repo.type_registry
        with self._repo.hashing():
            try:
                value = registry.deserialize(type_name, data)
            except InvalidValueError:
                return None, False
            except Exception:
                if not stored:
                    raise
            else:
                if not stored or registry.is_intact(value, value_hash, data):
                    return value, True
        self._repo.payloads.distrust()
        return None, False

    def _add_rows(self, records: Records, value_hash: str, value: Any, data: bytes) -> None:
        registry = self._repo.type_registry
        type_name = registry.get_type_name(type(value))
        records.values.append(
            (value_hash, type_name, registry.get_serialization_format(value), data)
        )
        if isinstance(value, File):
            records.files.append((value_hash, value.path))
        elif isinstance(value, Task) and not isinstance(value, PartialTask):
            records.tasks.append((value_hash, value.name, value.namespace or "", value.source))
        elif isinstance(value, Handle):
            info = value.__handle__
            records.handles.append((value_hash, info.fullname, value_hash, info.key, True))


def value_too_large(value: Any, max_size: int) -> RedunDatabaseError:
    """The error for a value whose serialization is above `max_size` bytes."""
    return RedunDatabaseError(
        f"Value {trim_string(repr(value))} is too large (> {max_size}) to store in the redun "
        "database. If you need to store larger values, increase the `max_value_size` setting and "
        "consider using a value store (`value_store_path`)."
    )
