"""
Bundles: a third kind of remote, which needs no server.

A bundle holds records compressed in segments that are never changed. What is added becomes visible a whole
segment at a time, so a bundle is closed (see `redun.sync.store`) at any moment, also after a crash.
docs/design/0005-bundles.md says why it is as it is.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from redun.backends.records import HAS_ENDED, ID_FIELDS, Record, owned
from redun.backends.verify import check_fields, parse_timestamp, verify_record
from redun.sync.bundle_format import ENDED, BundleError, Entry, damaged, id_of, key_of
from redun.sync.bundle_places import find_place
from redun.sync.bundle_segment import Cache, Segment, SegmentBuilder
from redun.sync.paths import is_bundle_path
from redun.sync.store import (
    BATCH,
    Edges,
    JobOwner,
    JobState,
    Receive,
    RecordKind,
    RecordStore,
    TagOwner,
)

#: Bytes of records that are read at once, in the order in which they lie.
READ_SIZE = 8 << 20

KINDS = tuple(kind.value for kind in RecordKind)

_UUID_LENGTH = 36


class BundleStore:
    """
    The records of a bundle, as a store to copy from and to.

    Parameters
    ----------
    path : a file, a directory of such files, or the URL of either. It may be missing: then it is
        empty, and made when something is added.

    What is added waits for `flush` or `close` to be written, or until it fills a segment. Raises
    `BundleError` for something that is no bundle, is damaged or too new; `OSError` as files do.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._place = find_place(path, Cache())
        self._builder = SegmentBuilder()
        self._segments = self._place.load()

    def __repr__(self) -> str:
        return f"BundleStore({self.path!r})"

    @property
    def count(self) -> int:
        """How many records there are; those that several segments hold count for each."""
        held = sum(segment.count(kind) for segment in self._segments for kind in KINDS)
        return held + self._builder.count

    def flush(self) -> None:
        """Writes what was added."""
        if self._builder.count:
            builder, self._builder = self._builder, SegmentBuilder()
            try:
                self._segments += self._place.publish(builder)
            finally:
                builder.close()

    def close(self) -> None:
        """Writes what was added and closes the files."""
        try:
            self.flush()
        finally:
            self._builder.close()
            self._place.close()

    def is_empty(self) -> bool:
        """Whether no records are held."""
        return self.count == 0

    # Lists.

    def execution_ids(self) -> Iterator[list[str]]:
        """Ids of all executions, by segment."""
        return self._ids("Execution")

    def tag_ids(self) -> Iterator[list[str]]:
        """Ids of all tags."""
        return self._ids("Tag")

    def ids(self) -> Iterator[tuple[str, list[str]]]:
        """Kind and ids of all records, those of a kind in batches."""
        for kind in KINDS:
            for batch in self._ids(kind):
                yield kind, batch

    def open_jobs(self) -> Iterator[list[tuple[str, int]]]:
        """Ids of the jobs that have not ended, with the number of child jobs of each."""
        self.flush()
        waiting: dict[bytes, None] = {}
        for segment in self._segments:
            for entry in segment.entries("Job"):
                if not entry.flags & ENDED:
                    waiting[entry.key] = None
        for keys in _batches(list(waiting)):
            ended = self._ended(set(keys))
            left = {key for key in keys if key not in ended}
            children = self._children_of(left)
            pairs = [(self._id("Job", key), len(children.get(key, ()))) for key in left]
            if pairs:
                yield pairs

    def _ids(self, kind: str) -> Iterator[list[str]]:
        self.flush()
        for number, segment in enumerate(self._segments):
            table = segment.entries(kind)
            for start in range(0, table.count, BATCH):
                entries = [table[place] for place in range(start, min(start + BATCH, table.count))]
                keys = {entry.key for entry in entries}
                for earlier in self._segments[:number]:
                    keys -= {entry.key for entry in earlier.entries(kind).find(keys)}
                found = [
                    id_of(entry.key) or _record_id(segment.record(kind, entry))
                    for entry in entries
                    if entry.key in keys
                ]
                if found:
                    yield found

    # Questions.

    def find(self, ids: Collection[str]) -> dict[str, str]:
        """The kind of each of these full ids that is held."""
        found: dict[str, str] = {}
        for kind in reversed(KINDS):
            found.update(dict.fromkeys(self._held(kind, ids), kind))
        return {record_id: found[record_id] for record_id in ids if record_id in found}

    def has(self, kind: str, ids: Collection[str]) -> set[str]:
        """Those of the records that are held. Of jobs, only those that have ended."""
        if kind != "Job":
            return self._held(kind, ids)
        keys = {key_of(record_id): record_id for record_id in ids}
        return {keys[key] for key in self._ended(set(keys))}

    def job_states(self, ids: Collection[str]) -> dict[str, JobState]:
        """The state of those of the jobs that are held."""
        keys = {key_of(record_id): record_id for record_id in ids}
        held = {key_of(record_id) for record_id in self._held("Job", ids)}
        ended = self._ended(held)
        children = self._children_of(held)
        return {
            keys[key]: JobState(key in ended, len(children.get(key, ()))) for key in sorted(held)
        }

    def job_owners(self, ids: Collection[str]) -> dict[str, JobOwner]:
        """Parent, execution and task of those of the jobs that are held."""
        return {
            record["id"]: JobOwner(record["parent_id"], record["execution_id"], record["task_hash"])
            for record in self.get("Job", ids)
        }

    def tag_owners(self, ids: Collection[str]) -> dict[str, TagOwner]:
        """What those of the tags that are held are about."""
        owners = {}
        for record in self.get("Tag", ids):
            kind = record["entity_type"]
            owners[record["tag_hash"]] = TagOwner(
                "Value" if kind == "Task" else kind, record["entity_id"]
            )
        return owners

    def children(self, kind: str, ids: Collection[str]) -> Iterator[Edges]:
        """What records own, in batches."""
        rows: dict[str, list[tuple[str, str]]] = {kind: [] for kind in (*KINDS, HAS_ENDED)}
        for record in self.get(kind, ids):
            record_id = _record_id(record)
            if kind == "Job" and record["end_time"] is not None:
                rows[HAS_ENDED].append((record_id, HAS_ENDED))
            for child_kind, child in owned(record):
                rows[child_kind].append((record_id, child))
            for child_kind, some in rows.items():
                if len(some) >= BATCH:
                    yield Edges((child_kind,), some)
                    rows[child_kind] = []
        yield from (Edges((child_kind,), some) for child_kind, some in rows.items() if some)

    def resolve(self, reference: str) -> list[tuple[str, str]]:
        """(kind, id) of the records that an id, a prefix of one, or `-` means."""
        if reference == "-":
            newest = self.newest_executions(1)
            return [("Execution", newest[0][0]["id"])] if newest else []
        if not reference:
            return []
        self.flush()
        found: dict[tuple[str, str], None] = {}
        for kind in KINDS:
            for segment in self._segments:
                for entry in _with_prefix(segment, kind, reference):
                    record_id = id_of(entry.key) or _record_id(segment.record(kind, entry))
                    if record_id.startswith(reference):
                        found[kind, record_id] = None
        return list(found)

    def newest_executions(self, limit: int | None = None) -> list[tuple[Record, Record]]:
        """The executions with their root jobs, the one that started last first."""
        found: list[tuple[Any, Record, Record]] = []
        for ids in self.execution_ids():
            executions = list(self.get("Execution", ids))
            roots = [execution["job_id"] for execution in executions]
            jobs = {job["id"]: job for job in self.get("Job", roots)}
            for execution in executions:
                job = jobs.get(execution["job_id"])
                if job is not None:
                    found.append((parse_timestamp(job["start_time"]), execution, job))
            found.sort(key=lambda item: item[0], reverse=True)
            del found[limit if limit is not None else len(found) :]
        return [(execution, job) for _, execution, job in found]

    # Records.

    def get(self, kind: str, ids: Collection[str], payloads: bool = True) -> Iterator[Record]:
        """The records with these ids, in their order. Payloads are part of them."""
        self.flush()
        for batch in _batches(list(ids)):
            places = self._places(kind, {key_of(record_id) for record_id in batch})
            waiting: list[str] = []
            size = 0
            for record_id in batch:
                place = places.get(key_of(record_id))
                if place is None:
                    continue
                waiting.append(record_id)
                size += place[1].length
                if size >= READ_SIZE:
                    yield from self._read(kind, waiting, places)
                    waiting, size = [], 0
            yield from self._read(kind, waiting, places)

    def _read(
        self, kind: str, ids: list[str], places: dict[bytes, tuple[int, Entry]]
    ) -> Iterator[Record]:
        """Reads records in the order in which they lie, and gives them in that of the ids."""
        children = self._children_of(set(map(key_of, ids))) if kind == "Job" else {}
        wanted = {key_of(record_id): places[key_of(record_id)] for record_id in ids}
        records = {
            entry.key: self._segments[number].record(kind, entry)
            for number, entry in sorted(wanted.values(), key=lambda place: (place[0], place[1][2:]))
        }
        for record_id in ids:
            record = dict(records[key_of(record_id)])
            if kind == "Job":
                # Child jobs may have come after the record that lists them.
                held = sorted(children[key_of(record_id)])
                late = {self._id("Job", key) for key in held} - set(record["children"])
                record["children"] = [*record["children"], *sorted(late)]
            yield record

    def payload_size(self, ids: Collection[str]) -> int:
        """Bytes of the payloads of these values, about: of their records."""
        places = self._places("Value", {key_of(record_id) for record_id in ids})
        return sum(entry.length for _, entry in places.values())

    def put(self, records: Iterable[Record], verify: bool = True) -> dict[str, int]:
        """
        Adds records; returns how many were new, or ended a job, by kind.

        Raises `RecordError` if one is malformed or refused; nothing is added then.
        """
        self._builder.mark()
        counts: dict[str, int] = {}
        batch: list[tuple[str, str, Record]] = []
        size = 0
        try:
            for index, record in enumerate(records):
                kind, record_id = check_fields(record, index)
                if verify:
                    verify_record(record, index)
                batch.append((kind, record_id, record))
                size += len(record["data"]) if kind == "Value" else 0
                if len(batch) >= BATCH or size >= READ_SIZE:
                    self._add(batch, counts)
                    batch, size = [], 0
            self._add(batch, counts)
        except BaseException:
            self._builder.rollback()
            raise
        if self._builder.is_full:
            self.flush()
        return counts

    @contextmanager
    def receiver(self, source: RecordStore, verify: bool = True) -> Iterator[Receive | None]:
        """There is no faster way than `get` and `put`."""
        yield None

    def _add(self, batch: list[tuple[str, str, Record]], counts: dict[str, int]) -> None:
        by_kind: dict[str, list[str]] = {}
        for kind, record_id, _ in batch:
            by_kind.setdefault(kind, []).append(record_id)
        held = {kind: self._held(kind, ids) for kind, ids in by_kind.items()}
        ended = self.has("Job", by_kind.get("Job", ()))
        for kind, record_id, record in batch:
            if record_id in held[kind] and (
                kind != "Job" or record_id in ended or record["end_time"] is None
            ):
                continue
            line = json.dumps(record, separators=(",", ":")).encode("ascii") + b"\n"
            self._builder.add(kind, record_id, record, line)
            counts[kind] = counts.get(kind, 0) + 1
            held[kind].add(record_id)
            if kind == "Job" and record["end_time"] is not None:
                ended.add(record_id)

    # Keys.

    def _tables(self, kind: str, keys: set[bytes]) -> Iterator[tuple[int, Entry]]:
        """The entries of keys, with the number of their segment, or -1 for what waits."""
        waiting = self._builder.entries[kind]
        yield from ((-1, waiting[key]) for key in keys if key in waiting)
        for number, segment in enumerate(self._segments):
            yield from ((number, entry) for entry in segment.entries(kind).find(keys))

    def _held(self, kind: str, ids: Collection[str]) -> set[str]:
        keys = {key_of(record_id): record_id for record_id in ids}
        return {keys[entry.key] for _, entry in self._tables(kind, set(keys))}

    def _ended(self, keys: set[bytes]) -> set[bytes]:
        return {entry.key for _, entry in self._tables("Job", keys) if entry.flags & ENDED}

    def _places(self, kind: str, keys: set[bytes]) -> dict[bytes, tuple[int, Entry]]:
        """Where each record lies: a job that has ended where it says so, another where it is first."""
        places: dict[bytes, tuple[int, Entry]] = {}
        for number, entry in self._tables(kind, keys):
            known = places.get(entry.key)
            if known is None or (entry.flags & ENDED and not known[1].flags & ENDED):
                places[entry.key] = (number, entry)
        return places

    def _children_of(self, keys: set[bytes]) -> dict[bytes, set[bytes]]:
        """The child jobs that are held, by their parents among the keys."""
        found = {key: set(self._builder.children.get(key, ())) for key in keys}
        for segment in self._segments:
            table = segment.children()
            for key, children in found.items():
                children.update(table.find(key))
        return found

    def _id(self, kind: str, key: bytes) -> str:
        """The id of a key. One that doesn't tell stands for a record that is held."""
        known = id_of(key)
        if known is None:
            place = self._places(kind, {key}).get(key)
            if place is None or place[0] < 0:
                raise damaged(self.path, "a table names a record that is not there")
            known = _record_id(self._segments[place[0]].record(kind, place[1]))
        return known


def _record_id(record: Record) -> str:
    """The id of a record whose fields have been checked."""
    record_id: str = record[ID_FIELDS[record["_type"]]]
    return record_id


def _batches(items: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]


def _with_prefix(segment: Segment, kind: str, prefix: str) -> Iterator[Entry]:
    """The entries whose ids may begin with a text."""
    table = segment.entries(kind)
    low: list[bytes] = [b"x"]
    digits = prefix.replace("-", "")
    if len(prefix) <= _UUID_LENGTH + 4 and set(digits) <= set("0123456789abcdef"):
        even = digits + "0" * (len(digits) % 2)
        low += [kind_of_key + bytes.fromhex(even) for kind_of_key in (b"h", b"u")]
    for start in low:
        number = table.lower(start)
        whole = start[: 1 + len(digits) // 2] if start != b"x" else start
        while number < table.count and table.key(number).startswith(whole):
            yield table[number]
            number += 1


__all__ = ["BundleError", "BundleStore", "is_bundle_path"]
