"""One invocation of the program: parse, run, and turn whatever is raised into an exit code."""

from __future__ import annotations

import os
import signal
import sys
from typing import IO, Any

import click

from redun.bootstrap.errors import RedunClientError, UsageError
from redun.cli.app import redun
from redun.cli.context import AppContext
from redun.cli.errors import (
    EXIT_DONE,
    EXIT_FAILED,
    EXIT_USAGE,
    Report,
    explain,
    explain_workflow,
    version_error,
)
from redun.cli.ui import OutputClosed, Ui, abandon_stdout
from redun.engine.collector import patient_collector


class Invocation:
    """A command line on its way to a result.

    Parameters
    ----------
    argv
        The words, the program first.
    stdout, stderr
        Streams to print to; by default the process's own.
    """

    def __init__(
        self, argv: list[str], stdout: IO[str] | None = None, stderr: IO[str] | None = None
    ):
        self.app = AppContext(ui=Ui(stdout, stderr), argv=argv)

    def execute(self) -> Any:
        """Run the command and return its result; see `RedunClient.execute` for what it raises."""
        try:
            result = self._invoke()
            self.app.ui.flush()
            return result
        except OutputClosed:
            abandon_stdout()
            return None
        except (click.UsageError, UsageError) as error:
            self._refuse(error)
        except click.ClickException as error:
            raise RedunClientError(error.format_message()) from error
        except Exception as error:
            if _is_version_error(error):
                raise version_error(error) from error  # type: ignore[arg-type]
            raise

    def _invoke(self) -> Any:
        try:
            context = redun.make_context("redun", self.app.argv[1:], obj=self.app)
            with patient_collector(), context:
                return redun.invoke(context)
        except click.exceptions.Exit as end:
            if end.exit_code:
                raise SystemExit(end.exit_code) from None
            self.app.ui.flush()
            return None

    def _refuse(self, error: click.UsageError | UsageError) -> None:
        if isinstance(error, UsageError):
            message, hints = str(error), list(error.hints)
        else:
            message, hints = error.format_message(), []
            message = message[:1].lower() + message[1:].removesuffix(".")
            if error.ctx is not None:
                self.app.ui.note(error.ctx.get_usage())
                hints = [f"`{error.ctx.command_path} --help` shows the options"]
        self.app.ui.error(message, hints)
        raise SystemExit(EXIT_USAGE)

    def run(self) -> int:
        """Run the command, report what goes wrong, and return the exit code of the process."""
        try:
            self.execute()
            return EXIT_DONE
        except SystemExit as end:
            return self._exit_code(end)
        except KeyboardInterrupt:
            _die_of_interrupt()
            raise
        except Exception as error:
            report = self._explain(error)
            if report.traceback:
                self.app.ui.note(report.traceback)
            self.app.ui.error(report.message, report.hints)
            return report.exit_code

    def _exit_code(self, end: SystemExit) -> int:
        if end.code is None:
            return EXIT_DONE
        if isinstance(end.code, int):
            return end.code
        self.app.ui.note(str(end.code))
        return EXIT_FAILED

    def _explain(self, error: Exception) -> Report:
        failure = self.app.workflow_failure
        if failure is not None and failure.error is error:
            return explain_workflow(failure)
        return explain(error)


def _is_version_error(error: Exception) -> bool:
    # Only a loaded backend can raise it; loading one to ask would cost every command.
    errors = sys.modules.get("redun.backends.db.errors")
    return errors is not None and isinstance(error, errors.RedunVersionError)


def _die_of_interrupt() -> None:
    """End the way the shell expects after Ctrl-C, so that it stops a script around us, too."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGINT)
