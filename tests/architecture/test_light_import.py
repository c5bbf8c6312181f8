"""``import redun`` loads what a workflow needs, and nothing that only some commands need."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parents[1] / "golden" / "log"

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


@pytest.mark.parametrize(
    "statement",
    [
        "import redun.cli.show, redun.cli.commands.log, redun.cli.commands.tag",
        "import redun.backends.db.query, redun.backends.db.serializers",
        "import redun.console.app, redun.console.routes",
        "import redun.backends.db.dataflow, redun.lookback.why, redun.lookback.diff",
        "import redun.lookback.forecast, redun.report.page, redun.report.data",
        "import redun.cli.commands.why, redun.cli.commands.diff, redun.cli.commands.report",
    ],
)
def test_looking_back_is_light(statement: str) -> None:
    assert "sqlalchemy" not in loaded_by(statement)


WORKFLOW = """
from redun import task


@task(namespace="light")
def main(x: int = 1):
    return x
"""

LOOK_BACK = """
import io, sys
from redun.cli import RedunClient

for words in COMMANDS:
    client = RedunClient(stdout=io.StringIO(), stderr=io.StringIO())
    client.execute(["redun", *words.split()])
    print(words, bool(client.stdout.getvalue()), "sqlalchemy" in sys.modules, sep="|")
"""


def test_looking_back_at_sqlite_needs_no_sqlalchemy(tmp_path: Path) -> None:
    config = tmp_path / ".redun"
    config.mkdir()
    with closing(sqlite3.connect(config / "redun.db")) as connection:
        connection.executescript((GOLDEN / "repo.sql").read_text())
        (job,) = connection.execute("SELECT id FROM job WHERE call_hash IS NOT NULL").fetchone()
        (call,) = connection.execute("SELECT call_hash FROM call_node").fetchone()
        (value,) = connection.execute("SELECT value_hash FROM call_node").fetchone()
    (tmp_path / "a.txt").touch()
    (tmp_path / "wf.py").write_text(WORKFLOW)
    commands = [
        "log",
        "log -",
        "log ~2",
        "log a.txt",
        f"log {job}",
        f"log {call}",
        f"log {value[:10]}",
        "log inc",
        "why",
        "why --all ~2",
        f"why {job}",
        "diff",
        "report - -o -",
        "plan wf.py light.main",
        "log --all --count",
        "log --all --exec-id -",
        "log --file",
        "log --all --format json",
        "log --exec-tag a=1 --job --job-status DONE,FAILED --detail",
        "tag list",
        "tag list --values",
        "tag list step",
        f"tag add {job} x=1",
        f"tag update {job} x=2",
        f"tag rm {job} x=2",
    ]
    program = LOOK_BACK.replace("COMMANDS", repr(commands))
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert done.stdout.splitlines() == [f"{words}|True|False" for words in commands], done.stderr


WORKFLOW = """
from redun import File, task

redun_namespace = "light"


@task()
def copy(file: File) -> File:
    copied = File("b.txt")
    copied.write(file.read())
    return copied


@task()
def main(n: int = 2) -> list:
    return [copy(File("a.txt")), n]
"""


@pytest.fixture(scope="module")
def used_repo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a repo in SQLite that holds a run, and another repo that holds it too."""
    path = tmp_path_factory.mktemp("light")
    (path / "light.py").write_text(WORKFLOW)
    (path / "a.txt").write_text("a")
    for words in (
        ("run", "light.py", "light.main"),
        ("--config", str(path / "other"), "init"),
        ("repo", "add", "other", str(path / "other")),
        ("push", "other"),
    ):
        loaded_by_program(path, *words)
    return path


def loaded_by_program(path: Path, *words: str) -> set[str]:
    """Run the program in a directory and return the names of the modules that it has loaded."""
    code = (
        "import sys\nfrom redun.cli import main\n"
        f"sys.argv = ['redun', *{list(words)!r}]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "finally:\n    print('\\nloaded:', *sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("loaded:")[2].split())


@pytest.mark.parametrize(
    "words",
    [
        ("run", "light.py", "light.main"),
        ("run", "light.py", "light.main", "--n", "3"),
        ("push", "other"),
        ("pull", "other"),
        ("export", "--file", "all.jsonl"),
    ],
    ids=" ".join,
)
def test_repos_on_sqlite_are_used_without_sqlalchemy(
    used_repo: Path, words: tuple[str, ...]
) -> None:
    """Importing it takes longer than all else that these commands do."""
    loaded = loaded_by_program(used_repo, *words)
    assert "redun.backends.db" in loaded
    assert "sqlalchemy" not in loaded


@pytest.mark.parametrize("words", [("init",), ("run", "light.py", "light.main")], ids=" ".join)
def test_a_repo_on_sqlite_is_made_without_sqlalchemy(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    (tmp_path / "light.py").write_text(WORKFLOW)
    (tmp_path / "a.txt").write_text("a")
    loaded = loaded_by_program(tmp_path, *words)
    assert (tmp_path / ".redun" / "redun.db").exists()
    assert "sqlalchemy" not in loaded
