"""Exports of ours are imported by the original, and the other way round."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

RELEASE = "0.44.1"
COMPILE = Path(__file__).parents[2] / "examples" / "compile"

Program = Callable[..., str]


@pytest.fixture
def programs(original: Any, ours: Any) -> tuple[Program, Program]:
    """The program of the original, and ours."""
    return original(RELEASE), ours()


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
def test_export_and_import(programs: tuple[Program, Program], tmp_path: Path, way: str) -> None:
    writer, reader = programs if way == "from the original" else reversed(programs)
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


def test_both_export_the_same_lines(programs: tuple[Program, Program], tmp_path: Path) -> None:
    original, ours = programs
    run_workflow(original, tmp_path)
    assert records(ours(tmp_path, "export")) == records(original(tmp_path, "export"))
