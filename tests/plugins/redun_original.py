"""
Releases of the original, for the tests of compatibility.

Each is installed from the package index into an environment of its own the first time that a test asks
for it. The environments are kept in the user's cache directory, or in `REDUN_TEST_CACHE`, for all
sessions on this machine. Without the index the tests are skipped.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parents[1] / "golden" / "original"
OURS = Path(sys.executable).parent / "redun"
#: Of the environment, programs get no more than this: nothing that steers redun but its credentials.
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "REDUN_DB_USERNAME", "REDUN_DB_PASSWORD")

#: Read when the session begins: during tests the user's cache directory is another.
ENVIRONMENTS = Path(
    os.environ.get("REDUN_TEST_CACHE")
    or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "redun-tests"
)


@dataclass(frozen=True)
class Program:
    """A release of the original, or ours: runs commands in a directory.

    ``level`` says which values of `kinds.py` it knows, `old` or `new`.
    """

    path: Path
    level: str = "new"

    def __call__(self, directory: Path, *words: str) -> str:
        """Runs a command, which must succeed; what it printed on standard output."""
        done = self.run(directory, *words)
        assert done.returncode == 0, done.stderr[-500:]
        return done.stdout

    def run(self, directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
        """Runs a command, which may fail."""
        process = self.start(directory, *words)
        out, err = process.communicate(timeout=300)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def start(self, directory: Path, *words: str) -> subprocess.Popen[str]:
        """Starts a command."""
        environment = {name: os.environ[name] for name in KEPT if name in os.environ}
        environment["KINDS_LEVEL"] = self.level
        if self.path == OURS and "PYTHONPATH" in os.environ:
            environment["PYTHONPATH"] = os.environ["PYTHONPATH"]
        return subprocess.Popen(
            [str(self.path), *words],
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def install(release: str) -> Path:
    """Makes the environment of a release, unless it is there; the path of its program."""
    requirements = GOLDEN / f"requirements-{release}.txt"
    wanted = requirements.read_text()
    place = ENVIRONMENTS / f"redun-{release}-py{sys.version_info.major}.{sys.version_info.minor}"
    complete = place / "complete"
    ENVIRONMENTS.mkdir(parents=True, exist_ok=True)
    with (ENVIRONMENTS / f"{place.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists() or complete.read_text() != wanted:
            shutil.rmtree(place, ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
            # Everything is pinned, so nothing needs to be resolved.
            pip = [place / "bin" / "pip", "install", "--quiet", "--no-compile", "--no-deps"]
            done = subprocess.run([*pip, "-r", requirements], capture_output=True, text=True)
            if done.returncode != 0:
                pytest.skip(f"redun {release} cannot be installed: {done.stderr[-300:]}")
            complete.write_text(wanted)
    return place / "bin" / "redun"


@pytest.fixture(scope="session")
def original() -> Callable[[str], Program]:
    """Gives the program of a release: ``original("0.44.1")``."""
    found: dict[str, Program] = {}

    def program(release: str) -> Program:
        if release not in found:
            found[release] = Program(install(release), "old" if release == "0.8.0" else "new")
        return found[release]

    return program


@pytest.fixture(scope="session")
def ours() -> Callable[..., Program]:
    """Gives our program: ``ours()``, or ``ours("old")``."""
    return lambda level="new": Program(OURS, level)
