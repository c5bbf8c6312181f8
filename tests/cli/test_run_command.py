"""`redun run`: what it prints, records and returns, option by option."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from redun import version

FLOW = """
from typing import List

@task()
def double(x: int):
    return 2 * x

@task()
def main(x: int = 1, names: List[str] = ["n"]):
    '''Doubles.'''
    return {"x": double(x), "names": names}

@task()
def nothing():
    return None
"""


@pytest.fixture
def rows(new_repo, rows_of) -> Callable[..., list[tuple[Any, ...]]]:
    """Gives the rows of a query on the repo."""
    return lambda statement: rows_of(new_repo(".redun/redun.db"), statement)


@pytest.fixture
def execution_tags(rows, repo_kind: str) -> Callable[[], dict[str, Any]]:
    """Gives the tags of the executions of the repo."""
    parse = json.loads if repo_kind == "sqlite" else lambda value: value

    def tags() -> dict[str, Any]:
        found = rows("SELECT key, value FROM tag WHERE entity_type = 'Execution'")
        return {key: parse(value) for key, value in found}

    return tags


def test_result_goes_to_stdout_and_the_log_to_stderr(program, script) -> None:
    script(FLOW)
    code, out, err = program("run", "wf.py", "main", "--x", "3", "--names", "a", "b")
    assert (code, out) == (0, "{'names': ['a', 'b'], 'x': 6}\n")
    lines = err.splitlines()
    assert all(line.startswith("[redun] ") for line in lines)
    assert lines[0] == f"[redun] redun :: version {version}"
    assert lines[1].startswith("[redun] config dir: ")
    assert lines[1].endswith(".redun")
    assert any("Start Execution" in line for line in lines)
    assert "  redun run wf.py main --x 3 --names a b" in err
    assert "demo.main(x=3, names=['a', 'b']) on default" in err
    assert "| JOB STATUS" in err
    assert lines[-1].startswith("[redun] Execution duration: ")


def test_second_run_is_cached_and_finds_the_config(program, script, workdir: Path) -> None:
    script(FLOW)
    first = program("run", "wf.py", "main")
    second = program("run", "wf.py", "main")
    assert first.out == second.out
    assert "Run    Job" not in second.err
    assert "Cached Job" in second.err
    assert f"[redun] config dir: {workdir}/.redun" in second.err


def test_none_prints_nothing(program, script) -> None:
    script(FLOW)
    assert program("run", "wf.py", "nothing")[:2] == (0, "")


def test_help_of_a_task(program, script) -> None:
    script(FLOW)
    code, out, _ = program("run", "wf.py", "main", "help")
    assert code == 0
    assert "usage: demo.main" in out
    assert "--names NAMES [NAMES ...]" in out
    assert "Doubles." in out
    assert "(default: 1)" in out


def test_info_of_a_task(program, script) -> None:
    script(FLOW)
    code, out, err = program("run", "wf.py", "double", "info")
    head, blank, *source = out.splitlines()
    assert code == 0
    assert head.startswith("Task ")
    assert len(head.split()[1]) == 40
    assert head.endswith(" demo.double ")
    assert (blank, source[:2]) == ("", ["  def double(x: int):", "      return 2 * x"])
    assert "Start Execution" not in err


def test_command_line_is_recorded_as_typed(program, script, workdir: Path, rows) -> None:
    script(FLOW)
    program("run", "wf.py", "main", "--x", "3")
    ((args,),) = rows("SELECT args FROM execution")
    assert json.loads(args) == ["redun", "run", "wf.py", "main", "--x", "3"]


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (["run"], 2, "missing argument 'SCRIPT'"),
        (["run", "wf.py"], 2, "missing argument 'TASK'"),
        (["run", "wf.py", "--x", "1", "main"], 2, "expected TASK, got `--x`"),
        (["run", "wf.py", "main", "--x", "one"], 2, "argument --x: invalid int value: 'one'"),
        (["run", "wf.py", "main", "--y", "1"], 2, "unrecognized arguments: --y 1"),
        (["run", "wf.py", "main", "--nmes", "1"], 2, "did you mean `--names`?"),
        (["run", "wf.py", "main", "-t", "novalue"], 2, "--tag: key=value pair expected"),
        (["run", "wf.py", "main", "-o", "=1"], 2, "--option: key must be specified"),
        (["run", "wf.py", "main", "-o", "check_valid=some"], 2, "--option: 'some' is not a"),
        (["run", "wf.py", "main", "--context", "a=1", "--context", "a.b=2"], 2, "no dictionary"),
        (["run", "wf.py", "main", "--context-file", "none.json"], 1, "none.json"),
        (["run", "wf.py", "main", "--context-file", "wf.py"], 1, "`wf.py` is not JSON"),
    ],
)
def test_wrong_words(program, script, words, code: int, error: str) -> None:
    script(FLOW)
    result = program(*words)
    assert (result.code, result.out) == (code, "")
    assert error in result.err
    assert "Traceback" not in result.err


def test_options_of_run_may_stand_anywhere(program, script, workdir: Path, execution_tags) -> None:
    script(FLOW)
    code, out, _ = program("run", "wf.py", "-t", "a=1", "main", "--x", "2", "-t", "b=c")
    assert (code, out) == (0, "{'names': ['n'], 'x': 4}\n")
    tags = execution_tags()
    assert (tags["a"], tags["b"]) == (1, "c")


def test_two_dashes_end_the_options_of_run(program, script) -> None:
    script("@task()\ndef main(user: str, tag: str = 't'):\n    return [user, tag]\n")
    out = program("run", "wf.py", "main", "--", "--user", "bob", "--tag", "x").out
    assert out == "['bob', 'x']\n"


def test_parameters_named_like_global_options(program, script) -> None:
    script("@task()\ndef main(c: int, s: str):\n    return [c, s]\n")
    assert program("run", "wf.py", "main", "--c", "1", "--s", "x").out == "[1, 'x']\n"


def test_no_cache_runs_again(program, script) -> None:
    script(FLOW)
    program("run", "wf.py", "main")
    result = program("run", "--no-cache", "wf.py", "main")
    assert result.err.count("Run    Job") == 2
    assert "Cached Job" not in result.err


def test_no_prov_records_no_execution(program, script, workdir: Path, rows) -> None:
    script(FLOW)
    assert program("run", "--no-prov", "wf.py", "main").code == 0
    assert rows("SELECT count(*) FROM execution") == [(0,)]
    assert rows("SELECT count(*) FROM job") == [(0,)]


def test_dryrun(program, script) -> None:
    script(FLOW)
    dry = program("run", "--dryrun", "wf.py", "main")
    assert (dry.code, dry.out) == (1, "")
    assert "Dryrun: Additional jobs would run." in dry.err
    assert "error:" not in dry.err
    result = program("run", "wf.py", "main")
    again = program("run", "--dryrun", "wf.py", "main")
    assert (again.code, again.out) == (0, result.out)


def test_task_options(program, script) -> None:
    script(FLOW)
    code, _, err = program("run", "-o", "executor=process", "wf.py", "main")
    assert code == 0
    assert "demo.main(x=1, names=['n']) on process" in err


def test_default_tags(program, script, workdir: Path, monkeypatch, execution_tags) -> None:
    monkeypatch.setenv("REDUN_USER", "alice")
    script(FLOW)
    program("run", "wf.py", "main")
    tags = execution_tags()
    assert tags["redun.version"] == version
    assert (tags["user"], tags["project"]) == ("alice", "demo")
    assert "doc" not in tags
    assert "git_commit" not in tags


def test_tags_by_option(program, script, workdir: Path, execution_tags) -> None:
    script(FLOW)
    words = ["-u", "bob", "-p", "mine", "--doc", "a test", "-t", "n=[1]", "-t", "k=v"]
    assert program("run", *words, "wf.py", "main").code == 0
    tags = execution_tags()
    assert (tags["user"], tags["project"], tags["doc"]) == ("bob", "mine", "a test")
    assert (tags["n"], tags["k"]) == ([1], "v")


def test_configured_tags(program, script, workdir: Path, execution_tags, write_config) -> None:
    script(FLOW)
    write_config("[tags]\nteam = a\nsize = 3\n")
    program("run", "wf.py", "main")
    tags = execution_tags()
    assert (tags["team"], tags["size"]) == ("a", 3)


def test_git_tags(program, script, workdir: Path, execution_tags) -> None:
    def git(*words: str) -> None:
        subprocess.run(
            ["git", "-c", "user.name=n", "-c", "user.email=e@e", *words], check=True, cwd=workdir
        )

    git("init", "--quiet")
    git("commit", "--quiet", "--allow-empty", "--message", "first")
    git("remote", "add", "origin", "https://example.org/repo.git")
    script(FLOW)
    program("run", "wf.py", "main")
    tags = execution_tags()
    assert len(tags["git_commit"]) == 40
    assert tags["git_origin_url"] == "https://example.org/repo.git"


def test_git_tags_by_environment(
    program, script, workdir: Path, monkeypatch, execution_tags
) -> None:
    monkeypatch.setenv("REDUN_GIT_COMMIT", "abc")
    monkeypatch.setenv("REDUN_GIT_ORIGIN_URL", "there")
    script(FLOW)
    program("run", "wf.py", "main")
    tags = execution_tags()
    assert (tags["git_commit"], tags["git_origin_url"]) == ("abc", "there")


def test_execution_id(program, script, workdir: Path, rows) -> None:
    script(FLOW)
    _, _, err = program("run", "--execution-id", "my-id", "wf.py", "main")
    assert "Start Execution my-id:" in err
    assert rows("SELECT id FROM execution") == [("my-id",)]


CONTEXT_FLOW = """
from redun import get_context

@task()
def main(a=get_context("a"), c=get_context("b.c"), d=get_context("b.d")):
    return [a, c, d]
"""


def test_context(program, script, workdir: Path, write_config) -> None:
    script(CONTEXT_FLOW)
    write_config('[scheduler]\ncontext = {"a": 1, "b": {"c": 1}}\n')
    assert program("run", "wf.py", "main").out == "[1, 1, None]\n"
    (workdir / "ctx.json").write_text('{"b": {"d": 2}}')
    run = ["run", "--context-file", "ctx.json", "wf.py", "main"]
    assert program(*run).out == "[1, 1, 2]\n"
    assert program(*run, "--context", "b.c=x", "--context", "a=[3]").out == "[[3], 'x', 2]\n"


def test_input_and_options_together(program, script, workdir: Path) -> None:
    import pickle

    script(FLOW)
    (workdir / "in.pickle").write_bytes(pickle.dumps(((), {"x": 5})))
    out = program("run", "--input", "in.pickle", "wf.py", "main", "--names", "z").out
    assert out == "{'names': ['z'], 'x': 10}\n"


def latest_ids(rows) -> tuple[str, str]:
    """Ids of the latest execution and of its root job."""
    statement = "SELECT e.id, j.id FROM execution e JOIN job j ON j.id = e.job_id"
    return rows(f"{statement} ORDER BY j.start_time DESC")[0]


def test_rerun(program, script, rows) -> None:
    script(FLOW)
    program("run", "wf.py", "main", "--x", "7")
    execution, job = latest_ids(rows)
    for name in (execution, job, execution[:10], job[:10], "-", "~1"):
        code, out, err = program("run", "wf.py", "--rerun", name)
        assert (code, out) == (0, "{'names': ['n'], 'x': 14}\n")
        assert "Cached Job" in err
    out = program("run", "--rerun", "wf.py", "~7", "--x", "8").out
    assert out == "{'names': ['n'], 'x': 16}\n"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("zzzz", 'Unknown job or execution "zzzz"'),
        ("%", 'Unknown job or execution "%"'),
        ("~9", 'Unknown job or execution "~9"'),
        ("~0", "Execution index should >= 1."),
    ],
)
def test_rerun_of_nothing(program, script, name: str, message: str) -> None:
    script(FLOW)
    program("run", "wf.py", "main")
    code, out, err = program("run", "--rerun", "wf.py", name)
    assert (code, out) == (1, "")
    assert f"error: {message}" in err
    assert "hint: " in err


def test_postmortem_debugger(cli, script, workdir: Path) -> None:
    script("@task()\ndef main(x: int = 5):\n    raise ValueError(x)\n")
    result = cli("run", "--pdb", "wf.py", "main", cwd=workdir, stdin="p x\nq\n")
    assert result.code == 1
    assert "Uncaught exception. Entering postmortem debugging." in result.stdout
    assert "(Pdb) 5" in result.stdout


def test_real_program(cli, script, workdir: Path) -> None:
    script(FLOW)
    result = cli("run", "wf.py", "main", "--x", "4", cwd=workdir)
    assert (result.code, result.stdout) == (0, "{'names': ['n'], 'x': 8}\n")
    assert result.stderr.startswith(f"[redun] redun :: version {version}\n")
