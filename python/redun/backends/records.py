"""
Records on their own, without a repo: their errors, and what they own.

A record is the dictionary of the export format, version 1; `redun.sync.store` says what the kinds
own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

from redun.errors import RedunError

Record: TypeAlias = dict[str, Any]

#: Version of the record format.
VERSION = 1

#: A field of our own, of calls that made calls which left no record (of tasks with `prov=False`): the
#: tasks below it that no recorded call stands for. Such a call's hash does not follow from its record.
UNRECORDED = "unrecorded_tasks"

#: The field that identifies a record, by kind, in the order in which ids are looked up.
ID_FIELDS = {
    "Execution": "id",
    "Job": "id",
    "CallNode": "call_hash",
    "Value": "value_hash",
    "Tag": "tag_hash",
}


#: Among the kinds of `Edges` of jobs: a column that is None unless the job has ended.
HAS_ENDED = "ended"


class Edges(NamedTuple):
    """
    Which records own others, and which jobs have ended.

    Each of `rows` begins with the id of a record of the kind that was asked about; ids of records that
    it owns follow, one of each of `kinds` or None.
    """

    kinds: tuple[str, ...]
    rows: list[Any]


class JobState(NamedTuple):
    """Whether a job has ended, and how many child jobs the store holds."""

    ended: bool
    children: int


class JobOwner(NamedTuple):
    """The parent job (None: it is a root job), the execution and the task of a job."""

    parent_id: str | None
    execution_id: str
    task_hash: str


class TagOwner(NamedTuple):
    """What a tag is about. The kind of a task is `Value`; that of a tag that deletes is `Null`."""

    kind: str
    id: str


class Part(NamedTuple):
    """
    Records of one kind to copy.

    Those of jobs that are `open` are copied as if the job had not ended: `cached` false, and no
    `end_time` and `call_hash`. Those that come `again` were copied open before.
    """

    kind: str
    ids: Sequence[str]
    open: bool = False
    again: bool = False


#: Copies records in one transaction, or in several if their payload is large; each leaves the target
#: closed. Returns how many were new or ended a job, by kind.
Receive: TypeAlias = Callable[[Sequence[Part]], dict[str, int]]


#: Bytes of payload in one transaction: what large values add takes time, and room in logs.
MAX_PAYLOAD = 64 << 20


def cut(
    payload_size: Callable[[Sequence[str]], int], parts: Sequence[Part], batch: int = 2000
) -> Iterator[Sequence[Part]]:
    """
    The parts of one transaction as those of several, none with more payload than `MAX_PAYLOAD`
    unless in one value.

    Values come first, those in values before these: a transaction may end after any of them.

    Parameters
    ----------
    payload_size : bytes of the payloads of some values.
    batch : how many values it is asked about at once.
    """
    ids = list(parts[0].ids) if parts and parts[0].kind == "Value" else []
    waiting = [ids[start : start + batch] for start in range(0, len(ids), batch)][::-1]
    taken: list[str] = []
    size = 0
    while waiting:
        some = waiting.pop()
        more = payload_size(some)
        if more > MAX_PAYLOAD and len(some) > 1:
            middle = len(some) // 2
            waiting += [some[middle:], some[:middle]]
            continue
        if taken and size + more > MAX_PAYLOAD:
            yield [Part("Value", taken)]
            taken, size = [], 0
        taken += some
        size += more
    yield [Part("Value", taken), *parts[1:]] if taken else parts


class RecordError(RedunError, ValueError):
    """
    A record can't be used: it is malformed, or its content does not match its id.

    Parameters
    ----------
    message : what is wrong with it.
    index : its place, from 0, among the records that were given.
    """

    def __init__(self, message: str, index: int = 0, hints: tuple[str, ...] = ()) -> None:
        super().__init__(message, hints=hints)
        self.index = index


def check_kind(record: Any, index: int = 0) -> tuple[str, str]:
    """
    The kind and the id of a record.

    Raises `RecordError` if it is none of version 1.
    """
    if not isinstance(record, dict):
        raise RecordError(f"a record is a JSON object, not {type(record).__name__}", index)
    kind = record.get("_type")
    if kind is None:
        raise RecordError("the record has no `_type`", index)
    if not isinstance(kind, str) or kind not in ID_FIELDS:
        known = ", ".join(ID_FIELDS)
        raise RecordError(f"unknown record type {kind!r}", index, (f"known types: {known}",))
    if record.get("_version") != VERSION:
        raise RecordError(
            f"unknown record version {record.get('_version')!r}; this program reads {VERSION}",
            index,
        )
    record_id = record.get(ID_FIELDS[kind])
    if not isinstance(record_id, str) or not record_id:
        raise RecordError(f"the {kind} record has no `{ID_FIELDS[kind]}`", index)
    return kind, record_id


def owned(record: Record) -> Iterator[tuple[str, str]]:
    """
    The kind and id of each record that a record owns.

    Child jobs are those in `children`, which readers of export files may not rely on: files of the
    original name them incompletely.
    """
    yield from _OWNED[record["_type"]](record)


def _owned_by_execution(record: Record) -> Iterator[tuple[str, str]]:
    yield "Job", record["job_id"]


def _owned_by_job(record: Record) -> Iterator[tuple[str, str]]:
    yield "Value", record["task_hash"]
    if record["call_hash"] is not None:
        yield "CallNode", record["call_hash"]
    for child in record["children"]:
        yield "Job", child


def _owned_by_call(record: Record) -> Iterator[tuple[str, str]]:
    yield "Value", record["task_hash"]
    yield "Value", record["value_hash"]
    for argument in record["args"].values():
        yield "Value", argument["value_hash"]
        for call_hash in argument["upstream"]:
            yield "CallNode", call_hash
    for call_hash in record["children"]:
        yield "CallNode", call_hash
    for task_hash in record.get(UNRECORDED, ()):
        yield "Value", task_hash


def _owned_by_value(record: Record) -> Iterator[tuple[str, str]]:
    for value_hash in record["subvalues"]:
        yield "Value", value_hash


def _owned_by_tag(record: Record) -> Iterator[tuple[str, str]]:
    for tag_hash in record["parents"]:
        yield "Tag", tag_hash


_OWNED: dict[str, Callable[[Record], Iterator[tuple[str, str]]]] = {
    "Execution": _owned_by_execution,
    "Job": _owned_by_job,
    "CallNode": _owned_by_call,
    "Value": _owned_by_value,
    "Tag": _owned_by_tag,
}
