"""
The database backend: repos in SQLite and on PostgreSQL, and the tables to query them with.

This module holds the public names only. Those of the ORM bring SQLAlchemy, which takes longer to
import than most of what is asked of a repo, so they are imported when first used.
"""

from typing import TYPE_CHECKING, Any

from redun.backends.base import TagEntity, TagMap
from redun.backends.db.backend import RedunBackendDb
from redun.backends.db.codec import HASH_LEN, MAX_VALUE_SIZE_PREVIEW
from redun.backends.db.connection import db_retry, use_acquire
from redun.backends.db.errors import RedunDatabaseError, RedunVersionError
from redun.backends.db.options import DEFAULT_MAX_VALUE_SIZE, DEFAULT_VALUE_STORE_MIN_SIZE
from redun.backends.db.parsing import PreviewValue
from redun.backends.db.uri import (
    DEFAULT_DB_PASSWORD_ENV,
    DEFAULT_DB_URI,
    DEFAULT_DB_USERNAME_ENV,
    get_abs_path,
)
from redun.backends.db.versions import (
    REDUN_DB_MAX_VERSION,
    REDUN_DB_MIN_VERSION,
    REDUN_DB_UNKNOWN_VERSION,
    REDUN_DB_VERSIONS,
    DBVersionInfo,
    null_db_version,
    parse_db_version,
)

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

    from redun.backends.db.orm import (
        JSON,
        NULL,
        Argument,
        ArgumentResult,
        Base,
        CallEdge,
        CallNode,
        CallSubtreeTask,
        Column,
        DateTimeUTC,
        Evaluation,
        Execution,
        File,
        Handle,
        HandleEdge,
        Job,
        RecordEdgeType,
        RedunMigration,
        RedunSetting,
        RedunVersion,
        Subvalue,
        Tag,
        TagEdit,
        Task,
        Value,
    )
    from redun.backends.db.session import RedunSession, with_defer_constraints

_LAZY = {
    "Engine": "sqlalchemy.engine",
    "RedunSession": "redun.backends.db.session",
    "with_defer_constraints": "redun.backends.db.session",
}


def __getattr__(name: str) -> Any:
    if name in __all__:
        import importlib

        value = getattr(importlib.import_module(_LAZY.get(name, "redun.backends.db.orm")), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'redun.backends.db' has no attribute '{name}'")


__all__ = [
    "DEFAULT_DB_PASSWORD_ENV",
    "DEFAULT_DB_URI",
    "DEFAULT_DB_USERNAME_ENV",
    "DEFAULT_MAX_VALUE_SIZE",
    "DEFAULT_VALUE_STORE_MIN_SIZE",
    "HASH_LEN",
    "JSON",
    "MAX_VALUE_SIZE_PREVIEW",
    "NULL",
    "REDUN_DB_MAX_VERSION",
    "REDUN_DB_MIN_VERSION",
    "REDUN_DB_UNKNOWN_VERSION",
    "REDUN_DB_VERSIONS",
    "Argument",
    "ArgumentResult",
    "Base",
    "CallEdge",
    "CallNode",
    "CallSubtreeTask",
    "Column",
    "DBVersionInfo",
    "DateTimeUTC",
    "Engine",
    "Evaluation",
    "Execution",
    "File",
    "Handle",
    "HandleEdge",
    "Job",
    "PreviewValue",
    "RecordEdgeType",
    "RedunBackendDb",
    "RedunDatabaseError",
    "RedunMigration",
    "RedunSession",
    "RedunSetting",
    "RedunVersion",
    "RedunVersionError",
    "Subvalue",
    "Tag",
    "TagEdit",
    "TagEntity",
    "TagMap",
    "Task",
    "Value",
    "db_retry",
    "get_abs_path",
    "null_db_version",
    "parse_db_version",
    "use_acquire",
    "with_defer_constraints",
]
