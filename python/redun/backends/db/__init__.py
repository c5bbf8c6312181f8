"""
The database backend: repos in SQLite, and the tables to query them with.

This module holds the public names only.
"""

from sqlalchemy.engine import Engine

from redun.backends.base import TagEntity, TagMap
from redun.backends.db.backend import RedunBackendDb
from redun.backends.db.connection import db_retry, use_acquire
from redun.backends.db.errors import RedunDatabaseError, RedunVersionError
from redun.backends.db.options import DEFAULT_MAX_VALUE_SIZE, DEFAULT_VALUE_STORE_MIN_SIZE
from redun.backends.db.orm import (
    HASH_LEN,
    JSON,
    MAX_VALUE_SIZE_PREVIEW,
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
from redun.backends.db.parsing import PreviewValue
from redun.backends.db.session import RedunSession, with_defer_constraints
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
