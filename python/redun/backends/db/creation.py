"""
A new repo on SQLite: the newest schema as text, made by the driver alone.

Making it from the models takes SQLAlchemy, which takes longer to import than a first run does all else.
"""

from __future__ import annotations

import logging
import sqlite3
import uuid
from pathlib import Path

from redun.backends.db.codec import moment_text
from redun.backends.db.database import Database
from redun.backends.db.versions import (
    HASH_SCHEME_KEY,
    REDUN_DB_VERSIONS,
    move_message,
    null_db_version,
)
from redun.utils import utcnow

#: What the models make, statement by statement; a test holds the two together.
SCHEMA_FILE = Path(__file__).with_name("schema.sql")

_NEW_ROWS = (
    "INSERT INTO alembic_version (version_num) VALUES (?)",
    "INSERT INTO redun_setting (key, value) VALUES (?, ?)",
    "INSERT INTO redun_version (id, version, timestamp) VALUES (?, ?, ?)",
)


def create_repo(database: Database, scheme: str, logger: logging.Logger | None) -> bool:
    """
    Makes the newest schema in an empty database of SQLite, in one transaction.

    Parameters
    ----------
    scheme : how the contents of the repo will be hashed.

    Returns False for other databases, which are left alone, also if another process was faster.
    """
    if database.dialect != "sqlite":
        return False
    with database.driver_errors():
        connection = database.connect()
        try:
            return _is_empty(connection) and _create(connection, scheme, logger)
        finally:
            if not database.shared:
                connection.close()


def _is_empty(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None


def _create(connection: sqlite3.Connection, scheme: str, logger: logging.Logger | None) -> bool:
    connection.execute("BEGIN IMMEDIATE")
    try:
        if not _is_empty(connection):
            return False
        newest = REDUN_DB_VERSIONS[-1]
        if logger:
            logger.info(move_message(null_db_version, newest))
        for statement in SCHEMA_FILE.read_text().split(";\n\n"):
            connection.execute(statement)
        rows = (
            (newest.migration_id,),
            (HASH_SCHEME_KEY, scheme),
            (str(uuid.uuid4()), newest.major, moment_text(utcnow())),
        )
        for statement, row in zip(_NEW_ROWS, rows, strict=True):
            connection.execute(statement, row)
        connection.commit()
        return True
    finally:
        # After the commit, there is nothing left to undo.
        connection.rollback()
