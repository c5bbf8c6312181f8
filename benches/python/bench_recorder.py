"""CPU time of recording: what the rows of one fresh job cost, without a scheduler beside it.

A job is eight rows in eight tables: two values, an evaluation, a call with its edge, argument and
task, and the job. They are handed over in waves of 100 jobs, one wave for each tick of 10 ms (100 µs a
job), as a running workflow would, so the recorder groups them as it does then. Counted is the CPU time
of the process, user and system, less that of making the rows and of waiting.

    python benches/python/bench_recorder.py            # 10,000 and 100,000 jobs
    python benches/python/bench_recorder.py 1000
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from redun.backends.base import Records
from redun.backends.db import RedunBackendDb

WAVE = 100
TICK = 0.01  # seconds
TASK, EXECUTION, ROOT, ROOT_CALL = "f" * 40, "execution", "root", "e" * 40
PICKLE, DATA = "application/python-pickle", b"\x80\x03J\x01\x00\x00\x00."


@dataclass(frozen=True)
class PerJob:
    """Microseconds of CPU time for each job, and bytes in the file."""

    jobs: int
    cpu_us: float
    file_bytes: float


def start_execution(now: float) -> Records:
    """Return the rows that a run starts with: task, execution, root job."""
    return Records(
        values=[(TASK, "redun.Task", PICKLE, DATA)],
        tasks=[(TASK, "noop", "bench", "def noop(x): ...")],
        executions=[(EXECUTION, "[]", ROOT)],
        job_starts=[(ROOT, now, TASK, None, EXECUTION)],
    )


def make_wave(rng: random.Random, first: int, now: float) -> Records:
    """Return the rows of `WAVE` fresh jobs, with random hashes as keys."""

    def key() -> str:
        return f"{rng.getrandbits(160):040x}"

    records = Records()
    for order in range(first, first + WAVE):
        argument, result, args, call, job = key(), key(), key(), key(), key()[:36]
        records.values.append((argument, "builtins.int", PICKLE, DATA))
        records.values.append((result, "builtins.int", PICKLE, DATA))
        records.evaluations.append((key(), TASK, args, result))
        records.call_nodes.append((call, "bench.noop", TASK, args, result, now))
        records.call_edges.append((ROOT_CALL, call, order))
        records.subtree_tasks.append((call, TASK))
        records.arguments.append((key(), call, argument, 0, None))
        records.job_starts.append((job, now, TASK, ROOT, EXECUTION))
        records.job_ends.append((job, now + 0.001, False, call))
    return records


def measure(jobs: int, directory: Path) -> PerJob:
    """Record `jobs` jobs in a new repo."""
    path = directory / f"recorder-{jobs}.db"
    backend = RedunBackendDb(f"sqlite:///{path}")
    backend.load()
    rng = random.Random(jobs)
    backend.record(start_execution(time.time()))
    making = 0.0
    before, due = time.process_time(), time.monotonic()
    for first in range(0, jobs, WAVE):
        own = time.thread_time()
        wave = make_wave(rng, first, time.time())
        making += time.thread_time() - own
        backend.record(wave)
        due += TICK
        time.sleep(max(0.0, due - time.monotonic()))
    backend.flush()
    cpu = time.process_time() - before - making
    backend.close()
    return PerJob(jobs, cpu / jobs * 1e6, path.stat().st_size / jobs)


def main() -> None:
    """Measure and print one line for each number of jobs."""
    parser = argparse.ArgumentParser(description="CPU time of recording a fresh job")
    parser.add_argument("jobs", type=int, nargs="*", default=[10_000, 100_000])
    for jobs in parser.parse_args().jobs:
        with tempfile.TemporaryDirectory() as directory:
            figures = measure(jobs, Path(directory))
        print(f"{jobs:>9,} jobs {figures.cpu_us:7.1f} µs/job {figures.file_bytes:7.0f} B/job")


if __name__ == "__main__":
    main()
