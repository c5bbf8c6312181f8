"""Copying records between two stores: performs what the planner in the core asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from redun._core import SyncPlanner
from redun.backends.records import Record, cut
from redun.sync.store import QUESTION, TRANSACTION, Part, RecordKind, RecordStore

#: Names of what is counted, one and several, in the order of telling.
NOUNS = {
    RecordKind.EXECUTION.value: ("execution", "executions"),
    RecordKind.JOB.value: ("job", "jobs"),
    RecordKind.CALL_NODE.value: ("call", "calls"),
    RecordKind.VALUE.value: ("value", "values"),
    RecordKind.TAG.value: ("tag", "tags"),
}


@dataclass
class Counts:
    """Records copied so far, or in a dry run to be copied, by kind."""

    by_kind: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """All records."""
        return sum(self.by_kind.values())

    def add(self, counts: dict[str, int], parts: Sequence[Part]) -> None:
        """Adds what one transaction wrote. Jobs that it ended and an earlier one opened count once."""
        again = {part.kind: len(part.ids) for part in parts if part.again}
        for kind, count in counts.items():
            new = count - again.get(kind, 0)
            if new > 0:
                self.by_kind[kind] = self.by_kind.get(kind, 0) + new

    def describe(self) -> str:
        """`2 executions, 1 job`; only what there is."""
        shown = []
        for kind, (one, several) in NOUNS.items():
            count = self.by_kind.get(kind, 0)
            if count:
                shown.append(f"{count} {one if count == 1 else several}")
        return ", ".join(shown)


def transfer(
    source: RecordStore,
    target: RecordStore,
    roots: Sequence[tuple[str, str]] | None = None,
    *,
    deep: bool = False,
    dry_run: bool = False,
    verify: bool = True,
    batch: int = TRANSACTION,
    progress: Callable[[Counts], object] | None = None,
) -> Counts:
    """
    Copies what the target lacks, in transactions each of which leaves it closed.

    Parameters
    ----------
    roots : (kind, id) of records to copy with all that they own; None for everything.
    deep : look below what the target holds, too, to repair it.
    dry_run : only count.
    verify : refuse records whose content does not match their ids.
    batch : records in one transaction, about.
    progress : called after each transaction with the counts so far.

    Raises what the stores raise; what was copied before stays, and the next transfer goes on.
    """
    planner = SyncPlanner(
        None if roots is None else list(roots),
        batch=min(batch, QUESTION),
        deep=deep,
        dry_run=dry_run,
        transaction=batch,
        empty=target.is_empty(),
    )
    counts = Counts()
    host = _Host(source, target, planner)
    with target.receiver(source, verify) as receive:
        while True:
            verb, side, kind, what = planner.next()
            if verb == "done":
                break
            if verb != "transfer":
                host.answer(verb, side, kind, what)
                continue
            if dry_run:
                counts.by_kind = {kind: count for kind, count in planner.planned().items() if count}
            else:
                parts = [Part(*part) for part in what]
                if receive is not None:
                    counts.add(receive(parts), parts)
                else:
                    for some in cut(source.payload_size, parts):
                        counts.add(target.put(_records(source, some), verify), some)
            planner.transferred()
            if progress is not None:
                progress(counts)
    return counts


def _records(source: RecordStore, parts: Sequence[Part]) -> Iterator[Record]:
    for part in parts:
        for record in source.get(part.kind, part.ids):
            yield _opened(record) if part.open else record


def _opened(record: Record) -> Record:
    """A job as if it had not ended."""
    return {**record, "end_time": None, "cached": False, "status": "RUNNING", "call_hash": None}


class _Host:
    """Answers the planner's questions."""

    def __init__(self, source: RecordStore, target: RecordStore, planner: SyncPlanner) -> None:
        self._source = source
        self._target = target
        self._stores = {"source": source, "target": target}
        self._planner = planner
        self._executions = source.execution_ids()
        self._tags = source.tag_ids()
        self._open_jobs = target.open_jobs()

    def answer(self, verb: str, side: str, kind: str, ids: list[Any]) -> None:
        planner, source = self._planner, self._source
        if verb == "executions":
            planner.feed_ids(next(self._executions, []))
        elif verb == "tags":
            planner.feed_ids(next(self._tags, []))
        elif verb == "open_jobs":
            page = next(self._open_jobs, [])
            planner.feed_jobs([(job, False, children) for job, children in page])
        elif verb == "has":
            planner.feed_ids(list(self._target.has(kind, ids)))
        elif verb == "children":
            for edges in source.children(kind, ids):
                planner.feed_edges(edges.kinds, edges.rows)
            planner.feed_end()
        elif verb == "job_states":
            states = self._stores[side].job_states(ids)
            planner.feed_jobs([(job, state.ended, state.children) for job, state in states.items()])
        elif verb == "job_owners":
            owners = source.job_owners(ids)
            planner.feed_owners([(job, *owner) for job, owner in owners.items()])
        else:
            tag_owners = source.tag_owners(ids)
            planner.feed_tag_owners([(tag, *owner) for tag, owner in tag_owners.items()])
