"""Turns records that were handed over into the rows of one transaction, in the order of writing."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from operator import itemgetter
from typing import Any, NamedTuple, TypeAlias

from redun.backends.base import RECORD_KINDS, Records
from redun.backends.db.statements import Insert, Lengths, Statement, TimestampText, Update

Rows: TypeAlias = Sequence[tuple[Any, ...]]

JOB_COLUMNS = (
    "id",
    "start_time",
    "end_time",
    "task_hash",
    "cached",
    "call_hash",
    "parent_id",
    "execution_id",
)

#: The columns of each table that rows are made for.
COLUMNS = {
    "value": ("value_hash", "type", "format", "value"),
    "task": ("hash", "name", "namespace", "source"),
    "file": ("value_hash", "path"),
    "subvalue": ("value_hash", "parent_value_hash"),
    "handle": ("hash", "fullname", "value_hash", "key", "is_valid"),
    "handle_edge": ("parent_id", "child_id"),
    "evaluation": ("eval_hash", "task_hash", "args_hash", "value_hash"),
    "call_node": ("call_hash", "task_name", "task_hash", "args_hash", "value_hash", "timestamp"),
    "call_edge": ("parent_id", "child_id", "call_order"),
    "call_subtree_task": ("call_hash", "task_hash"),
    "argument": ("arg_hash", "call_hash", "value_hash", "arg_position", "arg_key"),
    "argument_result": ("arg_hash", "result_call_hash"),
    "execution": ("id", "args", "job_id", "updated_time"),
    "job": JOB_COLUMNS,
    "tag": ("tag_hash", "entity_type", "entity_id", "key", "value", "is_current"),
}

#: What the end of a job brings, and the job.
JOB_END_COLUMNS = ("end_time", "cached", "call_hash", "id")

#: The second way of writing handles.
HANDLE_STATES = "handle, valid again"

_first = itemgetter(0)


class Plan(NamedTuple):
    """The work of one transaction: rows by table, children first, then ends of known jobs."""

    inserts: list[tuple[str, Rows]]
    job_updates: list[tuple[Any, ...]]

    def __bool__(self) -> bool:
        return bool(self.job_updates) or any(rows for _, rows in self.inserts)


class Batch:
    """
    Records that wait to be written, merged, with their keys for those who look for them.

    `tags` holds complete rows, since their hashes depend on when they were handed over. `states`
    are rows of handles that become valid even if they are known as invalid.
    """

    def __init__(self) -> None:
        self.records = Records()
        self.tags: list[tuple[Any, ...]] = []
        self.states: list[tuple[Any, ...]] = []
        self.rows = 0
        self.bytes = 0
        self.evaluations: set[str] = set()
        self.calls: set[str] = set()
        self.call_keys: set[tuple[str, str]] = set()
        self.values: set[str] = set()

    def add(self, records: Records, tags: Rows, states: Rows = ()) -> None:
        """Takes the rows over; `records` is empty afterwards."""
        merged = self.records
        for kind in RECORD_KINDS:
            rows = getattr(records, kind)
            if rows and kind != "tags":
                getattr(merged, kind).extend(rows)
                self.rows += len(rows)
        self.tags += tags
        self.states += states
        self.rows += len(tags) + len(states)
        self.evaluations.update(map(_first, records.evaluations))
        self.values.update(map(_first, records.values))
        self.bytes += sum([len(row[3]) for row in records.values])
        if records.payloads:
            self.bytes += sum([len(data) for _, data in records.payloads])
        if records.call_nodes:
            self.calls.update(map(_first, records.call_nodes))
            self.call_keys.update([(row[2], row[3]) for row in records.call_nodes])
        records.clear()


class Planner:
    """
    Decides which rows a batch becomes, and keeps the starts of jobs until they are due.

    Most jobs end soon, and then one row is written instead of a row and an update. A start is
    written without its end when another row refers to it (a child's, or its execution's), when its
    parent's end is written (a job that has ended has all its children, which pushes rely on), when
    it is older than `patience` seconds, or when all must go.
    """

    def __init__(self, patience: float = 1.0) -> None:
        self.patience = patience
        #: When the job that waits longest for its end started, in epoch seconds.
        self.oldest_start: float | None = None
        self._starts: dict[str, tuple[Any, ...]] = {}
        self._text = TimestampText()

    def plan(self, batch: Batch, now: float, everything: bool) -> Plan:
        """
        The rows to write.

        Parameters
        ----------
        now : epoch seconds.
        everything : write starts that have no end yet, too.
        """
        records = batch.records
        jobs, updates = self._plan_jobs(records, now, everything)
        text = self._text
        # Sorted by key, rows of random keys walk through the pages of an index once.
        inserts: list[tuple[str, Rows]] = [
            ("value", sorted(records.values, key=_first)),
            ("task", sorted(records.tasks, key=_first)),
            ("file", sorted(records.files, key=_first)),
            ("subvalue", sorted(records.subvalues)),
            ("handle", sorted(records.handles, key=_first)),
            (HANDLE_STATES, _newest(batch.states)),
            ("handle_edge", sorted(records.handle_edges)),
            ("evaluation", _newest(records.evaluations)),
            (
                "call_node",
                [(*row[:5], text(row[5])) for row in sorted(records.call_nodes, key=_first)],
            ),
            ("call_edge", sorted(records.call_edges)),
            ("call_subtree_task", sorted(records.subtree_tasks)),
            ("argument", sorted(records.arguments, key=_first)),
            ("argument_result", sorted(records.argument_results)),
            # What is recorded of an execution is its first sign of life.
            ("execution", [(*row, text(now)) for row in records.executions]),
            ("job", jobs),
            ("tag", batch.tags),
        ]
        return Plan(inserts, updates)

    def _plan_jobs(
        self, records: Records, now: float, everything: bool
    ) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        starts, text = self._starts, self._text
        for start in records.job_starts:
            starts[start[0]] = start
        jobs: list[tuple[Any, ...]] = []
        updates: dict[str, tuple[Any, ...]] = {}
        for job_id, end, cached, call_hash in records.job_ends:
            row = starts.pop(job_id, None)
            if row is None:
                updates[job_id] = (text(end), cached, call_hash, job_id)
            else:
                _, began, task, parent, execution = row
                jobs.append(
                    (job_id, text(began), text(end), task, cached, call_hash, parent, execution)
                )
        if starts:
            for row in self._due_starts(records, jobs, now, everything):
                job_id, began, task, parent, execution = row
                jobs.append((job_id, text(began), None, task, False, None, parent, execution))
        self.oldest_start = next(iter(starts.values()))[1] if starts else None
        jobs.sort(key=_first)
        return jobs, [updates[job_id] for job_id in sorted(updates)]

    def _due_starts(
        self, records: Records, jobs: list[tuple[Any, ...]], now: float, everything: bool
    ) -> list[tuple[Any, ...]]:
        """Takes the starts that must be written now out of those that wait."""
        starts = self._starts
        if everything:
            due = list(starts.values())
            starts.clear()
            return due
        due = []
        for row in starts.values():
            if now - row[1] < self.patience:
                break
            due.append(row)
        wanted: list[Any] = [row[0] for row in due]
        wanted += [row[2] for row in records.executions]
        wanted += {row[6] for row in jobs if row[6] in starts}
        ended = {row[0] for row in records.job_ends}
        if ended:
            wanted += [row[0] for row in starts.values() if row[3] in ended]
        due = []
        while wanted:
            start = starts.pop(wanted.pop(), None)
            if start is not None:
                due.append(start)
                wanted.append(start[3])
        return due


def _newest(rows: list[tuple[Any, ...]]) -> Rows:
    """The rows ordered by their first column, the last of those with the same one."""
    return sorted({row[0]: row for row in rows}.values(), key=_first)


def compile_inserts(dialect: str, lengths: Lengths | None = None) -> dict[str, Statement]:
    """
    The statement for each table that records go to.

    Parameters
    ----------
    dialect : `sqlite` or `postgresql`.
    lengths : how many characters the columns of a PostgreSQL repo hold; longer texts are cut.
    """
    insert: Any = Insert
    if dialect == "postgresql":
        from redun.backends.db.arrays import ArrayInsert

        insert = functools.partial(ArrayInsert, lengths=lengths or {})
    inserts: dict[str, Statement] = {
        table: insert(table, columns) for table, columns in COLUMNS.items()
    }
    # The newest result of a reduction counts.
    newest = "(eval_hash) DO UPDATE SET value_hash = excluded.value_hash"
    inserts["evaluation"] = insert("evaluation", COLUMNS["evaluation"], newest)
    valid = "(hash) DO UPDATE SET is_valid = excluded.is_valid"
    inserts[HANDLE_STATES] = insert("handle", COLUMNS["handle"], valid)
    return inserts


def compile_job_ends(dialect: str) -> Statement:
    """The statement for the ends of jobs whose starts are written: rows of `JOB_END_COLUMNS`."""
    *changed, key = JOB_END_COLUMNS
    if dialect == "postgresql":
        from redun.backends.db.arrays import ArrayStatement

        values = ", ".join([f"{name} = given.{name}" for name in changed])
        text = f"UPDATE job SET {values} FROM {{rows}} WHERE job.{key} = given.{key}"
        return ArrayStatement(text, "job", JOB_END_COLUMNS)
    return Update("job", changed, key)
