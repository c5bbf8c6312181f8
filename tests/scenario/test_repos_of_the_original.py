"""Repos that releases of the original wrote hit in ours, and the other way round."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

KINDS = Path(__file__).parents[1] / "golden" / "original" / "kinds.py"
COMPILE = Path(__file__).parents[2] / "examples" / "compile"

NEWEST = "0.44.1"
#: The version of the schema that each release writes. The index has no release that writes another.
RELEASES = {"0.8.0": "3.1", "0.22.0": "3.3", "0.25.0": "3.5", NEWEST: "3.5"}
REVISIONS = {
    "2.0": "647c510a77b1",
    "2.1": "30ffbaee18cd",
    "2.2": "71ec303c90e4",
    "2.3": "d4af139b6f53",
    "3.0": "cd2d53191748",
    "3.1": "cc4f663817b6",
    "3.2": "eb7b95e4e8bf",
    "3.3": "f68b3aaee9cc",
    "3.4": "3b0a6e67cc58",
    "3.5": "0bee3d6dba76",
}
#: Repos of the original: the release that wrote one, and the version its own `db downgrade` made of it.
REPOS = {
    **{release: (release, None) for release in RELEASES},
    **{f"{NEWEST} at {version}": (NEWEST, version) for version in REVISIONS if version != "3.5"},
}

Original = Callable[[str], Any]
Ours = Callable[..., Any]


@pytest.fixture(scope="module")
def written(original: Original, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Gives a directory in which a release has run the workflow of all kinds once."""
    made: dict[str, Path] = {}

    def write(release: str) -> Path:
        if release not in made:
            directory = made[release] = tmp_path_factory.mktemp(f"written_by_{release}")
            shutil.copy(KINDS, directory)
            program = original(release)
            program(directory, "run", "kinds.py", "main")
            assert take_ran(directory)
        return made[release]

    return write


@pytest.fixture
def copy_of(
    original: Original, written: Callable[[str], Path], tmp_path: Path
) -> Callable[[str], Path]:
    """Gives a copy of such a directory; files keep their times, which are in their hashes."""

    def copy(name: str) -> Path:
        release, version = REPOS[name]
        directory = Path(shutil.copytree(written(release), tmp_path / "copy"))
        if version is not None:
            original(release)(directory, "db", "downgrade", version)
        revision = REVISIONS[version or RELEASES[release]]
        assert database(directory, "SELECT version_num FROM alembic_version") == [(revision,)]
        return directory

    return copy


@pytest.fixture
def ours_written(ours: Ours, tmp_path: Path) -> Path:
    """A directory in which ours has run the workflow, in a repo with the original's hashes."""
    directory = tmp_path / "ours"
    (directory / ".redun").mkdir(parents=True)
    (directory / ".redun" / "redun.ini").write_text(
        "[backend]\ndb_uri = sqlite:///redun.db\nhash_scheme = redun1\n"
    )
    shutil.copy(KINDS, directory)
    ours()(directory, "run", "kinds.py", "main")
    assert take_ran(directory)
    return directory


def take_ran(directory: Path) -> list[str]:
    """The tasks whose bodies ran since the last call, and forgets them."""
    path = directory / "ran.txt"
    names = path.read_text().split() if path.exists() else []
    path.unlink(missing_ok=True)
    return names


def database(directory: Path, query: str) -> list[tuple]:
    """The rows of a query on the repo of a directory."""
    connection = sqlite3.connect(directory / ".redun" / "redun.db")
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


@pytest.mark.parametrize("name", REPOS)
def test_ours_hits_in_a_repo_of_the_original(
    copy_of: Callable[[str], Path], original: Original, ours: Ours, name: str
) -> None:
    directory, level = copy_of(name), original(REPOS[name][0]).level
    values = set(database(directory, "SELECT value_hash, value FROM value"))
    printed = ours(level).run(directory, "run", "kinds.py", "main")
    assert (printed.returncode, take_ran(directory)) == (0, []), printed.stderr
    # What was there is as it was, and nothing that is equal was added under another hash.
    after = set(database(directory, "SELECT value_hash, value FROM value"))
    assert values <= after
    assert database(directory, "SELECT value FROM redun_setting") == [("redun1",)]


@pytest.mark.parametrize("name", [*RELEASES, f"{NEWEST} at 3.4", f"{NEWEST} at 2.0"])
def test_ours_shows_a_repo_of_the_original(
    copy_of: Callable[[str], Path], ours: Ours, name: str
) -> None:
    directory, program = copy_of(name), ours()
    program(directory, "db", "upgrade")
    # Versions before 3.0 know no executions but those that are made up for their root jobs.
    assert name.endswith("2.0") or "kinds.py main" in program(directory, "log")
    counts = {"Execution": 1, "Job": 50, "CallNode": 40, "Task": 25, "Value": 90}
    lines = program(directory, "log", "--all", "--count").splitlines()
    found = {line.split()[1]: int(line.split()[0]) for line in lines if line.strip()}
    assert all(found[name] >= at_least - 5 for name, at_least in counts.items()), found
    assert program(directory, "log", "--all", "--detail").count("Upstream dataflow:") > 90
    assert len(program(directory, "log", "--all", "--format", "json").splitlines()) > 200


def test_the_original_hits_in_a_repo_of_ours(
    original: Original, ours: Ours, ours_written: Path
) -> None:
    program = original(NEWEST)
    assert "kinds.py main" in program(ours_written, "log")
    assert "Unpicklable" not in program(ours_written, "log", "--job", "--task")
    printed = program.run(ours_written, "run", "kinds.py", "main")
    assert (printed.returncode, take_ran(ours_written)) == (0, []), printed.stderr
    # And ours again, after the original wrote to it.
    ours()(ours_written, "run", "kinds.py", "main")
    assert take_ran(ours_written) == []


def test_both_write_the_same_hashes(written: Callable[[str], Path], ours_written: Path) -> None:
    """Equal values, tasks and evaluations have equal keys, whoever wrote them."""
    theirs = written(NEWEST)
    for query in (
        "SELECT hash FROM task",
        "SELECT eval_hash FROM evaluation e JOIN task t ON t.hash = e.task_hash "
        "WHERE name IN ('add', 'plain_values', 'arrays', 'in_context', 'fail', 'use_handle')",
        "SELECT value_hash, type, value FROM value WHERE type LIKE 'kinds.%' OR type LIKE 'builtins.%' "
        "AND value_hash IN (SELECT value_hash FROM argument)",
    ):
        assert set(database(theirs, query)) & set(database(ours_written, query)), query
    # Expressions within results are not values of their own in ours.
    kinds = "SELECT DISTINCT type FROM value WHERE type NOT LIKE 'redun.expression.%'"
    assert set(database(theirs, kinds)) == set(database(ours_written, kinds))


@pytest.mark.parametrize("writer", ["ours", "original"])
def test_compile_example(original: Original, ours: Ours, tmp_path: Path, writer: str) -> None:
    shutil.copytree(COMPILE, tmp_path / "compile", ignore=shutil.ignore_patterns(".redun"))
    directory = tmp_path / "compile"
    (directory / ".redun").mkdir()
    ini = "[backend]\ndb_uri = sqlite:///redun.db\nvalue_store_path = values\nvalue_store_min_size = 64\n"
    (directory / ".redun" / "redun.ini").write_text(ini)
    programs = [original(NEWEST), ours()]
    if writer == "ours":
        programs.reverse()
        (directory / ".redun" / "redun.ini").write_text(ini + "hash_scheme = redun1\n")
    script = next(path.name for path in directory.glob("*.py"))
    programs[0](directory, "run", script, "make")
    built = {path.name: path.stat().st_mtime_ns for path in directory.glob("*.o")}
    assert built
    printed = programs[1].run(directory, "run", script, "make")
    assert printed.returncode == 0
    assert "Run " not in printed.stderr
    assert {path.name: path.stat().st_mtime_ns for path in directory.glob("*.o")} == built
    assert list((directory / ".redun" / "values").glob("*/*"))
    assert "prog" in programs[1](directory, "log", "--file")
