"""
Records from outside: whether their fields are those of the format, and their content that of their id.

What can be recomputed of an id is: that of a value of plain data, or of one that is hashed over its pickle;
that of a call and of its arguments; that of a tag. Values with a hash rule of their own (files, tasks) are
taken as they are, and so are executions and jobs, whose ids are arbitrary, and calls that say that they made
calls of which there is no record. A record does not say by which
scheme its hashes were made, so any of them will do.

Nothing here runs what a record holds: pickles are only read as far as they are plain data.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import json
from collections.abc import Callable, Iterator
from typing import Any

from redun.backends.base import TagEntity
from redun.backends.records import UNRECORDED, Record, RecordError, check_kind
from redun.bcoding import bencode
from redun.hashing import digests, hash_plain, hashing_as
from redun.utils.pickling import NotPlainError, pickle_dumps, pickle_loads_plain
from redun.value import get_raw_type_name

#: The longest hash, and the longest text that is quoted in an error.
HASH_LEN = 40
MAX_QUOTED = 60

#: Plain data that counts for more objects than this, with what is shared counted each time, isn't hashed.
MAX_EXPANDED = 10_000_000

_SCALARS = {f"builtins.{name}" for name in ("NoneType", "bool", "int", "float", "str", "bytes")}
_CONTAINERS = {f"builtins.{name}" for name in ("list", "tuple", "dict", "set", "frozenset")}
_ENTITIES = frozenset(TagEntity.__members__)

_UNRECORDED = (
    "calls of tasks with `prov=False` leave such a record behind; "
    "`--no-verify` accepts it if you trust where it comes from"
)
_TRUST = "`--no-verify` accepts it if you trust where it comes from"


def check_fields(record: Any, index: int = 0) -> tuple[str, str]:
    """
    The kind and the id of a record, after a look at each of its fields.

    Fields that may be absent (`children` of a job, `subtype` of a value) are filled in.

    Raises `RecordError` for a field that is missing, of the wrong type, or text that no database takes.
    """
    kind, record_id = check_kind(record, index)
    try:
        _FIELDS[kind](record)
    except _FieldError as error:
        raise RecordError(f"the {kind} record {_quoted(record_id)}: {error}", index) from None
    return kind, record_id


def verify_record(record: Record, index: int = 0) -> None:
    """
    Recomputes the id of a record whose fields have been checked, where that is possible.

    Raises `RecordError` if it comes out different.
    """
    verify = _VERIFY.get(record["_type"])
    if verify is not None:
        verify(record, index)


def parse_timestamp(text: str) -> dt.datetime:
    """
    A time of a record, with its zone.

    Raises `ValueError` for text that is none, or that names no zone.
    """
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        from dateutil.parser import parse

        try:
            found = parse(text)
        except OverflowError as error:
            raise ValueError(str(error)) from error
    if found.tzinfo is None:
        raise ValueError("a time needs a zone, such as +00:00")
    return found


def payload(record: Record) -> bytes:
    """The bytes of a value record. Raises `ValueError` if they aren't base64."""
    data: str = record["data"]
    return base64.b64decode(data.encode("ascii"), validate=True)


class _FieldError(Exception):
    """What is wrong with a field."""


def _quoted(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= MAX_QUOTED else f"{text[: MAX_QUOTED - 3]}..."


def _field(record: Record, name: str) -> Any:
    try:
        return record[name]
    except KeyError:
        raise _FieldError(f"the field `{name}` is missing") from None


def _wrong(name: str, value: Any, wanted: str) -> _FieldError:
    return _FieldError(f"`{name}` is not {wanted}: {_quoted(value)}")


def _check_text(name: str, value: Any, what: str = "text") -> None:
    if type(value) is not str:
        raise _wrong(name, value, what)
    if "\0" in value:
        raise _FieldError(f"`{name}` holds a NUL character")
    if not value.isascii():
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise _FieldError(f"`{name}` holds half a character") from None


def _text(record: Record, *names: str) -> None:
    for name in names:
        _check_text(name, _field(record, name))


def _check_hash(name: str, value: Any) -> None:
    _check_text(name, value, "a hash")
    if not 0 < len(value) <= HASH_LEN:
        raise _wrong(name, value, "a hash")


def _hash(record: Record, *names: str) -> None:
    for name in names:
        _check_hash(name, _field(record, name))


def _id(record: Record, *names: str) -> None:
    _text(record, *names)
    for name in names:
        if not record[name]:
            raise _FieldError(f"`{name}` is empty")


def _hashes(record: Record, name: str) -> None:
    value = _field(record, name)
    if type(value) is not list:
        raise _wrong(name, value, "a list of hashes")
    for item in value:
        _check_hash(name, item)


def _timestamp(record: Record, name: str) -> None:
    value = _field(record, name)
    _check_text(name, value, "a time")
    try:
        parse_timestamp(value)
    except ValueError as error:
        raise _FieldError(f"`{name}` is not a time: {_quoted(value)} ({error})") from None


def _optional(check: Callable[..., None], record: Record, name: str) -> None:
    if _field(record, name) is not None:
        check(record, name)


def _execution_fields(record: Record) -> None:
    _id(record, "id", "job_id")
    _text(record, "args")


def _job_fields(record: Record) -> None:
    _id(record, "id", "execution_id")
    _optional(_id, record, "parent_id")
    _timestamp(record, "start_time")
    _optional(_timestamp, record, "end_time")
    _hash(record, "task_hash")
    _optional(_hash, record, "call_hash")
    if type(_field(record, "cached")) is not bool:
        raise _wrong("cached", record["cached"], "true or false")
    children = record.setdefault("children", [])
    if type(children) is not list:
        raise _wrong("children", children, "a list of ids")
    for child in children:
        _check_text("children", child, "an id")


def _call_fields(record: Record) -> None:
    _hash(record, "call_hash", "task_hash", "args_hash", "value_hash")
    _text(record, "task_name")
    _optional(_timestamp, record, "timestamp")
    arguments = _field(record, "args")
    if type(arguments) is not dict:
        raise _wrong("args", arguments, "an object")
    for key, argument in arguments.items():
        _check_text("args", key)
        if type(argument) is not dict:
            raise _wrong(f"args.{_quoted(key)}", argument, "an object")
        _hash(argument, "arg_hash", "value_hash")
        _hashes(argument, "upstream")
    _hashes(record, "children")
    if UNRECORDED in record:
        _hashes(record, UNRECORDED)


def _value_fields(record: Record) -> None:
    _hash(record, "value_hash")
    _text(record, "type", "format", "data")
    try:
        payload(record)
    except (binascii.Error, ValueError) as error:
        raise _FieldError(f"`data` is not base64: {error}") from None
    _hashes(record, "subvalues")
    subtype = record.setdefault("subtype", None)
    if subtype is None:
        return
    if type(subtype) is not dict:
        raise _wrong("subtype", subtype, "an object")
    kind = subtype.get("_type")
    if kind == "File":
        _text(subtype, "path")
    elif kind == "Task":
        _text(subtype, "name", "namespace", "source")


def _tag_fields(record: Record) -> None:
    _hash(record, "tag_hash")
    _text(record, "entity_id", "key")
    entity_type = _field(record, "entity_type")
    if type(entity_type) is not str or entity_type not in _ENTITIES:
        raise _wrong("entity_type", entity_type, f"one of {', '.join(sorted(_ENTITIES))}")
    _hashes(record, "parents")
    for text in _texts(_field(record, "value")):
        _check_text("value", text)


_FIELDS: dict[str, Callable[[Record], None]] = {
    "Execution": _execution_fields,
    "Job": _job_fields,
    "CallNode": _call_fields,
    "Value": _value_fields,
    "Tag": _tag_fields,
}


def _texts(value: Any) -> Iterator[str]:
    """All text in a JSON value, keys too."""
    for item in _items(value):
        if type(item) is str:
            yield item


def _items(value: Any) -> Iterator[Any]:
    """A JSON value and all that is in it, keys too."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        yield item
        if type(item) is list:
            waiting += item
        elif type(item) is dict:
            waiting += item
            waiting += item.values()


def _struct_is(wanted: str, struct: list[Any]) -> bool:
    return wanted in digests(bencode(struct))


def call_matches(record: Record) -> bool:
    """Whether the hash of a call follows from its record: not if calls that it made left none."""
    names = ("task_hash", "args_hash", "value_hash")
    struct = ["CallNode", *[record[name] for name in names], sorted(record["children"])]
    return _struct_is(record["call_hash"], struct)


def _verify_call(record: Record, index: int) -> None:
    call_hash = record["call_hash"]
    if not record.get(UNRECORDED) and not call_matches(record):
        raise _mismatch("call", call_hash, index, _UNRECORDED)
    for key, argument in record["args"].items():
        # What looks like a position may also be the name of a keyword argument.
        places = [(key, "None")] if key.isdecimal() else []
        if not any(
            _struct_is(
                argument["arg_hash"],
                ["Argument", call_hash, position, name, argument["value_hash"]],
            )
            for position, name in [*places, ("None", key)]
        ):
            raise _mismatch(f"argument {_quoted(key)} of the call", call_hash, index)


def _verify_tag(record: Record, index: int) -> None:
    text = json.dumps(record["value"], sort_keys=True, separators=(",", ":"))
    struct = ["Tag", record["entity_id"], record["key"], text, sorted(record["parents"])]
    if _struct_is(record["tag_hash"], struct):
        return
    # PostgreSQL gives some numbers back in another spelling than the one that was hashed.
    if any(type(item) in (int, float) and _is_respelled(item) for item in _items(record["value"])):
        return
    raise _mismatch("tag", record["tag_hash"], index)


def _is_respelled(number: int | float) -> bool:
    return number == 0 or abs(number) >= 1e16


def _verify_value(record: Record, index: int) -> None:
    data, type_name, wanted = payload(record), record["type"], record["value_hash"]
    # Without bytes it says that they lie in a value store.
    if not data or wanted in digests(bencode(["Value"]) + data):
        return
    if type_name not in _SCALARS and type_name not in _CONTAINERS:
        return
    try:
        value = pickle_loads_plain(data)
    except NotPlainError:
        if type_name in _CONTAINERS:
            return
        raise _mismatch("value", wanted, index) from None
    if not _is_plain_value(value, type_name, wanted):
        raise _mismatch("value", wanted, index)


def _is_plain_value(value: Any, type_name: str, wanted: str) -> bool:
    if get_raw_type_name(type(value)) != type_name:
        return False
    if _expanded_size(value) > MAX_EXPANDED:
        return True
    with hashing_as("blake3"):
        if hash_plain(value) == wanted:
            return True
    if type(value) is not set:
        return False
    try:
        ordered = sorted(value)
    except TypeError:
        return False
    # How an item that is a container was pickled depends on what shared it.
    is_flat = not any(isinstance(item, tuple | frozenset) for item in ordered)
    return not is_flat or wanted in digests(bencode(["Value.set"]) + pickle_dumps(ordered))


def _expanded_size(value: Any) -> int:
    """
    How many objects a walk through plain data meets, which visits what is shared again and again.

    Each object is looked at once; one that contains itself counts as too large.
    """
    sizes: dict[int, int] = {}
    waiting: list[tuple[Any, bool]] = [(value, False)]
    while waiting:
        item, is_done = waiting.pop()
        children = _children(item)
        if is_done:
            size = 1 + sum(sizes[id(child)] or MAX_EXPANDED for child in children)
            sizes[id(item)] = min(size, MAX_EXPANDED + 1)
        elif id(item) not in sizes:
            sizes[id(item)] = 0  # Still open: meeting it again within itself finds this.
            waiting.append((item, True))
            waiting += [(child, False) for child in children if id(child) not in sizes]
    return sizes[id(value)]


def _children(item: Any) -> list[Any]:
    if isinstance(item, dict):
        return [*item, *item.values()]
    return list(item) if isinstance(item, list | tuple | set | frozenset) else []


def _mismatch(what: str, wanted: str, index: int, hint: str = _TRUST) -> RecordError:
    message = f"the content of the {what} {_quoted(wanted)} does not match its hash"
    return RecordError(message, index, (hint,))


_VERIFY: dict[str, Callable[[Record, int], None]] = {
    "CallNode": _verify_call,
    "Value": _verify_value,
    "Tag": _verify_tag,
}
