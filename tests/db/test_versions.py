from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from redun.backends.db import (
    REDUN_DB_MAX_VERSION,
    REDUN_DB_MIN_VERSION,
    REDUN_DB_VERSIONS,
    DBVersionInfo,
    RedunBackendDb,
    RedunDatabaseError,
    RedunVersionError,
    null_db_version,
    parse_db_version,
)


def test_versions_are_ordered_by_number() -> None:
    assert REDUN_DB_VERSIONS == sorted(REDUN_DB_VERSIONS)
    assert [str(version) for version in REDUN_DB_VERSIONS[-3:]] == ["3.4", "3.5", "3.6"]
    assert null_db_version < REDUN_DB_VERSIONS[0]
    assert DBVersionInfo("a", 3, 5, "x") == DBVersionInfo("b", 3, 5, "y")
    assert DBVersionInfo("a", 3, 5, "x") != DBVersionInfo("a", 3, 4, "x")
    assert (str(REDUN_DB_MIN_VERSION), str(REDUN_DB_MAX_VERSION)) == ("3.5", "3.?")
    assert str(null_db_version) == "-1.0"


@pytest.mark.parametrize("operator", ["__lt__", "__le__", "__gt__", "__ge__", "__eq__", "__ne__"])
def test_versions_compare_with_versions_only(operator: str) -> None:
    version = REDUN_DB_VERSIONS[0]
    with pytest.raises(TypeError, match="Expected DBVersionInfo: 3"):
        getattr(version, operator)(3)


def test_parse_db_version() -> None:
    assert parse_db_version("latest") is REDUN_DB_VERSIONS[-1]
    assert parse_db_version("3").migration_id == "cd2d53191748"
    assert parse_db_version("3.1").migration_id == "cc4f663817b6"


@pytest.mark.parametrize("text", ["1.2.3", "three", "3.x", ""])
def test_parse_db_version_rejects_what_is_no_version(text: str) -> None:
    with pytest.raises(ValueError):
        parse_db_version(text)


@pytest.mark.parametrize("text", ["-1.0", "3.99", "4"])
def test_parse_db_version_rejects_unknown_versions(text: str) -> None:
    with pytest.raises(RedunVersionError, match=f"Unknown db version: {text}"):
        parse_db_version(text)


@pytest.mark.sqlite
def test_new_repo_has_the_newest_version(file_backend: RedunBackendDb, db_path, read_rows) -> None:
    assert file_backend.get_db_version() is REDUN_DB_VERSIONS[-1]
    assert file_backend.is_db_compatible()
    rows = read_rows(db_path, "SELECT version, typeof(timestamp) FROM redun_version")
    assert rows == [(3, "text")]
    assert read_rows(db_path, "SELECT * FROM redun_setting") == [("hash_scheme", "blake3")]


def test_reference_schema_is_3_5(db_path: Path, schema_of) -> None:
    golden = Path(__file__).parent.parent / "golden" / "schema_3_5.json"
    backend = RedunBackendDb(f"sqlite:///{db_path}")
    backend.migrate(parse_db_version("3.5"))
    backend.close()
    assert schema_of(f"sqlite:///{db_path}") == json.loads(golden.read_text())


@pytest.mark.each_repo
def test_shortcut_for_new_repos_equals_the_migrations(
    database_uri: str, shared_repo_uri: str, schema_of, repo_kind: str
) -> None:
    at_once, in_steps = shared_repo_uri, database_uri
    if repo_kind == "sqlite":
        in_steps += ".steps"
    backend = RedunBackendDb(at_once)
    backend.migrate()
    backend.close()
    backend = RedunBackendDb(in_steps)
    for version in REDUN_DB_VERSIONS:
        backend.migrate(version)
        assert backend.get_db_version() is version
    backend.close()
    assert schema_of(at_once) == schema_of(in_steps)


@pytest.mark.each_repo
def test_versions_of_databases_of_others(database_uri: str, sql) -> None:
    backend = RedunBackendDb(database_uri)
    assert backend.get_db_version() == null_db_version
    backend.migrate()
    sql("UPDATE alembic_version SET version_num = 'abcdefabcdef'")
    version = backend.get_db_version()
    assert (version.migration_id, str(version)) == ("ffffffffffff", "3.?")
    assert backend.is_db_compatible()
    sql("UPDATE redun_version SET version = 4")
    assert str(backend.get_db_version()) == "4.?"
    assert not backend.is_db_compatible()
    with pytest.raises(
        RedunVersionError, match=r"redun database is too new for this program: 4\.\? > 3\.\?"
    ):
        backend.migrate()
    with pytest.raises(RedunVersionError, match=r"incompatible version 4\.\?\. .* >=3\.5,<4"):
        backend.load(migrate=False)
    sql("DELETE FROM redun_version")
    assert backend.get_db_version() == null_db_version
    backend.close()


@pytest.mark.each_repo
def test_repo_that_lost_its_version_is_kept(database_uri: str, sql) -> None:
    backend = RedunBackendDb(database_uri)
    backend.load(migrate=True)
    value_hash = backend.record_value("kept")
    backend.close()
    sql("DELETE FROM redun_version")
    backend = RedunBackendDb(database_uri)
    backend.load(migrate=True)
    assert backend.get_value(value_hash) == ("kept", True)
    backend.close()


@pytest.mark.each_repo
def test_old_repo_is_not_opened_without_migration(database_uri: str) -> None:
    backend = RedunBackendDb(database_uri)
    backend.migrate(parse_db_version("3.3"))
    message = r"^redun database is an incompatible version 3\.3\. Version must be within >=3\.5,<4$"
    with pytest.raises(RedunVersionError, match=message):
        backend.load(migrate=False)
    backend.load(migrate=True)
    assert backend.get_db_version() is REDUN_DB_VERSIONS[-1]
    backend.close()


def test_repo_of_the_original_is_read_without_migration(db_path: Path) -> None:
    backend = RedunBackendDb(f"sqlite:///{db_path}")
    backend.migrate(parse_db_version("3.5"))
    backend.load(migrate=False)
    assert backend.hash_scheme == "redun1"
    assert str(backend.get_db_version()) == "3.5"
    backend.close()


def test_repo_of_the_original_keeps_its_hashes(db_path: Path) -> None:
    backend = RedunBackendDb(f"sqlite:///{db_path}")
    backend.migrate(parse_db_version("3.5"))
    backend.load()
    assert backend.hash_scheme == "redun1"
    assert backend.record_value(1) == "a8396c89067d71e5ec296e67c248cbf07f5669f0"
    backend.close()


def test_hash_scheme_of_a_new_repo_can_be_chosen(db_path: Path) -> None:
    uri = f"sqlite:///{db_path}"
    for config in ({"hash_scheme": "redun1"}, {}, {"hash_scheme": "redun1"}):
        backend = RedunBackendDb(uri, config=config)
        backend.load()
        assert backend.hash_scheme == "redun1"
        backend.close()
    backend = RedunBackendDb(uri, config={"hash_scheme": "blake3"})
    message = "hash_scheme is 'blake3', but this repo is hashed as 'redun1'"
    with pytest.raises(RedunDatabaseError, match=message) as caught:
        backend.load()
    assert "remove the option" in caught.value.hints[0]
    backend.close()
    with pytest.raises(ValueError, match="Unknown hash_scheme 'md5'; known are: blake3, redun1"):
        RedunBackendDb(uri, config={"hash_scheme": "md5"})


def test_migrations_are_logged(db_path: Path, caplog: pytest.LogCaptureFixture, read_rows) -> None:
    logger = logging.getLogger("test_versions")
    caplog.set_level(logging.DEBUG, logger.name)
    backend = RedunBackendDb(f"sqlite:///{db_path}", logger=logger)
    backend.migrate()
    backend.migrate(upgrade_only=True)
    backend.migrate(parse_db_version("3.5"), upgrade_only=True)
    backend.migrate(parse_db_version("3.4"))
    backend.close()
    assert [record.getMessage() for record in caplog.records if record.name == logger.name] == [
        "Upgrading db from version -1.0 to 3.6...",
        "Already at desired db version 3.6.",
        "Already at desired db version 3.6.",
        "Downgrading db from version 3.6 to 3.4...",
        "This repo stays hashed as 'blake3': programs that know only version 3.4 find nothing of it "
        "in their cache.",
    ]
    assert read_rows(db_path, "SELECT version FROM redun_version") == [(3,), (3,)]
