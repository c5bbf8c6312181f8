"""The error of a user's input to the command line or to the configuration."""

from __future__ import annotations

from redun.errors import RedunError


class RedunClientError(RedunError):
    """Something the user gave (a file, a name, a configuration, a repo) cannot be used.

    The message is one sentence without a full stop; the keyword `hints` says what to do about it.
    """

    __module__ = "redun.cli"

    exit_code = 1


class UsageError(RedunClientError):
    """The words of the command line do not fit the command, task or function they are for."""

    __module__ = "redun.cli"

    exit_code = 2
