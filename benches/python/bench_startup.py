"""Start-up time: ``import redun`` inside a new interpreter, ``redun --version`` and ``redun run`` as a whole.

What is run is one task that does nothing, in a directory without a repo, and then again.

Wall-clock time, the median of 20 runs each.

    python benches/python/bench_startup.py .venv/bin
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

WORKFLOW = Path(__file__).with_name("noop_workflow.py")
IMPORT = "import time; t = time.perf_counter(); import redun; print(time.perf_counter() - t)"


@dataclass(frozen=True)
class StartUp:
    """Milliseconds of wall-clock time."""

    import_redun: float
    version: float
    first_run: float
    next_run: float


def time_import(python: Path) -> float:
    """Return the seconds that ``import redun`` takes in a new interpreter."""
    command = [python, "-c", IMPORT]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def time_program(command: list[str | Path], directory: Path | None = None) -> float:
    """Return the seconds that a program takes from start to exit."""
    start = time.perf_counter()
    subprocess.run(command, capture_output=True, check=True, cwd=directory)
    return time.perf_counter() - start


def time_runs(redun: Path) -> tuple[float, float]:
    """Return the seconds that a workflow of one task takes in a new repo, and then again."""
    with tempfile.TemporaryDirectory(prefix="redun-bench-") as name:
        directory = Path(name)
        shutil.copy(WORKFLOW, directory / "workflow.py")
        command = [redun, "run", "workflow.py", "noop", "--number", "1"]
        return time_program(command, directory), time_program(command, directory)


def measure(binaries: Path, repeat: int = 20) -> StartUp:
    """Return the medians for the ``python`` and the ``redun`` of a virtual environment's ``bin``."""
    imports = [time_import(binaries / "python") for _ in range(repeat)]
    versions = [time_program([binaries / "redun", "--version"]) for _ in range(repeat)]
    first, later = zip(*(time_runs(binaries / "redun") for _ in range(repeat)), strict=True)
    return StartUp(*(statistics.median(times) * 1e3 for times in (imports, versions, first, later)))


def main() -> None:
    """Measure one virtual environment and print the figures."""
    parser = argparse.ArgumentParser(description="start-up time of a redun installation")
    parser.add_argument("binaries", type=Path, help="bin directory of its virtual environment")
    parser.add_argument("--repeat", type=int, default=20)
    options = parser.parse_args()
    figures = measure(options.binaries.absolute(), options.repeat)
    print(f"import redun      {figures.import_redun:7.1f} ms")
    print(f"redun --version   {figures.version:7.1f} ms")
    print(f"redun run, first  {figures.first_run:7.1f} ms")
    print(f"redun run, again  {figures.next_run:7.1f} ms")


if __name__ == "__main__":
    main()
