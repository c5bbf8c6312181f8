"""Failures as values: the error of a job, and the way from the root job to the user's line."""

from __future__ import annotations

import linecache
import pickle
import re
import traceback as stdlib_traceback
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from redun.hashing import hash_struct
from redun.utils import trim_string
from redun.value import InvalidValueError, Value, get_type_registry

if TYPE_CHECKING:
    from redun.model.job import Job

__all__ = ["ErrorValue", "Frame", "Traceback", "unusable"]

# Frames of these packages lie between the scheduler and the user's task.
INTERNAL = re.compile(r"[/\\]redun[/\\](executors|cli|engine)[/\\]")
MAX_REPR = 200
MAX_DECORATOR_LINES = 200


class Frame(stdlib_traceback.FrameSummary, Value):
    """One step of a task traceback that stands for a job.

    Parameters
    ----------
    filename, lineno, name : where the task is defined, and the name of its function.
    locals : representation of each argument, at most 200 characters each.
    lookup_line : read the source line at once.
    line : the source line, if it is known.
    job : the job.
    """

    __module__ = "redun.scheduler"
    type_name = "redun.Frame"

    def __init__(
        self,
        filename: str,
        lineno: int,
        name: str,
        locals: dict[str, Any],
        lookup_line: bool = True,
        line: str | None = None,
        job: Job | None = None,
    ) -> None:
        stdlib_traceback.FrameSummary.__init__(
            self, filename, lineno, name, lookup_line=False, line=line
        )
        self.locals = {
            key: trim_string(repr(value), max_length=MAX_REPR) for key, value in locals.items()
        }
        self.job = job
        self.lineno = def_line(filename, lineno)
        if line is None:
            self._line_text = linecache.getline(filename, self.lineno).strip()
        else:
            self._line_text = line

    @property
    def line(self) -> str:
        """The source line, stripped."""
        return self._line_text

    def __getstate__(self) -> dict[str, Any]:
        return {
            "filename": self.filename,
            "lineno": self.lineno,
            "name": self.name,
            "_line": self._line_text,
            "locals": self.locals,
            "job": self.job,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        stdlib_traceback.FrameSummary.__init__(
            self, state["filename"], state["lineno"], state["name"], lookup_line=False, line=""
        )
        self.lineno = state["lineno"]
        self._line_text = state["_line"] or ""
        self.locals = state["locals"]
        self.job = state["job"]


def def_line(filename: str, lineno: int) -> int:
    """Return the line of the `def` at or after a line, past the decorators."""
    for ahead in range(MAX_DECORATOR_LINES):
        line = linecache.getline(filename, lineno + ahead)
        if not line:
            break
        if re.match(r"\s*(async\s+)?def\s", line):
            return lineno + ahead
    return lineno


class Traceback(Value):
    """Where an error came from: frames, outermost first, and the last lines of a remote log.

    Parameters
    ----------
    error : the exception.
    frames : `traceback.FrameSummary` or `Frame` objects, outermost first.
    logs : lines of the log of a remote job.
    """

    __module__ = "redun.scheduler"
    type_name = "redun.Traceback"

    def __init__(self, error: Any, frames: list[Any], logs: list[str] | None = None) -> None:
        self.error = error
        self.frames = frames
        self.logs = logs or []

    def __getstate__(self) -> dict[str, Any]:
        for frame in self.frames:
            if hasattr(frame, "_code"):
                frame._code = None  # code objects can't be pickled
        return {"error": self.error, "frames": self.frames, "logs": self.logs}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.error = state["error"]
        self.frames = state["frames"]
        self.logs = state["logs"]

    @classmethod
    def from_error(cls, error: BaseException, trim_frames: bool = True) -> Traceback:
        """Build the traceback of a caught exception.

        Parameters
        ----------
        error : the exception.
        trim_frames : leave out the frames of the engine and its executors.
        """
        frames = list(stdlib_traceback.extract_tb(error.__traceback__))
        if trim_frames:
            frames = cls.trim_frames(frames)
        return cls(error, frames)

    @staticmethod
    def trim_frames(frames: list[Any]) -> list[Any]:
        """Return the innermost frames after the last one that lies in the engine."""
        for index in range(len(frames) - 1, -1, -1):
            if INTERNAL.search(frames[index].filename):
                return frames[index + 1 :]
        return frames

    def format(self) -> Iterator[str]:
        """Yield the lines to show, the error itself last."""
        for frame in self.frames:
            if isinstance(frame, Frame) and frame.job is not None:
                yield (
                    f'  Job {frame.job.id[:8]}: File "{frame.filename}", '
                    f"line {frame.lineno}, in {frame.name}"
                )
            else:
                yield f'  File "{frame.filename}", line {frame.lineno}, in {frame.name}'
            yield f"    {frame.line}"
            if isinstance(frame, Frame) and frame.locals:
                width = max(map(len, frame.locals))
                for key in sorted(frame.locals):
                    yield f"    {key:<{width}} = {frame.locals[key]}"
        for text in stdlib_traceback.format_exception_only(type(self.error), self.error):
            yield from text.rstrip("\n").split("\n")
        if self.logs:
            yield ""
            yield "Latest logs:"
            yield from (line.rstrip("\n") for line in self.logs)


class ErrorValue(Value):
    """The outcome of a call that raised.

    Parameters
    ----------
    error : the exception.
    traceback : where it came from, if known.
    """

    __module__ = "redun.scheduler"
    type_name = "redun.ErrorValue"

    def __init__(self, error: Exception, traceback: Traceback | None = None) -> None:
        assert isinstance(error, Exception)
        self.error = error
        self.traceback = traceback

    def __repr__(self) -> str:
        return f"ErrorValue({self.error!r})"

    def get_hash(self, data: bytes | None = None) -> str:
        """Return the hash over the error and its traceback."""
        registry = get_type_registry()
        return hash_struct(
            ["redun.ErrorValue", registry.get_hash(self.error), registry.get_hash(self.traceback)]
        )

    def is_valid(self) -> bool:
        """Return False: later executions do not reuse a failure."""
        return False

    def __getstate__(self) -> dict[str, Any]:
        return {"error": self.error, "traceback": self.traceback}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.error = state["error"]
        self.traceback = state["traceback"]


def unusable(error: Exception, what: str) -> Exception:
    """Return the error to show for a value that can't be hashed or stored."""
    if not isinstance(error, (TypeError, AttributeError, pickle.PicklingError)):
        return error
    failure = InvalidValueError(
        f"{what} cannot be pickled: {error}. "
        "Return or pass plain data, or make the class picklable at module level."
    )
    failure.__cause__ = error
    return failure
