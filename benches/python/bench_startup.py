"""Start-up time: ``import redun`` inside a new interpreter, and ``redun --version`` as a whole.

Wall-clock time, the median of 20 runs each.

    python benches/python/bench_startup.py .venv/bin
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

IMPORT = "import time; t = time.perf_counter(); import redun; print(time.perf_counter() - t)"


@dataclass(frozen=True)
class StartUp:
    """Milliseconds of wall-clock time."""

    import_redun: float
    version: float


def time_import(python: Path) -> float:
    """Return the seconds that ``import redun`` takes in a new interpreter."""
    command = [python, "-c", IMPORT]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def time_version(redun: Path) -> float:
    """Return the seconds that ``redun --version`` takes from start to exit."""
    start = time.perf_counter()
    subprocess.run([redun, "--version"], capture_output=True, check=True)
    return time.perf_counter() - start


def measure(binaries: Path, repeat: int = 20) -> StartUp:
    """Return the medians for the ``python`` and the ``redun`` of a virtual environment's ``bin``."""
    imports = [time_import(binaries / "python") for _ in range(repeat)]
    versions = [time_version(binaries / "redun") for _ in range(repeat)]
    return StartUp(statistics.median(imports) * 1e3, statistics.median(versions) * 1e3)


def main() -> None:
    """Measure one virtual environment and print both figures."""
    parser = argparse.ArgumentParser(description="start-up time of a redun installation")
    parser.add_argument("binaries", type=Path, help="bin directory of its virtual environment")
    parser.add_argument("--repeat", type=int, default=20)
    options = parser.parse_args()
    figures = measure(options.binaries.absolute(), options.repeat)
    print(f"import redun     {figures.import_redun:7.1f} ms")
    print(f"redun --version  {figures.version:7.1f} ms")


if __name__ == "__main__":
    main()
