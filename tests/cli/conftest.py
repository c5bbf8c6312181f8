"""Fixtures for the tests of the command line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

# The built-in tasks are registered once, when their modules are first imported: that must not happen
# within a test, at whose end the tasks it brought are forgotten.
import redun.engine.scheduler  # noqa: F401


class Outcome(NamedTuple):
    """What one command did: exit code, stdout, stderr."""

    code: int
    out: str
    err: str


Program = Callable[..., Outcome]


@pytest.fixture
def program(
    workdir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Program]:
    """Run the ``redun`` program within this process, in an empty directory.

    Much faster than the ``cli`` fixture, and the same code except for the last step, the end of
    the process. What a script leaves in the interpreter is put back afterwards.
    """
    from redun.cli.client import Invocation
    from redun.logging import logger

    for name in ("REDUN_CONFIG", "REDUN_USER", "REDUN_GIT_COMMIT", "REDUN_GIT_ORIGIN_URL"):
        monkeypatch.delenv(name, raising=False)
    path, modules, level = list(sys.path), set(sys.modules), logger.level

    def run(*words: object) -> Outcome:
        capsys.readouterr()
        code = Invocation(["redun", *map(str, words)]).run()
        out, err = capsys.readouterr()
        return Outcome(code, out, err)

    yield run
    sys.path[:] = path
    logger.setLevel(level)
    for name in set(sys.modules) - modules:
        origin = getattr(sys.modules[name], "__file__", None) or ""
        if origin.startswith(str(workdir)):
            del sys.modules[name]


@pytest.fixture
def script(workdir: Path) -> Callable[..., Path]:
    """Write a workflow script: ``script("@task()...", name="wf.py")``.

    ``from redun import task`` and a namespace, ``demo``, come before the text.
    """
    import textwrap

    def write(text: str, name: str = "wf.py") -> Path:
        path = workdir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        head = 'from redun import task, File\n\nredun_namespace = "demo"\n\n'
        path.write_text(head + textwrap.dedent(text))
        return path

    return write
