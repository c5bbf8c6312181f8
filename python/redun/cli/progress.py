"""A live table of job counts on the terminal while a workflow runs.

The table is drawn below everything else that is printed, and taken away before the run's own final
status table. Without a terminal nothing is drawn. It shows the counts of `Scheduler.job_counts` in
the columns of the status table.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from redun.cli.ui import is_terminal

if TYPE_CHECKING:
    from redun.engine.scheduler import Scheduler

REFRESH_SECONDS = 0.25
# A short run should not flicker.
DELAY_SECONDS = 0.5
MAX_ROWS = 12

_ERASE_LINE = "\r\x1b[2K"
_ERASE_LINE_ABOVE = "\x1b[1A\x1b[2K"


class LiveTable:
    """Draws the table at the bottom of a terminal and moves it out of the way of other output.

    Parameters
    ----------
    scheduler
        Whose job counts are shown.
    terminal
        Where to draw.
    """

    def __init__(self, scheduler: Scheduler, terminal: IO[str]):
        from rich.console import Console

        self._scheduler = scheduler
        self._terminal = terminal
        self._console = Console(file=terminal, force_terminal=True, no_color=True, highlight=False)
        self._lock = threading.RLock()
        self._height = 0
        self._line_open = False
        self._started = time.monotonic()

    def write(self, stream: IO[str], text: str) -> int:
        """Let other text through: the table disappears and comes back with the next refresh."""
        with self._lock:
            self.erase()
            # While a line is unfinished (a prompt, a progress bar), the screen is left alone.
            if text:
                self._line_open = not text.endswith("\n")
            return stream.write(text)

    def erase(self) -> None:
        """Remove the table from the screen."""
        with self._lock:
            if self._height:
                self._terminal.write(_ERASE_LINE + _ERASE_LINE_ABOVE * self._height)
                self._terminal.flush()
                self._height = 0

    def refresh(self) -> None:
        """Draw the table with the counts of this moment."""
        from redun.engine.report import is_debugger_active

        with self._lock:
            if self._line_open or is_debugger_active():
                return
            lines = self._render()
            if not lines:
                return
            erase = _ERASE_LINE + _ERASE_LINE_ABOVE * self._height if self._height else ""
            self._terminal.write(erase + "".join(f"{line}\n" for line in lines))
            self._terminal.flush()
            self._height = len(lines)

    def _render(self) -> list[str]:
        try:
            counts = self._scheduler.job_counts()
        except RuntimeError:
            return []  # The engine is changing the counts right now: the next refresh has them.
        if not counts:
            return []
        with self._console.capture() as capture:
            self._console.print(self._table(counts), crop=True, no_wrap=True)
        return capture.get().rstrip("\n").split("\n")

    def _table(self, counts: dict[str, list[int]]) -> Any:
        from rich.table import Table

        from redun.model.job import Job

        elapsed = int(time.monotonic() - self._started)
        table = Table(
            box=None,
            padding=(0, 1, 0, 0),
            title=f"{elapsed // 60}:{elapsed % 60:02} running",
            title_justify="left",
        )
        table.add_column("TASK", no_wrap=True, overflow="ellipsis")
        for status in Job.STATUSES:
            table.add_column(status, justify="right", no_wrap=True, min_width=7)
        totals = [sum(column) for column in zip(*counts.values(), strict=True)]
        table.add_row("ALL", *map(str, totals))
        shown = self._busiest(counts)
        for name in sorted(shown):
            table.add_row(name, *map(str, counts[name]))
        if len(shown) < len(counts):
            table.add_row(f"... {len(counts) - len(shown)} more")
        return table

    def _busiest(self, counts: dict[str, list[int]]) -> list[str]:
        """The tasks to show if there is no room for all: those with most unfinished jobs."""
        room = max(1, min(MAX_ROWS, self._console.height - 6))
        if len(counts) <= room:
            return list(counts)
        return sorted(counts, key=lambda name: -(counts[name][0] + counts[name][1]))[:room]


class _Passage:
    """Stands in for a standard stream while the table is shown."""

    def __init__(self, live: LiveTable, stream: IO[str]):
        self._live = live
        self._stream = stream

    def write(self, text: str) -> int:
        return self._live.write(self._stream, text)

    def writelines(self, lines: list[str]) -> None:
        self.write("".join(lines))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def show_progress(scheduler: Scheduler, enabled: bool = True) -> Iterator[None]:
    """Show the live table while the block runs, if stderr is a terminal that can move its cursor.

    Parameters
    ----------
    scheduler
        Whose jobs to show.
    enabled
        False shows nothing.
    """
    if not enabled or not is_terminal(sys.stderr) or os.environ.get("TERM", "dumb") == "dumb":
        yield
        return
    stdout, stderr = sys.stdout, sys.stderr
    live = LiveTable(scheduler, stderr)
    finished = threading.Event()
    drawer = threading.Thread(target=_keep_drawing, args=(live, finished), daemon=True)
    passages: list[Any] = [_Passage(live, stdout), _Passage(live, stderr)]
    if is_terminal(stdout):
        sys.stdout = passages[0]
    sys.stderr = passages[1]
    drawer.start()
    try:
        yield
    finally:
        finished.set()
        drawer.join()
        live.erase()
        # What the workflow itself put there stays.
        if sys.stdout is passages[0]:
            sys.stdout = stdout
        if sys.stderr is passages[1]:
            sys.stderr = stderr


def _keep_drawing(live: LiveTable, finished: threading.Event) -> None:
    wait = DELAY_SECONDS
    while not finished.wait(wait):
        live.refresh()
        wait = REFRESH_SECONDS
