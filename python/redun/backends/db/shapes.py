"""From the rows of records to records, and back."""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Callable, Sequence

from redun.backends.db.codec import json_text
from redun.backends.db.rows import Row, TableRows, grouped
from redun.backends.records import UNRECORDED, VERSION, Record
from redun.backends.verify import call_matches, parse_timestamp, payload

UTC_SUFFIX = "+00:00"
NO_FRACTION = ".000000"
ERROR_TYPE = "redun.ErrorValue"

_WITH_FRACTION = len("2000-01-01 00:00:00.000000")
_WITHOUT_FRACTION = len("2000-01-01 00:00:00")


def record_time(text: str | None) -> str | None:
    """A moment of a row as records have it."""
    return None if text is None else text.removesuffix(NO_FRACTION) + UTC_SUFFIX


def row_time(text: str | None) -> str | None:
    """A moment of a record as rows have it. Raises `ValueError` for text that is none."""
    if text is None:
        return None
    if text.endswith(UTC_SUFFIX) and text[10:11] == " ":
        bare = text[: -len(UTC_SUFFIX)]
        if len(bare) == _WITH_FRACTION:
            return bare
        if len(bare) == _WITHOUT_FRACTION:
            return bare + NO_FRACTION
    moment = parse_timestamp(text).astimezone(dt.timezone.utc)
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")


def _head(kind: str) -> Record:
    return {"_version": VERSION, "_type": kind}


# From rows to records.


def _executions(rows: TableRows) -> dict[str, Record]:
    return {
        key: {**_head("Execution"), "id": key, "args": args, "job_id": job_id}
        for key, args, job_id in rows["execution"]
    }


def _jobs(rows: TableRows) -> dict[str, Record]:
    """Needs (call, type of its result) in `result` and (parent, job, start) in `child`, too."""
    types: dict[str, str] = dict(rows["result"])
    children = grouped(sorted(rows["child"], key=lambda row: row[2]), 0)
    found: dict[str, Record] = {}
    for key, start, end, task, cached, call, parent, execution in rows["job"]:
        if types.get(call) == ERROR_TYPE:
            status = "FAILED"
        elif end is None:
            status = "RUNNING"
        else:
            status = "CACHED" if cached else "DONE"
        found[key] = {
            **_head("Job"),
            "id": key,
            "start_time": record_time(start),
            "end_time": record_time(end),
            "task_hash": task,
            "cached": bool(cached),
            "status": status,
            "call_hash": call,
            "parent_id": parent,
            "children": [row[1] for row in children.get(key, ())],
            "execution_id": execution,
        }
    return found


def _calls(rows: TableRows) -> dict[str, Record]:
    """Takes (call, task below it of no recorded call) in `UNRECORDED`, too."""
    edges = grouped(sorted(rows["call_edge"], key=lambda row: row[2]), 0)
    upstream = grouped(rows["argument_result"], 0)
    unrecorded = grouped(rows.get(UNRECORDED, ()), 0)
    arguments = sorted(
        rows["argument"], key=lambda row: (row[4] is not None, row[3] or 0, row[4] or "")
    )
    by_call = grouped(arguments, 1)
    found: dict[str, Record] = {}
    for key, task_name, task, args, value, timestamp in rows["call_node"]:
        found[key] = {
            **_head("CallNode"),
            "call_hash": key,
            "task_name": task_name,
            "task_hash": task,
            "args_hash": args,
            "value_hash": value,
            "timestamp": record_time(timestamp),
            "args": {
                str(position) if name is None else name: {
                    "arg_hash": arg_hash,
                    "value_hash": value_hash,
                    "upstream": sorted(row[1] for row in upstream.get(arg_hash, ())),
                }
                for arg_hash, _, value_hash, position, name in by_call.get(key, ())
            },
            "children": [row[1] for row in edges.get(key, ())],
        }
        if key in unrecorded and not call_matches(found[key]):
            found[key][UNRECORDED] = sorted(task for _, task in unrecorded[key])
    return found


def _values(rows: TableRows) -> dict[str, Record]:
    subvalues = grouped(rows["subvalue"], 1)
    subtypes: dict[str, Record] = {
        key: {"_type": "File", "path": path} for key, path in rows["file"]
    }
    for key, name, namespace, source in rows["task"]:
        subtypes[key] = {
            "_type": "Task",
            "name": name,
            "namespace": namespace,
            "source": source,
        }
    return {
        key: {
            **_head("Value"),
            "value_hash": key,
            "type": type_name,
            "format": format_name,
            "data": base64.b64encode(data).decode("ascii"),
            "subvalues": sorted(row[0] for row in subvalues.get(key, ())),
            "subtype": subtypes.get(key),
        }
        for key, type_name, format_name, data in rows["value"]
    }


def _tags(rows: TableRows) -> dict[str, Record]:
    parents = grouped(rows["tag_edit"], 1)
    return {
        key: {
            **_head("Tag"),
            "tag_hash": key,
            "entity_type": entity_type,
            "entity_id": entity_id,
            "key": name,
            "value": json.loads(text),
            "parents": sorted(row[0] for row in parents.get(key, ())),
        }
        for key, entity_type, entity_id, name, text, _ in rows["tag"]
    }


_TO_RECORDS: dict[str, Callable[[TableRows], dict[str, Record]]] = {
    "Execution": _executions,
    "Job": _jobs,
    "CallNode": _calls,
    "Value": _values,
    "Tag": _tags,
}


def to_records(kind: str, rows: TableRows) -> dict[str, Record]:
    """The records that rows of one kind are, by id."""
    return _TO_RECORDS[kind](rows)


# From records to rows.


def _execution_rows(record: Record, rows: TableRows) -> None:
    rows["execution"].append((record["id"], record["args"], record["job_id"]))


def _job_rows(record: Record, rows: TableRows) -> None:
    rows["job"].append(
        (
            record["id"],
            row_time(record["start_time"]),
            row_time(record["end_time"]),
            record["task_hash"],
            record["cached"],
            record["call_hash"],
            record["parent_id"],
            record["execution_id"],
        )
    )


def _call_rows(record: Record, rows: TableRows) -> None:
    call = record["call_hash"]
    timestamp = record["timestamp"]
    if timestamp is None:
        timestamp = str(dt.datetime.now(dt.timezone.utc))
    rows["call_node"].append(
        (
            call,
            record["task_name"],
            record["task_hash"],
            record["args_hash"],
            record["value_hash"],
            row_time(timestamp),
        )
    )
    rows["call_edge"] += [(call, child, order) for order, child in enumerate(record["children"])]
    tasks = dict.fromkeys(record.get(UNRECORDED, ()))
    rows.setdefault(UNRECORDED, []).extend((call, task) for task in tasks)
    for name, argument in record["args"].items():
        is_position = name.isdecimal() and name.isascii()
        position, key = (int(name), None) if is_position else (None, name)
        arg_hash = argument["arg_hash"]
        rows["argument"].append((arg_hash, call, argument["value_hash"], position, key))
        upstream = dict.fromkeys(argument["upstream"])
        rows["argument_result"] += [(arg_hash, result) for result in upstream]


def _value_rows(record: Record, rows: TableRows) -> None:
    key = record["value_hash"]
    rows["value"].append((key, record["type"], record["format"], payload(record)))
    rows["subvalue"] += [(child, key) for child in dict.fromkeys(record["subvalues"])]
    subtype = record.get("subtype") or {}
    if subtype.get("_type") == "File":
        rows["file"].append((key, subtype["path"]))
    elif subtype.get("_type") == "Task":
        rows["task"].append((key, subtype["name"], subtype["namespace"], subtype["source"]))


def _tag_rows(record: Record, rows: TableRows) -> None:
    key = record["tag_hash"]
    rows["tag"].append(
        (
            key,
            record["entity_type"],
            record["entity_id"],
            record["key"],
            json_text(record["value"]),
            True,
        )
    )
    rows["tag_edit"] += [(parent, key) for parent in dict.fromkeys(record["parents"])]


_TO_ROWS: dict[str, Callable[[Record, TableRows], None]] = {
    "Execution": _execution_rows,
    "Job": _job_rows,
    "CallNode": _call_rows,
    "Value": _value_rows,
    "Tag": _tag_rows,
}


def add_rows(record: Record, rows: TableRows) -> None:
    """Adds the rows of a record whose fields have been checked."""
    _TO_ROWS[record["_type"]](record, rows)


def payload_size(rows: Sequence[Row]) -> int:
    """Bytes in rows of the table `value`."""
    return sum([len(row[3]) for row in rows])
