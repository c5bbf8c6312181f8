"""Each bad input gets one clear error, a hint, the right exit code, and no traceback of ours."""

from __future__ import annotations

import os
import pickle
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from redun.cli.errors import MAX_MESSAGE, describe, explain
from redun.errors import RedunError

REDUN = Path(sys.executable).parent / "redun"
PACKAGE = Path(__file__).resolve().parents[2] / "python" / "redun"


def assert_clear(err: str) -> None:
    """One error line, at least one hint, and not a line of our own code."""
    lines = err.splitlines()
    assert len([line for line in lines if line.startswith("error: ")]) == 1
    assert any(line.startswith("hint: ") for line in lines)
    assert str(PACKAGE) not in err
    assert "importlib" not in err


def test_failing_shell_script(program, script) -> None:
    script(
        """
        import redun

        @task(script=True)
        def direct():
            return "echo 'to stdout'; echo 'to stderr' >&2; exit 7"

        @task()
        def staged():
            return redun.script("cat nothing; true", inputs=[File("wf.py").stage("copy")])

        @task()
        def chatty():
            return redun.script("#!/bin/sh\\nseq 1000 >&2; kill -9 $$")
        """
    )
    code, out, err = program("run", "wf.py", "direct")
    assert (code, out) == (1, "")
    assert "error: task `demo.direct` failed: a script ended with exit code 7\n" in err
    assert "\nto stderr\n" in err
    code, _, err = program("run", "wf.py", "staged")
    assert code == 1
    assert "error: task `demo.staged` failed: a script ended with exit code 1\n" in err
    assert "cat: nothing: No such file or directory\n" in err
    code, _, err = program("run", "wf.py", "chatty")
    assert code == 1
    # The shell around the script gives a signal as an exit code of 128 and more.
    assert "a script ended with exit code 137\n" in err
    assert "lines before\n" in err
    assert "\n1000\n" in err
    assert "\n500\n" not in err


def test_script_that_fails_to_import(program, script) -> None:
    script(
        """
        import helper_of_wf

        helper_of_wf.load()
        """
    )
    script("def load():\n    return {}['gone']\n", name="helper_of_wf.py")
    code, out, err = program("run", "wf.py", "main")
    assert (code, out) == (1, "")
    assert re.search(r'File ".*/wf\.py", line \d+, in <module>', err)
    assert re.search(r'File ".*/helper_of_wf\.py", line \d+, in load', err)
    assert "error: KeyError: 'gone'" in err
    assert str(PACKAGE) not in err
    assert "importlib" not in err
    assert "click" not in err


def test_script_with_a_syntax_error(program, script) -> None:
    script("def main(:\n    pass\n")
    code, _, err = program("run", "wf.py", "main")
    assert code == 1
    assert re.search(r'File ".*/wf\.py", line 5', err)
    assert "error: SyntaxError: " in err
    assert str(PACKAGE) not in err


def test_script_that_needs_a_missing_library(program, script) -> None:
    script("import no_such_library\n")
    code, _, err = program("run", "wf.py", "main")
    assert code == 1
    assert "error: ModuleNotFoundError: No module named 'no_such_library'" in err
    assert_clear(err)
    assert f"hint: is `no_such_library` installed for {sys.executable}?" in err


@pytest.mark.sqlite  # the repo that is made in a new directory
def test_import_failure_leaves_no_config(program, script, workdir: Path) -> None:
    script("1 / 0\n")
    program("run", "wf.py", "main")
    assert not (workdir / ".redun").exists()


FAILING = """
def helper(x):
    return 1 / x

@task()
def inner(x):
    return helper(x)

@task()
def main(x: int = 0):
    return inner(x)
"""


def test_task_that_raises(program, script) -> None:
    script(FAILING)
    code, out, err = program("run", "wf.py", "main")
    assert (code, out) == (1, "")
    assert "[redun] *** Execution failed. Traceback (most recent task last):" in err
    assert re.search(r'\[redun\]   Job \w{8}: File ".*/wf\.py", line \d+, in main', err)
    assert re.search(r'\[redun\]   File ".*/wf\.py", line \d+, in helper', err)
    assert "error: task `demo.main` failed: ZeroDivisionError: division by zero" in err
    assert_clear(err)


def test_task_that_raises_is_explained_without_a_log(program, script) -> None:
    script(FAILING)
    code, _, err = program("--log-level", "ERROR", "run", "wf.py", "main")
    assert code == 1
    assert "[redun]" not in err
    assert re.search(r'^  File ".*/wf\.py", line \d+, in helper$', err, re.MULTILINE)
    assert err.count("ZeroDivisionError: division by zero") == 2
    assert_clear(err)


def test_missing_argument_is_a_failure_of_the_task(program, script) -> None:
    script("@task()\ndef main(x: int):\n    return x\n")
    code, _, err = program("run", "wf.py", "main")
    assert code == 1
    assert "missing 1 required positional argument: 'x'" in err
    assert "hint: `redun run SCRIPT demo.main help` lists the options of the task" in err
    assert_clear(err)


def test_result_that_cannot_be_pickled(program, script) -> None:
    script("@task()\ndef main():\n    return (x for x in [1])\n")
    code, _, err = program("run", "wf.py", "main")
    assert code == 1
    assert "pickle" in err
    assert_clear(err)


def test_argument_that_cannot_be_pickled(program, script) -> None:
    script(
        """
        import threading

        @task()
        def inner(lock):
            return 1

        @task()
        def main():
            return inner(threading.Lock())
        """
    )
    code, _, err = program("run", "wf.py", "main")
    assert code == 1
    assert "pickle" in err
    assert_clear(err)


@pytest.mark.parametrize(
    ("ini", "message"),
    [
        ("[executors.x]\ntype = nosuch\n", "nosuch"),
        ("[executors.x]\nmax_workers = 3\n", "type"),
        ("[limits]\ngpu = many\n", "many"),
        ("[scheduler]\ncontext = {\n", "Invalid redun context JSON definition"),
        ("[scheduler]\njob_status_interval = often\n", "often"),
        ("[backend]\nautomigrate = maybe\n", "maybe"),
        ("[scheduler]\ncontext_file = nosuch.json\n", "nosuch.json"),
    ],
)
def test_configuration_with_a_wrong_value(
    program, script, workdir: Path, ini: str, message: str
) -> None:
    script("@task()\ndef main():\n    return 1\n")
    (workdir / ".redun").mkdir()
    (workdir / ".redun" / "redun.ini").write_text(ini)
    code, out, err = program("run", "wf.py", "main")
    assert (code, out) == (1, "")
    assert message in err
    assert "Traceback" not in err
    assert_clear(err)


def test_task_with_an_unknown_executor(program, script) -> None:
    script("@task(executor='nosuch')\ndef main():\n    return 1\n")
    code, _, err = program("run", "wf.py", "main")
    assert code == 1
    assert "nosuch" in err
    assert_clear(err)


@pytest.mark.sqlite  # whose databases are files
def test_database_in_a_missing_directory(program, script, workdir: Path) -> None:
    script("@task()\ndef main():\n    return 1\n")
    (workdir / ".redun").mkdir()
    (workdir / ".redun" / "redun.ini").write_text("[backend]\ndb_uri = sqlite:///no/such.db\n")
    code, _, err = program("run", "wf.py", "main")
    assert code == 1
    assert "Traceback" not in err
    assert_clear(err)


@pytest.mark.sqlite  # as above
def test_database_that_is_none(program, script, workdir: Path) -> None:
    script("@task()\ndef main():\n    return 1\n")
    (workdir / ".redun").mkdir()
    (workdir / ".redun" / "redun.ini").write_text("")
    (workdir / ".redun" / "redun.db").write_bytes(b"no database " * 100)
    code, _, err = program("run", "wf.py", "main")
    assert code == 1
    assert "not a database" in err
    assert_clear(err)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for the superuser")
def test_read_only_directory(program, script, workdir: Path) -> None:
    script("@task()\ndef main():\n    return 1\n")
    workdir.chmod(0o500)
    try:
        code, _, err = program("run", "wf.py", "main")
    finally:
        workdir.chmod(0o700)
    assert code == 1
    assert "cannot create the configuration `.redun/redun.ini`" in err
    assert_clear(err)


def test_execution_id_that_exists(program, script) -> None:
    script("@task()\ndef main():\n    return 1\n")
    assert program("run", "--execution-id", "twice", "wf.py", "main").code == 0
    code, _, err = program("run", "--execution-id", "twice", "wf.py", "main")
    assert code == 1
    assert "Traceback" not in err
    assert_clear(err)


def test_closed_output_is_no_error(script, workdir: Path) -> None:
    script("@task()\ndef main():\n    return ['a long line of text' * 5] * 20_000\n")
    program = subprocess.Popen(
        [REDUN, "run", "wf.py", "main"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert program.stdout is not None
    program.stdout.read(10)
    program.stdout.close()
    assert program.stderr is not None
    err = program.stderr.read().decode()
    program.stderr.close()
    assert program.wait(timeout=60) == 0
    assert "BrokenPipe" not in err
    assert "error" not in err


def test_interrupt_ends_the_run(script, workdir: Path) -> None:
    script(
        """
        import threading

        @task()
        def main():
            print("running", flush=True)
            threading.Event().wait(2)
            return 1
        """
    )
    program = subprocess.Popen(
        [REDUN, "run", "wf.py", "main"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert program.stdout is not None
    assert program.stdout.readline() == "running\n"
    program.send_signal(signal.SIGINT)
    out, err = program.communicate(timeout=60)
    assert program.returncode == 1
    assert out == ""
    assert "Shutting down... Ctrl+C again to force shutdown." in err
    assert "Traceback" not in err


def test_fault_of_our_own_is_shown_whole(program, script, monkeypatch) -> None:
    from redun.cli import scripts

    # A function that looks as if it were written in our own file.
    code = compile("def find_task(*_): 1 / 0", str(PACKAGE / "cli" / "scripts.py"), "exec")
    names: dict[str, Any] = {}
    exec(code, names)
    monkeypatch.setattr(scripts, "find_task", names["find_task"])
    script("@task()\ndef main():\n    return 1\n")
    result = program("run", "wf.py", "main")
    assert result.code == 2
    assert "Traceback (most recent call last):" in result.err
    assert str(PACKAGE) in result.err
    assert "error: ZeroDivisionError: division by zero" in result.err
    assert "hint: this is a fault of redun itself" in result.err


def test_input_files(program, script, workdir: Path) -> None:
    script("@task()\ndef main(x=1, y=2):\n    return [x, y]\n")
    (workdir / "good.pickle").write_bytes(pickle.dumps(([5], {"y": 6})))
    (workdir / "bad.pickle").write_bytes(b"nonsense")
    (workdir / "one.pickle").write_bytes(pickle.dumps(1))
    assert program("run", "--input", "good.pickle", "wf.py", "main").out == "[5, 6]\n"
    for name in ("bad.pickle", "one.pickle", "missing.pickle"):
        code, _, err = program("run", "-i", name, "wf.py", "main")
        assert code == 1
        assert name in err
        assert "Traceback" not in err


def test_one_line_about_an_exception() -> None:
    assert describe(ValueError("a\n  b")) == "ValueError: a b"
    assert describe(RedunError("only the message")) == "only the message"
    assert describe(RedunError()) == "RedunError"
    assert len(describe(ValueError("x" * 5000))) == MAX_MESSAGE
    error = ValueError("first")
    error.__notes__ = ["a note"]  # type: ignore[attr-defined]
    assert describe(error) == "ValueError: first"


def test_errors_of_the_operating_system_name_the_file() -> None:
    report = explain(PermissionError(13, "Permission denied", "some/file"))
    assert report.message == "cannot use `some/file`: Permission denied"
    assert (report.exit_code, bool(report.hints), report.traceback) == (1, True, "")


def test_missing_optional_package() -> None:
    report = explain(ModuleNotFoundError("No module named 'psycopg'", name="psycopg"))
    assert report.message == "No module named 'psycopg'"
    assert "the package `psycopg`" in report.hints[0]
    assert report.exit_code == 1


def test_hints_travel_with_the_error() -> None:
    report = explain(RedunError("no", hints=["do this", "or that"]))
    assert (report.message, report.hints) == ("no", ("do this", "or that"))
