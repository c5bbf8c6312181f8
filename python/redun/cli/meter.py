"""One line on the terminal that tells how far a long step has got."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from redun.cli.ui import is_terminal

REFRESH_SECONDS = 0.25
# A short step should not flicker.
DELAY_SECONDS = 0.5

_ERASE_LINE = "\r\x1b[2K"
_UNITS = ("bytes", "KB", "MB", "GB", "TB")


class Meter:
    """What is known of a step, and the line that tells it.

    Parameters
    ----------
    label
        What is being done, e.g. `copying`.
    """

    def __init__(self, label: str):
        self._label = label
        self._amount = ""
        self._started = time.monotonic()

    def update(self, done: int, total: int | None, unit: str) -> None:
        """Take note of how much is done, of how much in all if that is known."""
        if unit == "bytes":
            self._amount = f" {format_bytes(done)}"
        else:
            self._amount = f" {done:,}{f' of {total:,}' if total is not None else ''} {unit}"

    def __str__(self) -> str:
        elapsed = int(time.monotonic() - self._started)
        return f"{self._label}{self._amount}, {elapsed // 60}:{elapsed % 60:02}"


def format_bytes(count: int) -> str:
    """A number of bytes in the unit that fits: `1.5 MB`."""
    size, unit = float(count), 0
    while size >= 1000 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.1f} {_UNITS[unit]}" if unit else f"{count} {_UNITS[0]}"


@contextmanager
def show_meter(label: str, terminal: IO[str] | None = None) -> Iterator[Meter]:
    """Show how far the step in the block is, if stderr is a terminal that can move its cursor.

    Parameters
    ----------
    label
        What is being done.
    terminal
        Where to draw; stderr by default.
    """
    terminal = terminal or sys.stderr
    meter = Meter(label)
    if not is_terminal(terminal) or os.environ.get("TERM", "dumb") == "dumb":
        yield meter
        return
    finished = threading.Event()
    drawer = threading.Thread(target=_keep_drawing, args=(meter, terminal, finished), daemon=True)
    drawer.start()
    try:
        yield meter
    finally:
        finished.set()
        drawer.join()


def _keep_drawing(meter: Meter, terminal: IO[str], finished: threading.Event) -> None:
    if finished.wait(DELAY_SECONDS):
        return
    while True:
        terminal.write(f"{_ERASE_LINE}{meter}")
        terminal.flush()
        if finished.wait(REFRESH_SECONDS):
            terminal.write(_ERASE_LINE)
            terminal.flush()
            return
