"""The `redun` command itself: global options, help, version, what a wrong command line gets."""

from __future__ import annotations

import io
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from redun import version
from redun.cli import RedunClient, RedunClientError, check_version


@pytest.mark.parametrize("words", [["--version"], ["-V"], ["--vers"], ["-V", "help"]])
def test_version(program, words) -> None:
    assert program(*words) == (0, f"{version}\n", "")


def test_version_of_the_real_program(cli) -> None:
    result = cli("--version")
    assert (result.code, result.stdout, result.stderr) == (0, f"{version}\n", "")


@pytest.mark.parametrize("words", [[], ["help"], ["--help"], ["-h"]])
def test_help(program, words) -> None:
    code, out, err = program(*words)
    assert (code, err) == (0, "")
    assert out.startswith("Usage: redun [OPTIONS]")
    assert f"redun :: version {version}" in out
    for name in ("help", "init", "run", "log", "db"):
        assert f"  {name} " in out


def test_help_of_one_command(program) -> None:
    for words in (["help", "db"], ["db", "--help"], ["db"]):
        code, out, _ = program(*words)
        assert code == 0
        assert "Usage: redun db" in out
        assert "downgrade" in out


def test_help_creates_nothing(program, workdir: Path) -> None:
    program("help")
    assert list(workdir.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["rnu"], "error: no such command `rnu`; did you mean `run`?"),
        (["frobnicate"], "choose from help, init, run, "),
        (["help", "rnu"], "did you mean `run`?"),
        (["--confg", "x", "help"], "no such option '--confg'"),
        (["--log-level", "info", "help"], "'info' is not one of"),
        (["--config"], "option '--config' requires an argument"),
        (["db", "frobnicate"], "no such command `frobnicate`"),
        (["db", "info", "extra"], "unexpected extra argument"),
    ],
)
def test_wrong_usage(program, words, error) -> None:
    code, out, err = program(*words)
    assert (code, out) == (2, "")
    assert "Usage: redun" in err
    assert error in err
    assert "hint: " in err
    assert "Traceback" not in err


def test_ambiguous_abbreviation(program) -> None:
    code, _, err = program("--set", "a=b")
    assert code == 2
    assert "ambiguous option `--set` could be `--setup`, `--setup-help`" in err


def test_abbreviation_stops_at_the_command(program, workdir: Path) -> None:
    code, _, _ = program("--conf", workdir / "cfg", "--log", "WARN", "init", "--help")
    assert code == 0


def test_check_version_is_met(program) -> None:
    assert program("--check-version", f">=0.4,<={version}", "help").code == 0


def test_check_version_is_not_met(program) -> None:
    code, out, err = program("--check-version", ">9", "help")
    assert (code, out) == (1, "")
    assert f"error: redun version {version} does not meet requirement >9" in err


def test_check_version_is_malformed(program) -> None:
    code, _, err = program("--check-version", "new", "help")
    assert code == 1
    assert "error: Invalid version 'new'" in err
    assert "hint: write for example" in err


@pytest.mark.parametrize(
    ("have", "spec", "expected"),
    [
        ("0.46.0", ">=0.4", True),
        ("0.46.0", ">=0.4.1,<1", True),
        ("0.46.0", ">=0.4.1, <0.46", False),
        ("0.46.0", ">0.46", False),
        ("0.46.0", "==0.46", True),
        ("0.46.0", "0.46", True),
        ("0.46", "0.46.0", True),
        ("0.46.1", ">0.46", True),
        ("0.46.0", "<=0.46", True),
        ("0.5", ">0.46", False),
    ],
)
def test_check_version(have: str, spec: str, expected: bool) -> None:
    assert check_version(have, spec) is expected


@pytest.mark.parametrize("spec", ["", "x", ">=", "=>1", "1.a", ">=1,", "1..2"])
def test_check_version_refuses(spec: str) -> None:
    with pytest.raises(ValueError, match="Invalid version"):
        check_version("1.0", spec)


def test_setup_help_without_a_setup_function(program) -> None:
    assert program("--setup-help").out == "redun --setup <option>=<value> ...\n"


@pytest.fixture
def setup_config(workdir: Path, write_config) -> Path:
    """A configuration with a setup function, which counts from the working directory."""
    (workdir / "setup.py").write_text(
        textwrap.dedent(
            """
            from redun import Scheduler

            def make(config, jobs_at_once: int = 3, name: str = "n", place: str | None = None):
                print("made", jobs_at_once, name, place)
                return Scheduler(config=config)
            """
        )
    )
    write_config("[scheduler]\nsetup_scheduler = setup.py::make\n")
    (workdir / "flow.py").write_text(
        "from redun import task\nredun_namespace = 'demo'\n@task()\ndef main():\n    return 1\n"
    )
    return workdir / ".redun" / "redun.ini"


def test_setup_help(program, setup_config) -> None:
    assert program("--setup-help").out.splitlines() == [
        "redun --setup <option>=<value> ...",
        "  --setup jobs-at-once=JOBS-AT-ONCE (default: 3)",
        "  --setup name=NAME (default: n)",
        "  --setup place=PLACE (default: None)",
    ]


def test_setup_arguments_reach_the_function(program, setup_config) -> None:
    code, out, _ = program(
        "-s", "jobs-at-once=5", "--setup", "place=here", "run", "flow.py", "main"
    )
    assert (code, out) == (0, "made 5 n here\n1\n")


def test_setup_function_without_arguments(program, setup_config) -> None:
    assert program("run", "flow.py", "main").out == "made 3 n None\n1\n"


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("nonsense", "Setup argument must be the format `option=value`."),
        ("jobs-at-once=many", "invalid int value: 'many'"),
        ("jobs=3", "unrecognized arguments: --jobs=3"),
    ],
)
def test_wrong_setup_arguments(program, setup_config, item: str, message: str) -> None:
    code, out, err = program("--setup", item, "run", "flow.py", "main")
    assert (code, out) == (2, "")
    assert message in err


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("setup.py:make", "Invalid function specification: 'setup.py:make'"),
        ("nosuch.py::make", "Cannot find Python script file or module: nosuch.py"),
        ("setup.py::nosuch", "module `setup.py` has no function `nosuch`"),
    ],
)
def test_wrong_setup_function(program, setup_config, value: str, message: str) -> None:
    setup_config.write_text(f"[scheduler]\nsetup_scheduler = {value}\n")
    code, _, err = program("run", "flow.py", "main")
    assert code == 1
    assert f"error: {message}" in err
    assert "Traceback" not in err


def test_client_returns_the_result_and_prints_where_told(workdir: Path) -> None:
    stdout, stderr = io.StringIO(), io.StringIO()
    (workdir / "client_flow.py").write_text(
        "from redun import task\nredun_namespace = 'demo'\n@task()\ndef main():\n    return [1]\n"
    )
    client = RedunClient(stdout=stdout, stderr=stderr)
    assert client.execute(["redun", "run", "client_flow.py", "main"]) == [1]
    assert stdout.getvalue() == "[1]\n"


def test_client_raises_user_errors(workdir: Path) -> None:
    with pytest.raises(RedunClientError, match="Cannot find Python script"):
        RedunClient().execute(["redun", "run", "nosuch.py", "main"])


def test_client_raises_what_the_task_raised(workdir: Path) -> None:
    (workdir / "failing_flow.py").write_text(
        "from redun import task\nredun_namespace = 'demo'\n"
        "@task()\ndef main():\n    raise KeyError('gone')\n"
    )
    with pytest.raises(KeyError, match="gone"):
        RedunClient().execute(["redun", "run", "failing_flow.py", "main"])


def test_client_ends_with_code_2_on_wrong_usage(workdir: Path) -> None:
    stderr = io.StringIO()
    with pytest.raises(SystemExit) as caught:
        RedunClient(stderr=stderr).execute(["redun", "frobnicate"])
    assert caught.value.code == 2
    assert "no such command" in stderr.getvalue()


def test_functions_of_the_package_are_loaded_when_asked_for() -> None:
    import redun.cli

    for name in redun.cli.__all__:
        assert getattr(redun.cli, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nosuch'"):
        redun.cli.nosuch  # noqa: B018


@pytest.mark.parametrize(
    ("words", "banned"),
    [
        (["--version"], {"click", "argparse", "sqlalchemy", "subprocess"}),
        (["help"], {"sqlalchemy", "alembic", "rich", "asyncio", "fsspec"}),
        (["run", "--help"], {"sqlalchemy", "alembic", "rich", "asyncio", "fsspec"}),
    ],
)
def test_light_commands_load_little(words: list[str], banned: set[str], tmp_path: Path) -> None:
    code = (
        f"import sys; sys.argv = ['redun', *{words!r}]\n"
        "import redun.cli\n"
        "redun.cli.main()\n"
        "sys.stderr.write(' '.join(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert banned.isdisjoint(done.stderr.split())
