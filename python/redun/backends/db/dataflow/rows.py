"""
What a dataflow needs to know of values, calls and arguments, loaded in bulk with SQL text.

The rows have the names of the ORM's where both have a thing, so that a walk takes either.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from redun.backends.db.dataflow.parameters import parse_parameters
from redun.backends.db.source import Source

#: Kinds of nodes that are rows.
VALUE = "Value"
CALL = "CallNode"


class ValueRow:
    """A value: what is more to tell of it can be asked of `source`. `key` tells it as a node."""

    __slots__ = ("key", "source", "value_hash")

    def __init__(self, value_hash: str, source: Source) -> None:
        self.value_hash = value_hash
        self.source = source
        self.key = (VALUE, value_hash)


@dataclass(slots=True, eq=False)
class TaskRow:
    """One version of a task. `name` is without the namespace."""

    hash: str
    name: str
    source: str


class CallRow:
    """
    A call. `key` tells it as a node.

    Its `arguments` are there where the task's source doesn't give names to the positional ones.
    """

    __slots__ = ("arguments", "call_hash", "key", "source", "task", "value_hash")

    def __init__(self, call_hash: str, value_hash: str, task: TaskRow, source: Source) -> None:
        self.call_hash = call_hash
        self.value_hash = value_hash
        self.task = task
        self.source = source
        self.arguments: Sequence[ArgumentRow] = ()
        self.key = (CALL, call_hash)

    @property
    def value(self) -> ValueRow:
        """The result."""
        return ValueRow(self.value_hash, self.source)


@dataclass(slots=True, eq=False)
class ArgumentRow:
    """An argument of a call: by position, or by key."""

    arg_hash: str
    call_hash: str
    value_hash: str
    arg_position: int | None
    arg_key: str | None
    call_node: CallRow


_CALLS = "SELECT call_hash, task_hash, value_hash FROM call_node WHERE call_hash {in_ids}"

_TASKS = "SELECT hash, name, source FROM task WHERE hash {in_ids}"

_ARGUMENTS = """
SELECT arg_hash, call_hash, value_hash, arg_position, arg_key
FROM argument WHERE call_hash {in_ids}
"""


class RowLoader:
    """
    Loads rows for a walk, each call and task once.

    Parameters
    ----------
    source : the repo to read.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self._tasks: dict[str, TaskRow] = {}
        self._unnamed: set[str] = set()
        self._calls: dict[str, CallRow] = {}

    def calls(self, hashes: Iterable[str]) -> dict[str, CallRow]:
        """Calls by hash, with their tasks."""
        hashes = set(hashes)
        missing = {key for key in hashes if key not in self._calls}
        rows = list(self.source.rows_among(_CALLS, missing))
        self._load_tasks({row[1] for row in rows})
        for call, task, result in rows:
            self._calls[call] = CallRow(call, result, self._tasks[task], self.source)
        unnamed = {row[0] for row in rows if row[1] in self._unnamed}
        for argument in self._arguments_of(unnamed):
            call_node = argument.call_node
            call_node.arguments = (*call_node.arguments, argument)
        return {key: self._calls[key] for key in hashes if key in self._calls}

    def values(self, hashes: Iterable[str]) -> dict[str, ValueRow]:
        """Values by hash."""
        return {key: ValueRow(key, self.source) for key in hashes}

    def arguments(self, calls: Iterable[str]) -> Iterator[ArgumentRow]:
        """The arguments of calls, in no order."""
        return self._arguments_of(self.calls(calls))

    def _arguments_of(self, calls: Collection[str]) -> Iterator[ArgumentRow]:
        for row in self.source.rows_among(_ARGUMENTS, calls):
            arg_hash, call_hash, value_hash, position, key = row
            call = self._calls[call_hash]
            yield ArgumentRow(arg_hash, call.call_hash, value_hash, position, key, call)

    def _load_tasks(self, hashes: set[str]) -> None:
        missing = {key for key in hashes if key not in self._tasks}
        for key, name, source in self.source.rows_among(_TASKS, missing):
            self._tasks[key] = TaskRow(key, name, source or "")
            if parse_parameters(source or "").names is None:
                self._unnamed.add(key)
