"""Lines about what a run would do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from redun.utils import format_table, trim_string

if TYPE_CHECKING:
    from redun.lookback.forecast import PlannedJob

STATES = ("cached", "run", "waits", "likely")

#: Longer calls are cut.
MAX_CALL = 100

#: Of jobs of one task in one state with one reason, so many are listed one after the other.
SHOWN_ALIKE = 5


def plan_lines(jobs: Sequence[PlannedJob], everything: bool) -> Iterator[str]:
    """
    The jobs that would run, as a tree, then how many of each task in each state.

    Parameters
    ----------
    everything : list the cached jobs, and all of many alike ones.
    """
    listed = [job for job in jobs if everything or job.state != "cached"]
    alike: dict[tuple[str, str, str], int] = defaultdict(int)
    for job in listed:
        key = (job.task, job.state, job.reason)
        alike[key] += 1
        if not everything and alike[key] > SHOWN_ALIKE:
            continue
        reason = f" ({job.reason})" if job.reason else ""
        yield f"{'  ' * job.depth}{job.state:6} {trim_string(job.call, MAX_CALL)}{reason}"
    hidden = sum(max(0, count - SHOWN_ALIKE) for count in alike.values())
    if hidden and not everything:
        yield f"... and {hidden} more like these (`--all` lists every job)"
    if listed:
        yield ""
    yield from summary_lines(jobs)


def summary_lines(jobs: Sequence[PlannedJob]) -> Iterator[str]:
    """How many jobs of each task are in each state, and how long they take."""
    counts: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(STATES, 0))
    seconds: dict[str, float] = defaultdict(float)
    for job in jobs:
        counts[job.task][job.state] += 1
        counts["ALL"][job.state] += 1
        for name in (job.task, "ALL"):
            seconds[name] += job.seconds or 0.0
    counts.setdefault("ALL", dict.fromkeys(STATES, 0))
    names = ["ALL", *sorted(name for name in counts if name != "ALL")]
    rows = [
        [name, *(str(counts[name][state]) for state in STATES), f"{seconds[name]:.2f}"]
        for name in names
    ]
    head = ["TASK", *(state.upper() for state in STATES), "SECONDS"]
    yield from format_table([head, *rows], "lrrrrr", min_width=7)
    unknown = sorted({job.task for job in jobs if job.seconds is None})
    if unknown:
        yield f"Not known how long: {', '.join(unknown)}"


def plan_record(job: PlannedJob) -> dict[str, Any]:
    """One job as a JSON object."""
    return {
        "task": job.task,
        "call": job.call,
        "state": job.state,
        "reason": job.reason,
        "depth": job.depth,
        "seconds": job.seconds,
    }
