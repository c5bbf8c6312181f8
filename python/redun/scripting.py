"""Shell scripts as tasks: `script()` and the commands behind `@task(script=True)`.

A script runs on the executor of its task. Its command is one text: files are copied to where the script
wants them, the command itself runs, and what it wrote is copied back.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from textwrap import dedent
from typing import Any

from redun.errors import RedunError
from redun.expression import Expression
from redun.file import Dir, File, FileSet, Staging
from redun.task import Task, task
from redun.utils import (
    NULL,
    iter_nested_value,
    iter_nested_value_children,
    map_nested_value,
)

__all__ = [
    "DEFAULT_SHELL",
    "ScriptError",
    "exec_script",
    "get_command_eof",
    "get_task_command",
    "get_wrapped_command",
    "postprocess_script",
    "prepare_command",
    "script",
    "script_task",
]

redun_namespace = "redun"

# What a command without its own `#!` line is run by: fails at the first failing command.
DEFAULT_SHELL = "#!/usr/bin/env bash\nset -exo pipefail"

STDOUT = "-"
ENCODING = {"encoding": "utf-8", "errors": "surrogateescape"}

# The text is an argument of `redun.script` and so part of cache keys.
WRAPPER = """\
(
# Save command to temp file.
COMMAND_FILE="$(mktemp)"
cat > "$COMMAND_FILE" <<"{eof}"
{command}
{eof}

# Execute temp file.
chmod +x "$COMMAND_FILE"
"$COMMAND_FILE"
RETCODE=$?

# Remove temp file.
rm "$COMMAND_FILE"

exit $RETCODE
)
"""


class ScriptError(RedunError):
    """A script ended with an exit code other than 0.

    Parameters
    ----------
    stderr : what the script wrote to standard error.
    returncode : its exit code; less than 0 for the signal that ended it, None if that is not known.

    `message` is the text of `stderr`, or the bytes if they are no UTF-8.
    """

    # Errors in repos that the original wrote have none.
    returncode: int | None = None

    def __init__(self, stderr: bytes, returncode: int | None = None) -> None:
        super().__init__(stderr)
        self.message: str | bytes
        try:
            self.message = stderr.decode("utf-8")
        except UnicodeDecodeError:
            self.message = stderr
        if returncode is not None:
            self.returncode = returncode

    def reason(self) -> str:
        """How the script ended: `exit code 3`, `signal 9 (SIGKILL)`."""
        code = self.returncode
        if code is None:
            return "an unknown exit code"
        if code >= 0:
            return f"exit code {code}"
        import signal

        try:
            return f"signal {-code} ({signal.Signals(-code).name})"
        except ValueError:
            return f"signal {-code}"

    def stderr_lines(self, most: int) -> list[str]:
        """The last lines that the script wrote to standard error, at most so many."""
        text = self.message
        if isinstance(text, bytes):
            text = text.decode("utf-8", "replace")
        lines = text.rstrip().split("\n") if text.strip() else []
        if len(lines) > most:
            return [f"... {len(lines) - most} lines before", *lines[-most:]]
        return lines

    def __str__(self) -> str:
        if isinstance(self.message, bytes):
            return ""
        return f"Last line: {self.message.strip().split(chr(10))[-1]}"

    def __repr__(self) -> str:
        return f"ScriptError({str(self)!r})"


# -- commands ------------------------------------------------------------------------------------


def prepare_command(command: str, default_shell: str = DEFAULT_SHELL) -> str:
    """Return a command as a script: without common indentation, with a `#!` line.

    Parameters
    ----------
    command : the text of the command.
    default_shell : lines to put before a command that does not begin with `#!`.
    """
    command = dedent(command).strip()
    return command if command.startswith("#!") else f"{default_shell}\n{command}"


def get_task_command(task: Task[..., Any], args: Any, kwargs: dict[str, Any]) -> str:
    """Return the script of a call of a task with `script=True`.

    Raises `TypeError` if the function of the task returns anything but text.
    """
    command = task.func(*args, **kwargs)
    if not isinstance(command, str):
        raise TypeError(
            f"Script task {task.fullname}() must return the command as a string, "
            f"not {type(command).__name__}."
        )
    return prepare_command(command)


def get_command_eof(command: str, eof_prefix: str = "EOF") -> str:
    """Return a marker that can end a here-document: no line of the command equals it."""
    lines = set(command.split("\n"))
    eof, number = eof_prefix, 0
    while eof in lines:
        number += 1
        eof = f"{eof_prefix}{number}"
    return eof


def get_wrapped_command(command: str, eof_prefix: str = "EOF") -> str:
    """Return shell text that runs a script in a subshell and passes its exit code on."""
    return WRAPPER.format(command=command, eof=get_command_eof(command, eof_prefix))


def exec_script(command: str) -> bytes:
    """Run a script in the current directory; returns what it wrote to standard output.

    Raises `ScriptError` if it fails or can't be started.
    """
    import subprocess
    import tempfile

    handle, path = tempfile.mkstemp(prefix="redun-script-")
    try:
        with os.fdopen(handle, "w", newline="", **ENCODING) as stream:  # type: ignore[call-overload]
            stream.write(command)
        os.chmod(path, 0o700)
        done = subprocess.run(
            [*_interpreter(command), path],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except FileNotFoundError as error:
        reason = f"The script can't be started: no such program: {error.filename}"
        raise ScriptError(reason.encode("utf-8", "replace")) from error
    finally:
        os.remove(path)
    if done.returncode != 0:
        raise ScriptError(done.stderr, done.returncode)
    return done.stdout


def _interpreter(command: str) -> list[str]:
    """Return the program, and its one argument if any, that the `#!` line of a script names.

    To execute the file itself could fail: while another thread is starting a process, that process
    holds the file open for writing, and the system refuses to execute such a file.
    """
    first = command.split("\n", 1)[0]
    words = first[2:].strip().split(None, 1) if first.startswith("#!") else []
    return words or ["/bin/sh"]


# -- tasks ---------------------------------------------------------------------------------------


# Only `redun.script` is reused in later executions, because only it knows whether the files still stand.
@task(version="1", script=True, cache=False)
def script_task(command: str) -> str:
    """Run a command as a script; gives what it writes to standard output."""
    return command


@task(name="script", version="1", check_valid="shallow")
def _script(
    command: str,
    inputs: Any,
    outputs: Any,
    task_options: dict[str, Any] = {},
    temp_path: str | None = None,
) -> Any:
    """Run a complete command and give what it is to give.

    Parameters
    ----------
    command : the text, with the copying of files.
    inputs : the files that are copied from, so that a change of them is noticed.
    outputs : as for `script`, with staged files.
    task_options : options of the task that runs the command.
    temp_path : a directory to remove afterwards.
    """
    stdout = script_task.options(**task_options)(command)
    return postprocess_script(stdout, outputs, temp_path=temp_path)


@task(version="1")
def postprocess_script(result: Any, outputs: Any, temp_path: str | None = None) -> Any:
    """Return the outputs of a script that has run.

    Parameters
    ----------
    result : what it wrote to standard output.
    outputs : as for `script`, with staged files.
    temp_path : a directory to remove.

    Raises `FileNotFoundError`, which names the path, for an output that the script did not write.
    """

    def get_output(value: Any) -> Any:
        if isinstance(value, File) and value.path == STDOUT:
            return result
        if isinstance(value, Staging):
            value = value.remote
        if isinstance(value, (File, Dir)):
            return _existing(type(value)(value.path), temp_path)
        if isinstance(value, FileSet):
            return type(value)(value.pattern)
        return value

    try:
        return map_nested_value(get_output, outputs)
    finally:
        if temp_path:
            import shutil

            shutil.rmtree(temp_path, ignore_errors=True)


def _existing(output: Any, temp_path: str | None) -> Any:
    if output.exists():
        return output
    reason = "The script ended well but did not write its output"
    if temp_path and not os.path.isabs(output.path):
        reason += " (a relative path is lost with tempdir=True, use an absolute one)"
    raise FileNotFoundError(errno.ENOENT, reason, output.path)


# -- script() ------------------------------------------------------------------------------------


def script(
    command: str | list[str],
    inputs: Any = [],
    outputs: Any = NULL,
    tempdir: bool = False,
    as_mount: bool = False,
    **task_options: Any,
) -> Any:
    """Run a shell script as a task, with files copied in and out.

    Parameters
    ----------
    command : text, or a list of words. A text may begin with `#!`; else bash runs it and stops at the
        first failing command.
    inputs : nested value of staged files (`File(...).stage()`), copied before the script.
    outputs : nested value that tells the result: `File("-")` stands for standard output (bytes),
        staged files are copied after the script and give their remote side, files give themselves.
        By default standard output alone. An output that does not exist afterwards is an error.
    tempdir : run in a fresh directory, which is removed afterwards. Its name is part of the command, so
        the result is not reused.
    as_mount : copy from and to mounted buckets where the file system knows how to.
    **task_options : options of the task that runs the script, such as `executor` or `memory`.

    Raises `TypeError` if the command or a file is an expression: call `script()` in a task that takes
    it as an argument. Raises `AttributeError` for an input that is not staged.
    """
    import shlex

    _check_known("The command", command)
    if isinstance(command, list):
        command = shlex.join(command)
    if outputs is NULL:
        outputs = File(STDOUT)
    # Containers that contain themselves are refused here.
    remote_inputs = map_nested_value(_remote, inputs)
    parts: list[str] = []
    temp_path = None
    if tempdir:
        import tempfile

        temp_path = tempfile.mkdtemp(suffix=".tempdir")
        parts.append(f"cd {shlex.quote(temp_path)}")
    parts.extend(_stage_commands(inputs, as_mount))
    parts.append(get_wrapped_command(prepare_command(command)))
    outputs = map_nested_value(_self_staged, outputs)
    parts.extend(
        leaf.render_unstage(as_mount=as_mount)
        for leaf in iter_nested_value(outputs)
        if isinstance(leaf, Staging)
    )
    return _script(
        "\n".join(parts),
        remote_inputs,
        outputs,
        task_options=task_options,
        temp_path=temp_path,
    )


def _check_known(what: str, value: Any) -> None:
    if isinstance(value, Expression):
        raise TypeError(
            f"{what} of script() can't be an expression: {value!r}. "
            "Call script() in a task that takes the value as an argument."
        )


def _stage_commands(inputs: Any, as_mount: bool) -> Iterator[str]:
    # The order, last input first, is part of cache keys.
    waiting = [inputs]
    while waiting:
        value = waiting.pop()
        if type(value) is dict:
            waiting.extend(value.values())  # its keys only name them
            continue
        for is_leaf, child in iter_nested_value_children(value):
            if is_leaf:
                yield _stage_command(child, as_mount)
            else:
                waiting.append(child)


def _stage_command(leaf: Any, as_mount: bool) -> str:
    _check_known("An input", leaf)
    if not hasattr(leaf, "render_stage"):
        raise AttributeError(
            f"An input of script() must be staged, such as File(...).stage(), not {leaf!r}."
        )
    return str(leaf.render_stage(as_mount=as_mount))


def _self_staged(output: Any) -> Any:
    _check_known("An output", output)
    if isinstance(output, File) and output.path != STDOUT:
        return output.classes.StagingFile(output.path, output.path)
    return output


def _remote(leaf: Any) -> Any:
    return type(leaf.remote)(leaf.remote.path) if isinstance(leaf, Staging) else leaf
