"""What a report tells about an execution, read from the repo. Nothing stored is executed."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

# Errors are shown whole only if the classes that hold them are loaded.
import redun.model.failure
from redun.backends.db import orm
from redun.backends.db.bulk import in_chunks
from redun.backends.db.query import ExecutionView, Views
from redun.backends.db.query.tables import ARGUMENT, FILE, SUBVALUE, TASK, VALUE
from redun.backends.db.query.views import full_name
from redun.backends.db.shown import full_repr
from redun.lookback.critical import critical_path
from redun.lookback.trees import JobFacts, JobTree
from redun.utils import utcnow

if TYPE_CHECKING:
    from redun.backends.db import RedunBackendDb

# How many are told of things of which there may be very many.
MAX_SLOWEST = 50
MAX_FILES = 500
MAX_ERRORS = 30
MAX_BARS = 400


@dataclass(slots=True)
class TaskSummary:
    """
    The jobs of one task.

    Parameters
    ----------
    statuses : how many jobs ended in each status.
    seconds : time that its jobs took that ran; that of jobs below them counts, too.
    slowest : the longest of those times.
    """

    name: str
    hashes: list[str] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    slowest: float = 0.0


@dataclass(slots=True)
class FileUse:
    """A file that jobs took or gave, and the tasks of some of those jobs."""

    path: str
    value_hash: str
    tasks: list[str]


@dataclass(slots=True)
class Failure:
    """An error, how many jobs it ended, the job it came from, and the lines of its traceback."""

    error: str
    jobs: int
    job: JobFacts
    lines: list[str]


@dataclass(slots=True)
class ReportData:
    """
    All that a report shows.

    Parameters
    ----------
    edges : (task of the caller, task of the called) -> how many jobs.
    bars : the jobs drawn on the timeline, those that took longest.
    running : for each task the times at which jobs of it that call none started and ended.
    files_in, files_out : files taken that no job gave, and files given; at most 500 each.
    """

    execution: ExecutionView
    start: dt.datetime
    end: dt.datetime
    jobs: int
    tasks: list[TaskSummary]
    edges: dict[tuple[str, str], int]
    depths: dict[str, int]
    slowest: list[JobFacts]
    critical: list[JobFacts]
    bars: list[JobFacts]
    running: dict[str, list[tuple[dt.datetime, dt.datetime]]]
    files_in: list[FileUse]
    files_out: list[FileUse]
    sources: dict[str, tuple[str, str]]
    failures: list[Failure]


def read_report(backend: RedunBackendDb, execution_id: str) -> ReportData:
    """Reads what a report on an execution shows; of one that still runs, as far as it has come."""
    session = backend.session
    (view,) = Views(session).executions([execution_id])
    tree = JobTree(session, execution_id)
    jobs = list(tree.jobs.values())
    ends = [job.end for job in jobs if job.end is not None]
    start = min((job.start for job in jobs), default=view.start_time) or utcnow()
    end = max(ends, default=start)
    ran = [job for job in jobs if not job.cached]
    longest = sorted(ran, key=seconds_of, reverse=True)
    leaves = [job for job in ran if job.id not in tree.children]
    running: dict[str, list[tuple[dt.datetime, dt.datetime]]] = defaultdict(list)
    for job in leaves:
        running[job.task_name].append((job.start, job.end or end))
    taken, given = _files(session, jobs)
    return ReportData(
        execution=view,
        start=start,
        end=end,
        jobs=len(jobs),
        tasks=_task_summaries(jobs),
        edges=_edges(tree),
        depths=_depths(tree),
        slowest=longest[:MAX_SLOWEST],
        critical=critical_path(session, tree),
        bars=sorted(longest[:MAX_BARS], key=lambda job: job.start),
        running=dict(running),
        files_in=taken,
        files_out=given,
        sources=_sources(session, {job.task_hash for job in jobs}),
        failures=_failures(session, tree),
    )


def seconds_of(job: JobFacts) -> float:
    """How long a job took; 0 for one that has not ended."""
    return (job.end - job.start).total_seconds() if job.end is not None else 0.0


def _task_summaries(jobs: list[JobFacts]) -> list[TaskSummary]:
    found: dict[str, TaskSummary] = {}
    for job in jobs:
        summary = found.setdefault(job.task_name, TaskSummary(job.task_name))
        if job.task_hash not in summary.hashes:
            summary.hashes.append(job.task_hash)
        summary.statuses[job.status] += 1
        if not job.cached:
            seconds = seconds_of(job)
            summary.seconds += seconds
            summary.slowest = max(summary.slowest, seconds)
    return sorted(found.values(), key=lambda summary: (-summary.seconds, summary.name))


def _edges(tree: JobTree) -> dict[tuple[str, str], int]:
    counts: Counter[tuple[str, str]] = Counter()
    for job in tree.jobs.values():
        parent = tree.jobs.get(job.parent_id or "")
        if parent is not None:
            counts[parent.task_name, job.task_name] += 1
    return dict(counts)


def _depths(tree: JobTree) -> dict[str, int]:
    """How far below the root each task is called first."""
    depths: dict[str, int] = {}
    level, depth = tree.children.get(None, []), 0
    while level:
        for job in level:
            depths.setdefault(job.task_name, depth)
        level = [child for job in level for child in tree.children.get(job.id, ())]
        depth += 1
    return depths


# -- files ---------------------------------------------------------------------------------------


def _files(session: Any, jobs: list[JobFacts]) -> tuple[list[FileUse], list[FileUse]]:
    """Files that the jobs took and none of them gave; files that they gave."""
    names = {job.call_hash: job.task_name for job in jobs if job.call_hash}
    results = [(job.value_hash, job.task_name) for job in jobs if job.value_hash]
    query = sa.select(ARGUMENT.c.value_hash, ARGUMENT.c.call_hash)
    arguments = [
        (value_hash, names[call])
        for value_hash, call in in_chunks(session, query, ARGUMENT.c.call_hash, names)
    ]
    given = _files_in(session, results)
    taken = _files_in(session, arguments)
    return (
        _uses({key: tasks for key, tasks in taken.items() if key not in given}),
        _uses(given),
    )


def _files_in(session: Any, values: list[tuple[str, str]]) -> dict[tuple[str, str], list[str]]:
    """The files that values are or hold: (path, hash) -> tasks that have to do with them."""
    tasks: dict[str, list[str]] = defaultdict(list)
    for value_hash, task in values:
        if task not in tasks[value_hash]:
            tasks[value_hash].append(task)
    whole = sa.select(FILE.c.value_hash, FILE.c.value_hash, FILE.c.path)
    inside = sa.select(SUBVALUE.c.parent_value_hash, FILE.c.value_hash, FILE.c.path).join(
        FILE, FILE.c.value_hash == SUBVALUE.c.value_hash
    )
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for query, column in ((whole, FILE.c.value_hash), (inside, SUBVALUE.c.parent_value_hash)):
        for holder, file_hash, path in in_chunks(session, query, column, tasks):
            known = found[path, file_hash]
            known += [task for task in tasks[holder] if task not in known]
    return found


def _uses(files: dict[tuple[str, str], list[str]]) -> list[FileUse]:
    return [
        FileUse(path, value_hash, files[path, value_hash])
        for path, value_hash in sorted(files)[:MAX_FILES]
    ]


# -- code and errors -----------------------------------------------------------------------------


def _sources(session: Any, hashes: set[str]) -> dict[str, tuple[str, str]]:
    """Task hash -> (full name, source), by name."""
    query = sa.select(TASK.c.hash, TASK.c.namespace, TASK.c.name, TASK.c.source)
    rows = in_chunks(session, query, TASK.c.hash, hashes)
    found = [(full_name(space, name), key, source or "") for key, space, name, source in rows]
    return {key: (name, source) for name, key, source in sorted(found)}


def _failures(session: Any, tree: JobTree) -> list[Failure]:
    """The errors that jobs failed with, each with the job where it began."""
    failed = [job for job in tree.jobs.values() if job.status == "FAILED"]
    first: dict[str, JobFacts] = {}
    counts: Counter[str] = Counter()
    for job in failed:
        if job.value_hash is None:
            continue
        counts[job.value_hash] += 1
        below = tree.children.get(job.id, ())
        began_here = not any(child.value_hash == job.value_hash for child in below)
        if began_here:
            first.setdefault(job.value_hash, job)
    hashes = list(first)[:MAX_ERRORS]
    values = {
        value.value_hash: value
        for (value,) in in_chunks(session, sa.select(orm.Value), VALUE.c.value_hash, hashes)
    }
    found = []
    for key in hashes:
        error, lines = _error(values.get(key))
        found.append(Failure(error, counts[key], first[key], lines))
    return found


def _error(value: Any) -> tuple[str, list[str]]:
    """A stored error and the lines of its traceback."""
    shown = value.preview if value is not None else None
    error = getattr(shown, "error", shown)
    traceback = getattr(shown, "traceback", None)
    lines = list(traceback.format()) if isinstance(traceback, redun.model.failure.Traceback) else []
    return full_repr(error), lines
