"""A unit test is found by its module: ``tests/unit/test_value_base.py`` for ``redun.value.base``.

Modules of the core count too: ``test_machine.py`` tests from Python what ``src/sched/machine.rs`` does.
"""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "python" / "redun"
UNIT_TESTS = sorted((ROOT / "tests" / "unit").rglob("test_*.py"))
ALL_TESTS = sorted((ROOT / "tests").rglob("test_*.py"))


def mirrored_names() -> set[str]:
    """Return what a test may be called after: each module's path, or the end of it, with underscores."""
    names = {"core", *(path.stem for path in (ROOT / "src").rglob("*.rs"))}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        names.update("_".join(parts[start:]).strip("_") for start in range(len(parts)))
    return names


@pytest.mark.parametrize("path", UNIT_TESTS, ids=lambda path: path.name)
def test_unit_test_mirrors_a_module(path: Path) -> None:
    assert path.stem.removeprefix("test_") in mirrored_names()


def test_names_of_test_files_are_unique() -> None:
    names = [path.name for path in ALL_TESTS]
    assert [name for name in set(names) if names.count(name) > 1] == []
