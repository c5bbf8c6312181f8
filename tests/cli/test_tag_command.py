"""`redun tag list|add|update|rm`: what it prints is what the reference prints."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

WORKFLOW = """
from redun.scheduler import apply_tags

@task(tags=[("team", "core")])
def leaf(x):
    return apply_tags(x, tags=[("kind", {"b": 1, "a": [2]})])

@task()
def make(path="out.txt"):
    file = File(path)
    file.write("hello")
    return file

@task()
def main():
    return [leaf(1), make()]
"""


@pytest.fixture
def repo(program, script: Callable[..., Path]):
    """The program in a directory with one finished run; its default tags are known."""
    script(WORKFLOW)
    done = program("run", "--user", "ann", "--tag", "n=1", "wf.py", "main")
    assert done.code == 0, done.err
    return program


def ids(text: str) -> str:
    """The text without what differs from run to run."""
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}", "<id>", text)
    text = re.sub(r"\b[0-9a-f]{40}\b", "<hash>", text)
    text = re.sub(r"\b[0-9a-f]{8}\b", "<id8>", text)
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "<time>", text)


def without_git(lines: str) -> list[str]:
    return [line for line in lines.splitlines() if "git_" not in line]


def test_list_of_keys(repo) -> None:
    assert without_git(repo("tag", "list").out) == [
        "Tags:",
        "  kind       (1 Value)",
        "  n          (1 Execution)",
        "  project    (1 Execution)",
        "  redun.version (1 Execution)",
        "  team       (1 Job, 1 Task)",
        "  user       (1 Execution)",
    ]


def test_list_of_values(repo) -> None:
    repo("tag", "add", "leaf", "list=[1,2]", "n=1", "n=1.5", "n=null")
    lines = without_git(repo("tag", "list", "--values").out)
    assert lines[:7] == [
        "Tags:",
        '  kind={"a": [2], "b": 1}        (1 Value)',
        "  list=[1, 2]                    (1 Task)",
        "  n=1                            (1 Execution, 1 Task)",
        "  n=1.5                          (1 Task)",
        "  n=null                         (1 Task)",
        "  project=demo                   (1 Execution)",
    ]
    for words, expected in {
        ("n",): ["n=1", "n=1.5", "n=null"],
        ("n=1",): ["n=1"],
        ("n=null",): ["n=null"],
        ("list=[1,2]", "user"): ["list=[1, 2]", "user=ann"],
        ("absent",): [],
    }.items():
        lines = repo("tag", "list", "--values", *words).out.splitlines()[1:]
        assert [line.split("  ")[1] for line in lines] == expected


def test_records_with_tags(repo) -> None:
    assert ids(repo("tag", "list", "team").out).splitlines() == [
        "Job <id8> [ DONE ] <time>:  demo.leaf(1) (team=core)",
        "Task <id8> demo.leaf (team=core)",
        "Value <id8> redun.Task Task(fullname=demo.leaf, hash=<id8>) (team=core)",
    ]
    assert repo("tag", "list", "team=core", "user").out == ""
    assert repo("tag", "list", "user=ann").out.startswith("Exec ")
    for words in (["team"], ["n=1"], ["kind"]):
        shown = repo("tag", "list", *words).out
        assert shown == repo("log", "--all", "--no-pager", *["--tag", *words]).out
        assert shown


def test_add_update_remove(repo) -> None:
    assert ids(repo("tag", "add", "-", "leaf", "a=hello", "b={'x': 1}".replace("'", '"')).out) == (
        'add tag Execution:<id> a="hello" b={"x": 1}\nadd tag Task:<hash> a="hello" b={"x": 1}\n'
    )
    repo("tag", "add", "-", "a=2")
    values = repo("tag", "list", "--values", "a").out
    assert "a=2                            (1 Execution)" in values
    assert "a=hello                        (1 Execution, 1 Task)" in values
    assert ids(repo("tag", "update", "-", "a=3").out) == "update tag Execution:<id> a=3\n"
    values = repo("tag", "list", "--values", "a").out
    assert "a=3                            (1 Execution)" in values
    assert "a=2" not in values
    assert ids(repo("tag", "rm", "-", "a=3").out) == "delete tag Execution:<id> a=3\n"
    assert "a=3" not in repo("tag", "list", "--values").out
    assert ids(repo("tag", "rm", "leaf", "a=hello", "--", "b").out) == (
        'delete tag Task:<hash> a="hello" b\n'
    )
    assert "  b " in repo("tag", "list").out  # that of the execution
    assert ids(repo("tag", "rm", "-", "--", "b").out) == "delete tag Execution:<id> b\n"
    assert "  b " not in repo("tag", "list").out


def test_a_deleted_tag_can_be_added_again(repo) -> None:
    for _ in range(3):
        repo("tag", "add", "-", "x=1", "x=1")
        assert "x=1                            (1 Execution)" in repo("tag", "list", "--values").out
        repo("tag", "rm", "-", "x=1")
        assert "x=1" not in repo("tag", "list", "--values").out


def test_null_is_a_value_like_others(repo) -> None:
    repo("tag", "add", "-", "x=")
    assert repo("tag", "list", "x=null").out.startswith("Exec ")
    repo("tag", "rm", "-", "x=null")
    assert repo("tag", "list", "x").out == ""


def test_records_by_hash_name_and_path(repo) -> None:
    task_hash = repo("log", "--task", "leaf", "--format", "json").out.split('"value_hash": "')[1][
        :40
    ]
    for word in ("leaf", "demo.leaf", task_hash, task_hash[:12]):
        assert repo("tag", "add", word, "x=1").out == f"add tag Task:{task_hash} x=1\n"
    assert ids(repo("tag", "add", "out.txt", "x=1").out) == "add tag Value:<hash> x=1\n"


def test_wrong_use(repo) -> None:
    for words, message, code in (
        (["add"], "which record is meant", 2),
        (["add", "x=1"], "which record is meant", 2),
        (["add", "-"], "which tags are meant", 2),
        (["update", "-"], "which tags are meant", 2),
        (["rm", "-"], "which tags are meant", 2),
        (["rm", "-", "x"], "which tags are meant", 2),
        (["rm", "-", "--"], "which tags are meant", 2),
        (["add", "-", "=1"], "key must be specified", 2),
        (["add", "-", "x=[1"], "Invalid tag value", 2),
        (["add", "-", "x=1", "y"], "key=value pair expected", 2),
        (["list", "=1"], "key must be specified", 2),
        (["add", "nothing-there", "x=1"], "nothing recorded matches `nothing-there`", 1),
        (["add", "~9", "x=1"], "Execution index too high: 9", 1),
        (["add", "", "x=1"], "nothing recorded matches ``", 1),
    ):
        done = repo("tag", *words)
        assert (done.code, message in done.err) == (code, True), (words, done)
        assert "hint:" in done.err
    # One wrong id, and the others are left alone.
    assert repo("tag", "add", "-", "nothing-there", "fresh=1").code == 1
    assert repo("tag", "list", "fresh").out == ""


def test_other_repo(repo) -> None:
    repo("init", "elsewhere")
    repo("repo", "add", "far", "elsewhere/.redun")
    assert repo("-r", "far", "tag", "list").out == "Tags:\n"
    assert repo("-r", "far", "tag", "list", "user").out == ""
    done = repo("-r", "far", "tag", "add", "-", "x=1")
    assert (done.code, "there is no execution yet" in done.err) == (1, True)
