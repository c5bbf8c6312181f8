"""The root of this package's exceptions, and the errors of the core.

An error is defined where the fact it reports is known; here are only what all share and the names of the
extension's errors. The command line shows `hints` below the message.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from redun._core import CoreError, CycleError, SchemeError

__all__ = ["CoreError", "CycleError", "RedunError", "SchemeError", "error_hints"]


class RedunError(Exception):
    """Base of the exceptions that this package defines.

    Parameters
    ----------
    args
        As for `Exception`; the first is the message.
    hints
        Advice on what to do, a sentence each. Kept out of the instance when empty, so that the
        pickle of an error without hints is that of a plain exception.
    """

    hints: tuple[str, ...] = ()

    def __init__(self, *args: Any, hints: Iterable[str] = ()) -> None:
        super().__init__(*args)
        hints = tuple(hints)
        if hints:
            self.hints = hints


def error_hints(error: BaseException) -> tuple[str, ...]:
    """The hints of any exception; () if it carries none."""
    return tuple(getattr(error, "hints", ()))
