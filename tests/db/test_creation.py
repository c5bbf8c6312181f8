"""New repos on SQLite, made of text: the same as from the models, once, and in one piece."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from redun.backends.db import RedunBackendDb, orm
from redun.backends.db.creation import SCHEMA_FILE, create_repo
from redun.backends.db.database import SqliteDatabase
from redun.backends.db.errors import RedunVersionError

# Each table, then its indexes.
MADE = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY tbl_name, type DESC, name"

HEADER = """\
-- The newest schema on SQLite, as the models make it.
-- Written by `python tests/db/test_creation.py` once the models have changed.
"""


def schema_text() -> str:
    """What the models make in an empty database of SQLite."""
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        orm.Base.metadata.create_all(connection)
        statements = connection.exec_driver_sql(MADE).scalars().all()
    text = ";\n\n".join(statements).replace("\t", "    ")
    return HEADER + "".join(f"{line.rstrip()}\n" for line in text.splitlines())


@pytest.fixture
def database(db_path: Path) -> Iterator[SqliteDatabase]:
    database = SqliteDatabase(str(db_path))
    yield database
    database.close()


def test_the_text_is_what_the_models_make() -> None:
    assert SCHEMA_FILE.read_text() == schema_text(), "run `python tests/db/test_creation.py`"


def test_a_new_repo_is_at_the_newest_version(database: SqliteDatabase) -> None:
    assert create_repo(database, "redun1", None)
    backend = RedunBackendDb(f"sqlite:///{database.path}")
    backend.load(migrate=False)
    assert backend.hash_scheme == "redun1"
    (version,) = backend.session.query(orm.RedunVersion).all()
    assert version.version == 3
    assert version.timestamp.tzinfo is not None
    backend.close()


def test_a_repo_is_made_once(
    database: SqliteDatabase, caplog: pytest.LogCaptureFixture, read_rows
) -> None:
    """Of many that find an empty database, one makes the repo, and the others use it."""
    caplog.set_level(logging.INFO)
    made: list[bool] = []
    begin = threading.Barrier(4)

    def make() -> None:
        begin.wait()
        made.append(create_repo(database, "blake3", logging.getLogger("test_creation")))

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [False, False, False, True]
    assert caplog.messages == ["Upgrading db from version -1.0 to 3.6..."]
    assert len(read_rows(database.path, "SELECT * FROM redun_version")) == 1


def test_other_tables_are_left_alone(database: SqliteDatabase, read_rows) -> None:
    with closing(sqlite3.connect(str(database.path))) as connection:
        connection.execute("CREATE TABLE mine (x)")
    assert not create_repo(database, "blake3", None)
    assert read_rows(database.path, "SELECT name FROM sqlite_master") == [("mine",)]


def test_what_fails_leaves_an_empty_database(
    database: SqliteDatabase, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, read_rows
) -> None:
    broken = tmp_path / "broken.sql"
    broken.write_text(SCHEMA_FILE.read_text() + ";\n\nCREATE TABLE value (x)")
    with monkeypatch.context() as patch:
        patch.setattr("redun.backends.db.creation.SCHEMA_FILE", broken)
        with pytest.raises(sa.exc.OperationalError, match="table value already exists"):
            create_repo(database, "blake3", None)
    assert read_rows(database.path, "SELECT name FROM sqlite_master") == []
    assert create_repo(database, "blake3", None)


def test_a_repo_in_memory() -> None:
    backend = RedunBackendDb("sqlite:///:memory:")
    with pytest.raises(RedunVersionError):
        backend.load(migrate=False)
    backend.load(migrate=True)
    assert backend.session.query(orm.Job).count() == 0
    backend.close()


def test_a_repo_in_memory_with_open_changes_is_left_alone() -> None:
    backend = RedunBackendDb("sqlite:///:memory:")
    backend.load(migrate=True)
    backend.session.execute(sa.text("INSERT INTO redun_setting VALUES ('mine', '1')"))
    assert not create_repo(backend.database, "blake3", None)
    mine = sa.text("SELECT value FROM redun_setting WHERE key = 'mine'")
    assert backend.session.execute(mine).scalar() == "1"
    backend.migrate()
    backend.close()


if __name__ == "__main__":
    SCHEMA_FILE.write_text(schema_text())
