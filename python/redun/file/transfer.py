"""Copying many files, several at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redun.file.file import File

# Called with what is done and what there is in all, if that is known, and what is counted.
Progress = Callable[[int, int | None, str], None]

# Copies wait for disks and networks, not for cores.
MAX_COPIES = 8


def copy_files(
    pairs: Sequence[tuple[File, File]],
    skip_if_exists: bool = False,
    progress: Progress | None = None,
) -> None:
    """Copy each first file of a pair to the second, up to `MAX_COPIES` at the same time.

    Parameters
    ----------
    pairs
        Source and destination of each copy.
    skip_if_exists
        Leave existing destinations as they are.
    progress
        Called after each copy with the number of files.

    Raises
    ------
    Exception
        The first error of a copy; no further copies are begun then.
    """
    _Copies(pairs, skip_if_exists, progress).run()


class _Copies:
    def __init__(
        self,
        pairs: Sequence[tuple[File, File]],
        skip_if_exists: bool,
        progress: Progress | None,
    ) -> None:
        self._pending = iter(pairs)
        self._total = len(pairs)
        self._skip_if_exists = skip_if_exists
        self._progress = progress
        self._lock = threading.Lock()
        self._done = 0
        self._errors: list[BaseException] = []

    def run(self) -> None:
        helpers = [
            threading.Thread(target=self._work, daemon=True)
            for _ in range(min(MAX_COPIES, self._total) - 1)
        ]
        for helper in helpers:
            helper.start()
        try:
            self._work()
            for helper in helpers:
                helper.join()
        except BaseException as interruption:
            # Nothing new is begun; a copy under way ends by itself, or with the process.
            self._errors.append(interruption)
            raise
        if self._errors:
            raise self._errors[0]

    def _work(self) -> None:
        while not self._errors:
            with self._lock:
                pair = next(self._pending, None)
            if pair is None:
                return
            try:
                pair[0].copy_to(pair[1], skip_if_exists=self._skip_if_exists)
            except Exception as error:
                self._errors.append(error)
                return
            with self._lock:
                self._done += 1
                if self._progress:
                    self._progress(self._done, self._total, "files")
