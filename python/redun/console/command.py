"""`redun console`: looking at what ran, in a terminal."""

from __future__ import annotations

import sys

import click

from redun.bootstrap.errors import RedunClientError
from redun.cli.app import RedunCommand
from redun.cli.context import AppContext, open_backend, pass_app


class ConsoleCommand(RedunCommand):
    """The command; the options that follow are those of the screen."""

    allow_abbreviations = False


@click.command(
    "console",
    cls=ConsoleCommand,
    context_settings={"ignore_unknown_options": True},
)
@click.argument("words", nargs=-1, metavar="[PATH [FILTER]...]", type=click.UNPROCESSED)
@pass_app
def command(app: AppContext, words: tuple[str, ...]) -> None:
    """Look at executions, jobs, tasks, values and files, in the terminal.

    PATH is an id, `-` for the latest execution, the path of a file, or a place: `executions`,
    `executions/namespace`, `tasks`, `files`, `search` or `repl`. `/` shows the filters of a screen.
    """
    from redun.console.app import RedunConsole
    from redun.console.routes import make_screen

    if words:
        # What is wrong with the options is told before the screen is taken.
        make_screen(words)
    if not _has_terminal():
        raise RedunClientError(
            "The console needs a terminal", hints=["`redun log` prints the same records"]
        )
    console = RedunConsole(open_backend(app), words)
    console.run()
    if console.return_code:
        raise RedunClientError("The console ended because of an error", hints=["it is shown above"])


def _has_terminal() -> bool:
    return sys.stdin.isatty() and sys.__stderr__ is not None and sys.__stderr__.isatty()
