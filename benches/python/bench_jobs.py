"""CPU time and memory per job of ``redun run``, fresh and cached, on a SQLite repo on disk.

Each measurement is a process of its own, started as a user starts it, with full provenance and its log
going to a file. What ``wait4`` reports for it is user plus system time, its own children included, and the
peak of its resident memory. The same run with one no-op task is the start-up, which is subtracted.

    python benches/python/bench_jobs.py .venv/bin/redun --n 1000,10000
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

WORKFLOW = Path(__file__).with_name("noop_workflow.py")
# `ru_maxrss` is in KiB, but in bytes on macOS.
RSS_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True)
class Usage:
    """What one process took: CPU seconds, and peak resident memory in bytes."""

    cpu: float
    peak: int


@dataclass(frozen=True)
class PerJob:
    """What one job takes beyond start-up: CPU in microseconds, peak memory in bytes."""

    jobs: int
    cached: bool
    cpu_us: float
    memory: float


def run_workflow(redun: Path, jobs: int, directory: Path) -> Usage:
    """Run the workflow once in ``directory``, where the repo is, and return what that took.

    Raises ``RuntimeError`` with the end of the log if the run fails or returns something else.
    """
    command = [redun, "run", "workflow.py", "main", "--n", str(jobs)]
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("REDUN_", "PYTHON"))}
    environment["REDUN_CONFIG"] = str(directory / ".redun")
    log = directory / "run.log"
    with (directory / "result.txt").open("w+b") as result, log.open("wb") as errors:
        process = subprocess.Popen(
            command, cwd=directory, env=environment, stdout=result, stderr=errors
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        result.seek(0)
        answer = result.read().decode().strip()
    if process.returncode or answer != str(jobs):
        tail = log.read_text(errors="replace")[-2000:]
        raise RuntimeError(f"{redun}: exit {process.returncode}, result {answer!r}\n{tail}")
    return Usage(usage.ru_utime + usage.ru_stime, usage.ru_maxrss * RSS_UNIT)


def fresh_and_cached(redun: Path, jobs: int, repeat: int) -> tuple[Usage, Usage]:
    """Run the workflow in a new repo, then again; of ``repeat`` such pairs the least of each figure."""
    pairs = []
    for _ in range(repeat):
        with tempfile.TemporaryDirectory(prefix="redun-bench-") as name:
            directory = Path(name)
            shutil.copy(WORKFLOW, directory / "workflow.py")
            pairs.append([run_workflow(redun, jobs, directory) for _ in range(2)])
    fresh, cached = (
        Usage(min(usage.cpu for usage in usages), min(usage.peak for usage in usages))
        for usages in zip(*pairs, strict=True)
    )
    return fresh, cached


def measure(redun: Path, sizes: list[int], repeat: int = 1) -> list[PerJob]:
    """Return the cost per job of a ``redun`` program for each number of jobs, fresh then cached."""
    start_up = fresh_and_cached(redun, 1, max(repeat, 5))
    figures = []
    for jobs in sizes:
        taken = fresh_and_cached(redun, jobs, repeat)
        for usage, base, cached in zip(taken, start_up, (False, True), strict=True):
            cpu_us = (usage.cpu - base.cpu) / (jobs - 1) * 1e6
            figures.append(PerJob(jobs, cached, cpu_us, (usage.peak - base.peak) / (jobs - 1)))
    return figures


def sizes_of(text: str) -> list[int]:
    """Parse ``1000,10000`` as numbers of jobs, each at least 2."""
    sizes = [int(word) for word in text.split(",")]
    if min(sizes) < 2:
        raise ValueError("at least 2 jobs are needed to tell a job from the start-up")
    return sizes


def main() -> None:
    """Measure one ``redun`` program and print a table."""
    parser = argparse.ArgumentParser(description="CPU time and memory per job of a redun program")
    parser.add_argument("redun", type=Path, help="the program to measure")
    parser.add_argument(
        "--n", type=sizes_of, default=[1000], help="numbers of jobs, e.g. 1000,10000"
    )
    parser.add_argument(
        "--repeat", type=int, default=1, help="runs of each, of which the least counts"
    )
    options = parser.parse_args()
    print(f"{'jobs':>7} {'kind':<7} {'CPU µs/job':>11} {'bytes/job':>10}")
    for figure in measure(options.redun.absolute(), options.n, options.repeat):
        kind = "cached" if figure.cached else "fresh"
        print(f"{figure.jobs:>7} {kind:<7} {figure.cpu_us:>11.1f} {figure.memory:>10.0f}")


if __name__ == "__main__":
    main()
