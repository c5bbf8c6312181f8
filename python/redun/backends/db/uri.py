"""Where a repo's database is: options, URIs and credentials."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlparse

from sqlalchemy.engine import URL, make_url

from redun.backends.db.errors import RedunDatabaseError
from redun.utils import str2bool

DEFAULT_DB_URI = "sqlite:///.redun/redun.db"
DEFAULT_DB_USERNAME_ENV = "REDUN_DB_USERNAME"
DEFAULT_DB_PASSWORD_ENV = "REDUN_DB_PASSWORD"

#: What speaks to PostgreSQL if the URI doesn't say.
POSTGRESQL_DRIVER = "postgresql+psycopg"

#: The option that names the secret with all that is needed to connect.
SECRET_OPTION = "db_aws_secret_name"
DEFAULT_AWS_REGION = "us-west-2"


def get_abs_path(root_dir: str, path: str) -> str:
    """A path seen from a directory; URLs and absolute paths stay as they are."""
    if urlparse(path).scheme:
        return path
    return os.path.normpath(os.path.join(root_dir, path))


def is_memory_url(url: URL) -> bool:
    """Whether the database lives in this process only."""
    return url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:")


def parse_automigrate(config: Mapping[str, Any], db_uri: str) -> bool:
    """
    The option `automigrate`: by default only files that one user owns are migrated unasked.

    Raises `ValueError` for anything but true or false.
    """
    text = config.get("automigrate")
    if text is None or text == "":
        return db_uri.startswith("sqlite:///") and not config.get(SECRET_OPTION)
    return text if isinstance(text, bool) else str2bool(str(text))


def get_engine_url(db_uri: str, config: Mapping[str, Any]) -> URL:
    """
    The URI with the credentials that the environment holds for it, and with a driver.

    The option `db_aws_secret_name` overrides all of it.

    Raises `RedunDatabaseError` for a password in the URI, which would end up in files and logs, and
    for a secret that doesn't say where the database is; `RedunError` for one that can't be read.
    """
    if config.get(SECRET_OPTION):
        return _url_in_secret(config[SECRET_OPTION])
    url = make_url(db_uri)
    if url.get_backend_name() == "sqlite":
        return url
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername=POSTGRESQL_DRIVER)
    if url.password:
        raise RedunDatabaseError(
            "Do not include passwords in DB URIs. Use environment variables instead "
            "(e.g REDUN_DB_USERNAME and REDUN_DB_PASSWORD)"
        )
    username = os.environ.get(config.get("db_username_env") or DEFAULT_DB_USERNAME_ENV)
    password = os.environ.get(config.get("db_password_env") or DEFAULT_DB_PASSWORD_ENV)
    if username:
        url = url.set(username=username)
    if url.username and password:
        url = url.set(password=password)
    return url


def _url_in_secret(name: str) -> URL:
    """The URI that a secret of AWS describes: JSON, as its database services write it."""
    from redun.clients.aws import get_secret

    text = get_secret(name, os.environ.get("AWS_REGION") or DEFAULT_AWS_REGION)
    try:
        fields = json.loads(text)
        engine = fields["engine"]
        return URL.create(
            POSTGRESQL_DRIVER if engine in ("postgres", "postgresql") else engine,
            username=fields["username"],
            password=fields["password"],
            host=fields["host"],
            port=int(fields["port"]),
            database=fields["dbname"],
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        # What the secret holds is not repeated: it ends up in logs. Nor is the cause shown.
        raise RedunDatabaseError(
            f"[backend] {SECRET_OPTION}: the secret '{name}' does not describe a database.",
            hints=("It must be JSON with engine, username, password, host, port and dbname.",),
        ) from None
