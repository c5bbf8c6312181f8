"""The repo that the console looks at: all reading happens on one thread of its own."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from redun.backends.db import RedunBackendDb

Result = TypeVar("Result")


class UnknownRecord(LookupError):
    """There is no record under the id that was asked for."""


class Repo:
    """
    Reads from a repo without holding up the screen.

    What is read for screens is forgotten; the REPL has a session of its own, whose objects live on.

    Parameters
    ----------
    backend : the repo's open backend; nothing else may read with it.
    """

    def __init__(self, backend: RedunBackendDb) -> None:
        self._backend = backend
        self._users: RedunBackendDb | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="redun-console")

    async def read(self, function: Callable[[RedunBackendDb], Result]) -> Result:
        """Calls a function with the backend; what it returns must hold no rows."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._read, function)

    async def evaluate(self, function: Callable[[RedunBackendDb], Result]) -> Result:
        """Calls a function of the user's with a backend whose session lasts."""
        return await asyncio.get_running_loop().run_in_executor(
            self._thread, self._evaluate, function
        )

    def close(self) -> None:
        """Waits for what is being read and ends the thread; the backend is then free to be closed."""
        self._thread.shutdown(wait=True, cancel_futures=True)
        if self._users is not None:
            self._users.session.close()

    def _read(self, function: Callable[[RedunBackendDb], Result]) -> Result:
        try:
            with warnings.catch_warnings():
                # A screen says that a payload is missing; a warning would be written over it.
                warnings.simplefilter("ignore", UserWarning)
                return function(self._backend)
        finally:
            # Ends the transaction, so that the next reading sees what has been written meanwhile.
            self._backend.rollback()

    def _evaluate(self, function: Callable[[RedunBackendDb], Result]) -> Result:
        if self._users is None:
            self._users = self._backend.clone()
        session = self._users.session
        if not session.has_changes:
            session.rollback()
        return function(self._users)
