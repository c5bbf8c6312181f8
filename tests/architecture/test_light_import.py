"""``import redun`` loads what a workflow needs, and nothing that only some commands need."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Each of these costs more to load than all of redun's language.
HEAVY = (
    "alembic",
    "asyncio",
    "click",
    "fsspec",
    "multiprocessing",
    "numpy",
    "rich",
    "sqlalchemy",
    "textual",
)


def loaded_by(statement: str) -> set[str]:
    """Return the names of the modules that a new interpreter has loaded after a statement."""
    code = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import redun",
        "from redun import File, Handle, Scheduler, cond, run, task",
        "import redun.scheduler",
    ],
)
def test_import_is_light(statement: str) -> None:
    loaded = loaded_by(statement) - loaded_by("pass")
    assert "redun._core" in loaded
    assert loaded & set(HEAVY) == set()


def test_executors_can_be_named_without_their_libraries() -> None:
    loaded = loaded_by("import redun; redun.LocalExecutor; redun.register_executor")
    assert loaded & {"boto3", "docker", "kubernetes", "google.cloud"} == set()


def test_looking_back_at_sqlite_loads_neither_migrations_nor_other_databases() -> None:
    loaded = loaded_by("import redun.cli.commands.log, redun.cli.show")
    assert "sqlalchemy" in loaded
    assert loaded & {"alembic", "sqlalchemy.dialects.postgresql"} == set()
