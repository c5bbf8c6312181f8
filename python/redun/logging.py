"""The `redun` logger: one line a message on standard error, prefixed with `[redun] `."""

from __future__ import annotations

import logging
import sys
from contextlib import nullcontext
from typing import TextIO

_PREFIX = "[redun] "

log_levels = {
    "ERROR": logging.ERROR,
    "WARN": logging.WARNING,
    "INFO": logging.INFO,
    "DEBUG": logging.DEBUG,
}


class StderrHandler(logging.StreamHandler):
    """Writes to whatever `sys.stderr` is at the time of the message, unless given a stream.

    Runs log a line a job, so the common case (our own formatter, no exception) skips the
    general formatting machinery, and a line-buffered stream is not flushed twice.
    """

    def __init__(self) -> None:
        self._stream: TextIO | None = None
        self._held: list[str] | None = None
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:
        return self._stream if self._stream is not None else sys.stderr

    @stream.setter
    def stream(self, stream: TextIO | None) -> None:
        self._stream = stream

    def emit(self, record: logging.LogRecord) -> None:
        try:
            if self.formatter is log_formatter and not (record.exc_info or record.stack_info):
                text = f"{_PREFIX}{record.getMessage()}\n"
            else:
                text = self.format(record) + "\n"
            self._write(text)
        except RecursionError:
            raise
        except Exception:
            self.handleError(record)

    def _write(self, text: str) -> None:
        if self._held is not None:
            self._held.append(text)
        else:
            self._put(text)

    def _put(self, text: str) -> None:
        stream = self.stream
        stream.write(text)
        if not getattr(stream, "line_buffering", False):
            stream.flush()

    def hold(self) -> bool:
        """Keep messages back until `let_go` or `write_held`; returns False if they are already."""
        if self._held is not None:
            return False
        self._held = []
        return True

    def let_go(self) -> None:
        """Write what was kept back at once, and from now on each message as it comes."""
        held, self._held = self._held, None
        if held:
            self._write("".join(held))

    def write_held(self) -> None:
        """Write what is kept back now."""
        held = self._held
        if held:
            count = len(held)  # those of another thread may follow
            text = "".join(held[:count])
            del held[:count]
            self._put(text)

    def is_plain(self) -> bool:
        """Whether a record would be written as its message, behind the prefix."""
        return self.formatter is log_formatter and not self.filters


log_formatter = logging.Formatter(_PREFIX + "%(message)s")
log_handler = StderrHandler()
log_handler.setFormatter(log_formatter)

logger = logging.getLogger("redun")
logger.setLevel(logging.INFO)
logger.addHandler(log_handler)
logger.propagate = False


def log_line(target: logging.Logger, level: int, text: str) -> None:
    """Log one line.

    A run logs a line a job. Where nobody but our own handler listens, the line goes straight to it,
    without a record that nobody would see.
    """
    if not target.isEnabledFor(level):
        return
    alone = target is logger and not target.propagate and target.handlers == [log_handler]
    if alone and not target.filters and level >= log_handler.level and log_handler.is_plain():
        with log_handler.lock or nullcontext():
            log_handler._write(f"{_PREFIX}{text}\n")
    else:
        target.log(level, text)
