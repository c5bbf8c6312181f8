"""Engines of SQLAlchemy: for repos on PostgreSQL, and for the ORM and the migrations of all."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.pool import StaticPool

from redun.backends.db import sqlite
from redun.backends.db.errors import RedunDatabaseError
from redun.backends.db.postgres import create_postgres_engine
from redun.backends.db.uri import (
    DEFAULT_DB_PASSWORD_ENV,
    DEFAULT_DB_USERNAME_ENV,
    SECRET_OPTION,
)

#: What speaks to PostgreSQL if the URI doesn't say.
POSTGRESQL_DRIVER = "postgresql+psycopg"

DEFAULT_AWS_REGION = "us-west-2"


def create_db_engine(url: URL) -> Engine:
    """
    Builds the engine of a repo. Nothing is opened yet.

    Raises `MissingExtraError` if the driver isn't installed.
    """
    if url.get_backend_name() == "postgresql":
        return create_postgres_engine(url, _echo())
    if url.get_backend_name() == "sqlite":
        return _prepared(url, {"connect_args": {"check_same_thread": False}})
    return sa.create_engine(url, echo=_echo())


def _echo() -> bool:
    return bool(os.environ.get("REDUN_DB_ECHO"))


def create_sqlite_engine(path: str | None, connect: Callable[[], Any]) -> Engine:
    """
    Builds the engine of a repo in SQLite. Nothing is opened yet.

    Parameters
    ----------
    path : of the file; None for a repo in memory.
    connect : gives the connection of a repo in memory, which all threads share.
    """
    options: dict[str, Any] = {"connect_args": {"check_same_thread": False}}
    if path is None:
        # Returning one user of the shared connection must not roll back the work of another.
        options = {"creator": connect, "poolclass": StaticPool, "pool_reset_on_return": None}
    return _prepared(URL.create("sqlite", database=path), options)


def _prepared(url: URL, options: dict[str, Any]) -> Engine:
    engine = sa.create_engine(url, echo=_echo(), **options)
    sa.event.listen(engine, "connect", lambda driver, _record: sqlite.prepare(driver))
    sa.event.listen(engine, "do_connect", _connect_read_only)
    return engine


def _connect_read_only(_dialect: Any, _record: Any, args: list[Any], options: Any) -> Any:
    return None if options.get("uri") else sqlite.connect_read_only(args[0])


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
