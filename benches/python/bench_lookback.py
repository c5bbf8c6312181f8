"""Looking back at a large repo: CPU time, wall-clock time and memory of each command.

    python benches/python/bench_lookback.py .venv/bin            # 20 executions of 5,000 jobs
    python benches/python/bench_lookback.py .venv/bin --n 500    # of 500

The repo also holds a chain of 50 files, each computed from the one before, and an execution of 50,000 jobs
for the report. Prints a table in the format of ``benches/RESULTS.md``.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

WORKFLOW = """
from redun import File, task

redun_namespace = "bench"


@task()
def leaf(number: int, run: int) -> int:
    return number


@task()
def step(file: File, number: int) -> File:
    out = File(f"chain/{number}.txt")
    out.write(file.read() + "x")
    return out


@task()
def gather(numbers: list) -> int:
    return len(numbers)


@task()
def many(n: int, run: int) -> int:
    return gather([leaf(i, run) for i in range(n)])


@task()
def chain(n: int) -> File:
    file = File("start.txt")
    for number in range(n):
        file = step(file, number)
    return file
"""


@dataclass(frozen=True)
class Cost:
    """Seconds of CPU and of wall-clock time, megabytes of memory at most, bytes printed."""

    cpu: float
    wall: float
    memory: float
    printed: int


def measure(program: Path, words: list[str], folder: Path) -> Cost:
    """Return what one command costs, in a process of its own."""
    script = (
        "import os, resource, subprocess, sys, time\n"
        "start = time.perf_counter()\n"
        "done = subprocess.run(sys.argv[1:], capture_output=True)\n"
        "wall = time.perf_counter() - start\n"
        "assert done.returncode == 0, done.stderr.decode()\n"
        "use = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(use.ru_utime + use.ru_stime, wall, use.ru_maxrss / 1024, len(done.stdout))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, program, *words],
        cwd=folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    cpu, wall, memory, printed = done.stdout.split()
    return Cost(float(cpu), float(wall), float(memory), int(printed))


def build(program: Path, folder: Path, executions: int, jobs: int, largest: int) -> None:
    """Fill a repo: executions of many jobs, a chain of files, one very large execution."""
    (folder / "bench.py").write_text(WORKFLOW)
    (folder / "start.txt").write_text("x")

    def run(*words: object) -> None:
        command = [program, "--log-level", "ERROR", "run", "bench.py", *map(str, words)]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)

    run("many", "--n", largest, "--run", -1)
    run("chain", "--n", 50)
    for number in range(executions):
        run("many", "--n", jobs - 2, "--run", number)


def main() -> None:
    """Build the repo, measure the commands, print the table."""
    parser = argparse.ArgumentParser(description="cost of looking back")
    parser.add_argument("binaries", type=Path, help="bin directory of the virtual environment")
    parser.add_argument("--executions", type=int, default=20)
    parser.add_argument("--n", type=int, default=5000, help="jobs in each execution")
    parser.add_argument("--largest", type=int, default=50_000, help="jobs for the report")
    options = parser.parse_args()
    program = options.binaries.absolute() / "redun"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build(program, folder, options.executions, options.n, options.largest)
        ids = subprocess.run(
            [program, "log", "--job", "--exec-id", "-", "--format", "json"],
            cwd=folder, capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        job = ids.split('"id": "')[1][:12]
        total = options.executions * options.n + options.largest
        print(f"{total:,} jobs; {os.uname().machine}, load {os.getloadavg()[0]:.1f}\n")
        print("| command | CPU, s | wall, s | memory, MB | printed, KB |")
        print("| --- | ---: | ---: | ---: | ---: |")
        largest = f"~{options.executions + 2}"
        for label, words in {
            "`redun --version`": ["--version"],
            "`redun log`": ["log"],
            f"`redun log -` ({options.n:,} jobs)": ["log", "-"],
            "`redun log JOB`": ["log", job],
            "`redun log FILE`": ["log", "chain/1.txt"],
            "`redun log FILE`, 50 steps deep": ["log", "chain/49.txt"],
            f"`redun why` ({options.n:,} jobs)": ["why"],
            f"`redun diff` ({options.n:,} jobs)": ["diff"],
            f"`redun report` ({options.largest:,} jobs)": ["report", largest, "-o", "-"],
            "`redun tag list`": ["tag", "list"],
        }.items():
            cost = min((measure(program, words, folder) for _ in range(3)), key=lambda c: c.cpu)
            print(
                f"| {label} | {cost.cpu:.2f} | {cost.wall:.2f} | {cost.memory:.0f} | "
                f"{cost.printed / 1024:.0f} |"
            )


if __name__ == "__main__":
    main()
