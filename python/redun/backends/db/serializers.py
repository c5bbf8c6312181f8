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

from redun.backends.db.codec import to_moment
from redun.backends.db.query.views import job_status
from redun.backends.db.source import Row, Source

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

    `record_type` is the name in `_type`, `pk_field` the field that identifies a record.
    """

    record_type: ClassVar[str]
    pk_field: ClassVar[str]

    def get_pk(self, record: Record) -> str:
        """The id of a record."""
        return record[self.pk_field]

    def serialize(self, row: Any) -> Record:
        """The record of one row, which must be attached to a session."""
        source, key = _place_of(row)
        return next(self.serialize_ids(source, [key]))

    def serialize_ids(self, source: Source, ids: Collection[str]) -> Iterator[Record]:
        """The records with these ids, in their order; those not recorded are left out."""
        ordered = list(ids)
        for start in range(0, len(ordered), BATCH):
            batch = ordered[start : start + BATCH]
            found = self._records(source, batch)
            yield from (found[key] for key in batch if key in found)

    def _records(self, source: Source, ids: list[str]) -> dict[str, Record]:
        raise NotImplementedError

    def _head(self) -> Record:
        return {"_version": VERSION, "_type": self.record_type}


class ExecutionSerializer(Serializer):
    """Records of executions."""

    record_type = "Execution"
    pk_field = "id"

    def _records(self, source: Source, ids: list[str]) -> dict[str, Record]:
        return {
            key: {**self._head(), "id": key, "args": args, "job_id": job_id}
            for key, args, job_id in source.rows_among(_EXECUTIONS, ids)
        }


class JobSerializer(Serializer):
    """Records of jobs. `status` and `children` are for readers; importing ignores them."""

    record_type = "Job"
    pk_field = "id"

    def _records(self, source: Source, ids: list[str]) -> dict[str, Record]:
        children = _grouped(source.rows_among(_CHILD_JOBS, ids))
        return {row[0]: self._record(row, children) for row in source.rows_among(_JOBS, ids)}

    def _record(self, row: Row, children: Grouped) -> Record:
        job_id, start, end, task_hash, cached, call_hash, parent, execution, result_type = row
        return {
            **self._head(),
            "id": job_id,
            "start_time": serialize_timestamp(to_moment(start)),
            "end_time": serialize_timestamp(to_moment(end)),
            "task_hash": task_hash,
            "cached": bool(cached),
            "status": job_status(end, cached, result_type),
            "call_hash": call_hash,
            "parent_id": parent,
            "children": children[job_id],
            "execution_id": execution,
        }


class CallNodeSerializer(Serializer):
    """Records of calls. Children come in call order, a call made twice twice."""

    record_type = "CallNode"
    pk_field = "call_hash"

    def _records(self, source: Source, ids: list[str]) -> dict[str, Record]:
        children = _grouped(source.rows_among(_CHILD_CALLS, ids))
        arguments = self._arguments(source, ids)
        return {
            call_hash: {
                **self._head(),
                "call_hash": call_hash,
                "task_name": task_name,
                "task_hash": task_hash,
                "args_hash": args_hash,
                "value_hash": value_hash,
                "timestamp": serialize_timestamp(to_moment(timestamp)),
                "args": arguments[call_hash],
                "children": children[call_hash],
            }
            for call_hash, task_name, task_hash, args_hash, value_hash, timestamp in (
                source.rows_among(_CALLS, ids)
            )
        }

    def _arguments(self, source: Source, ids: list[str]) -> dict[str, Record]:
        rows = list(source.rows_among(_ARGUMENTS, ids))
        # By position, then by key.
        rows.sort(key=lambda row: (row[4] is not None, row[3] or 0, row[4] or ""))
        upstream = _grouped(source.rows_among(_UPSTREAM, [row[1] for row in rows]))
        found: dict[str, Record] = defaultdict(dict)
        for call_hash, arg_hash, value_hash, position, key in rows:
            found[call_hash][str(position) if key is None else key] = {
                "arg_hash": arg_hash,
                "value_hash": value_hash,
                "upstream": sorted(upstream[arg_hash]),
            }
        return found


class ValueSerializer(Serializer):
    """Records of values, with what makes some of them files or tasks."""

    record_type = "Value"
    pk_field = "value_hash"

    def _records(self, source: Source, ids: list[str]) -> dict[str, Record]:
        subvalues = _grouped(source.rows_among(_SUBVALUES, ids))
        subtypes = self._subtypes(source, ids)
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
            for key, type_name, format_name, data in source.rows_among(_VALUES, ids)
        }

    def _subtypes(self, source: Source, ids: list[str]) -> dict[str, Record]:
        found: dict[str, Record] = {
            key: {"_type": "File", "path": path} for key, path in source.rows_among(_FILES, ids)
        }
        for task_hash, name, namespace, code in source.rows_among(_TASKS, ids):
            found[task_hash] = {
                "_type": "Task",
                "name": name,
                "namespace": namespace,
                "source": code,
            }
        return found


class TagSerializer(Serializer):
    """Records of tags, superseded ones too."""

    record_type = "Tag"
    pk_field = "tag_hash"

    def _records(self, source: Source, ids: list[str]) -> dict[str, Record]:
        parents = _grouped(source.rows_among(_TAG_PARENTS, ids))
        return {
            tag_hash: {
                **self._head(),
                "tag_hash": tag_hash,
                "entity_type": entity_type,
                "entity_id": entity_id,
                "key": key,
                "value": source.document(value),
                "parents": sorted(parents[tag_hash]),
            }
            for tag_hash, entity_type, entity_id, key, value in source.rows_among(_TAGS, ids)
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
        return self.get_subserializer(type(row).__name__).serialize(row)

    def serialize_ids(
        self, source: Source, record_type: str, ids: Collection[str]
    ) -> Iterator[Record]:
        """The records with these ids, in their order. Raises `KeyError` for an unknown type."""
        return self.get_subserializer(record_type).serialize_ids(source, ids)


_EXECUTIONS = "SELECT id, args, job_id FROM execution WHERE id {in_ids}"

_JOBS = """
SELECT job.id, job.start_time, job.end_time, job.task_hash, job.cached, job.call_hash,
    job.parent_id, job.execution_id, value.type
FROM job
LEFT JOIN call_node ON call_node.call_hash = job.call_hash
LEFT JOIN value ON value.value_hash = call_node.value_hash
WHERE job.id {in_ids}
"""

_CHILD_JOBS = "SELECT parent_id, id FROM job WHERE parent_id {in_ids} ORDER BY start_time"

_CALLS = """
SELECT call_hash, task_name, task_hash, args_hash, value_hash, timestamp FROM call_node
WHERE call_hash {in_ids}
"""

_CHILD_CALLS = (
    "SELECT parent_id, child_id FROM call_edge WHERE parent_id {in_ids} ORDER BY call_order"
)

_ARGUMENTS = """
SELECT call_hash, arg_hash, value_hash, arg_position, arg_key FROM argument WHERE call_hash {in_ids}
"""

_UPSTREAM = "SELECT arg_hash, result_call_hash FROM argument_result WHERE arg_hash {in_ids}"

_VALUES = "SELECT value_hash, type, format, value FROM value WHERE value_hash {in_ids}"

_SUBVALUES = """
SELECT parent_value_hash, value_hash FROM subvalue WHERE parent_value_hash {in_ids}
"""

_FILES = "SELECT value_hash, path FROM file WHERE value_hash {in_ids}"

_TASKS = "SELECT hash, name, namespace, source FROM task WHERE hash {in_ids}"

_TAGS = "SELECT tag_hash, entity_type, entity_id, key, value FROM tag WHERE tag_hash {in_ids}"

_TAG_PARENTS = "SELECT child_id, parent_id FROM tag_edit WHERE child_id {in_ids}"


def _place_of(row: Any) -> tuple[Source, str]:
    """The repo that a row of the ORM was loaded from, and its key."""
    import sqlalchemy as sa
    from sqlalchemy.orm import object_session

    from redun.backends.db.session import as_source

    session = object_session(row)
    assert session is not None, "the row is not attached to a session"
    return as_source(session), sa.inspect(row).identity[0]


def _grouped(rows: Iterator[Any]) -> Grouped:
    """Second column by the first, in the order of the rows."""
    found: Grouped = defaultdict(list)
    for key, value in rows:
        found[key].append(value)
    return found
