"""
Versions of the schema: which there are, which one a repo has, and how to get to another.

A repo notes its major version in `redun_version` and its revision in the migration tool's table.
A new repo is made in one step from the models; the migrations lead there step by step.
"""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from redun.backends.db import orm, postgres
from redun.backends.db.errors import RedunVersionError
from redun.utils import utcnow

#: The minor version of a schema that is newer than this program knows.
REDUN_DB_UNKNOWN_VERSION = 99

# The bare tables: configuring the mapped classes takes longer than opening a repo.
_versions: Any = orm.RedunVersion.__table__
_revisions: Any = orm.RedunMigration.__table__
_settings: Any = orm.RedunSetting.__table__

#: The time zone that clients from before version 3.4 insert times of.
LOCAL_ZONE_ENV = "REDUN_LOCALTIMEZONE"

HASH_SCHEME_KEY = "hash_scheme"
DEFAULT_HASH_SCHEME = "blake3"

#: What the original program writes; repos that don't say otherwise are its.
COMPATIBLE_HASH_SCHEME = "redun1"
HASH_SCHEMES = (DEFAULT_HASH_SCHEME, COMPATIBLE_HASH_SCHEME)


class DBVersionInfo(NamedTuple):
    """
    A version of the schema.

    Versions compare by major and minor number alone, and with nothing but versions: other operands
    raise `TypeError`.
    """

    migration_id: str
    major: int
    minor: int
    description: str

    def __str__(self) -> str:
        minor = "?" if self.minor == REDUN_DB_UNKNOWN_VERSION else str(self.minor)
        return f"{self.major}.{minor}"

    def _numbers(self, other: Any) -> tuple[tuple[int, int], tuple[int, int]]:
        if not isinstance(other, DBVersionInfo):
            raise TypeError(f"Expected DBVersionInfo: {other}")
        return (self.major, self.minor), (other.major, other.minor)

    def __lt__(self, other: Any) -> bool:
        mine, its = self._numbers(other)
        return mine < its

    def __le__(self, other: Any) -> bool:
        mine, its = self._numbers(other)
        return mine <= its

    def __gt__(self, other: Any) -> bool:
        mine, its = self._numbers(other)
        return mine > its

    def __ge__(self, other: Any) -> bool:
        mine, its = self._numbers(other)
        return mine >= its

    def __eq__(self, other: Any) -> bool:
        mine, its = self._numbers(other)
        return mine == its

    def __ne__(self, other: Any) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((self.major, self.minor))


null_db_version = DBVersionInfo("000000000000", -1, 0, "No schema present.")

#: Oldest first.
REDUN_DB_VERSIONS: list[DBVersionInfo] = [
    DBVersionInfo("806f5dcb11bf", 1, 0, "Prototype schema."),
    DBVersionInfo("647c510a77b1", 2, 0, "Initial production schema."),
    DBVersionInfo("30ffbaee18cd", 2, 1, "Backfill companion values for tasks"),
    DBVersionInfo("71ec303c90e4", 2, 2, "Add indexes for id prefix search"),
    DBVersionInfo("d4af139b6f53", 2, 3, "Add job.execution_id"),
    DBVersionInfo("cd2d53191748", 3, 0, "Make job.execution_id non-nullable"),
    DBVersionInfo("cc4f663817b6", 3, 1, "Add Tag schemas."),
    DBVersionInfo("eb7b95e4e8bf", 3, 2, "Remove length restriction on value type names."),
    DBVersionInfo("f68b3aaee9cc", 3, 3, "Add job and value indexes."),
    DBVersionInfo("3b0a6e67cc58", 3, 4, "Add UTC timezone to timestamps."),
    DBVersionInfo("0bee3d6dba76", 3, 5, "Add updated_time."),
    DBVersionInfo("5c1e9a47d2b8", 3, 6, "Add settings and index of arguments."),
]

REDUN_DB_MIN_VERSION = DBVersionInfo("", 3, 5, "")
REDUN_DB_MAX_VERSION = DBVersionInfo("", 3, REDUN_DB_UNKNOWN_VERSION, "")


def parse_db_version(version_str: str) -> DBVersionInfo:
    """
    Parses `latest`, `3` or `3.1`.

    Raises `ValueError` for other text, `RedunVersionError` for a version that doesn't exist.
    """
    if version_str == "latest":
        return REDUN_DB_VERSIONS[-1]
    parts = version_str.split(".")
    if len(parts) > 2:
        raise ValueError(f"Invalid db version format: {version_str}")
    major, minor = (int(part) for part in (*parts, "0")[:2])
    for version in REDUN_DB_VERSIONS:
        if (version.major, version.minor) == (major, minor):
            return version
    raise RedunVersionError(f"Unknown db version: {version_str}")


def is_compatible(version: DBVersionInfo) -> bool:
    """Whether this program works with a version of the schema."""
    return REDUN_DB_MIN_VERSION <= version <= REDUN_DB_MAX_VERSION


def check_hash_scheme(scheme: str) -> None:
    """Raises `ValueError` for a name that is no hash scheme."""
    if scheme not in HASH_SCHEMES:
        raise ValueError(f"Unknown hash_scheme '{scheme}'; known are: {', '.join(HASH_SCHEMES)}")


def required_range() -> str:
    """The versions that this program works with, for messages."""
    return f">={REDUN_DB_MIN_VERSION},<{REDUN_DB_MAX_VERSION.major + 1}"


def read_version(connection: Connection) -> DBVersionInfo:
    """The version of the schema that a repo has; `null_db_version` for an empty database."""
    if not sa.inspect(connection).has_table(_versions.name):
        return null_db_version
    newest = sa.select(_versions.c.version).order_by(_versions.c.timestamp.desc())
    major = connection.execute(newest.limit(1)).scalar()
    if major is None:
        return null_db_version
    revisions = set(connection.execute(sa.select(_revisions.c.version_num)).scalars())
    for version in reversed(REDUN_DB_VERSIONS):
        if version.major == major and version.migration_id in revisions:
            return version
    return DBVersionInfo(
        "ffffffffffff", major, REDUN_DB_UNKNOWN_VERSION, "DB version newer than client."
    )


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
        current = read_version(connection)
        if current > REDUN_DB_MAX_VERSION:
            raise RedunVersionError(
                f"redun database is too new for this program: {current} > {REDUN_DB_MAX_VERSION}"
            )
        if target == current or (upgrade_only and target < current):
            if logger:
                logger.debug(f"Already at desired db version {current}.")
            return
        if logger:
            verb = "Upgrading" if target > current else "Downgrading"
            logger.info(f"{verb} db from version {current} to {target}...")
        if current == null_db_version and target == REDUN_DB_VERSIONS[-1]:
            create_schema(connection)
        else:
            _run_migrations(connection, target, up=target > current)
        if target >= REDUN_DB_VERSIONS[-1]:
            is_new = current == null_db_version
            _set_default_scheme(connection, new_scheme if is_new else COMPATIBLE_HASH_SCHEME)
        elif logger and read_hash_scheme(connection) != COMPATIBLE_HASH_SCHEME:
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


def read_hash_scheme(connection: Connection) -> str:
    """How the contents of a repo are hashed; repos that can't say so are the original's."""
    if not sa.inspect(connection).has_table(_settings.name):
        return COMPATIBLE_HASH_SCHEME
    query = sa.select(_settings.c.value).where(_settings.c.key == HASH_SCHEME_KEY)
    return connection.execute(query).scalar() or COMPATIBLE_HASH_SCHEME


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
