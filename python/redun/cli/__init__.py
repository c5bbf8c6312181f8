"""The command line: `main`, the `RedunClient` that runs one command, and functions wrappers use.

Everything else is imported when it is first asked for, so that naming this package costs nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import IO, Any

_OWNERS = {
    "DEFAULT_DB_URI": "redun.scheduler_config",
    "DEFAULT_REPO_NAME": "redun.scheduler_config",
    "REDUN_CONFIG_DIR": "redun.scheduler_config",
    "REDUN_CONFIG_ENV": "redun.scheduler_config",
    "REDUN_INI_FILE": "redun.scheduler_config",
    "REDUN_USER_ENV": "redun.scheduler_config",
    "RedunClientError": "redun.bootstrap.errors",
    "arg_name2cli_name": "redun.bootstrap.arguments",
    "check_version": "redun.cli.versions",
    "find_config_dir": "redun.bootstrap.config",
    "format_timedelta": "redun.utils.clock",
    "format_timestamp": "redun.utils.clock",
    "format_setup_help": "redun.bootstrap.setup_args",
    "get_config_dir": "redun.bootstrap.config",
    "get_config_path": "redun.bootstrap.config",
    "get_default_execution_tags": "redun.cli.execution_tags",
    "get_setup_parser": "redun.bootstrap.setup_args",
    "get_task_arg_parser": "redun.cli.taskargs",
    "get_username": "redun.cli.execution_tags",
    "import_script": "redun.bootstrap.scripts",
    "is_config_local_db": "redun.bootstrap.config",
    "parse_func_path": "redun.bootstrap.scripts",
    "setup_backend_db": "redun.bootstrap.scheduler",
    "setup_config": "redun.bootstrap.config",
    "setup_scheduler": "redun.bootstrap.scheduler",
}

__all__ = ["RedunClient", "format_tags", "main", *_OWNERS]


def __getattr__(name: str) -> Any:
    owner = _OWNERS.get(name)
    if owner is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(owner), name)


def format_tags(tags: Iterable[Any], max_length: int = 50) -> str:
    """`(k=v, k2=v2)` for tag rows, sorted as text; empty for no tags.

    Parameters
    ----------
    tags
        Rows with the attributes `key` and `value`.
    max_length
        Keys and values are cut to this number of characters.
    """
    from redun.cli.render.parts import format_tags as format_pairs

    return format_pairs(((tag.key, tag.value) for tag in tags), max_length)


class RedunClient:
    """Runs one command.

    Parameters
    ----------
    stdout, stderr
        Streams to print to; by default the process's own.
    """

    def __init__(self, stdout: IO[str] | None = None, stderr: IO[str] | None = None):
        self.stdout = stdout
        self.stderr = stderr

    def execute(self, argv: Sequence[str] | None = None) -> Any:
        """Run the command that `argv` spells.

        Parameters
        ----------
        argv
            Words of the command line; the first, the program, is recorded but not parsed.

        Returns
        -------
        Any
            The command's result; for `run`, that of the task.

        Raises
        ------
        RedunClientError
            If something the user gave cannot be used.
        SystemExit
            With code 2, after a message, if the words are no valid command.
        Exception
            Whatever a failed workflow raised.
        """
        from redun.cli.client import Invocation

        return Invocation(list(argv or sys.argv), self.stdout, self.stderr).execute()


def main() -> None:
    """Entry point of the `redun` program; ends the process if the command fails."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        # Scripts ask this often, so it does not wait for the machinery of commands.
        from redun.cli.ui import Ui
        from redun.version import version

        Ui().line(version)
        return

    from redun.cli.client import Invocation

    exit_code = Invocation(sys.argv).run()
    if exit_code:
        sys.exit(exit_code)
