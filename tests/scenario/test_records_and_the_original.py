"""Exports of ours are imported by the original, and the other way round.

The original is installed from the package index into an environment that is kept in the user's cache
directory. Without the index the tests are skipped.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

RELEASE = "0.44.1"
OURS = Path(sys.executable).parent / "redun"
COMPILE = Path(__file__).parents[2] / "examples" / "compile"

Program = Callable[..., str]


def program_at(path: Path) -> Program:
    """Runs a program in a directory; it must succeed. The value is what it printed."""

    def run(directory: Path, *words: str) -> str:
        kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH")
        environment = {name: os.environ[name] for name in kept if name in os.environ}
        if path != OURS:
            environment.pop("PYTHONPATH", None)
        done = subprocess.run(
            [str(path), *words],
            cwd=directory,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="module")
def original() -> Program:
    """The program of the original."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "redun-tests"
    place = cache / f"redun-{RELEASE}-py{sys.version_info.major}.{sys.version_info.minor}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{place.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "complete").exists():
            shutil.rmtree(place, ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
            pip = [str(place / "bin" / "pip"), "install", "--quiet", f"redun=={RELEASE}"]
            done = subprocess.run(pip, capture_output=True, text=True)
            if done.returncode != 0:
                pytest.skip(f"redun {RELEASE} cannot be installed: {done.stderr[-300:]}")
            (place / "complete").touch()
    return program_at(place / "bin" / "redun")


@pytest.fixture(scope="module")
def ours() -> Program:
    return program_at(OURS)


def records(text: str) -> list[dict[str, Any]]:
    """Records in any order; the original gives the children of a call in that of their hashes."""
    found = [json.loads(line) for line in text.splitlines()]
    for record in found:
        if "children" in record:
            record["children"].sort()
    return sorted(found, key=json.dumps)


def run_workflow(program: Program, directory: Path) -> None:
    shutil.copytree(COMPILE, directory, dirs_exist_ok=True)
    program(directory, "init", ".")
    for _ in range(2):
        program(directory, "run", "make.py", "make", "--tag", "team=blue")
    program(directory, "tag", "update", "-", "team=red")
    program(directory, "tag", "rm", "-", "team=red")


@pytest.mark.parametrize("way", ["from the original", "to the original"])
def test_export_and_import(original: Program, ours: Program, tmp_path: Path, way: str) -> None:
    writer, reader = (original, ours) if way == "from the original" else (ours, original)
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    run_workflow(writer, source)
    writer(source, "export", "--file", "records.jsonl")
    exported = (source / "records.jsonl").read_text()
    reader(target, "init", ".")
    for _ in range(2):
        reader(target, "import", "--file", str(source / "records.jsonl"))
        assert records(reader(target, "export")) == records(exported)
    counts = [program(path, "log", "--all", "--count").split() for program, path in (
        (writer, source), (reader, target),
    )]  # fmt: skip
    # Values that only unevaluated results refer to are no part of an export.
    assert counts[0][:8] == counts[1][:8]
    # What stands in brackets are the tags; before them is the command line.
    lines = reader(target, "log", "--exec").splitlines()
    latest, first = [line.rpartition("(")[2] for line in lines]
    assert "team=" not in latest
    assert "team=blue" in first


def test_both_export_the_same_lines(original: Program, ours: Program, tmp_path: Path) -> None:
    run_workflow(original, tmp_path)
    assert records(ours(tmp_path, "export")) == records(original(tmp_path, "export"))
