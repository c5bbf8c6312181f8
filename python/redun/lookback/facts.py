"""What is recorded of calls and tasks, read in bulk for comparing them. Nothing stored is executed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from redun.backends.db.previews import previews
from redun.backends.db.query.views import full_name
from redun.backends.db.shown import shown_repr
from redun.backends.db.source import Source
from redun.lookback.sources import parameter_names
from redun.tags import CONTEXT_KEY, REASON_KEY

TASKS = "SELECT hash, namespace, name, source FROM task WHERE hash {in_ids}"

_ARGUMENTS = """
SELECT arg_hash, call_hash, value_hash, arg_position, arg_key
FROM argument WHERE call_hash {in_ids}
"""

_UPSTREAM = "SELECT arg_hash, result_call_hash FROM argument_result WHERE arg_hash {in_ids}"

# Every job of a repo may have a tag of this key: the key must not be what the tags are found by.
_TAGS = """
SELECT entity_id, value FROM tag
WHERE key || '' = ? AND is_current AND entity_id {in_ids}
"""

_TASKS_BELOW = "SELECT task_hash FROM call_subtree_task WHERE call_hash = ?"

_FILES = "SELECT value_hash, value_hash, path FROM file WHERE value_hash {in_ids}"

_FILES_INSIDE = """
SELECT subvalue.parent_value_hash, file.value_hash, file.path
FROM subvalue JOIN file ON file.value_hash = subvalue.value_hash
WHERE subvalue.parent_value_hash {in_ids}
"""


@dataclass(slots=True)
class TaskFacts:
    """One version of a task. `version` is None where the source is what counts."""

    hash: str
    name: str
    source: str
    version: str | None = None


@dataclass(slots=True)
class CallFacts:
    """
    What a call was made with.

    Parameters
    ----------
    values : argument name, or position where the name isn't known -> hash of the value.
    upstream : the same -> calls that it was computed from.
    context : hash of the context, or None.
    """

    values: dict[str, str] = field(default_factory=dict)
    upstream: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    context: str | None = None


class Facts:
    """
    Reads and remembers facts.

    Parameters
    ----------
    source : the repo to read.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._tasks: dict[str, TaskFacts] = {}
        self._calls: dict[str, CallFacts] = {}
        self._files: dict[str, dict[str, str]] = {}
        self._shown: dict[str, str] = {}

    def task(self, task_hash: str) -> TaskFacts:
        """A task by hash; an unknown one has no source."""
        if task_hash not in self._tasks:
            self.load_tasks([task_hash])
        return self._tasks[task_hash]

    def load_tasks(self, hashes: Collection[str]) -> None:
        """Reads tasks that will be asked for."""
        missing = {key for key in hashes if key not in self._tasks}
        self._tasks.update({key: TaskFacts(key, "", "") for key in missing})
        for key, namespace, name, source in self._source.rows_among(TASKS, missing):
            self._tasks[key] = TaskFacts(key, full_name(namespace, name), source or "")
        for key, task in previews(self._source, missing):
            version = getattr(task, "version", None)
            self._tasks[key].version = None if version is None else str(version)

    def load_calls(self, calls: Iterable[tuple[str, str]]) -> None:
        """Reads the arguments of calls, each given with the hash of its task."""
        tasks = {call: task for call, task in calls if call not in self._calls}
        self._calls.update({call: CallFacts() for call in tasks})
        self.load_tasks(set(tasks.values()))
        names = {task: parameter_names(self._tasks[task].source) for task in set(tasks.values())}
        by_id: dict[str, tuple[str, str]] = {}
        rows = self._source.rows_among(_ARGUMENTS, tasks)
        for arg_hash, call, value_hash, position, key in sorted(rows, key=_in_order):
            name = key if key is not None else _name_at(names[tasks[call]], position)
            self._calls[call].values[name] = value_hash
            by_id[arg_hash] = (call, name)
        for arg_hash, result in self._source.rows_among(_UPSTREAM, by_id):
            call, name = by_id[arg_hash]
            self._calls[call].upstream[name].append(result)
        for call, value in self._tag_values(CONTEXT_KEY, tasks):
            self._calls[call].context = value

    def call(self, call_hash: str) -> CallFacts:
        """A call that `load_calls` has read."""
        return self._calls[call_hash]

    def changed_arguments(self, before: str | None, after: str | None) -> set[str]:
        """The values of the arguments that two calls, if both are recorded, differ in."""
        if before is None or after is None:
            return set()
        old, new = self._calls[before].values, self._calls[after].values
        names = [name for name in {**new, **old} if old.get(name) != new.get(name)]
        return {values[name] for values in (old, new) for name in names if name in values}

    def reasons(self, entity_ids: Collection[str]) -> dict[str, Any]:
        """Why jobs ran, and how executions were run, as far as only the engine could know."""
        return dict(self._tag_values(REASON_KEY, entity_ids))

    def _tag_values(self, key: str, entity_ids: Collection[str]) -> Iterator[tuple[str, Any]]:
        """Of entities that have a tag, id and the tag's value."""
        for entity_id, value in self._source.rows_among(_TAGS, entity_ids, (key,)):
            yield entity_id, self._source.document(value)

    def tasks_below(self, call_hash: str) -> dict[str, str]:
        """The tasks used in a call and below it: full name -> hash."""
        hashes = self._source.cells(_TASKS_BELOW, (call_hash,))
        self.load_tasks(hashes)
        return {self._tasks[key].name: key for key in hashes}

    def load_values(self, hashes: Collection[str]) -> None:
        """Reads values that will be shown, and the files in them."""
        missing = {key for key in hashes if key not in self._files}
        self._files.update({key: {} for key in missing})
        for key, preview in previews(self._source, missing):
            self._shown[key] = shown_repr(preview)
        for statement in (_FILES, _FILES_INSIDE):
            for holder, file_hash, path in self._source.rows_among(statement, missing):
                self._files[holder][path] = file_hash

    def shown(self, value_hash: str) -> str:
        """What a value looks like, in at most 200 characters."""
        if value_hash not in self._shown:
            self.load_values([value_hash])
        return self._shown.get(value_hash, f"value {value_hash[:8]}")

    def files(self, value_hash: str) -> dict[str, str]:
        """The files a value is or holds: path -> hash."""
        if value_hash not in self._files:
            self.load_values([value_hash])
        return self._files[value_hash]


def _in_order(row: tuple[Any, ...]) -> tuple[bool, int, str]:
    """By position, then by key."""
    return (row[4] is not None, row[3] or 0, row[4] or "")


def _name_at(names: list[str], position: int | None) -> str:
    index = position or 0
    return names[index] if index < len(names) else str(index)
