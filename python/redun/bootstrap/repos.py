"""The repos that a configuration names in its sections `[repos.NAME]`: list, add, remove.

A repo is a name for the configuration directory of a database. Sections are added as text at the end of
`redun.ini`, so that comments and layout stay; taking one away is left to the user's editor.
"""

from __future__ import annotations

import os
import re
from typing import Any

from redun.bootstrap.config import get_config_dir, is_url, path_exists
from redun.bootstrap.errors import RedunClientError
from redun.config import Config
from redun.scheduler_config import DEFAULT_REPO_NAME, REDUN_INI_FILE, get_abs_config_dir

# Dots nest sections, brackets end them, and a slash is what tells a path from a name.
_NAME = re.compile(r"[^\s.\[\]/\x00-\x1f-][^\s.\[\]/\x00-\x1f]*")


def list_repos(config: Config) -> list[tuple[str, str]]:
    """Name and configuration directory of each repo, by name; `default` is the current one.

    Raises
    ------
    RedunClientError
        If a section names no directory.
    """
    repos = _sections(config)
    return [(name, _config_dir(name, repos[name])) for name in sorted(repos)]


def add_repo(config: Config, name: str, repo_dir: str) -> list[str]:
    """Name the repo of another configuration directory.

    Parameters
    ----------
    config
        The configuration to whose file the section is added.
    name
        The name to give it.
    repo_dir
        Directory of its `redun.ini`: a path, relative to the working directory, or a URL.

    Returns
    -------
    list[str]
        Names under which the directory is known already.

    Raises
    ------
    RedunClientError
        If the name is taken or none, or if there is no configuration.
    """
    if name == DEFAULT_REPO_NAME:
        raise RedunClientError(
            f"Repositories may not be named '{DEFAULT_REPO_NAME}'",
            hints=["that is the name of the current repo; choose another"],
        )
    if not _NAME.fullmatch(name):
        raise RedunClientError(
            f"Repositories may not be named {name!r}",
            hints=["a name has no blanks, dots, slashes or brackets, and no dash in front"],
        )
    if not repo_dir or "\n" in repo_dir:
        raise RedunClientError(f"Repository '{name}' cannot be in the directory {repo_dir!r}")
    repos = _sections(config)
    if name in repos:
        raise RedunClientError(
            f"Repository '{name}' already configured",
            hints=["`redun repo list` shows the directory of each repo"],
        )
    abs_dir = get_abs_config_dir(repo_dir)
    repo_path = os.path.join(abs_dir, REDUN_INI_FILE)
    if not path_exists(repo_path):
        raise RedunClientError(
            f"Config file {repo_path} not found",
            hints=[f"`redun --config {repo_dir} init` creates a repo there"],
        )
    # A dollar sign would start a reference to another option.
    escaped = abs_dir.replace("$", "$$")
    _append(_ini_path(config), f"\n[repos.{name}]\nconfig_dir = {escaped}\n")
    return [other for other, directory in _directories(repos) if directory == abs_dir]


def removal_advice(config: Config, name: str) -> RedunClientError:
    """The error that says how a repo is taken out of the configuration, or that it isn't in it."""
    if name not in _sections(config):
        return RedunClientError(
            f"Repository '{name}' is not in the config",
            hints=["`redun repo list` shows the repos that are"],
        )
    if name == DEFAULT_REPO_NAME:
        return RedunClientError(
            f"Repository '{DEFAULT_REPO_NAME}' cannot be removed: it is the current repo"
        )
    return RedunClientError(
        f"Please manually edit your config file '{_ini_path(config)}' to remove the section "
        f"titled [repos.{name}]"
    )


def _sections(config: Config) -> dict[str, Any]:
    sections: dict[str, Any] = config.get("repos") or {}
    return sections


def _config_dir(name: str, section: Any) -> str:
    config_dir: str | None = section.get("config_dir")
    if not config_dir:
        raise RedunClientError(
            f"Malformed config: config_dir not specified for repository {name}",
            hints=[f"add `config_dir = DIR` to the section [repos.{name}]"],
        )
    return config_dir


def _directories(repos: dict[str, Any]) -> list[tuple[str, str]]:
    """The repos that do have a directory, in absolute terms."""
    found = ((name, section.get("config_dir")) for name, section in sorted(repos.items()))
    return [(name, get_abs_config_dir(directory)) for name, directory in found if directory]


def _ini_path(config: Config) -> str:
    config_dir = config["backend"].get("config_dir") or get_config_dir()
    return os.path.join(get_abs_config_dir(config_dir), REDUN_INI_FILE)


def _append(path: str, text: str) -> None:
    if is_url(path):
        # An object can't be appended to.
        from redun.file import File

        file = File(path)
        file.write(str(file.read()) + text)
        return
    with open(path, "a", encoding="utf-8") as stream:
        stream.write(text)
