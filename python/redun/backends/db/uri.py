"""Where a repo's database is: options and URIs."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlparse

from redun.utils import str2bool

DEFAULT_DB_URI = "sqlite:///.redun/redun.db"
DEFAULT_DB_USERNAME_ENV = "REDUN_DB_USERNAME"
DEFAULT_DB_PASSWORD_ENV = "REDUN_DB_PASSWORD"

#: The option that names the secret with all that is needed to connect.
SECRET_OPTION = "db_aws_secret_name"

_SQLITE = re.compile(r"sqlite://(/(?P<path>[^?]*))?")


def get_abs_path(root_dir: str, path: str) -> str:
    """A path seen from a directory; URLs and absolute paths stay as they are."""
    if urlparse(path).scheme:
        return path
    return os.path.normpath(os.path.join(root_dir, path))


def find_sqlite_path(db_uri: str, config: Mapping[str, Any]) -> str | None:
    """
    The file of a repo on SQLite, "" for one in memory; None for what needs to be parsed further.

    That is other databases, and URIs with options for the driver.
    """
    found = None if config.get(SECRET_OPTION) else _SQLITE.fullmatch(db_uri)
    return None if found is None else unquote(found["path"] or "")


def is_memory(path: str | None) -> bool:
    """Whether a database on SQLite lives in this process only, by its path."""
    return path in (None, "", ":memory:")


def parse_automigrate(config: Mapping[str, Any], db_uri: str) -> bool:
    """
    The option `automigrate`: by default only files that one user owns are migrated unasked.

    Raises `ValueError` for anything but true or false.
    """
    text = config.get("automigrate")
    if text is None or text == "":
        return db_uri.startswith("sqlite:///") and not config.get(SECRET_OPTION)
    return text if isinstance(text, bool) else str2bool(str(text))
