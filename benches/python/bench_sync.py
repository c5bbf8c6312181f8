"""Cost of `redun push`: everything, nothing new, and a hundred new jobs; ours against the original.

A repo is filled with executions of 1,000 jobs each: a job, its call, its argument and its result, four records. It
is pushed to an empty repo by the program, as users do; counted is the CPU time of the process, user and system,
and its peak memory. The start of the process is measured apart and taken off, for both programs.

    python benches/python/bench_sync.py                                # 100,000 jobs
    python benches/python/bench_sync.py 20000 --original BIN/redun     # also that program
    python benches/python/bench_sync.py 20000 --target postgresql://user@host/database
"""

from __future__ import annotations

import argparse
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from redun.backends.base import Records
from redun.backends.db import RedunBackendDb

JOBS_EACH = 1000
PICKLE, TASK = "application/python-pickle", "f" * 40


@dataclass(frozen=True)
class Run:
    """CPU seconds, peak memory in MB, and what a command printed."""

    cpu: float
    memory: float
    output: str


def execution(rng: random.Random, number: int, jobs: int) -> Records:
    """Return the rows of an execution that has ended, with random hashes."""

    def key() -> str:
        return f"{rng.getrandbits(160):040x}"

    records, now = Records(), time.time()
    name = f"{rng.getrandbits(128):032x}"
    name = f"{name[:8]}-{name[8:12]}-{name[12:16]}-{name[16:20]}-{name[20:]}"
    root, root_call = f"{name[:-4]}{number:04x}", key()
    records.values.append((TASK, "redun.Task", PICKLE, b"task"))
    records.tasks.append((TASK, "noop", "bench", "def noop(x): ..."))
    records.executions.append((name, '["redun", "run"]', root))
    records.job_starts.append((root, now, TASK, None, name))
    for order in range(jobs):
        argument, result, call, job = key(), key(), key(), key()
        job = f"{job[:8]}-{job[8:12]}-{job[12:16]}-{job[16:20]}-{job[20:32]}"
        data = b"\x80\x03J" + rng.randbytes(4) + b"."
        records.values += [(argument, "builtins.int", PICKLE, data)]
        records.values += [(result, "builtins.int", PICKLE, data)]
        records.call_nodes.append((call, "bench.noop", TASK, key(), result, now))
        records.subtree_tasks.append((call, TASK))
        records.call_edges.append((root_call, call, order))
        records.arguments.append((key(), call, argument, 0, None))
        records.job_starts.append((job, now, TASK, root, name))
        records.job_ends.append((job, now + 1, False, call))
    records.call_nodes.append((root_call, "bench.noop", TASK, key(), argument, now))
    records.subtree_tasks.append((root_call, TASK))
    records.job_ends.append((root, now + 2, False, root_call))
    records.tags += [("Execution", name, "user", "alice"), ("Execution", name, "number", number)]
    return records


def fill(path: Path, rng: random.Random, executions: range, jobs: int = JOBS_EACH) -> None:
    """Record executions in the repo of a configuration directory."""
    backend = RedunBackendDb(f"sqlite:///{path / 'redun.db'}", {"hash_scheme": "redun1"})
    backend.load()
    for number in executions:
        backend.record(execution(rng, number, jobs))
        backend.flush()
    backend.close()


def make_config(path: Path, uri: str, repos: dict[str, Path] | None = None) -> None:
    """Write a configuration directory."""
    path.mkdir()
    text = f"[backend]\ndb_uri = {uri}\n"
    for name, directory in (repos or {}).items():
        text += f"[repos.{name}]\nconfig_dir = {directory}\n"
    (path / "redun.ini").write_text(text)


def run(program: str, *words: str) -> Run:
    """Run a program to its end."""
    with tempfile.TemporaryFile() as output:
        environment = {key: value for key, value in os.environ.items() if "REDUN" not in key}
        if not program.startswith(str(Path(sys.executable).parent)):
            environment.pop("PYTHONPATH", None)  # The other program has modules of its own.
        process = subprocess.Popen([program, *words], stdout=output, stderr=output, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read().decode()
    if process.returncode:
        raise RuntimeError(text)
    return Run(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, text.strip())


def measure(program: str, source: Path, target: str, rng: random.Random, more: bool) -> list[str]:
    """Push everything, nothing, and with `more` a hundred new jobs; return rows of a table."""
    config = ["--config", str(source)]
    start = min(run(program, *config, "repo", "list").cpu for _ in range(3))
    rows = []

    def row(what: str, count: int | None = None) -> None:
        done = run(program, *config, "push", target)
        cpu = max(done.cpu - start, 1e-3)
        pushed = re.search(r"Pushed (\d+) record", done.output)
        rate = f"{int(pushed[1]) / cpu:,.0f}" if pushed else ""
        rows.append(f"| {what} | {cpu:.3f} | {rate} | {done.memory:.0f} |")

    row("everything")
    row("nothing new")
    if more:
        fill(source, rng, range(1), 100)
        row("100 new jobs")
    rows.append(f"| start of the process | {start:.3f} | | |")
    return rows


def main() -> None:
    """Measure and print tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("jobs", type=int, nargs="?", default=100_000)
    parser.add_argument(
        "--original", metavar="PROGRAM", help="another redun to measure beside ours"
    )
    parser.add_argument("--target", metavar="URI", help="database to push to; SQLite by default")
    options = parser.parse_args()
    rng = random.Random(1)
    ours = str(Path(sys.executable).with_name("redun"))
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        repos = {kind: base / kind for kind in ("ours", "theirs")}
        make_config(base / "source", "sqlite:///redun.db", repos)
        for kind, path in repos.items():
            make_config(path, (kind == "ours" and options.target) or "sqlite:///redun.db")
            if kind == "theirs" or not options.target:
                fill(path, rng, range(0))
        fill(base / "source", rng, range(options.jobs // JOBS_EACH))
        programs = {"ours": ours} | ({"theirs": options.original} if options.original else {})
        for kind in sorted(programs, reverse=True):
            print(f"\n{kind}, {options.jobs:,} jobs\n")
            print(
                "| push | CPU s above the start | records/s | peak MB |\n| --- | ---: | ---: | ---: |"
            )
            rows = measure(programs[kind], base / "source", kind, rng, kind == "ours")
            print("\n".join(rows), flush=True)


if __name__ == "__main__":
    main()
