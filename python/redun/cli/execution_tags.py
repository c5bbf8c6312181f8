"""Tags that `redun run` puts on every execution: program, code version, user, project."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator
from typing import Any

from redun.scheduler_config import REDUN_USER_ENV
from redun.tags import DOC_KEY, PROJECT_KEY, USER_KEY, VERSION_KEY
from redun.version import version

_GIT_TAGS = [
    ("git_commit", "REDUN_GIT_COMMIT", ("rev-parse", "--verify", "HEAD")),
    ("git_origin_url", "REDUN_GIT_ORIGIN_URL", ("remote", "get-url", "origin")),
]


def get_username() -> str:
    """Name of the user: `$REDUN_USER`, else the login name, else the numeric id."""
    name = os.environ.get(REDUN_USER_ENV)
    if name:
        return name
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return str(os.getuid()) if hasattr(os, "getuid") else "unknown"


def get_default_execution_tags(
    user: str | None = None,
    project: str | None = None,
    doc: str | None = None,
    exclude_users: Iterable[str] = (),
) -> list[tuple[str, Any]]:
    """Tags for an execution.

    Parameters
    ----------
    user
        Instead of the name of the login user.
    project, doc
        Left out when empty.
    exclude_users
        Kinds of cloud user (`aws`, `gcp`) not to look up.

    Returns
    -------
    list of (key, value)
    """
    tags: list[tuple[str, Any]] = [(VERSION_KEY, version), *_git_tags()]
    tags.append((USER_KEY, user or get_username()))
    tags += _cloud_tags(set(exclude_users))
    tags += [(PROJECT_KEY, project)] if project else []
    tags += [(DOC_KEY, doc)] if doc else []
    return tags


def _cloud_tags(exclude: set[str]) -> Iterator[tuple[str, str]]:
    """Who the user is to the clouds that know him from here."""
    if "aws" not in exclude:
        from redun.clients.aws import find_caller

        arn = find_caller()
        if arn:
            yield "user_aws_arn", arn
            yield "user_aws", arn.rpartition("/")[2]
    if "gcp" not in exclude:
        from redun.clients.gcloud import find_account

        account = find_account()
        if account:
            yield "user_gcp", account


def _git_tags() -> Iterator[tuple[str, str]]:
    for key, variable, words in _GIT_TAGS:
        value = os.environ.get(variable) or _git(words)
        if value:
            yield key, value


def _git(words: tuple[str, ...]) -> str:
    """What a git command prints; empty if there is no git, no repository or no answer."""
    try:
        done = subprocess.run(
            ["git", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=False,
        )
    except OSError:
        return ""
    return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else ""
