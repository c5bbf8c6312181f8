"""
Records: the rows of a repo as JSON-ready dictionaries, for `log --format json` and for export.

Records are read in bulk and yielded one by one, so any number of them fits in memory. Fields come in
the order of the format (version 1). A task has no record of its own: its value has.
"""

from __future__ import annotations

import base64
import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import Session, object_session

from redun.backends.db.bulk import in_chunks
from redun.backends.db.orm import (
    Argument,
    ArgumentResult,
    CallEdge,
    CallNode,
    Execution,
    File,
    Job,
    Subvalue,
    Tag,
    TagEdit,
    Task,
    Value,
)

#: Version of the record format.
VERSION = 1

#: Records made from one set of statements.
BATCH = 500

Record = dict[str, Any]
Grouped = dict[str, list[Any]]


def serialize_timestamp(timestamp: dt.datetime | None) -> str | None:
    """`YYYY-MM-DD HH:MM:SS[.ffffff]+00:00`; None stays None."""
    return None if timestamp is None else str(timestamp)


class Serializer:
    """
    Makes the records of one type.

    `record_type` is the name in `_type`, `pk_field` the field that identifies a record, `model` the
    class of its rows.
    """

    record_type: ClassVar[str]
    pk_field: ClassVar[str]
    model: ClassVar[Any]

    def get_pk(self, record: Record) -> str:
        """The id of a record."""
        return record[self.pk_field]

    def serialize(self, row: Any) -> Record:
        """The record of one row, which must be attached to a session."""
        session = object_session(row)
        assert session is not None, "the row is not attached to a session"
        return next(self.serialize_ids(session, [sa.inspect(row).identity[0]]))

    def serialize_ids(self, session: Session, ids: Collection[str]) -> Iterator[Record]:
        """The records with these ids, in their order; those not recorded are left out."""
        ordered = list(ids)
        for start in range(0, len(ordered), BATCH):
            batch = ordered[start : start + BATCH]
            found = self._records(session, batch)
            yield from (found[key] for key in batch if key in found)

    def _records(self, session: Session, ids: list[str]) -> dict[str, Record]:
        raise NotImplementedError

    def _head(self) -> Record:
        return {"_version": VERSION, "_type": self.record_type}


class ExecutionSerializer(Serializer):
    """Records of executions."""

    record_type = "Execution"
    pk_field = "id"
    model = Execution

    def _records(self, session: Session, ids: list[str]) -> dict[str, Record]:
        query = sa.select(Execution.id, Execution.args, Execution.job_id)
        return {
            key: {**self._head(), "id": key, "args": args, "job_id": job_id}
            for key, args, job_id in in_chunks(session, query, Execution.id, ids)
        }


class JobSerializer(Serializer):
    """Records of jobs. `status` and `children` are for readers; importing ignores them."""

    record_type = "Job"
    pk_field = "id"
    model = Job

    def _records(self, session: Session, ids: list[str]) -> dict[str, Record]:
        query = (
            sa.select(Job, Value.type)
            .outerjoin(CallNode, CallNode.call_hash == Job.call_hash)
            .outerjoin(Value, Value.value_hash == CallNode.value_hash)
        )
        children_query = sa.select(Job.parent_id, Job.id).order_by(Job.start_time)
        children = _grouped(in_chunks(session, children_query, Job.parent_id, ids))
        return {
            job.id: {
                **self._head(),
                "id": job.id,
                "start_time": serialize_timestamp(job.start_time),
                "end_time": serialize_timestamp(job.end_time),
                "task_hash": job.task_hash,
                "cached": job.cached,
                "status": job.calc_status(result_type),
                "call_hash": job.call_hash,
                "parent_id": job.parent_id,
                "children": children[job.id],
                "execution_id": job.execution_id,
            }
            for job, result_type in in_chunks(session, query, Job.id, ids)
        }


class CallNodeSerializer(Serializer):
    """Records of calls. Children come in call order, a call made twice twice."""

    record_type = "CallNode"
    pk_field = "call_hash"
    model = CallNode

    def _records(self, session: Session, ids: list[str]) -> dict[str, Record]:
        children_query = sa.select(CallEdge.parent_id, CallEdge.child_id).order_by(
            CallEdge.call_order
        )
        children = _grouped(in_chunks(session, children_query, CallEdge.parent_id, ids))
        arguments = self._arguments(session, ids)
        return {
            call.call_hash: {
                **self._head(),
                "call_hash": call.call_hash,
                "task_name": call.task_name,
                "task_hash": call.task_hash,
                "args_hash": call.args_hash,
                "value_hash": call.value_hash,
                "timestamp": serialize_timestamp(call.timestamp),
                "args": arguments[call.call_hash],
                "children": children[call.call_hash],
            }
            for (call,) in in_chunks(session, sa.select(CallNode), CallNode.call_hash, ids)
        }

    def _arguments(self, session: Session, ids: list[str]) -> dict[str, Record]:
        query = sa.select(Argument)
        arguments = [row[0] for row in in_chunks(session, query, Argument.call_hash, ids)]
        arguments.sort(
            key=lambda arg: (arg.arg_key is not None, arg.arg_position or 0, arg.arg_key or "")
        )
        upstream_query = sa.select(ArgumentResult.arg_hash, ArgumentResult.result_call_hash)
        hashes = [arg.arg_hash for arg in arguments]
        upstream = _grouped(in_chunks(session, upstream_query, ArgumentResult.arg_hash, hashes))
        found: dict[str, Record] = defaultdict(dict)
        for arg in arguments:
            key = str(arg.arg_position) if arg.arg_key is None else arg.arg_key
            found[arg.call_hash][key] = {
                "arg_hash": arg.arg_hash,
                "value_hash": arg.value_hash,
                "upstream": sorted(upstream[arg.arg_hash]),
            }
        return found


class ValueSerializer(Serializer):
    """Records of values, with what makes some of them files or tasks."""

    record_type = "Value"
    pk_field = "value_hash"
    model = Value

    def _records(self, session: Session, ids: list[str]) -> dict[str, Record]:
        query = sa.select(Value.value_hash, Value.type, Value.format, Value.value)
        subvalue_query = sa.select(Subvalue.parent_value_hash, Subvalue.value_hash)
        subvalues = _grouped(in_chunks(session, subvalue_query, Subvalue.parent_value_hash, ids))
        subtypes = self._subtypes(session, ids)
        return {
            key: {
                **self._head(),
                "value_hash": key,
                "type": type_name,
                "format": format_name,
                "data": base64.b64encode(data).decode("ascii"),
                "subvalues": sorted(subvalues[key]),
                "subtype": subtypes.get(key),
            }
            for key, type_name, format_name, data in in_chunks(
                session, query, Value.value_hash, ids
            )
        }

    def _subtypes(self, session: Session, ids: list[str]) -> dict[str, Record]:
        file_query = sa.select(File.value_hash, File.path)
        found: dict[str, Record] = {
            key: {"_type": "File", "path": path}
            for key, path in in_chunks(session, file_query, File.value_hash, ids)
        }
        for (task,) in in_chunks(session, sa.select(Task), Task.hash, ids):
            found[task.hash] = {
                "_type": "Task",
                "name": task.name,
                "namespace": task.namespace,
                "source": task.source,
            }
        return found


class TagSerializer(Serializer):
    """Records of tags, superseded ones too."""

    record_type = "Tag"
    pk_field = "tag_hash"
    model = Tag

    def _records(self, session: Session, ids: list[str]) -> dict[str, Record]:
        parent_query = sa.select(TagEdit.child_id, TagEdit.parent_id)
        parents = _grouped(in_chunks(session, parent_query, TagEdit.child_id, ids))
        return {
            tag.tag_hash: {
                **self._head(),
                "tag_hash": tag.tag_hash,
                "entity_type": tag.entity_type.name,
                "entity_id": tag.entity_id,
                "key": tag.key,
                "value": tag.value,
                "parents": sorted(parents[tag.tag_hash]),
            }
            for (tag,) in in_chunks(session, sa.select(Tag), Tag.tag_hash, ids)
        }


class RecordSerializer:
    """Makes records of every type."""

    serializers: ClassVar[list[Serializer]] = [
        ExecutionSerializer(),
        JobSerializer(),
        CallNodeSerializer(),
        ValueSerializer(),
        TagSerializer(),
    ]

    def get_subserializer(self, record_type: str) -> Serializer:
        """The serializer of a type; tasks have that of values. Raises `KeyError` for others."""
        wanted = "Value" if record_type == "Task" else record_type
        for serializer in self.serializers:
            if serializer.record_type == wanted:
                return serializer
        raise KeyError(record_type)

    def get_pk(self, record: Record) -> str:
        """The id of a record. Raises `KeyError` for one of no known type."""
        return self.get_subserializer(record["_type"]).get_pk(record)

    def serialize(self, row: Any) -> Record:
        """The record of one row. Raises `KeyError` for a class without records."""
        serializer = self.get_subserializer(type(row).__name__)
        if isinstance(row, Task):
            session = object_session(row)
            assert session is not None, "the row is not attached to a session"
            return next(serializer.serialize_ids(session, [row.hash]))
        return serializer.serialize(row)

    def serialize_ids(
        self, session: Session, record_type: str, ids: Collection[str]
    ) -> Iterator[Record]:
        """The records with these ids, in their order. Raises `KeyError` for an unknown type."""
        return self.get_subserializer(record_type).serialize_ids(session, ids)


def _grouped(rows: Iterator[Any]) -> Grouped:
    """Second column by the first, in the order of the rows."""
    found: Grouped = defaultdict(list)
    for key, value in rows:
        found[key].append(value)
    return found
