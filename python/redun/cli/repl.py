"""The interactive prompt of `redun repl`: names to ask the repo with, history, completion."""

from __future__ import annotations

import code
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

if TYPE_CHECKING:
    from redun.backends.db import Execution
    from redun.engine.scheduler import Scheduler

PROMPT = "(redun) "
#: Words that leave the prompt, as long as they aren't names.
LEAVING = frozenset({"c", "cont", "continue", "q", "quit", "exit"})
HISTORY_LENGTH = 1000
SHOWN_EXECUTIONS = 10


class Executions(Sequence["Execution"]):
    """
    All executions of a repo, newest first, read when they are asked for.

    Parameters
    ----------
    session : the unit of work to read with.
    """

    def __init__(self, session: Any) -> None:
        self._session = session

    def __len__(self) -> int:
        from redun.backends.db import Execution

        number: int = self._session.query(Execution).count()
        return number

    @overload
    def __getitem__(self, index: int) -> Execution: ...
    @overload
    def __getitem__(self, index: slice) -> list[Execution]: ...
    def __getitem__(self, index: int | slice) -> Execution | list[Execution]:
        start, stop, step = (
            index.indices(len(self)) if isinstance(index, slice) else (index, index + 1, 1)
        )
        if isinstance(index, slice):
            if step < 0:
                return list(self)[index]
            found: list[Execution] = self._query().offset(start).limit(max(0, stop - start)).all()
            return found[::step]
        position = index if index >= 0 else len(self) + index
        one: Execution | None = self._query().offset(position).first() if position >= 0 else None
        if one is None:
            raise IndexError(f"there is no execution {index}")
        return one

    def __iter__(self) -> Iterator[Execution]:
        return iter(self._query().yield_per(100))

    def __repr__(self) -> str:
        lines = [f"  {execution!r}," for execution in self[:SHOWN_EXECUTIONS]]
        more = len(self) - len(lines)
        lines += [f"  ... and {more} more"] if more > 0 else []
        return "\n".join(["[", *lines, "]"]) if lines else "[]"

    def _query(self) -> Any:
        from redun.backends.db import Execution, Job

        newest = (Job.start_time.desc().nulls_last(), Execution.id)
        return self._session.query(Execution).outerjoin(Execution.job).order_by(*newest)


def repl_names(scheduler: Scheduler, words: Any) -> dict[str, Any]:
    """
    The names that the prompt starts with.

    Parameters
    ----------
    scheduler : of the open repo.
    words : what was typed after `redun repl`, as attributes.
    """
    import sqlalchemy as sa

    from redun.backends.db import (
        Argument,
        CallEdge,
        CallNode,
        Evaluation,
        Execution,
        Handle,
        Job,
        Subvalue,
        Tag,
        Task,
        Value,
    )
    from redun.backends.db import File as DbFile
    from redun.file import Dir, File

    session = scheduler.backend.session  # type: ignore[attr-defined]
    execs = Executions(session)
    models = (
        Argument, CallEdge, CallNode, Evaluation, Execution, Handle, Job, Subvalue, Tag, Task, Value,
    )  # fmt: skip
    names: dict[str, Any] = {model.__name__: model for model in models}
    names.update(
        DbFile=DbFile, Dir=Dir, File=File, sa=sa, session=session, scheduler=scheduler, args=words,
        query=make_query(session), get_executions=lambda: execs, execs=execs,
        last_exec=next(iter(execs[:1]), None),
    )  # fmt: skip
    return names


def make_query(session: Any) -> Callable[..., Any]:
    """The function `query` of the prompt."""

    def query(what: Any, *more: Any) -> Any:
        """
        A record, or a query.

        `query("3f2a")` gives the record that an id, its prefix, `-`, `~2`, the name of a task or the
        path of a file means; `query(Job)` is `session.query(Job)`. Raises `ValueError` if several
        records match.
        """
        from redun.backends.db.query import infer_id

        if isinstance(what, str):
            return infer_id(session, what, required=True)
        return session.query(what, *more)

    return query


class Prompt(code.InteractiveConsole):
    """Reads, evaluates and prints until it is left with `c`, `q` or the end of the input."""

    def raw_input(self, prompt: str = "") -> str:
        """The next line; called by the standard library. Raises `EOFError` to leave."""
        if not sys.stdin.isatty():
            prompt = ""
        line = input(prompt)
        if line.strip() in LEAVING and line.strip() not in self.locals:
            raise EOFError
        return line


def run_prompt(names: dict[str, Any]) -> None:
    """Runs the prompt with these names until it is left."""
    previous = getattr(sys, "ps1", None), getattr(sys, "ps2", None)
    sys.ps1, sys.ps2 = PROMPT, "." * (len(PROMPT) - 1) + " "
    try:
        with line_editing(names):
            Prompt(names, filename="<redun>").interact(banner="", exitmsg="")
    finally:
        for name, value in zip(("ps1", "ps2"), previous, strict=True):
            setattr(sys, name, value) if value is not None else delattr(sys, name)


@contextmanager
def line_editing(names: dict[str, Any]) -> Iterator[None]:
    """Completion of names, and a history that lasts, while the block runs at a terminal."""
    try:
        import readline
        import rlcompleter
    except ImportError:  # not on every platform
        yield
        return
    if not sys.stdin.isatty():
        yield
        return
    path = history_path()
    previous = readline.get_completer()
    readline.set_completer(rlcompleter.Completer(names).complete)
    readline.parse_and_bind("tab: complete")
    readline.set_history_length(HISTORY_LENGTH)
    with suppress(OSError):
        readline.read_history_file(path)
    try:
        yield
    finally:
        readline.set_completer(previous)
        # A history that can't be kept is no reason to end with an error.
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            readline.write_history_file(path)


def history_path() -> Path:
    """Where the lines that were typed are kept, for this user."""
    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return Path(state) / "redun" / "repl_history"
