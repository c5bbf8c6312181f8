"""
What a repo must offer to take part in a transfer: the protocol `RecordStore`, free of SQL.

Records
-------
The unit of exchange is a record: the JSON-ready dictionary of the export format, version 1, its keys
in the order of the format. There are five kinds; a task is part of the value record of its hash.
Records are immutable, except that a job without `end_time` ("open") may be replaced by the same job
with one.

Closed repos
------------
Whoever holds a record holds all that it *owns*, so that a record the target holds prunes the walk:

- a value owns its subvalues;
- a call owns its task, its result, its arguments, the calls these came from and the calls it made;
- a job that has ended owns its task, its call and its child jobs; an open job only its task;
- an execution owns its root job; a job owns (is never without) its parent job and its execution;
- a tag owns the tags it replaces.

Tags are *attached* to their entity: having the entity says nothing about its tags, which are always
asked for. So are open jobs. A transfer writes jobs parents first and *open*, and ends those that
have children once the children are there; so each of its transactions leaves the target closed.

Order and size
--------------
Questions are about at most `QUESTION` ids at a time; no method may hold more than `BATCH` records in memory.
Lists of ids that may be long are iterators of batches. No method may load (unpickle) a value.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeAlias

from redun.backends.records import (
    HAS_ENDED,
    Edges,
    JobOwner,
    JobState,
    Part,
    Receive,
    TagOwner,
)

__all__ = [
    "BATCH",
    "HAS_ENDED",
    "QUESTION",
    "TRANSACTION",
    "Edges",
    "JobOwner",
    "JobState",
    "Part",
    "Receive",
    "Record",
    "RecordKind",
    "RecordStore",
    "TagOwner",
]

#: A record of the export format.
Record: TypeAlias = dict[str, Any]

#: Records in one piece.
BATCH = 2000

#: Ids in one question. Keys are random, so a small question reads a page of each index for each id.
QUESTION = 20_000

#: Records in one transaction, about. Keys are random, so each record of a small transaction dirties a
#: page of each index: at 100,000 jobs 2000 records cost three times as much as a tenth of 20,000 do.
TRANSACTION = 80_000


class RecordKind(str, enum.Enum):
    """The kinds of records, as `_type` names them, in the order in which ids are looked up."""

    EXECUTION = "Execution"
    JOB = "Job"
    CALL_NODE = "CallNode"
    VALUE = "Value"
    TAG = "Tag"


class RecordStore(Protocol):
    """
    A set of records that others can be compared with, copied from and copied to.

    Errors that the user can do something about are `RedunError`s with hints; a method that fails
    changes nothing.
    """

    def is_empty(self) -> bool:
        """Whether no records are held: then nothing but what is sent need be asked for."""

    def execution_ids(self) -> Iterator[list[str]]:
        """Ids of all executions that have a root job, the oldest first as far as that is known."""

    def tag_ids(self) -> Iterator[list[str]]:
        """Ids of all tags, superseded ones too, in any order."""

    def open_jobs(self) -> Iterator[list[tuple[str, int]]]:
        """Ids of the jobs that have not ended, with the number of child jobs of each."""

    def find(self, ids: Collection[str]) -> dict[str, str]:
        """The kind of each of these full ids that is held; an id of several kinds has the first."""

    def resolve(self, reference: str) -> list[tuple[str, str]]:
        """
        (kind, id) of the records that a person means by an id, a prefix of one, or `-` (the
        newest execution). Empty if there are none; never a file.
        """

    def has(self, kind: str, ids: Collection[str]) -> set[str]:
        """Those of the records that are held. Of jobs, only those that have ended."""

    def job_states(self, ids: Collection[str]) -> dict[str, JobState]:
        """The state of those of the jobs that are held."""

    def job_owners(self, ids: Collection[str]) -> dict[str, JobOwner]:
        """Parent, execution and task of those of the jobs that are held."""

    def tag_owners(self, ids: Collection[str]) -> dict[str, TagOwner]:
        """What those of the tags that are held are about."""

    def children(self, kind: str, ids: Collection[str]) -> Iterator[Edges]:
        """
        The edges to what records own, in batches, those of one record together or not.

        Execution -> root Job; Job -> task (Value), CallNode, child Jobs; CallNode -> task, result,
        arguments (Value), upstream and child CallNodes; Value -> subvalues; Tag -> the tags it
        replaces. Records that are not held have none. Edges may lead to records that are not held
        and may repeat; of those that lead to the same value one is enough.

        Of jobs also `HAS_ENDED`, read no later than their children: who has ended gets no more of them.
        """

    def get(self, kind: str, ids: Collection[str], payloads: bool = True) -> Iterator[Record]:
        """
        The records with these ids, in their order; those not held are left out.

        `payloads` false leaves `data` of a value empty if its bytes lie in a value store; true
        reads them from there.
        """

    def payload_size(self, ids: Collection[str]) -> int:
        """Bytes of the payloads of these values, about; those in a value store don't count."""

    def put(self, records: Iterable[Record], verify: bool = True) -> dict[str, int]:
        """
        Adds records in one transaction and returns how many were new (or ended a job), by kind.

        Records held before are left as they are, except open jobs, which records with an `end_time`
        end. What a record owns is held already or comes before it in `records`; `records` is
        consumed piece by piece. Derived rows are rebuilt. With `verify`, a record whose content
        does not match its id is refused.

        Raises `RecordError` if a record is malformed or refused; nothing is added then.
        """

    def receiver(
        self, source: RecordStore, verify: bool = True
    ) -> AbstractContextManager[Receive | None]:
        """
        What copies records from another store, where both know a faster way than `get` and `put`
        with the same effect; None if they don't.
        """
