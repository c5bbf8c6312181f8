"""Ctrl-C during a run: the first asks it to end, the next one ends it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import Any

__all__ = ["Interrupts"]


class Interrupts:
    """Takes SIGINT over for a run in the main thread, so that no step of it is cut in two.

    Leaves a handler alone that is not Python's own: then `KeyboardInterrupt` is whatever it makes.

    Parameters
    ----------
    wake : called at the first interrupt, in the signal handler; must be reentrant.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._installed = False
        self.asked = False  # the run is asked to end
        self.impatient = False  # the next interrupt raises `KeyboardInterrupt`
        self.insisted = False  # it was raised
        self.muted = False  # interrupts are ignored: the little that is left is worth the wait

    def __enter__(self) -> Interrupts:
        if (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        ):
            signal.signal(signal.SIGINT, self._on_signal)
            self._installed = True
        return self

    def __exit__(self, *_: Any) -> None:
        if self._installed:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _on_signal(self, *_: Any) -> None:
        if self.muted:
            return
        if self.asked or self.impatient:
            self.insisted = True
            raise KeyboardInterrupt
        self.asked = True
        self._wake()
