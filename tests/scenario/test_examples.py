"""The examples that a new user runs first, run for real in copies of their directories."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture
def example(workdir: Path) -> Callable[[str], None]:
    """Fill the current directory with the files of an example."""

    def copy(name: str) -> None:
        for path in (EXAMPLES / name).iterdir():
            if path.suffix in (".py", ".c"):
                shutil.copy(path, workdir)

    return copy


def jobs(log: str, action: str) -> list[str]:
    """Return the task names of a log's lines about jobs with an action, ``Run`` or ``Cached``."""
    return re.findall(rf"^\[redun\] {action} +Job \w+: +[\w.]+\.(\w+)\(", log, re.MULTILINE)


def test_hello_world_is_cached_by_its_arguments(example: Callable[[str], None], cli: Any) -> None:
    example("hello_world")
    fresh = cli("run", "workflow.py", "main")
    assert (fresh.code, fresh.stdout) == (0, "'Hello, World!'\n")
    assert sorted(jobs(fresh.stderr, "Run")) == ["get_planet", "greet", "main"]

    again = cli("run", "workflow.py", "main")
    assert again.stdout == fresh.stdout
    assert jobs(again.stderr, "Run") == []
    assert sorted(jobs(again.stderr, "Cached")) == ["get_planet", "greet", "main"]

    other = cli("run", "workflow.py", "main", "--greeting", "Goodbye")
    assert other.stdout == "'Goodbye, World!'\n"
    assert sorted(jobs(other.stderr, "Run")) == ["greet", "main"]
    assert jobs(other.stderr, "Cached") == ["get_planet"]


def test_hello_world_follows_its_code(
    example: Callable[[str], None], cli: Any, workdir: Path
) -> None:
    example("hello_world")
    cli("run", "workflow.py", "main")
    workflow = workdir / "workflow.py"
    workflow.write_text(workflow.read_text().replace('"World"', '"Venus"'))
    edited = cli("run", "workflow.py", "main")
    assert edited.stdout == "'Hello, Venus!'\n"
    assert sorted(jobs(edited.stderr, "Run")) == ["get_planet", "greet"]
    assert jobs(edited.stderr, "Cached") == ["main"]


def test_compile_makes_programs_that_run(
    example: Callable[[str], None], cli: Any, workdir: Path
) -> None:
    example("compile")
    done = cli("run", "make.py", "make")
    assert done.code == 0, done.stderr
    assert len(jobs(done.stderr, "Run")) == 8
    said = [subprocess.check_output([workdir / name], text=True) for name in ("prog", "prog2")]
    assert said == ["prog1: Hello, World!\n", "prog2: Hello, World!\n"]


def test_compile_fails_with_the_compiler(
    example: Callable[[str], None], cli: Any, workdir: Path
) -> None:
    example("compile")
    (workdir / "lib.c").write_text("this is not C\n")
    failed = cli("run", "make.py", "make")
    assert failed.code == 1
    assert "CalledProcessError" in failed.stderr
    assert not (workdir / "prog").exists()


def test_word_count_agrees_with_counting_by_hand(
    example: Callable[[str], None], cli: Any, workdir: Path
) -> None:
    example("word_count")
    sources = workdir / "sources"
    (sources / "deep").mkdir(parents=True)
    (sources / "tests").mkdir()
    for number in range(40):
        (sources / "deep" / f"file{number}.py").write_text("tick tock tick\n")
    (sources / "tests" / "skipped.py").write_text("tick " * 1000)

    command = ("run", "workflow.py", "main", "--root", sources, "--top", "2")
    fresh = cli(*command)
    assert ast.literal_eval(fresh.stdout) == [("tick", 80), ("tock", 40)]
    assert jobs(fresh.stderr, "Run").count("count_words") == 40

    (sources / "deep" / "file7.py").write_text("tock tock tock tock\n")
    edited = cli(*command)
    assert ast.literal_eval(edited.stdout) == [("tick", 78), ("tock", 43)]
    assert jobs(edited.stderr, "Run").count("count_words") == 1
    assert jobs(edited.stderr, "Run").count("merge") == 2

    (sources / "new.py").write_text("boom\n")
    grown = cli(*command)
    assert jobs(grown.stderr, "Run").count("count_words") == 1

    limited = cli(*command, "--limit", "3")
    assert ast.literal_eval(limited.stdout) == [("tick", 6), ("tock", 3)]


def test_word_count_of_nothing_is_an_error(
    example: Callable[[str], None], cli: Any, workdir: Path
) -> None:
    example("word_count")
    failed = cli("run", "workflow.py", "main", "--root", workdir / "nowhere")
    assert failed.code == 1
    assert "no Python sources below" in failed.stderr


def test_word_count_over_the_standard_library(example: Callable[[str], None], cli: Any) -> None:
    example("word_count")
    command = ("run", "workflow.py", "main", "--limit", "200")
    fresh = cli(*command)
    assert fresh.code == 0, fresh.stderr
    assert {"self", "the", "return"} <= dict(ast.literal_eval(fresh.stdout)).keys()
    assert jobs(fresh.stderr, "Run").count("count_words") > 100

    again = cli(*command)
    assert again.stdout == fresh.stdout
    assert jobs(again.stderr, "Run") == ["find_sources"]


def test_first_workflow_of_the_readme(cli: Any, workdir: Path) -> None:
    readme = (EXAMPLES.parent / "README.md").read_text()
    code = re.search(r"```python\n(.*?)```", readme, re.DOTALL)
    assert code
    (workdir / "workflow.py").write_text(code.group(1))
    commands = re.findall(r"^redun (run workflow\.py main\S*(?: --n \d+)?) +# (\d+)", readme, re.M)
    runs = [(cli(*command.split()), result) for command, result in commands]
    assert [run.stdout for run, _ in runs] == [f"{result}\n" for _, result in runs]
    assert [len(jobs(run.stderr, "Run")) for run, _ in runs] == [5, 0, 3]


def test_demo_finds_what_it_expects() -> None:
    binaries = Path(sys.executable).parent
    demo = ["bash", EXAMPLES / "demo.sh", binaries]
    done = subprocess.run(demo, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Done: each time, exactly the jobs ran that had to" in done.stdout
