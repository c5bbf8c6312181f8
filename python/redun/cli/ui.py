"""The only place where the command line prints.

Data goes to stdout; errors, hints and notes go to stderr. Nothing here decides what to say.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    import subprocess

PAGER_COMMAND = ("less", "-F", "-K", "-R", "-S", "-X")


class OutputClosed(Exception):
    """The reader of our stdout has gone (`redun log | head`): stop writing, exit quietly."""


class Ui:
    """Printer of one command.

    Parameters
    ----------
    stdout, stderr
        Text streams; `None` means whatever `sys.stdout` / `sys.stderr` are when something is
        printed.
    """

    def __init__(self, stdout: IO[str] | None = None, stderr: IO[str] | None = None):
        self._stdout = stdout
        self._stderr = stderr
        self._pager: IO[str] | None = None

    @property
    def stdout(self) -> IO[str]:
        """Where data goes: the pager while one runs."""
        return self._pager or self._stdout or sys.stdout

    @property
    def stderr(self) -> IO[str]:
        """Where errors, hints and notes go."""
        return self._stderr or sys.stderr

    def line(self, *parts: object) -> None:
        """Print one line of data, parts separated by spaces.

        Raises
        ------
        OutputClosed
            If nobody reads our output any more.
        """
        self.write(" ".join(str(part) for part in parts) + "\n")

    def write(self, text: str) -> None:
        """Print data as is. Raises `OutputClosed` like `line`."""
        try:
            self.stdout.write(text)
        except BrokenPipeError as error:
            raise OutputClosed from error

    def pretty(self, value: Any) -> None:
        """Print a Python value as `pprint` lays it out (80 columns, sorted keys)."""
        from pprint import pformat

        self.line(pformat(value))

    def flush(self) -> None:
        """Hand everything printed so far to the reader. Raises `OutputClosed` like `line`."""
        if getattr(self.stdout, "closed", False):
            return  # by a command that wrote bytes to it
        try:
            self.stdout.flush()
        except BrokenPipeError as error:
            raise OutputClosed from error

    def note(self, text: str) -> None:
        """Print a remark that is neither data nor an error."""
        self._to_stderr(text)

    def error(self, message: str, hints: Iterable[str] = ()) -> None:
        """Print an `error:` line and, after it, one `hint:` line for each hint."""
        lines = [f"error: {message}"]
        lines += [f"hint: {hint}" for hint in hints]
        self._to_stderr("\n".join(lines))

    def _to_stderr(self, text: str) -> None:
        # What was printed before must stand before, even if stdout is a buffered file.
        with suppress(BrokenPipeError, ValueError):
            self.stdout.flush()
        with suppress(BrokenPipeError, ValueError):  # Nobody is left to be told.
            self.stderr.write(text.rstrip("\n") + "\n")
            self.stderr.flush()

    @contextmanager
    def pager(self, enabled: bool = True) -> Iterator[None]:
        """Send data to `less` while the block runs, if stdout is a terminal and `less` exists."""
        process = self._start_pager() if enabled else None
        if process is None or process.stdin is None:
            yield
            return
        self._pager = process.stdin
        try:
            yield
        finally:
            # The user may have left the pager before the end.
            with suppress(BrokenPipeError):
                self._pager.close()
            self._pager = None
            process.wait()

    def _start_pager(self) -> subprocess.Popen[str] | None:
        import subprocess
        from shutil import which

        if not is_terminal(self.stdout) or which(PAGER_COMMAND[0]) is None:
            return None
        self.stdout.flush()
        return subprocess.Popen(PAGER_COMMAND, stdin=subprocess.PIPE, encoding="utf-8", text=True)


def is_terminal(stream: IO[str]) -> bool:
    """Whether a stream is a terminal; closed and odd streams are not."""
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):
        return False


def abandon_stdout() -> None:
    """Point the process's stdout at nothing, so that the interpreter's last flush cannot fail."""
    try:
        descriptor = sys.stdout.fileno()
    except (AttributeError, OSError, ValueError):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
