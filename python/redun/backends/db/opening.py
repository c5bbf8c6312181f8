"""Opening a repo: whether this program works with it, and what its parts are."""

from __future__ import annotations

from typing import Any

from redun.backends.db import versions
from redun.backends.db.connection import Reader, Retry
from redun.backends.db.database import Database
from redun.backends.db.errors import RedunDatabaseError, RedunVersionError
from redun.backends.db.payloads import Payloads
from redun.backends.db.recorder import Recorder
from redun.backends.db.repo import Repo
from redun.backends.db.source import Source
from redun.backends.db.store.tags import tag_rows
from redun.hashing import hashing_as


def check_schema(source: Source, wanted_scheme: str | None) -> str:
    """
    The hash scheme of a repo that this program works with.

    Parameters
    ----------
    wanted_scheme : the one that the configuration asks for, if any.

    Raises `RedunVersionError` for another version, `RedunDatabaseError` for another scheme.
    """
    version = versions.read_version(source)
    if not versions.is_compatible(version):
        raise RedunVersionError(
            f"redun database is an incompatible version {version}. "
            f"Version must be within {versions.required_range()}"
        )
    scheme = versions.read_hash_scheme(source)
    if wanted_scheme not in (None, scheme):
        raise RedunDatabaseError(
            f"[backend] hash_scheme is '{wanted_scheme}', but this repo is hashed as '{scheme}'.",
            hints=(
                "A repo keeps the scheme it was created with: remove the option, or point "
                "db_uri at a new repo.",
            ),
        )
    return scheme


def open_repo(
    database: Database,
    payloads: Payloads,
    scheme: str,
    retry: Retry,
    type_registry: Any,
    max_value_size: int,
) -> Repo:
    """
    The parts of a repo.

    Parameters
    ----------
    scheme : how its contents are hashed.
    max_value_size : in bytes.
    """

    def hash_tags(tags: list[tuple[str, str, str, Any]]) -> list[tuple[Any, ...]]:
        with hashing_as(scheme):
            return tag_rows(tags)

    return Repo(
        database=database,
        recorder=Recorder(database, retry, hash_tags, payloads.send),
        reader=Reader(database),
        type_registry=type_registry,
        hash_scheme=scheme,
        max_value_size=max_value_size,
        payloads=payloads,
    )
