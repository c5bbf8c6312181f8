"""What is recorded of calls and tasks, read in bulk for comparing them. Nothing stored is executed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from redun.backends.db import orm
from redun.backends.db.bulk import in_chunks
from redun.backends.db.query import Views
from redun.backends.db.query.tables import ARGUMENT, FILE, SUBVALUE, TAG, TASK
from redun.backends.db.query.views import full_name
from redun.lookback.sources import parameter_names
from redun.tags import CONTEXT_KEY, REASON_KEY

ARGUMENT_RESULT: Any = orm.ArgumentResult.__table__
SUBTREE_TASK: Any = orm.CallSubtreeTask.__table__


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
    session : the unit of work to read with.
    """

    def __init__(self, session: Any) -> None:
        self._session = session
        self._views = Views(session)
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
        query = sa.select(TASK.c.hash, TASK.c.namespace, TASK.c.name, TASK.c.source)
        for key, namespace, name, source in in_chunks(self._session, query, TASK.c.hash, missing):
            self._tasks[key] = TaskFacts(key, full_name(namespace, name), source or "")
        for (value,) in in_chunks(
            self._session, sa.select(orm.Value), orm.Value.value_hash, missing
        ):
            version = getattr(value.preview, "version", None)
            self._tasks[value.value_hash].version = None if version is None else str(version)

    def load_calls(self, calls: Iterable[tuple[str, str]]) -> None:
        """Reads the arguments of calls, each given with the hash of its task."""
        tasks = {call: task for call, task in calls if call not in self._calls}
        self._calls.update({call: CallFacts() for call in tasks})
        self.load_tasks(set(tasks.values()))
        names = {task: parameter_names(self._tasks[task].source) for task in set(tasks.values())}
        by_id: dict[str, tuple[str, str]] = {}
        query = sa.select(
            ARGUMENT.c.arg_hash, ARGUMENT.c.call_hash, ARGUMENT.c.value_hash,
            ARGUMENT.c.arg_position, ARGUMENT.c.arg_key,
        )  # fmt: skip
        rows = in_chunks(self._session, query, ARGUMENT.c.call_hash, tasks)
        for arg_hash, call, value_hash, position, key in sorted(map(tuple, rows), key=_in_order):
            name = key if key is not None else _name_at(names[tasks[call]], position)
            self._calls[call].values[name] = value_hash
            by_id[arg_hash] = (call, name)
        query = sa.select(ARGUMENT_RESULT.c.arg_hash, ARGUMENT_RESULT.c.result_call_hash)
        for arg_hash, result in in_chunks(self._session, query, ARGUMENT_RESULT.c.arg_hash, by_id):
            call, name = by_id[arg_hash]
            self._calls[call].upstream[name].append(result)
        query = sa.select(TAG.c.entity_id, TAG.c.value).where(
            TAG.c.key == CONTEXT_KEY, TAG.c.is_current
        )
        for call, value in in_chunks(self._session, query, TAG.c.entity_id, tasks):
            self._calls[call].context = value

    def call(self, call_hash: str) -> CallFacts:
        """A call that `load_calls` has read."""
        return self._calls[call_hash]

    def reasons(self, entity_ids: Collection[str]) -> dict[str, Any]:
        """Why jobs ran, and how executions were run, as far as only the engine could know."""
        query = sa.select(TAG.c.entity_id, TAG.c.value).where(
            TAG.c.key == REASON_KEY, TAG.c.is_current
        )
        rows = in_chunks(self._session, query, TAG.c.entity_id, entity_ids)
        return dict(map(tuple, rows))

    def tasks_below(self, call_hash: str) -> dict[str, str]:
        """The tasks used in a call and below it: full name -> hash."""
        query = sa.select(SUBTREE_TASK.c.task_hash).where(SUBTREE_TASK.c.call_hash == call_hash)
        hashes = list(self._session.execute(query).scalars())
        self.load_tasks(hashes)
        return {self._tasks[key].name: key for key in hashes}

    def load_values(self, hashes: Collection[str]) -> None:
        """Reads values that will be shown, and the files in them."""
        missing = {key for key in hashes if key not in self._files}
        self._files.update({key: {} for key in missing})
        self._shown = self._views.previews(missing)
        query = sa.select(FILE.c.value_hash, FILE.c.value_hash, FILE.c.path)
        inside = sa.select(SUBVALUE.c.parent_value_hash, FILE.c.value_hash, FILE.c.path).join(
            FILE, FILE.c.value_hash == SUBVALUE.c.value_hash
        )
        for select, column in ((query, FILE.c.value_hash), (inside, SUBVALUE.c.parent_value_hash)):
            for holder, file_hash, path in in_chunks(self._session, select, column, missing):
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
