"""From any exception to what the user reads and what the process returns.

Exit codes: 0 done, 1 the user's workflow or input failed, 2 wrong usage or our own fault.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field

from redun.bootstrap.errors import RedunClientError
from redun.cli.context import WorkflowFailure
from redun.errors import RedunError, error_hints
from redun.utils import trim_string

MAX_MESSAGE = 1000
MAX_STDERR_LINES = 40
EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_USAGE = 2

_PACKAGE_DIR = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
# What lies between Python's start and the user's code: import machinery, thread pools, launchers.
_PLUMBING = ("<frozen importlib", "<frozen runpy", f"concurrent{os.sep}futures{os.sep}")
# Below this file everything is the user's, even if it is an installed package.
_IMPORTER = os.path.join(_PACKAGE_DIR, "bootstrap", "scripts.py")
_PLUMBING_FILES = ("importlib/__init__.py", "threading.py", "runpy.py")


@dataclass(frozen=True)
class Report:
    """What to tell about an exception.

    Parameters
    ----------
    message
        Text of the `error:` line.
    hints
        Texts of the `hint:` lines.
    exit_code
        What the process returns.
    traceback
        Text to show before the message, or empty.
    """

    message: str
    hints: tuple[str, ...] = ()
    exit_code: int = EXIT_FAILED
    traceback: str = field(default="", repr=False)


def explain(error: BaseException) -> Report:
    """The report about an exception that ended a command."""
    if isinstance(error, RedunError):
        exit_code = getattr(error, "exit_code", EXIT_FAILED)
        return Report(_one_line(error), error_hints(error), exit_code)
    if (report := _explain_config(error)) is not None:
        return report
    frames = user_traceback(error)
    if frames or is_pickle_error(error):
        return Report(describe(error), _hints_for_code(error), EXIT_FAILED, frames)
    known = _explain_database(error) or _explain_os(error) or _explain_missing_module(error)
    if known:
        return known
    text = "".join(traceback.format_exception(error))
    hints = ("this is a fault of redun itself: please report it with the lines above",)
    return Report(describe(error), hints, EXIT_USAGE, text)


def explain_workflow(failure: WorkflowFailure) -> Report:
    """The report about a workflow that failed."""
    error = failure.error
    hints = ["`redun log -` shows what this execution did", *_hints_for_code(error)]
    if isinstance(error, TypeError) and "required" in str(error) and "argument" in str(error):
        hints.insert(0, f"`redun run SCRIPT {failure.task} help` lists the options of the task")
    message, shown = f"task `{failure.task}` failed: {describe(error)}", failure.traceback
    # A workflow whose script failed has loaded them; loading them to ask would cost every command.
    scripting = sys.modules.get("redun.scripting")
    if scripting is not None and isinstance(error, scripting.ScriptError):
        message = f"task `{failure.task}` failed: a script ended with {error.reason()}"
        if lines := error.stderr_lines(MAX_STDERR_LINES):
            shown += "\n".join(["The script wrote to standard error:", *lines]) + "\n"
    return Report(message, (*hints, *error_hints(error)), EXIT_FAILED, shown)


def describe(error: BaseException) -> str:
    """`Type: message` as Python prints it, on one line; only the message of our own errors."""
    if isinstance(error, RedunError):
        return " ".join(_one_line(error).split())
    lines = traceback.format_exception_only(type(error), error)
    # The lines before the last show where a syntax error is; lines after the first are notes.
    text = lines[-1] if isinstance(error, SyntaxError) else lines[0]
    return trim_string(" ".join(text.split()), MAX_MESSAGE)


def _one_line(error: BaseException) -> str:
    return str(error).strip() or type(error).__name__


def user_traceback(error: BaseException) -> str:
    """The traceback of an exception without our own frames, or empty if no frame is the user's."""
    found = traceback.TracebackException.from_exception(error)
    syntax_error = isinstance(error, SyntaxError) and error.filename is not None
    has_user_frames = False
    for part in _chain(found):
        start = _first_user_frame(part.stack)
        has_user_frames |= start is not None
        kept = [frame for frame in part.stack[start or 0 :] if not _is_plumbing(frame.filename)]
        part.stack = traceback.StackSummary.from_list(kept)
    if not has_user_frames and not syntax_error:
        return ""
    return "".join(found.format())


def _chain(found: traceback.TracebackException) -> Iterator[traceback.TracebackException]:
    waiting = [found]
    while waiting:
        part = waiting.pop()
        yield part
        waiting += [linked for linked in (part.__cause__, part.__context__) if linked is not None]


def _first_user_frame(stack: traceback.StackSummary) -> int | None:
    """The index from which on frames are the user's; before it lie those that led there."""
    for index, frame in enumerate(stack):
        if _is_user_file(frame.filename) and not _is_plumbing(frame.filename):
            return index
    importers = [index for index, frame in enumerate(stack) if frame.filename == _IMPORTER]
    return importers[-1] + 1 if importers else None


def _is_plumbing(filename: str) -> bool:
    if filename.startswith(_PACKAGE_DIR) or filename == os.path.abspath(sys.argv[0]):
        return True
    if any(part in filename for part in _PLUMBING):
        return True
    return filename.replace(os.sep, "/").endswith(_PLUMBING_FILES)


def _is_user_file(filename: str) -> bool:
    """Whether a frame is the user's: neither a library nor Python itself."""
    if filename.startswith("<"):
        return False
    libraries = (os.path.dirname(os.__file__) + os.sep, f"{os.sep}site-packages{os.sep}")
    return not (filename.startswith(libraries[0]) or libraries[1] in filename)


def _hints_for_code(error: BaseException) -> tuple[str, ...]:
    """Advice about errors that Python itself raises in the user's code."""
    if isinstance(error, ModuleNotFoundError):
        return (f"is `{error.name}` installed for {sys.executable}?",)
    if is_pickle_error(error):
        return (
            "arguments and results of tasks are stored, so they must be picklable: "
            "pass plain data, files, or objects of classes defined at module level",
        )
    return ()


def is_pickle_error(error: BaseException) -> bool:
    """Whether an exception says that a value cannot be pickled."""
    import pickle

    if isinstance(error, pickle.PickleError):
        return True
    return isinstance(error, TypeError | AttributeError) and "pickle" in str(error)


def _explain_config(error: BaseException) -> Report | None:
    import configparser

    if not isinstance(error, configparser.Error):
        return None
    from redun.bootstrap.config import explain_config_error, get_config_path

    message, hints = explain_config_error(error, get_config_path())
    return Report(message, tuple(hints))


def _explain_database(error: BaseException) -> Report | None:
    """Errors of the database driver, if a driver has been loaded at all."""
    sqlalchemy_errors = sys.modules.get("sqlalchemy.exc")
    if sqlalchemy_errors is None or not isinstance(error, sqlalchemy_errors.SQLAlchemyError):
        return None
    original = getattr(error, "orig", None)
    reason = " ".join(str(original or error).split())
    hints = {
        "not a database": "`db_uri` in redun.ini names a file that is not an SQLite database",
        "unable to open": "check that the directory in `db_uri` exists and is writable",
        "readonly": "the database file and its directory must be writable",
        "locked": "another program holds the database; try again when it has finished",
        "disk is full": "make room on the disk, then try again: what is recorded so far is kept",
        "disk I/O error": "is there room on the disk, and may files grow? what is recorded so far is kept",
        "malformed": "the database file is damaged; restore it from a copy",
        "connection to server": "check that the PostgreSQL server of `db_uri` runs and can be reached",
        "authentication failed": "the environment variables REDUN_DB_USERNAME and REDUN_DB_PASSWORD "
        "say who you are",
        "no password supplied": "the environment variable REDUN_DB_PASSWORD holds the password",
        "permission denied": "the user needs the right to read and write the tables of the repo",
        "UNIQUE constraint failed: execution.id": "an execution id can be used only once",
    }
    advice = tuple(hint for text, hint in hints.items() if text in reason)
    advice = advice or ("check `db_uri` in the section [backend] of redun.ini",)
    return Report(f"the redun database cannot be used: {reason}", advice)


def _explain_missing_module(error: BaseException) -> Report | None:
    """A library that only some configurations need."""
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return None
    package = error.name.partition(".")[0]
    if package == "redun":
        return None
    hint = f"what you ask for needs the package `{package}`: install it for {sys.executable}"
    return Report(str(error), (hint,))


def _explain_os(error: BaseException) -> Report | None:
    if not isinstance(error, OSError):
        return None
    if error.filename is None:
        return Report(describe(error))
    what = error.strerror or type(error).__name__
    hints: tuple[str, ...] = ()
    if isinstance(error, PermissionError) or "Read-only" in what:
        hints = ("redun needs a directory it can write to; see `--config` and `db_uri`",)
    return Report(f"cannot use `{error.filename}`: {what}", hints)


def version_error(error: RedunError) -> RedunClientError:
    """The client error for a database of another version."""
    text = str(error)
    if "too new" in text:
        hints = ["update redun, or use another repo with `--config` or `--repo`"]
    elif "-1.0" in text:
        hints = ["`redun init` creates the database; so does the first `redun run`"]
    elif "incompatible" in text:
        hints = ["`redun db upgrade` brings the database to the current version"]
    else:
        hints = ["`redun db versions` lists the known versions"]
    return RedunClientError(text, hints=hints)
