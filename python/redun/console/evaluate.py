"""Running what the user types in the REPL."""

from __future__ import annotations

import contextlib
import io
import pprint
import rlcompleter
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from redun.backends.db import RedunBackendDb

MODELS = ("Argument", "CallNode", "Execution", "Job", "Subvalue", "Tag", "Task", "Value")


def make_names(backend: RedunBackendDb, console: Callable[[Any], None]) -> dict[str, Any]:
    """
    The variables that every REPL begins with.

    Parameters
    ----------
    backend : the backend whose session evaluates.
    console : goes to a record or id.
    """
    import sqlalchemy as sa

    import redun.file
    from redun.backends.db import orm
    from redun.backends.db.query import infer_id

    session = backend.session

    def query(what: Any, *others: Any) -> Any:
        """A record by an id, prefix, `-`, `~N`, name or path; a query over a model otherwise."""
        return infer_id(session, what) if isinstance(what, str) else session.query(what, *others)

    return {
        **{name: getattr(orm, name) for name in MODELS},
        "DbFile": orm.File,
        "File": redun.file.File,
        "sa": sa,
        "session": session,
        "query": query,
        "console": console,
    }


def evaluate(text: str, names: dict[str, Any]) -> str:
    """
    What evaluating a text prints, its value included. Errors are printed, not raised.

    Parameters
    ----------
    names : the variables; statements may change them.
    """
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        try:
            _run(text, names, output)
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            # Our own frames say nothing about what was typed.
            frames = error.__traceback__
            while frames is not None and frames.tb_frame.f_code.co_filename != "<console>":
                frames = frames.tb_next
            output.writelines(traceback.format_exception(type(error), error, frames))
    return output.getvalue()


def _run(text: str, names: dict[str, Any], output: io.StringIO) -> None:
    try:
        code = compile(text, "<console>", "eval")
    except SyntaxError:
        exec(compile(text, "<console>", "exec"), names)
        return
    value = eval(code, names)
    if value is not None:
        names["_"] = value
        output.write(pprint.pformat(value, width=100) + "\n")


def completions(text: str, names: dict[str, Any]) -> tuple[str, list[str]]:
    """
    The line as far as it can be completed, and the choices if there are several.

    Parameters
    ----------
    text : what has been typed.
    names : the variables.
    """
    start = len(text)
    while start and (text[start - 1].isalnum() or text[start - 1] in "._"):
        start -= 1
    head, word = text[:start], text[start:]
    if not word:
        return text, []
    completer = rlcompleter.Completer(names)
    found: list[str] = []
    while (match := completer.complete(word, len(found))) is not None:
        found.append(match)
    found = sorted(set(found))
    if not found:
        return text, []
    low, high = min(found), max(found)
    same = next(
        (i for i, pair in enumerate(zip(low, high, strict=False)) if pair[0] != pair[1]), len(low)
    )
    return head + low[:same], found if len(found) > 1 else []
