"""Repos that releases of the original wrote hit in ours, and the other way round.

The releases are installed from the package index, each into an environment of its own, which is kept in
the user's cache directory. Without the index the tests are skipped.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

GOLDEN = Path(__file__).parents[1] / "golden" / "original"
KINDS = GOLDEN / "kinds.py"
COMPILE = Path(__file__).parents[2] / "examples" / "compile"

#: The revision of the schema that each release writes.
RELEASES = {"0.8.0": "cc4f663817b6", "0.25.0": "0bee3d6dba76", "0.44.1": "0bee3d6dba76"}
NEWEST = "0.44.1"

#: Read while tests are collected: during tests the cache directory is another.
ENVIRONMENTS = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "redun-tests"

OLD_LEVEL = {"0.8.0": "old"}


@dataclass(frozen=True)
class Program:
    """A release, or ours: runs commands in a directory."""

    path: Path
    level: str = "new"

    def __call__(self, directory: Path, *words: str) -> str:
        """Runs a command and returns all it printed; it must succeed."""
        kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")
        environment = {name: os.environ[name] for name in kept if name in os.environ}
        environment["KINDS_LEVEL"] = self.level
        if self.path == OURS and "PYTHONPATH" in os.environ:
            environment["PYTHONPATH"] = os.environ["PYTHONPATH"]
        done = subprocess.run(
            [str(self.path), *words],
            cwd=directory,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout


OURS = Path(sys.executable).parent / "redun"


def install(release: str) -> Program:
    """The program of a release, installed the first time it is asked for."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    place = ENVIRONMENTS / f"redun-{release}-py{version}"
    ENVIRONMENTS.mkdir(parents=True, exist_ok=True)
    with (ENVIRONMENTS / f"{place.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "complete").exists():
            shutil.rmtree(place, ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
            # Everything is pinned, so nothing needs to be resolved.
            wanted = [
                "--no-compile",
                "--no-deps",
                "-r",
                str(GOLDEN / f"requirements-{release}.txt"),
            ]
            pip = [str(place / "bin" / "pip"), "install", "--quiet", *wanted]
            done = subprocess.run(pip, capture_output=True, text=True)
            if done.returncode != 0:
                pytest.skip(f"redun {release} cannot be installed: {done.stderr[-300:]}")
            (place / "complete").touch()
    return Program(place / "bin" / "redun", OLD_LEVEL.get(release, "new"))


@pytest.fixture(scope="module")
def original() -> Callable[[str], Program]:
    """Gives the program of a release."""
    return install


@pytest.fixture(scope="module")
def written(original, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
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
def copy_of(written, tmp_path: Path) -> Callable[[str], Path]:
    """Gives a copy of such a directory; files keep their times, which are in their hashes."""

    def copy(release: str) -> Path:
        return Path(shutil.copytree(written(release), tmp_path / "copy"))

    return copy


@pytest.fixture
def ours_written(tmp_path: Path) -> Path:
    """A directory in which ours has run the workflow, in a repo with the original's hashes."""
    directory = tmp_path / "ours"
    (directory / ".redun").mkdir(parents=True)
    (directory / ".redun" / "redun.ini").write_text(
        "[backend]\ndb_uri = sqlite:///redun.db\nhash_scheme = redun1\n"
    )
    shutil.copy(KINDS, directory)
    Program(OURS)(directory, "run", "kinds.py", "main")
    assert take_ran(directory)
    return directory


def take_ran(directory: Path) -> list[str]:
    """The tasks whose bodies ran since the last call, and forgets them."""
    path = directory / "ran.txt"
    names = path.read_text().split() if path.exists() else []
    path.unlink(missing_ok=True)
    return names


def database(directory: Path, query: str) -> list[tuple]:
    connection = sqlite3.connect(directory / ".redun" / "redun.db")
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


@pytest.mark.parametrize("release", RELEASES)
def test_ours_hits_in_a_repo_of_the_original(copy_of, release: str) -> None:
    directory, ours = copy_of(release), Program(OURS, OLD_LEVEL.get(release, "new"))
    assert database(directory, "SELECT version_num FROM alembic_version") == [(RELEASES[release],)]
    values = set(database(directory, "SELECT value_hash, value FROM value"))
    printed = ours(directory, "run", "kinds.py", "main")
    assert take_ran(directory) == [], printed
    # What was there is as it was, and nothing that is equal was added under another hash.
    after = set(database(directory, "SELECT value_hash, value FROM value"))
    assert values <= after
    assert database(directory, "SELECT value FROM redun_setting") == [("redun1",)]


@pytest.mark.parametrize("release", RELEASES)
def test_ours_shows_a_repo_of_the_original(copy_of, release: str) -> None:
    directory, ours = copy_of(release), Program(OURS)
    ours(directory, "db", "upgrade")
    assert "kinds.py main" in ours(directory, "log")
    counts = {"Execution": 1, "Job": 50, "CallNode": 40, "Task": 25, "Value": 90}
    lines = ours(directory, "log", "--all", "--count").splitlines()
    found = {line.split()[1]: int(line.split()[0]) for line in lines if line.strip()}
    assert all(found[name] >= at_least - 5 for name, at_least in counts.items()), found
    assert ours(directory, "log", "--all", "--detail").count("Upstream dataflow:") > 90
    assert len(ours(directory, "log", "--all", "--format", "json").splitlines()) > 200


def test_the_original_hits_in_a_repo_of_ours(original, ours_written: Path) -> None:
    program = original(NEWEST)
    assert "kinds.py main" in program(ours_written, "log")
    assert "Unpicklable" not in program(ours_written, "log", "--job", "--task")
    printed = program(ours_written, "run", "kinds.py", "main")
    assert take_ran(ours_written) == [], printed
    # And ours again, after the original wrote to it.
    Program(OURS)(ours_written, "run", "kinds.py", "main")
    assert take_ran(ours_written) == []


def test_both_write_the_same_hashes(written, ours_written: Path) -> None:
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
def test_compile_example(original, tmp_path: Path, writer: str) -> None:
    shutil.copytree(COMPILE, tmp_path / "compile", ignore=shutil.ignore_patterns(".redun"))
    directory = tmp_path / "compile"
    (directory / ".redun").mkdir()
    ini = "[backend]\ndb_uri = sqlite:///redun.db\nvalue_store_path = values\nvalue_store_min_size = 64\n"
    (directory / ".redun" / "redun.ini").write_text(ini)
    programs = [original(NEWEST), Program(OURS)]
    if writer == "ours":
        programs.reverse()
        (directory / ".redun" / "redun.ini").write_text(ini + "hash_scheme = redun1\n")
    script = next(path.name for path in directory.glob("*.py"))
    programs[0](directory, "run", script, "make")
    built = {path.name: path.stat().st_mtime_ns for path in directory.glob("*.o")}
    assert built
    printed = programs[1](directory, "run", script, "make")
    assert "Run " not in printed
    assert {path.name: path.stat().st_mtime_ns for path in directory.glob("*.o")} == built
    assert list((directory / ".redun" / "values").glob("*/*"))
    assert "prog" in programs[1](directory, "log", "--file")
