"""
Taking a repo from one version of the schema to another.

A new repo is made in one step, from the models unless it is on SQLite; the migrations lead there step by step.
"""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from redun.backends.db import orm, postgres
from redun.backends.db.errors import RedunVersionError
from redun.backends.db.source import DriverSource, Source
from redun.backends.db.versions import (
    COMPATIBLE_HASH_SCHEME,
    HASH_SCHEME_KEY,
    REDUN_DB_MAX_VERSION,
    REDUN_DB_VERSIONS,
    DBVersionInfo,
    move_message,
    null_db_version,
    read_hash_scheme,
    read_version,
)
from redun.utils import utcnow

# The bare tables: configuring the mapped classes takes longer than opening a repo.
_versions: Any = orm.RedunVersion.__table__
_revisions: Any = orm.RedunMigration.__table__
_settings: Any = orm.RedunSetting.__table__

#: The time zone that clients from before version 3.4 insert times of.
LOCAL_ZONE_ENV = "REDUN_LOCALTIMEZONE"


def as_source(connection: Connection) -> Source:
    """What reads within the transaction of a connection."""
    return DriverSource(connection.connection.dbapi_connection, connection.dialect.name)


def migrate_db(
    engine: Engine,
    desired: DBVersionInfo | None,
    upgrade_only: bool,
    new_scheme: str,
    logger: logging.Logger | None,
) -> None:
    """
    Takes a repo to another version of the schema, in one transaction.

    Processes that migrate the same file wait for each other; the later ones find nothing to do.

    Parameters
    ----------
    desired : None is the newest.
    upgrade_only : leave a repo alone that is past the desired version.
    new_scheme : the hash scheme of the repo if it has no schema yet.
    """
    target = desired or REDUN_DB_VERSIONS[-1]
    with _exclusive(engine) as connection:
        current = read_version(as_source(connection))
        if current > REDUN_DB_MAX_VERSION:
            raise RedunVersionError(
                f"redun database is too new for this program: {current} > {REDUN_DB_MAX_VERSION}"
            )
        if target == current or (upgrade_only and target < current):
            if logger:
                logger.debug(f"Already at desired db version {current}.")
            return
        if logger:
            logger.info(move_message(current, target))
        if current == null_db_version and target == REDUN_DB_VERSIONS[-1]:
            create_schema(connection)
        else:
            _run_migrations(connection, target, up=target > current)
        if target >= REDUN_DB_VERSIONS[-1]:
            is_new = current == null_db_version
            _set_default_scheme(connection, new_scheme if is_new else COMPATIBLE_HASH_SCHEME)
        elif logger and read_hash_scheme(as_source(connection)) != COMPATIBLE_HASH_SCHEME:
            logger.warning(
                "This repo stays hashed as 'blake3': programs that know only version "
                f"{target} find nothing of it in their cache."
            )
        connection.execute(
            sa.insert(_versions),
            [{"id": str(uuid.uuid4()), "version": target.major, "timestamp": utcnow()}],
        )


def create_schema(connection: Connection) -> None:
    """Makes all tables of the newest version in an empty database."""
    # A database whose list of versions was lost has its tables already.
    has_tables = bool(sa.inspect(connection).get_table_names())
    if connection.dialect.name == "postgresql":
        # Creating tables there marks references in circles as made afterwards, for good: on SQLite,
        # which can't do that, they would then be left out.
        metadata = sa.MetaData()
        for table in orm.Base.metadata.sorted_tables:
            table.to_metadata(metadata)
        metadata.create_all(connection, checkfirst=has_tables)
        if not has_tables:
            postgres.create_job_trigger(connection, os.environ.get(LOCAL_ZONE_ENV) or "UTC")
    else:
        orm.Base.metadata.create_all(connection, checkfirst=has_tables)
    connection.execute(sa.delete(_revisions))
    connection.execute(sa.insert(_revisions), [{"version_num": REDUN_DB_VERSIONS[-1].migration_id}])


def _set_default_scheme(connection: Connection, scheme: str) -> None:
    query = sa.select(_settings.c.value).where(_settings.c.key == HASH_SCHEME_KEY)
    if connection.execute(query).scalar() is None:
        connection.execute(sa.insert(_settings), [{"key": HASH_SCHEME_KEY, "value": scheme}])


@contextmanager
def _exclusive(engine: Engine) -> Iterator[Connection]:
    """A transaction that nobody else migrates beside, on SQLite with references unchecked."""
    sqlite = engine.dialect.name == "sqlite"
    with engine.connect() as connection:
        if sqlite:
            connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
            connection.rollback()
        try:
            with connection.begin():
                if sqlite:
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                elif engine.dialect.name == "postgresql":
                    postgres.lock_for_migration(connection)
                yield connection
        finally:
            if sqlite:
                connection.exec_driver_sql("PRAGMA foreign_keys=ON")


def _run_migrations(connection: Connection, target: DBVersionInfo, up: bool) -> None:
    # The migration tool takes longer to import than to do nothing, which is the usual case.
    from alembic import command
    from alembic.config import Config

    config = Config(str(Path(__file__).parent / "alembic.ini"))
    config.attributes["connection"] = connection
    move = command.upgrade if up else command.downgrade
    move(config, target.migration_id)
