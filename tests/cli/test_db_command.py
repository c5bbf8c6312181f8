"""`redun db`: versions of the database and what a wrong database gets."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from redun import version


@pytest.fixture
def repo(program, workdir: Path, repo_kind: str, request: pytest.FixtureRequest) -> Path:
    """A new repo; the value is the path of its database if that is a file."""
    if repo_kind == "postgresql":
        (workdir / ".redun").mkdir()
        uri = request.getfixturevalue("empty_postgres_uri")
        (workdir / ".redun" / "redun.ini").write_text(f"[backend]\ndb_uri = {uri}\n")
    assert program("init").code == 0
    return workdir / ".redun" / "redun.db"


@pytest.mark.each_repo
def test_info(program, repo: Path) -> None:
    code, out, err = program("db", "info")
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert lines[:3] == [f"redun :: version {version}", f"config dir: {repo.parent}", ""]
    assert lines[3].startswith("db version: 3.")
    assert lines[4:] == ["CLI requires db versions: >=3.5,<4", "CLI compatible with db: True"]


@pytest.mark.sqlite  # whose databases are made when they are first used
def test_info_of_a_missing_database(program) -> None:
    code, out, _ = program("db", "info")
    assert code == 0
    assert "db version: -1.0 'No schema present.'" in out
    assert "CLI compatible with db: False" in out


@pytest.mark.sqlite  # as above
def test_versions(program, workdir: Path) -> None:
    code, out, _ = program("db", "versions")
    lines = out.splitlines()
    assert code == 0
    assert lines[0].split() == ["Version", "Migration", "Description"]
    assert lines[1] == ""
    assert lines[2].split() == ["1.0", "806f5dcb11bf", "Prototype", "schema."]
    assert any(line.startswith("3.5     0bee3d6dba76") for line in lines)
    assert list(workdir.iterdir()) == []


@pytest.mark.each_repo
def test_downgrade_and_upgrade(program, repo: Path) -> None:
    newest = program("db", "info").out.split("db version: ")[1].split()[0]
    down = program("db", "downgrade", "3.4")
    assert down.code == 0
    assert down.out.splitlines()[3:] == [f"Initial db version: {newest}", "Final db version: 3.4"]
    up = program("db", "upgrade")
    assert up.out.splitlines()[3:] == ["Initial db version: 3.4", f"Final db version: {newest}"]
    assert "No migration needed." in program("db", "upgrade").out


@pytest.mark.each_repo
def test_old_database_is_refused_until_upgraded(program, repo: Path) -> None:
    program("db", "downgrade", "3.3")
    code, out, err = program("log")
    assert (code, out) == (1, "")
    assert (
        "error: redun database is an incompatible version 3.3. "
        "Version must be within >=3.5,<4" in err
    )
    assert "hint: `redun db upgrade`" in err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["upgrade", "3.3"], 1, "Must use downgrade command to migrate from"),
        (["downgrade", "9.9"], 1, "Unknown db version: 9.9"),
        (["upgrade", "1.2.3"], 1, "Invalid db version format: "),
        (["upgrade", "new"], 1, "new"),
        (["downgrade"], 2, "missing argument 'DB_VERSION'"),
    ],
)
def test_wrong_version(program, repo: Path, words, code: int, message: str) -> None:
    result = program("db", *words)
    assert result.code == code
    assert message in result.err
    assert "hint: " in result.err
    assert "Traceback" not in result.err


def test_upgrade_of_an_old_database_needs_upgrade(program, repo: Path) -> None:
    program("db", "downgrade", "3.0")
    code, _, err = program("db", "downgrade", "3.3")
    assert code == 1
    assert "Must use upgrade command to migrate from 3.0 to 3.3." in err


@pytest.mark.sqlite  # as above
def test_log_in_a_new_directory(program) -> None:
    code, _, err = program("log")
    assert code == 1
    assert "redun database is an incompatible version -1.0. " in err
    assert "hint: `redun init` creates the database" in err


@pytest.mark.sqlite  # whose databases are files
@pytest.mark.parametrize("words", [["db", "info"], ["init"], ["log"]])
def test_database_that_is_none(program, repo: Path, words) -> None:
    repo.write_bytes(b"this is no database at all, but a text that is long enough" * 20)
    code, _, err = program(*words)
    assert code == 1
    assert "not a database" in err
    assert "hint: " in err
    assert "Traceback" not in err


@pytest.mark.each_repo
def test_database_that_is_too_new(program, repo: Path, rows_of) -> None:
    uri = re.search("(?m)^db_uri = (.*)", (repo.parent / "redun.ini").read_text())[1]
    uri = uri.replace("sqlite:///redun.db", f"sqlite:///{repo}")
    rows_of(uri, "UPDATE redun_version SET version = 4")
    rows_of(uri, "UPDATE alembic_version SET version_num = 'ffffffffffff'")
    code, _, err = program("init")
    assert code == 1
    assert "too new for this program" in err
    assert "hint: update redun" in err


def test_unknown_kind_of_database(program, repo: Path) -> None:
    (repo.parent / "redun.ini").write_text("[backend]\ndb_uri = nosuchdb://host/db\n")
    code, _, err = program("db", "info")
    assert code == 1
    assert "nosuchdb" in err
    assert "Traceback" not in err


POSTGRES_INI = "[backend]\ndb_uri = {uri}\ndb_retries = 0\n"


def test_run_does_not_migrate_a_postgresql_repo(program, workdir: Path, empty_postgres_uri) -> None:
    (workdir / ".redun").mkdir()
    (workdir / ".redun" / "redun.ini").write_text(POSTGRES_INI.format(uri=empty_postgres_uri))
    (workdir / "wf.py").write_text(
        "from redun import task\nredun_namespace = 'pg'\n@task()\ndef main(): return 7\n"
    )
    code, _, err = program("run", "wf.py", "main")
    assert code == 1
    assert "redun database is an incompatible version -1.0." in err
    assert "hint: `redun init` creates the database" in err
    assert program("db", "upgrade").code == 0
    assert program("run", "wf.py", "main").code == 0
    assert "run wf.py main" in program("log").out


@pytest.mark.parametrize("words", [["db", "info"], ["log"], ["run", "wf.py", "main"]])
def test_server_that_does_not_answer(program, workdir: Path, words, monkeypatch) -> None:
    monkeypatch.setenv("REDUN_DB_PASSWORD", "s3cret!")
    (workdir / ".redun").mkdir()
    uri = f"postgresql://me@/nowhere?host={workdir}"
    (workdir / ".redun" / "redun.ini").write_text(POSTGRES_INI.format(uri=uri))
    (workdir / "wf.py").write_text("from redun import task\n@task()\ndef main(): return 7\n")
    code, out, err = program(*words)
    assert code == 1
    assert "error: the redun database cannot be used: " in err
    assert "hint: check that the PostgreSQL server of `db_uri` runs" in err
    assert "Traceback" not in err
    assert "s3cret" not in out + err


def test_password_in_the_configuration_is_refused(program, workdir: Path) -> None:
    (workdir / ".redun").mkdir()
    uri = "postgresql://me:s3cret!@host/db"
    (workdir / ".redun" / "redun.ini").write_text(POSTGRES_INI.format(uri=uri))
    code, out, err = program("log")
    assert code == 1
    assert "Do not include passwords in DB URIs" in err
    assert "s3cret" not in out + err
