"""CPU time of the client and statements per batch of jobs, fresh and cached, on a PostgreSQL repo.

The server is given, since its own time is none of the figures; the database may be empty. Each number of jobs
runs in this process, with full provenance, after a run that warms everything up.

    python benches/python/bench_postgres.py postgresql://postgres@/bench?host=/var/run/postgresql --n 1000,10000
"""

from __future__ import annotations

import argparse
import logging
import time
import uuid
from dataclasses import dataclass
from typing import Any

import psycopg
from bench_jobs import sizes_of

from redun import task
from redun.config import Config
from redun.scheduler import Scheduler

redun_namespace = "bench_postgres"


@task()
def noop(run: str, number: int) -> int:
    """Does nothing; `run` tells the runs of the benchmark apart."""
    return number


@task()
def main_task(run: str, jobs: int) -> list[Any]:
    """A fan-out of no-ops."""
    return [noop(run, number) for number in range(jobs)]


@dataclass(frozen=True)
class Taken:
    """What one run took: CPU and elapsed microseconds a job, and statements in all."""

    cpu_us: float
    elapsed_us: float
    statements: int


def measure(scheduler: Scheduler, run: str, jobs: int) -> Taken:
    """Run the workflow once, up to its last commit."""
    statements = 0
    execute = psycopg.Cursor.execute

    def counting(cursor: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal statements
        statements += 1
        return execute(cursor, *args, **kwargs)

    psycopg.Cursor.execute = counting  # type: ignore[method-assign]
    cpu, elapsed = time.process_time(), time.perf_counter()
    try:
        scheduler.run(main_task(run, jobs))
        scheduler.backend.flush()
    finally:
        psycopg.Cursor.execute = execute  # type: ignore[method-assign]
    cpu, elapsed = time.process_time() - cpu, time.perf_counter() - elapsed
    return Taken(cpu / jobs * 1e6, elapsed / jobs * 1e6, statements)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description="CPU time per job on a PostgreSQL repo")
    parser.add_argument("uri", help="of a database that the repo may be made in")
    parser.add_argument("--n", type=sizes_of, default=[1000, 10000], help="numbers of jobs")
    options = parser.parse_args()
    logging.disable(logging.INFO)
    scheduler = Scheduler(config=Config({"backend": {"db_uri": options.uri}}))
    scheduler.load(migrate=True)
    measure(scheduler, str(uuid.uuid4()), 10)
    print("| jobs | kind | client CPU, µs/job | elapsed, µs/job | statements |")
    print("| ---: | --- | ---: | ---: | ---: |")
    for jobs in options.n:
        run = str(uuid.uuid4())
        for kind in ("fresh", "cached"):
            taken = measure(scheduler, run, jobs)
            cells = [f"{jobs:,}", kind, f"{taken.cpu_us:.1f}", f"{taken.elapsed_us:.0f}"]
            print(f"| {' | '.join(cells)} | {taken.statements} |")
    scheduler.backend.close()


if __name__ == "__main__":
    main()
