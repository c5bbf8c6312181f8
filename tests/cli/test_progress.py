"""The live table of job counts."""

from __future__ import annotations

import io
import os
import re
import select
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from redun.cli import progress
from redun.cli.progress import LiveTable, show_progress

REDUN = Path(sys.executable).parent / "redun"
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal(io.StringIO):
    """A text stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def a_scheduler(**counts: list[int]) -> Any:
    return SimpleNamespace(job_counts=lambda: counts)


def shown(terminal: io.StringIO) -> list[str]:
    """The lines on the screen, escape sequences left out."""
    return [line.rstrip() for line in ESCAPES.sub("", terminal.getvalue()).split("\n")]


def test_table_has_the_columns_of_the_status_table() -> None:
    terminal = Terminal()
    LiveTable(
        a_scheduler(**{"demo.a": [1, 2, 0, 0, 3, 6], "demo.b": [0, 0, 1, 0, 0, 1]}), terminal
    ).refresh()
    lines = [line.split() for line in shown(terminal)]
    assert ["TASK", "PENDING", "RUNNING", "FAILED", "CACHED", "DONE", "TOTAL"] in lines
    assert ["ALL", "1", "2", "1", "0", "3", "7"] in lines
    assert ["demo.a", "1", "2", "0", "0", "3", "6"] in lines


def test_table_is_bounded() -> None:
    terminal = Terminal()
    counts = {f"demo.t{number:03}": [number, 0, 0, 0, 0, number] for number in range(100)}
    LiveTable(a_scheduler(**counts), terminal).refresh()
    lines = shown(terminal)
    assert len(lines) <= progress.MAX_ROWS + 6
    assert any("demo.t099" in line for line in lines)
    assert any("more" in line for line in lines)


def test_other_output_takes_the_table_away() -> None:
    terminal = Terminal()
    live = LiveTable(a_scheduler(a=[1, 0, 0, 0, 0, 1]), terminal)
    live.refresh()
    height = len(shown(terminal)) - 1
    live.write(terminal, "a line\n")
    assert terminal.getvalue().endswith("\r\x1b[2K" + "\x1b[1A\x1b[2K" * height + "a line\n")
    live.erase()
    assert terminal.getvalue().endswith("a line\n")


def test_unfinished_lines_are_left_alone() -> None:
    terminal = Terminal()
    live = LiveTable(a_scheduler(a=[1, 0, 0, 0, 0, 1]), terminal)
    live.write(terminal, "(Pdb) ")
    live.refresh()
    assert terminal.getvalue() == "(Pdb) "
    live.write(terminal, "\n")
    live.refresh()
    assert "PENDING" in terminal.getvalue()


def test_counts_that_change_underfoot_are_skipped() -> None:
    def job_counts() -> Any:
        raise RuntimeError("dictionary changed size during iteration")

    terminal = Terminal()
    LiveTable(SimpleNamespace(job_counts=job_counts), terminal).refresh()  # type: ignore[arg-type]
    assert terminal.getvalue() == ""


def test_nothing_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with show_progress(a_scheduler(a=[1, 0, 0, 0, 0, 1])):
        assert sys.stderr is stream


@pytest.mark.parametrize(("term", "enabled"), [("dumb", True), ("xterm", False)])
def test_nothing_on_a_poor_terminal(
    monkeypatch: pytest.MonkeyPatch, term: str, enabled: bool
) -> None:
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", term)
    with show_progress(a_scheduler(), enabled=enabled):
        assert sys.stderr is stream


def test_streams_are_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = Terminal(), Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    monkeypatch.setenv("TERM", "xterm")
    with show_progress(a_scheduler(a=[1, 0, 0, 0, 0, 1])):
        assert sys.stdout is not out
        assert sys.stdout.isatty()
        sys.stdout.write("to stdout\n")
    assert (sys.stdout, sys.stderr) == (out, err)
    assert out.getvalue() == "to stdout\n"


def read_terminal(master: int, process: subprocess.Popen[bytes]) -> str:
    """Everything a program writes to a pseudo terminal until it ends."""
    chunks = []
    while True:
        ready, _, _ = select.select([master], [], [], 0.1)
        if not ready:
            if process.poll() is not None:
                break
            continue
        try:
            chunk = os.read(master, 65536)
        except OSError:
            break  # Linux reports the end of a pseudo terminal so.
        if not chunk:
            break
        chunks.append(chunk)
    process.wait(timeout=60)
    return b"".join(chunks).decode()


def test_on_a_real_terminal_it_ends_as_the_status_table(script, workdir: Path) -> None:
    import pty

    script(
        """
        import threading

        @task()
        def wait(n):
            print("line", n)
            threading.Event().wait(1.2)
            return n

        @task()
        def main():
            return [wait(1), wait(2)]
        """
    )
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [REDUN, "run", "wf.py", "main"],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "40"},
    )
    os.close(slave)
    text = read_terminal(master, process)
    os.close(master)
    assert process.returncode == 0
    assert " running" in text
    assert "line 1\r\n" in text
    before, _, after = text.partition("| JOB STATUS")
    assert "RUNNING" in before
    assert after.count("RUNNING") == 1
    assert "| demo.wait" in after
    assert text.rstrip().endswith("[1, 2]")
