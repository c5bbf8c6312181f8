"""Who the user is to Google Cloud, as its command line program `gcloud` keeps it."""

from __future__ import annotations

import configparser
import os


def find_account() -> str | None:
    """
    The account that `gcloud` acts for; None without one.

    Read from its configuration, since starting the program takes a second. See `gcloud topic
    configurations` for the files and variables.
    """
    account = os.environ.get("CLOUDSDK_CORE_ACCOUNT")
    if account:
        return account
    folder = os.environ.get("CLOUDSDK_CONFIG") or os.path.expanduser("~/.config/gcloud")
    parser = configparser.ConfigParser(interpolation=None)
    try:
        name = os.environ.get("CLOUDSDK_ACTIVE_CONFIG_NAME") or _active(folder)
        parser.read(os.path.join(folder, "configurations", f"config_{name}"), encoding="utf-8")
    except (OSError, ValueError, configparser.Error):
        return None
    return parser.get("core", "account", fallback="") or None


def _active(folder: str) -> str:
    """The name of the configuration in use."""
    with open(os.path.join(folder, "active_config"), encoding="utf-8") as stream:
        return stream.read().strip()
