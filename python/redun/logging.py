"""The `redun` logger: one line a message on standard error, prefixed with `[redun] `."""

from __future__ import annotations

import logging
import sys
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
            stream = self.stream
            stream.write(text)
            if not getattr(stream, "line_buffering", False):
                stream.flush()
        except RecursionError:
            raise
        except Exception:
            self.handleError(record)


log_formatter = logging.Formatter(_PREFIX + "%(message)s")
log_handler = StderrHandler()
log_handler.setFormatter(log_formatter)

logger = logging.getLogger("redun")
logger.setLevel(logging.INFO)
logger.addHandler(log_handler)
logger.propagate = False
