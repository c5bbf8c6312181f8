"""`redun repl`: asking the repo from a Python prompt."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest


@pytest.fixture
def repo(workdir: Path, cli) -> Path:
    """A repo with two executions of three jobs each."""
    (workdir / "wf.py").write_text(
        "from redun import task\n"
        'redun_namespace = "r"\n'
        "@task()\ndef leaf(x: int) -> int:\n    return x\n"
        "@task()\ndef main(n: int = 2) -> list:\n    return [leaf(i) for i in range(n)]\n"
    )
    for number in ("2", "3"):
        assert cli("run", "wf.py", "main", "--n", number).code == 0
    return workdir


def say(cli, *lines: str, words: tuple[str, ...] = ()) -> list[str]:
    """What the prompt answers to lines."""
    done = cli("repl", *words, stdin="\n".join(lines) + "\n")
    assert done.code == 0, done.stderr
    assert done.stderr.strip() == ""
    return done.stdout.splitlines()


def test_the_latest_execution_and_its_jobs(repo: Path, cli) -> None:
    out = say(cli, "len(execs)", "execs[0].id == last_exec.id", "len(last_exec.jobs)", "q")
    assert out == ["2", "True", "4"]


def test_executions_are_like_a_list_newest_first(repo: Path, cli) -> None:
    out = say(
        cli,
        "[e.id for e in execs] == [execs[0].id, execs[1].id]",
        "execs[-1].id == execs[1].id, execs[0:2][1].id == execs[1].id, execs[::-1][0].id == execs[1].id",
        "len(get_executions())",
        "execs",
    )
    assert out[:3] == ["True", "(True, True, True)", "2"]
    assert out[3] == "["
    assert out[4].startswith("  Execution(id=")


def test_query_takes_ids_and_models(repo: Path, cli) -> None:
    out = say(
        cli,
        "query(last_exec.id[:12]) is last_exec",
        "query('-') is last_exec",
        "query(Job).filter(Job.cached).count()",
        "query('leaf')",
        "session.query(Value).count() > 3",
        "scheduler.backend.session is session",
    )
    assert out[:3] == ["True", "True", "2"]
    assert out[3].startswith("Task(hash='")
    assert out[3].endswith("name='r.leaf')")
    assert out[4:] == ["True", "True"]


def test_a_record_to_start_with(repo: Path, cli) -> None:
    out = say(cli, "obj is last_exec", "args.id", words=("-",))
    assert out[0] == "obj = query('-')"
    assert out[1].startswith("Execution(id='")
    assert out[2:] == ["", "True", "'-'"]


def test_an_error_is_shown_and_the_prompt_goes_on(repo: Path, cli) -> None:
    done = cli("repl", stdin="1 / 0\n6 * 7\nc\nprint('not reached')\n")
    assert done.code == 0
    assert "ZeroDivisionError" in done.stderr
    assert done.stdout == "42\n"


def test_a_word_that_leaves_may_be_a_name(repo: Path, cli) -> None:
    assert say(cli, "c = 5", "c", "q") == ["5"]


def test_an_unknown_record(repo: Path, cli) -> None:
    done = cli("repl", "zzzz")
    assert done.code == 1
    assert "`zzzz` means no record" in done.stderr


def test_at_a_terminal_names_are_completed_and_lines_kept(repo: Path, tmp_path: Path) -> None:
    program = Path(sys.executable).parent / "redun"
    state = tmp_path / "state"
    master, slave = pty.openpty()
    environment = {**os.environ, "XDG_STATE_HOME": str(state), "TERM": "dumb"}
    process = subprocess.Popen(
        [program, "repl"], stdin=slave, stdout=slave, stderr=slave, env=environment, close_fds=True
    )
    os.close(slave)
    seen = read_until(master, "(redun) ")
    os.write(master, b"last_ex\t.id == execs[0].id\n")
    seen = read_until(master, "True")
    assert "last_exec.id == execs[0].id" in seen
    os.write(master, b"q\n")
    read_rest(master)
    assert process.wait(60) == 0
    assert "last_exec.id == execs[0].id" in (state / "redun" / "repl_history").read_text()


def read_until(terminal: int, text: str, timeout: float = 60) -> str:
    """What the terminal shows until it shows a text; `timeout` is in seconds."""
    seen = ""
    end = time.monotonic() + timeout
    while text not in seen and time.monotonic() < end:
        if select.select([terminal], [], [], 1)[0]:
            seen += os.read(terminal, 4096).decode()
    assert text in seen
    return seen


def read_rest(terminal: int) -> None:
    """Takes what is left, so that the program can end."""
    try:
        while os.read(terminal, 4096):
            pass
    except OSError:  # the other end is closed
        pass
    os.close(terminal)
