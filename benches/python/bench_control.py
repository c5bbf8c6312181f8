"""What control flow costs, against plain calls: CPU time of one element of each form.

Each form is a workflow over ``n`` elements, run in a process of its own in a new SQLite repo on disk, then again
in the same repo. User plus system time of the run alone, without start-up, over ``n``; the best of several rounds.

    python benches/python/bench_control.py --n 10000 --repeat 3
"""

from __future__ import annotations

import argparse
import json
import logging
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from redun import Scheduler, catch, cond, task
from redun.config import Config
from redun.functools import map_, seq

redun_namespace = "redun.benches.control"


@task()
def noop(number: int) -> int:
    """Do nothing: what is left is the cost of the job."""
    return number


@task()
def recover(error: Exception) -> int:
    """Stand in for an element that failed; none does."""
    return -1


@task()
def plain_calls(n: int) -> Any:
    """Call the task once for each element."""
    return [noop(number) for number in range(n)]


@task()
def map_calls(n: int) -> Any:
    """Call the task through `map_`."""
    return map_(noop, list(range(n)))


@task()
def cond_calls(n: int) -> Any:
    """Call the task in a branch for each element."""
    return [cond(True, noop(number), -1) for number in range(n)]


@task()
def catch_calls(n: int) -> Any:
    """Call the task below a `catch` for each element."""
    return [catch(noop(number), ValueError, recover) for number in range(n)]


@task()
def seq_calls(n: int) -> Any:
    """Call the task for one element after the other."""
    return seq([noop(number) for number in range(n)])


FORMS: dict[str, Callable[[int], Any]] = {
    "plain": plain_calls,
    "map_": map_calls,
    "cond": cond_calls,
    "catch": catch_calls,
    "seq": seq_calls,
}


def measure(form: str, n: int, directory: str) -> list[float]:
    """Run a form twice in a new repo; returns CPU microseconds an element, fresh and cached."""
    logging.getLogger("redun").setLevel(logging.WARNING)
    config = Config({"backend": {"db_uri": f"sqlite:///{directory}/redun.db"}})
    taken = []
    for _ in range(2):
        scheduler = Scheduler(config=config)
        scheduler.load()
        begin = time.process_time()
        result = scheduler.run(FORMS[form](n))
        taken.append((time.process_time() - begin) / n * 1e6)
        if result != list(range(n)):
            raise RuntimeError(f"{form} gave something else")
        scheduler.backend.close()
    return taken


def measure_apart(form: str, n: int) -> list[float]:
    """Measure a form in a process of its own."""
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, __file__, "--n", str(n), "--form", form, "--dir", directory]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return list(json.loads(printed))


def main() -> None:
    """Print the table of all forms, or the figures of one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--form", choices=FORMS)
    parser.add_argument("--dir", type=Path)
    options = parser.parse_args()
    if options.form:
        print(json.dumps(measure(options.form, options.n, str(options.dir))))
        return
    # In turns, so that a machine that is slow for a while is slow for all forms.
    rounds = [
        {form: measure_apart(form, options.n) for form in FORMS} for _ in range(options.repeat)
    ]
    print("| form | fresh, µs | ratio | cached, µs | ratio |")
    print("| --- | ---: | ---: | ---: | ---: |")
    best = {
        form: [min(figures) for figures in zip(*(r[form] for r in rounds), strict=False)]
        for form in FORMS
    }
    base = best["plain"]
    for form, (fresh, cached) in best.items():
        print(
            f"| {form} | {fresh:.0f} | {fresh / base[0]:.2f} | {cached:.0f} | {cached / base[1]:.2f} |"
        )


if __name__ == "__main__":
    main()
