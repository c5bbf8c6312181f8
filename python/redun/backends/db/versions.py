"""
Versions of the schema: which there are, and which one a repo has.

A repo notes its major version in `redun_version` and its revision in the migration tool's table.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from redun.backends.db.errors import RedunVersionError
from redun.backends.db.source import Source

#: The minor version of a schema that is newer than this program knows.
REDUN_DB_UNKNOWN_VERSION = 99

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


def move_message(current: DBVersionInfo, target: DBVersionInfo) -> str:
    """What is logged before a repo is taken to another version."""
    verb = "Upgrading" if target > current else "Downgrading"
    return f"{verb} db from version {current} to {target}..."


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


def read_version(source: Source) -> DBVersionInfo:
    """The version of the schema that a repo has; `null_db_version` for an empty database."""
    if not _has_table(source, "redun_version"):
        return null_db_version
    major = source.cell("SELECT version FROM redun_version ORDER BY timestamp DESC LIMIT 1")
    if major is None:
        return null_db_version
    revisions = set(source.cells("SELECT version_num FROM alembic_version"))
    for version in reversed(REDUN_DB_VERSIONS):
        if version.major == major and version.migration_id in revisions:
            return version
    return DBVersionInfo(
        "ffffffffffff", major, REDUN_DB_UNKNOWN_VERSION, "DB version newer than client."
    )


def read_hash_scheme(source: Source) -> str:
    """How the contents of a repo are hashed; repos that can't say so are the original's."""
    if not _has_table(source, "redun_setting"):
        return COMPATIBLE_HASH_SCHEME
    scheme = source.cell("SELECT value FROM redun_setting WHERE key = ?", (HASH_SCHEME_KEY,))
    return scheme or COMPATIBLE_HASH_SCHEME


def _has_table(source: Source, name: str) -> bool:
    return source.cell(_TABLE[source.dialect], (name,)) is not None


_TABLE = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table' AND name = ?",
    "postgresql": "SELECT CAST(to_regclass(CAST(? AS text)) AS text)",
}
