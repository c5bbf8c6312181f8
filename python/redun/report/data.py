"""What a report tells about an execution, read from the repo. Nothing stored is executed."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

# Errors are shown whole only if the classes that hold them are loaded.
import redun.model.failure
from redun.backends.db.previews import previews
from redun.backends.db.query import ExecutionView, Views
from redun.backends.db.query.views import full_name
from redun.backends.db.shown import full_repr
from redun.backends.db.source import Source
from redun.lookback.critical import critical_path
from redun.lookback.facts import TASKS
from redun.lookback.trees import JobFacts, JobTree
from redun.utils import utcnow

if TYPE_CHECKING:
    from redun.backends.db import RedunBackendDb

# The files that values are or hold. Which values are meant comes before: the database then looks
# each up, however many files it has.
_FILES = """
WITH held (value_hash, task_hash) AS MATERIALIZED ({held})
SELECT file.path, file.value_hash, held.task_hash
FROM held JOIN file ON file.value_hash = held.value_hash
UNION
SELECT file.path, file.value_hash, held.task_hash
FROM held JOIN subvalue ON subvalue.parent_value_hash = held.value_hash
JOIN file ON file.value_hash = subvalue.value_hash
"""

_TAKEN = _FILES.format(
    held="""
    SELECT DISTINCT argument.value_hash, job.task_hash
    FROM job JOIN argument ON argument.call_hash = job.call_hash
    WHERE job.execution_id = ?
    """
)

_GIVEN = _FILES.format(
    held="""
    SELECT DISTINCT call_node.value_hash, job.task_hash
    FROM job JOIN call_node ON call_node.call_hash = job.call_hash
    WHERE job.execution_id = ?
    """
)

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
    source = backend.source
    (view,) = Views(source).executions([execution_id])
    tree = JobTree(source, execution_id)
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
    taken, given = _files(source, tree)
    return ReportData(
        execution=view,
        start=start,
        end=end,
        jobs=len(jobs),
        tasks=_task_summaries(jobs),
        edges=_edges(tree),
        depths=_depths(tree),
        slowest=longest[:MAX_SLOWEST],
        critical=critical_path(source, tree),
        bars=sorted(longest[:MAX_BARS], key=lambda job: job.start),
        running=dict(running),
        files_in=taken,
        files_out=given,
        sources=_sources(source, {job.task_hash for job in jobs}),
        failures=_failures(source, tree),
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


def _files(source: Source, tree: JobTree) -> tuple[list[FileUse], list[FileUse]]:
    """Files that the jobs took and none of them gave; files that they gave."""
    tasks = {job.task_hash: job.task_name for job in tree.jobs.values()}
    given = _files_in(source, _GIVEN, tree.execution_id, tasks)
    taken = _files_in(source, _TAKEN, tree.execution_id, tasks)
    return (
        _uses({key: names for key, names in taken.items() if key not in given}),
        _uses(given),
    )


def _files_in(
    source: Source, statement: str, execution_id: str, tasks: dict[str, str]
) -> dict[tuple[str, str], list[str]]:
    """The files that jobs have to do with: (path, hash) -> tasks, first called first."""
    users: dict[tuple[str, str], set[str]] = defaultdict(set)
    for rows in source.batches(statement, (execution_id,)):
        for path, value_hash, task_hash in rows:
            # A job that started after the tree was read may be of another task.
            if task_hash in tasks:
                users[path, value_hash].add(tasks[task_hash])
    place = {name: index for index, name in enumerate(dict.fromkeys(tasks.values()))}
    return {key: sorted(names, key=place.__getitem__) for key, names in users.items()}


def _uses(files: dict[tuple[str, str], list[str]]) -> list[FileUse]:
    return [
        FileUse(path, value_hash, files[path, value_hash])
        for path, value_hash in sorted(files)[:MAX_FILES]
    ]


# -- code and errors -----------------------------------------------------------------------------


def _sources(source: Any, hashes: set[str]) -> dict[str, tuple[str, str]]:
    """Task hash -> (full name, source), by name."""
    rows = source.rows_among(TASKS, hashes)
    found = [(full_name(space, name), key, text or "") for key, space, name, text in rows]
    return {key: (name, text) for name, key, text in sorted(found)}


def _failures(source: Source, tree: JobTree) -> list[Failure]:
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
    errors = dict(previews(source, hashes))
    found = []
    for key in hashes:
        error, lines = _error(errors.get(key))
        found.append(Failure(error, counts[key], first[key], lines))
    return found


def _error(shown: Any) -> tuple[str, list[str]]:
    """A stored error, and the lines of its traceback."""
    error = getattr(shown, "error", shown)
    traceback = getattr(shown, "traceback", None)
    lines = list(traceback.format()) if isinstance(traceback, redun.model.failure.Traceback) else []
    return full_repr(error), lines
