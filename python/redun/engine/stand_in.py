"""What the scheduler's thread owes others while it runs a job: done by another thread, which sleeps until then."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

__all__ = ["StandIn"]

#: How long a job runs, in seconds, before another thread stands in.
LATE_SECONDS = 0.05


class StandIn:
    """Keeps a run alive to others while a job that was to end at once does not.

    A context: within it the scheduler's thread runs a job and touches nothing of the run. The two
    callbacks are only called there, never side by side, and what they raise is raised at its end.

    Parameters
    ----------
    hand_over : called once for each job, so that what was recorded before it is not lost with it.
    idle : called again and again, every `interval` seconds; None: never.
    """

    def __init__(
        self,
        hand_over: Callable[[], object],
        idle: Callable[[], object],
        interval: float | None,
    ) -> None:
        self._hand_over = hand_over
        self._idle = idle
        self._interval = interval
        self._begun: float | None = None
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()
        self._lock = threading.Lock()

    @property
    def is_asked(self) -> bool:
        """Whether the scheduler's thread runs a job."""
        return self._begun is not None

    def __enter__(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, name="redun-stand-in", daemon=True)
            self._thread.start()
        self._begun = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self._begun = None
        with self._lock:  # what has been called has returned
            error, self._error = self._error, None
        if error is not None:
            raise error

    def close(self) -> None:
        """End the thread."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def _watch(self) -> None:
        job, shown = 0.0, 0.0
        while not self._ended.wait(LATE_SECONDS):
            with self._lock:
                begun, now = self._begun, time.monotonic()
                if begun is None or now - begun < LATE_SECONDS or self._error is not None:
                    continue
                try:
                    if begun != job:
                        job = shown = begun
                        self._hand_over()
                    if self._interval is not None and now - shown >= self._interval:
                        shown = now
                        self._idle()
                except BaseException as error:
                    self._error = error
