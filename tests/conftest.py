"""Fixtures that every test may use, and what is put back after each test.

Tests run with ``--import-mode=importlib``, so they share code through fixtures only.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from redun.scheduler import Scheduler

pytest_plugins = ["redun_postgres", "redun_original"]

REDUN = Path(sys.executable).parent / "redun"


@dataclass(frozen=True)
class CliResult:
    """What one run of the ``redun`` program left behind."""

    code: int
    stdout: str
    stderr: str


class Cli(Protocol):
    """The type of the ``cli`` fixture."""

    def __call__(
        self,
        *args: str | Path,
        cwd: Path | None = None,
        env: dict[str, str] | None = None,
        stdin: str = "",
        timeout: float = 120,
    ) -> CliResult: ...


def clean_environment() -> dict[str, str]:
    """The environment without what would steer redun: its own variables and terminal settings."""
    steering = ("REDUN_", "COLUMNS", "LINES", "FORCE_COLOR")
    return {name: value for name, value in os.environ.items() if not name.startswith(steering)}


@pytest.fixture
def workdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory that is the current one during the test."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def make_scheduler(
    repo_kind: str, new_repo: Callable[[str], str]
) -> Iterator[Callable[..., Scheduler]]:
    """Makes schedulers, each on a repo of its own, in memory unless PostgreSQL is asked for.

    ``make_scheduler(sections, queue="fifo")``: sections of the configuration, arguments of `Scheduler`.
    """
    from redun.config import Config
    from redun.scheduler import Scheduler

    made: list[Scheduler] = []

    def make(sections: Mapping[str, Any] | None = None, **arguments: Any) -> Scheduler:
        config = dict(sections or {})
        if repo_kind == "postgresql":
            uri = new_repo(f"scheduler {len(made)}")
            config["backend"] = {"db_uri": uri, **config.get("backend", {})}
        made.append(Scheduler(config=Config(config) if config else None, **arguments))
        if repo_kind == "postgresql":
            made[-1].load()
        return made[-1]

    yield make
    for scheduler in made:
        scheduler.backend.close()


@pytest.fixture
def scheduler(make_scheduler: Callable[..., Scheduler]) -> Scheduler:
    """A scheduler on a repo of its own, in memory unless PostgreSQL is asked for."""
    return make_scheduler()


@pytest.fixture
def cli(configure: Callable[..., None]) -> Cli:
    """Run the real ``redun`` program in a process of its own: ``cli("run", "wf.py", "main")``.

    Its repo is `programs_repo`, unless the test names another. It runs in the current directory unless ``cwd`` is given; ``env`` is added to the environment,
    from which all ``REDUN_*`` variables were taken. ``timeout`` is in seconds.
    """

    def run(
        *args: str | Path,
        cwd: Path | None = None,
        env: dict[str, str] | None = None,
        stdin: str = "",
        timeout: float = 120,
    ) -> CliResult:
        configure(*args)
        done = subprocess.run(
            [str(REDUN), *map(str, args)],
            cwd=cwd,
            env={**clean_environment(), **(env or {})},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        return CliResult(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture(autouse=True, scope="session")
def _own_cache_directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what is remembered between runs out of the user's cache directory, for processes too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def _restore_tasks() -> Iterator[None]:
    """Forget the tasks that a test defined: the registry is one for the process.

    A test of a module below the language leaves ``redun.task`` unloaded, and has nothing to restore.
    """
    module = sys.modules.get("redun.task")
    tasks = module.get_task_registry()._tasks if module else {}
    before = dict(tasks)
    yield
    tasks.clear()
    tasks.update(before)


@pytest.fixture(autouse=True)
def _restore_hash_scheme() -> Iterator[None]:
    """Put the active hash scheme back: it is one for the process."""
    core = sys.modules.get("redun._core")
    before = core.get_scheme() if core else None
    yield
    if core:
        core.set_scheme(before)


# -- cloud files ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class S3:
    """A bucket of the ``s3`` fixture.

    ``requests`` are (method, path, query) of what the server was asked, in order.
    """

    bucket: str
    endpoint: str
    client: Any
    requests: list[tuple[str, str, str]]

    def url(self, key: str) -> str:
        return f"s3://{self.bucket}/{key}"


@pytest.fixture(scope="session")
def _s3_server() -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    """A server of S3 and other services of Amazon, for the whole session: its URL, its requests."""
    from threading import Thread

    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"

        def log(self, *args: Any, **kwargs: Any) -> None:
            pass

    requests: list[tuple[str, str, str]] = []
    service = DomainDispatcherApplication(create_backend_app)

    def count(environ: dict, start: Any) -> Any:
        asked = (environ["REQUEST_METHOD"], environ["PATH_INFO"], environ["QUERY_STRING"])
        requests.append(asked)
        return service(environ, start)

    server = make_server("127.0.0.1", 0, count, threaded=True, request_handler=Quiet)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", requests
    server.shutdown()
    thread.join()


@pytest.fixture
def s3(
    _s3_server: tuple[str, list[tuple[str, str, str]]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> S3:
    """An empty bucket of a local S3 server, which the environment of the test leads to."""
    import uuid

    import boto3

    endpoint, requests = _s3_server
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    settings = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        # No configuration of whoever runs the tests.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    bucket = f"test-{uuid.uuid4().hex[:12]}"
    client.create_bucket(Bucket=bucket)
    requests.clear()
    return S3(bucket, endpoint, client, requests)
