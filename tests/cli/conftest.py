"""Fixtures for the tests of the command line."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, NamedTuple

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
    workdir: Path,
    configure: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
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
        configure(*words)
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
def write_config(tmp_path: Path, new_repo: Callable[..., str]) -> Callable[..., str]:
    """Write a configuration with a new repo: ``write_config("[tags]\nteam = a\n", "there")``.

    It is that of the directory, by default the one of the test. Lines for `[backend]` come first. The value
    is the URI of the repo.
    """

    def write(text: str = "", directory: str = ".") -> str:
        config = tmp_path / directory / ".redun"
        config.mkdir(parents=True, exist_ok=True)
        uri = new_repo(str(Path(directory, ".redun", "redun.db")))
        (config / "redun.ini").write_text(f"[backend]\ndb_uri = {uri}\n{text}")
        return uri

    return write


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


class Terminal:
    """The console as a person at a keyboard has it."""

    def __init__(self, app: Any, pilot: Any) -> None:
        self.app = app
        self._pilot = pilot

    async def settle(self) -> None:
        """Wait until nothing is being read or drawn any more."""
        await self._pilot.pause()
        while any(not worker.is_finished for worker in self.app.workers):
            await self._pilot.pause(0.01)
        # What was read is laid out in some steps more, each of which may bring about another.
        before = None
        while before != self.text:
            before = self.text
            await self._pilot.pause(0.03)
            await self._pilot.pause()

    async def press(self, *keys: str) -> str:
        """Press keys one after the other; what is on the screen then."""
        for key in keys:
            await self._pilot.press(key)
            await self.settle()
        return self.text

    async def type(self, text: str) -> str:
        """Type a text into the input line; what is on the screen then."""
        from textual.keys import _character_to_key

        await self._pilot.press(*map(_character_to_key, text))
        await self.settle()
        return self.text

    async def shows(self, text: str) -> str:
        """Wait until a text is on the screen."""
        for _ in range(1000):
            if text in self.text:
                return self.text
            await self._pilot.pause(0.02)
        raise AssertionError(f"never shown: {text!r}\n{self.text}")

    @property
    def text(self) -> str:
        """What is on the screen, without blank lines."""
        strips = self.app.screen._compositor.render_strips(self.app.size)
        lines = ("".join(segment.text for segment in strip).rstrip() for strip in strips)
        return "\n".join(line for line in lines if line) + "\n"

    @property
    def header(self) -> str:
        """The command in the header."""
        header: str = self.app.screen.command
        return header


Session = Callable[[Terminal], Coroutine[Any, Any, None]]
Console = Callable[..., None]


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time is UTC during the test."""
    from redun.cli.render import parts

    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        parts._local_second.cache_clear()
        yield
    time.tzset()
    parts._local_second.cache_clear()


@pytest.fixture
def console(utc: None) -> Console:
    """Drive the console: ``console(uri, session, *words)``, ``session`` being a coroutine function."""
    import asyncio

    from redun.backends.db import RedunBackendDb
    from redun.console.app import RedunConsole

    async def drive(backend: Any, session: Session, words: tuple[str, ...], size: Any) -> None:
        app = RedunConsole(backend, words)
        async with app.run_test(size=size, notifications=True) as pilot:
            terminal = Terminal(app, pilot)
            await terminal.settle()
            await session(terminal)

    def run(uri: str, session: Session, *words: str, size: tuple[int, int] = (120, 40)) -> None:
        backend = RedunBackendDb(uri)
        backend.load(migrate=False)
        try:
            asyncio.run(drive(backend, session, words, size))
        finally:
            backend.close()

    return run


@pytest.fixture
def counting_source() -> Callable[[Any], Any]:
    """Wraps a source in one that counts its statements and their rows."""
    from redun.backends.db.source import FETCH, Source

    class CountingSource(Source):
        """Reads as another source does, and counts."""

        def __init__(self, source: Source) -> None:
            self._source = source
            self.statements = 0
            self.rows_read = 0

        dialect = property(lambda self: self._source.dialect)
        type_registry = property(lambda self: self._source.type_registry)
        value_store = property(lambda self: self._source.value_store)

        def batches(self, statement: str, parameters: Any = (), size: int = FETCH) -> Any:
            self.statements += 1
            for rows in self._source.batches(statement, parameters, size):
                self.rows_read += len(rows)
                yield rows

    return CountingSource


@pytest.fixture
def recorded_repo(repo_kind: str, request: pytest.FixtureRequest) -> str:
    """The URI of a repo that the reference implementation wrote. Not to be changed."""
    postgresql = repo_kind == "postgresql"
    uri: str = request.getfixturevalue(
        "golden_postgresql_uri" if postgresql else "own_recorded_repo"
    )
    return uri


@pytest.fixture
def own_recorded_repo(tmp_path: Path, repo_kind: str, request: pytest.FixtureRequest) -> str:
    """The URI of a copy of that repo, which the test may change."""
    import sqlite3

    if repo_kind == "postgresql":
        uri: str = request.getfixturevalue("own_golden_postgresql_uri")
        return uri

    golden = Path(__file__).parents[1] / "golden" / "log" / "repo.sql"
    connection = sqlite3.connect(tmp_path / "recorded.db")
    connection.executescript(golden.read_text())
    connection.close()
    return f"sqlite:///{tmp_path / 'recorded.db'}"


@pytest.fixture
def steady() -> Callable[[str], str]:
    """Text without what differs from run to run: ids and hashes are numbered, times and paths left out."""
    names: dict[str, str] = {}

    def name(found: re.Match[str]) -> str:
        return names.setdefault(found[0][:8], f"<{len(names) + 1}>")

    def apply(text: str) -> str:
        text = re.sub(r"\b\d{4}[-/]\d\d[-/]\d\d[ T][0-9:.]+(\+\d\d:\d\d|Z)?", "<time>", text)
        text = re.sub(r"\b\d:\d\d:\d\d\.\d\d", "<duration>", text)
        text = re.sub(r'File "[^"]*/', 'File "', text)
        text = re.sub(r'[^"\\]*/bin/redun\b', "redun", text)
        text = re.sub(r"(redun\.version=)[^,)]*", r"\1<version>", text)
        return re.sub(
            r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b[0-9a-f]{40}\b|\b[0-9a-f]{8}\b",
            name,
            text,
        )

    return apply
