"""Time of hashing files: a directory of many small ones, and one large one in the page cache.

Elapsed time, and CPU time of the process, user and system: hashing runs on every core, and a busy machine
shows in the first only. Each figure is the best of several runs.

    python benches/python/bench_files.py                        # 100,000 files and 1 GiB
    python benches/python/bench_files.py --files 1000 --size 64
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from redun.file import ContentDir, Dir
from redun.hashing import hash_file

FILES_PER_DIRECTORY = 100
REPEAT = 5
MIB = 1 << 20


@dataclass(frozen=True)
class Cost:
    """Seconds of one operation."""

    elapsed: float
    cpu: float


def cost_of(action: Callable[[], object]) -> Cost:
    """Return the least time of several runs."""
    costs = []
    for _ in range(REPEAT):
        elapsed, cpu = time.perf_counter(), time.process_time()
        action()
        costs.append(Cost(time.perf_counter() - elapsed, time.process_time() - cpu))
    return min(costs, key=lambda cost: cost.elapsed)


def make_tree(root: Path, files: int) -> None:
    """Write small files, 100 in a directory."""
    for first in range(0, files, FILES_PER_DIRECTORY):
        directory = root / f"{first // 10_000}" / f"{first}"
        directory.mkdir(parents=True)
        for number in range(first, min(files, first + FILES_PER_DIRECTORY)):
            (directory / f"file-{number}.txt").write_text(f"content of {number}\n")


def make_large(path: Path, size: int) -> None:
    """Write a file of so many MiB."""
    with path.open("wb") as stream:
        for _ in range(size):
            stream.write(os.urandom(MIB))


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description="measure the hashing of files")
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--size", type=int, default=1024, help="MiB of the large file")
    parser.add_argument("--scratch", type=Path, default=None, help="where to write the files")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.scratch) as scratch:
        tree, large = Path(scratch, "tree"), Path(scratch, "large")
        make_tree(tree, options.files)
        make_large(large, options.size)
        print("| what | elapsed, s | CPU, s | |\n| --- | ---: | ---: | --- |")
        for label, action in (
            ("Dir", lambda: Dir(tree).hash),
            ("ContentDir", lambda: ContentDir(tree).hash),
        ):
            cost = cost_of(action)
            speed = f"{cost.cpu / options.files * 1e6:.1f} µs CPU a file"
            print(f"| `{label}` of {options.files:,} files", end=" | ")
            print(f"{cost.elapsed:.2f} | {cost.cpu:.2f} | {speed} |")
        cost = cost_of(lambda: hash_file(str(large)))
        speed = f"{options.size * MIB / cost.cpu / 1e9:.2f} GB/s a core, "
        speed += f"{cost.cpu / cost.elapsed:.2f} cores"
        print(f"| content of {options.size} MiB", end=" | ")
        print(f"{cost.elapsed:.2f} | {cost.cpu:.2f} | {speed} |")


if __name__ == "__main__":
    main()
