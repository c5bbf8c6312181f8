"""``redun push`` and ``redun pull``."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

WORKFLOW = """
from redun import task

redun_namespace = "wf"

@task()
def leaf(x: int) -> int:
    return x + 1

@task()
def main(n: int = 3) -> list:
    return [leaf(i) for i in range(n)]
"""


#: Makes a repo in a directory; the value is its URI.
Init = Callable[[str], str]
#: How many rows a table of a repo has.
Rows = Callable[[str, str], int]


@pytest.fixture
def init(program: Any, write_config: Callable[..., str]) -> Init:
    def make(directory: str) -> str:
        uri = write_config(directory=directory)
        assert program("init", directory).code == 0
        return uri

    return make


@pytest.fixture
def here(programs_repo: str) -> str:
    """The URI of the repo in the current directory."""
    return programs_repo


@pytest.fixture
def there(program: Any, here: str, init: Init) -> str:
    """An empty repo that the one here, with one execution, calls `other`: its URI."""
    Path("wf.py").write_text(WORKFLOW)
    assert program("run", "wf.py", "main").code == 0
    uri = init("there")
    assert program("repo", "add", "other", "there/.redun").code == 0
    return uri


@pytest.fixture
def rows(rows_of: Any) -> Rows:
    return lambda uri, table: rows_of(uri, f"SELECT count(*) FROM {table}")[0][0]


@pytest.mark.sqlite  # what reads and writes it imports no SQLAlchemy
@pytest.mark.parametrize("words", [["push", "other"], ["pull", "other"], ["push", "other", "-"]])
def test_repos_on_sqlite_need_no_sqlalchemy(program: Any, there: str, words: list[str]) -> None:
    """Importing it takes longer than a push with nothing new."""
    if words[0] == "pull":
        assert program("push", "other").code == 0
    code = f"""
import sys
from redun.cli.client import Invocation
assert Invocation(["redun", *{words}]).run() == 0
assert sys.modules.keys().isdisjoint({{"sqlalchemy", "alembic"}})
"""
    for _ in range(2):
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_push_says_what_it_pushed_by_kind(program: Any, there: str) -> None:
    would = program("push", "other", "--dry-run")
    assert would.out.startswith("Would push ")
    done = program("push", "other")
    assert done.code == 0
    assert done.out == would.out.replace("Would push", "Pushed")
    assert "1 execution, 4 jobs, 4 calls, " in done.err
    again = program("push", "other")
    assert (again.code, again.out) == (0, "Repo 'other' is up to date.\n")


@pytest.mark.sqlite  # a repo that is lost is a file that is lost
def test_pull_fetches_single_executions_that_are_new_here(
    program: Any, here: str, there: str, rows: Rows, rows_of: Any
) -> None:
    assert program("run", "wf.py", "main", "--n", "1").code == 0
    assert program("push", "other").code == 0
    Path(".redun/redun.db").unlink()
    for leftover in Path(".redun").glob("redun.db-*"):
        leftover.unlink()
    assert program("init").code == 0
    query = "SELECT e.id FROM execution e JOIN job j ON j.id = e.job_id ORDER BY start_time DESC"
    newest = rows_of(there, query)[0][0]
    refused = program("push", "other", newest[:8])
    assert refused.code == 1
    assert f"error: Unknown record ids: {newest[:8]}" in refused.err
    assert f"hint: the other side has them: `redun pull other {newest[:8]}`" in refused.err
    pulled = program("pull", "other", newest[:8])
    assert pulled.code == 0, pulled.err
    assert pulled.out.endswith("new record(s) from repo 'other'\n")
    assert rows(here, "execution") == 1
    assert program("pull", "other").code == 0
    assert rows(here, "execution") == 2
    assert program("pull", "other").out == "Pulled 0 new record(s) from repo 'other'\n"


def test_from_repo_to_repo(program: Any, there: str, init: Init, rows: Rows) -> None:
    assert program("push", "other").code == 0
    bar = init("bar")
    assert program("repo", "add", "bar", "bar/.redun").code == 0
    done = program("--repo", "other", "push", "bar")
    assert done.code == 0, done.err
    assert done.out.startswith("Pushed ")
    assert rows(bar, "execution") == 1


def test_a_bundle_is_a_repo_without_server(
    program: Any, there: str, init: Init, rows: Rows
) -> None:
    pushed = program("push", "shared/work.redun")
    assert pushed.code == 0, pushed.err
    assert program("push", "shared/work.redun").out == "Repo 'shared/work.redun' is up to date.\n"
    fresh = init("fresh")
    pulled = program("--config", "fresh/.redun", "pull", "shared/work.redun")
    assert pulled.code == 0, pulled.err
    assert pulled.out.split()[1] == pushed.out.split()[1]
    assert rows(fresh, "job") == 4


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (("push", "othr"), "Unknown repository: othr", "did you mean `other`?"),
        (("push", "default"), "Cannot push repo default to itself", "redun repo list"),
        (("pull", "default"), "Cannot pull repo default from itself", "redun repo list"),
        (("pull", "no/such.redun"), "There is no bundle at no/such.redun", "redun push"),
        (("push", "other", "ffffffff"), "Unknown record ids: ffffffff", ""),
    ],
)
def test_what_can_not_be_done_is_told_in_a_line(
    program: Any, there: str, words: tuple[str, ...], message: str, hint: str
) -> None:
    outcome = program(*words)
    assert outcome.code == 1
    assert outcome.err.startswith(f"error: {message}\n")
    assert hint in outcome.err
    assert outcome.err.count("error:") == 1


def test_other_databases_that_can_not_be_used(
    program: Any, there: str, rows_of: Any, tmp_path: Path
) -> None:
    assert program("push", "other").code == 0
    rows_of(there, "UPDATE redun_version SET version = 9")
    rows_of(there, "UPDATE alembic_version SET version_num = 'ffffffffffff'")
    outcome = program("push", "other")
    assert outcome.code == 1
    assert outcome.err.startswith("error: Cannot use repo 'other': ")
    assert "hint: " in outcome.err
    config = Path("there/.redun/redun.ini")
    config.write_text("[backend]\ndb_uri = sqlite:////no/such/place/redun.db\n")
    outcome = program("pull", "other")
    assert outcome.code == 1
    assert outcome.err.startswith("error: Cannot open repo 'other': unable to open database file")
