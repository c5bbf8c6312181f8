"""Measure this redun against the original in one run, each in a virtual environment of its own.

    python benches/run.py                     # 1,000, 10,000 and 50,000 jobs; takes a while
    python benches/run.py --n 1000            # less
    python benches/run.py --skip-original     # ours only

The tables that it prints are in the format of ``benches/RESULTS.md``. The original is installed from the
package index when it is not in the cache directory yet. It is measured once, ours three times, of which the
least counts: a job of ours costs so little that below 10,000 the noise of the start-up shows. Above
10,000 jobs the original is left out, since it needs some ten minutes for 50,000.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import venv
from pathlib import Path

from python import bench_jobs, bench_startup

ORIGINAL = "redun==0.44.1"
ORIGINAL_MAX_JOBS = 10_000


def install_original(cache: Path) -> Path:
    """Return the ``bin`` of a virtual environment with the original, made if it is not there."""
    binaries = cache / ORIGINAL.replace("==", "-") / "bin"
    if not (binaries / "redun").exists():
        print(f"installing {ORIGINAL} in {binaries.parent}", file=sys.stderr)
        venv.create(binaries.parent, with_pip=True, clear=True)
        pip = [binaries / "python", "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, ORIGINAL], check=True)
    return binaries


def jobs_table(ours: list[bench_jobs.PerJob], original: list[bench_jobs.PerJob]) -> str:
    """Return the Markdown table of CPU and memory per job; ``original`` may lack rows of ``ours``."""
    theirs = {(figure.jobs, figure.cached): figure for figure in original}
    lines = [
        "| jobs | kind | ours, µs/job | original, µs/job | ratio | ours, B/job | original, B/job |",
        "| ---: | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for figure in ours:
        kind = "cached" if figure.cached else "fresh"
        other = theirs.get((figure.jobs, figure.cached))
        cells = [f"{figure.jobs:,}", kind, f"{figure.cpu_us:.1f}"]
        cells += (
            [f"{other.cpu_us:.0f}", f"{other.cpu_us / figure.cpu_us:.0f}x"] if other else ["", ""]
        )
        cells += [f"{figure.memory:.0f}", f"{other.memory:.0f}" if other else ""]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def startup_table(ours: bench_startup.StartUp, original: bench_startup.StartUp | None) -> str:
    """Return the Markdown table of start-up times."""
    lines = ["| start-up | ours, ms | original, ms |", "| --- | ---: | ---: |"]
    for label, field in (
        ("`import redun`", "import_redun"),
        ("`redun --version`", "version"),
        ("`redun run` in a new repo", "first_run"),
        ("`redun run` again", "next_run"),
    ):
        other = f"{getattr(original, field):.0f}" if original else ""
        lines.append(f"| {label} | {getattr(ours, field):.1f} | {other} |")
    return "\n".join(lines)


def machine() -> str:
    """Describe what the figures were measured on."""
    return f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}"


def parse_options() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description="measure this redun against the original")
    parser.add_argument("--n", type=bench_jobs.sizes_of, default=[1_000, 10_000, 50_000])
    parser.add_argument("--repeat", type=int, default=3, help="runs of ours, the least counts")
    parser.add_argument("--skip-original", action="store_true")
    parser.add_argument(
        "--cache",
        type=Path,
        default=Path(__file__).resolve().parents[1] / "target" / "bench",
        help="where the original's virtual environment is kept",
    )
    return parser.parse_args()


def main() -> None:
    """Measure both and print the tables."""
    options = parse_options()
    binaries = Path(sys.executable).parent
    original = None if options.skip_original else install_original(options.cache.absolute())
    sizes = [jobs for jobs in options.n if jobs <= ORIGINAL_MAX_JOBS]
    theirs = bench_jobs.measure(original / "redun", sizes) if original else []
    print(machine(), end="\n\n")
    print(jobs_table(bench_jobs.measure(binaries / "redun", options.n, options.repeat), theirs))
    print()
    start_up = bench_startup.measure(original) if original else None
    print(startup_table(bench_startup.measure(binaries), start_up))


if __name__ == "__main__":
    main()
