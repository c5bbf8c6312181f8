"""Repos on PostgreSQL: a server that goes away, what it can't hold, who gets in."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

import redun
from redun import task
from redun.backends.base import Records, TagEntity
from redun.backends.db import (
    Argument,
    CallNode,
    Execution,
    Job,
    RedunBackendDb,
    Tag,
    Task,
    Value,
    parse_db_version,
)
from redun.scheduler import Scheduler

redun_namespace = "test_postgres"

PATIENT = {"db_retries": "8", "db_retries_backoff": "0.02", "db_retries_backoff_max": "1"}


@pytest.fixture
def patient(own_postgres) -> Iterator[RedunBackendDb]:
    """A repo on a server of its own that is waited for."""
    backend = RedunBackendDb(own_postgres.uri(), config=PATIENT)
    backend.load(migrate=True)
    yield backend
    backend.close()


def crash(server: Any) -> None:
    """Lets the server crash and come back."""
    server.stop("immediate")
    server.start()


@task()
def double(x: int) -> int:
    return 2 * x


@task()
def total(numbers: list[int]) -> int:
    return sum(numbers)


def test_run_goes_on_when_the_server_comes_back(own_postgres, patient) -> None:
    crashes = [10, 60]

    @task()
    def disturbed(x: int, seen: list[int]) -> int:
        if x in crashes:
            crashes.remove(x)
            crash(own_postgres)
        return x

    @task()
    def main() -> int:
        done: list[Any] = []
        for number in range(100):
            done.append(disturbed(double(number), done[-1:]))
        return total(done)

    scheduler = Scheduler(backend=patient)
    assert scheduler.run(main()) == sum(range(0, 200, 2))
    assert crashes == []
    session = patient.session
    (execution,) = session.query(Execution)
    assert execution.status == "DONE"
    assert session.query(Job).count() == 202
    assert session.query(Job).filter(Job.end_time.is_(None)).count() == 0
    assert session.query(CallNode).count() == 202
    node = execution.call_node
    assert (node.value_parsed, len(node.children)) == (9900, 201)


READS: dict[str, Callable[[RedunBackendDb, str], Any]] = {
    "known_values": lambda backend, value: backend.known_values([value]) == {value},
    "get_value": lambda backend, value: backend.get_value(value) == (7, True),
    "get_tags": lambda backend, value: backend.get_tags([value])[value]["k"] == [1],
    "session": lambda backend, value: backend.session.query(Value).count() == 1,
    "get": lambda backend, value: backend.session.get(Value, value).value_parsed == 7,
    "lazy": lambda backend, value: [tag.value for tag in loaded(backend)[0].tags] == [1],
}


def loaded(backend: RedunBackendDb) -> list[Value]:
    """The values that the session has already."""
    found = [row for row in backend.session.identity_map.values() if isinstance(row, Value)]
    return found or backend.session.query(Value).all()


def test_readers_get_a_new_connection(own_postgres, patient) -> None:
    value = patient.record_value(7)
    patient.record_tags(TagEntity.Value, value, [("k", 1)])
    for name, read in READS.items():
        assert read(patient, value), name
        crash(own_postgres)
        assert read(patient, value), name


def test_changes_of_a_session_are_not_taken_for_saved(own_postgres, patient) -> None:
    session = patient.session
    value = patient.record_value(7)
    session.get(Value, value).type = "other"
    session.flush()
    crash(own_postgres)
    with pytest.raises(OperationalError):
        session.query(Value).all()
    session.rollback()
    assert session.get(Value, value).type == "builtins.int"


def test_server_that_is_down_is_waited_for(own_postgres, patient, caplog) -> None:
    own_postgres.stop("fast")
    patient.record(Records(values=[("a" * 40, "m.T", "x", b"1")]))
    timer = threading.Timer(0.3, own_postgres.start)
    timer.start()
    patient.flush()
    timer.join()
    assert patient.known_values(["a" * 40]) == {"a" * 40}
    assert "Database operation record failed (attempt 1/9), retrying in 0.0s" in caplog.text


def test_server_that_stays_down_is_an_error(own_postgres, patient) -> None:
    patient.retry.retries = 1
    own_postgres.stop("fast")
    with pytest.raises(OperationalError, match="connection to server"):
        patient.record_value(7)
    own_postgres.start()
    patient.flush()
    assert patient.record_value(7) in patient.known_values([patient.record_value(7)])


# Speed.


@pytest.fixture
def scheduler(postgres_uri: str) -> Iterator[Scheduler]:
    """A scheduler on a new repo."""
    backend = RedunBackendDb(postgres_uri)
    backend.load()
    yield Scheduler(backend=backend)
    backend.close()


def test_many_jobs_take_few_statements(scheduler: Scheduler, monkeypatch) -> None:
    statements: list[Any] = []
    execute = psycopg.Cursor.execute

    def counting(cursor: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
        statements.append(query)
        return execute(cursor, query, *args, **kwargs)

    @task()
    def main(count: int) -> list[Any]:
        return [double(number) for number in range(count)]

    scheduler.run(main(2))
    scheduler.backend.flush()
    monkeypatch.setattr(psycopg.Cursor, "execute", counting)
    assert scheduler.run(main(1000))[:3] == [0, 2, 4]
    scheduler.backend.flush()
    fresh = len(statements)
    statements.clear()
    scheduler.run(main(1000))
    scheduler.backend.flush()
    # Rows are written whenever they have waited for a moment, however slow the machine is.
    assert 10 < fresh < 60
    assert len(statements) < 40


# Opening.


def test_driver_that_is_missing_names_the_extra(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    backend = RedunBackendDb("postgresql://host/db")
    with pytest.raises(ImportError, match=r"'psycopg': pip install 'redun\[postgres\]'"):
        backend.load()


def test_connections_say_who_they_are(postgres_uri: str) -> None:
    backend = RedunBackendDb(postgres_uri)
    backend.load()
    (row,) = backend.session.execute(
        sa.text("SELECT current_setting('redun.version'), current_setting('timezone')")
    )
    assert row == (redun.version, "UTC")
    backend.close()


PASSWORD = "a b/c%41:@é+'"


@pytest.fixture
def protected(own_postgres, monkeypatch) -> Iterator[str]:
    """The URI of a repo whose user needs a password."""
    RedunBackendDb(own_postgres.uri()).migrate()
    with psycopg.connect(own_postgres.uri(), autocommit=True) as connection:
        user, database = "o'redun @x", own_postgres.database
        connection.execute(
            psycopg.sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
                psycopg.sql.Identifier(user), psycopg.sql.Literal(PASSWORD)
            )
        )
        connection.execute(f'GRANT ALL ON ALL TABLES IN SCHEMA public TO "{user}"')
        rules = own_postgres.data / "pg_hba.conf"
        before = rules.read_text()
        rules.write_text(f'local {database} "{user}" scram-sha-256\n{before}')
        connection.execute("SELECT pg_reload_conf()")
        monkeypatch.setenv("REDUN_DB_USERNAME", user)
        yield own_postgres.uri().replace("postgres@", "")
        rules.write_text(before)
        connection.execute("SELECT pg_reload_conf()")
        connection.execute(f'DROP OWNED BY "{user}"; DROP ROLE "{user}"')


def test_credentials_of_any_characters(protected: str, monkeypatch, caplog) -> None:
    monkeypatch.setenv("REDUN_DB_PASSWORD", PASSWORD)
    backend = RedunBackendDb(protected)
    backend.load()
    assert backend.get_value(backend.record_value(7)) == (7, True)
    assert PASSWORD not in repr(backend.engine) + backend.db_uri + caplog.text
    backend.close()


@pytest.mark.parametrize("password", ["wrong one", None])
def test_wrong_credentials_are_not_shown(protected: str, monkeypatch, password, caplog) -> None:
    monkeypatch.delenv("REDUN_DB_PASSWORD", raising=False)
    if password:
        monkeypatch.setenv("REDUN_DB_PASSWORD", password)
    with pytest.raises(OperationalError, match="password") as caught:
        RedunBackendDb(protected).load()
    assert "wrong one" not in str(caught.value) + repr(caught.value) + caplog.text


def test_secret_of_aws_says_where_the_repo_is(own_postgres, s3, monkeypatch) -> None:
    RedunBackendDb(own_postgres.uri()).migrate()
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    secrets = boto3.client("secretsmanager", region_name="eu-west-1")
    name = f"secret-{s3.bucket}"
    described = {
        "engine": "postgres",
        "username": "postgres",
        "password": PASSWORD,
        "host": str(own_postgres.directory),
        "port": 5432,
        "dbname": own_postgres.database,
    }
    secrets.create_secret(Name=name, SecretString=json.dumps(described))
    config = {"db_aws_secret_name": name}
    backend = RedunBackendDb("sqlite:///other.db", config=config)
    assert backend.automigrate is False
    backend.load()
    assert backend.engine.dialect.name == "postgresql"
    assert backend.get_value(backend.record_value(7)) == (7, True)
    backend.close()


# What is hard to hold.

ODD = "nul\0 lone\udc80 pair\U0001f600 quote\"'{},\\ tab\t"


@pytest.mark.each_repo
def test_odd_texts_everywhere(repo_uri: str, make_jobs) -> None:
    backend = RedunBackendDb(repo_uri)
    backend.load()
    records = make_jobs(1)
    call, value = records.call_nodes[0][0], records.values[1][0]
    long_name = ODD * 40
    records.values.append(("1" * 40, f"m.{ODD}", ODD, b"\0\xff"))
    records.tasks.append(("1" * 40, ODD, ODD, ODD * 100))
    records.files.append(("1" * 40, long_name * 5))
    records.handles.append(("1" * 40, long_name * 5, "1" * 40, long_name, True))
    records.arguments.append(("2" * 40, call, value, None, long_name))
    records.call_nodes.append(("3" * 40, long_name, "1" * 40, "4" * 40, value, 1.7e9))
    records.tags.append(("Value", ODD, ODD, {ODD: [ODD, float("inf")]}))
    backend.record(records)
    backend.flush()
    session = backend.session
    assert session.get(Value, "1" * 40).value == b"\0\xff"
    assert "lone\\udc80 pair\U0001f600 quote\"'{},\\ tab\t" in session.get(Task, "1" * 40).source
    keys = [row.arg_key for row in session.query(Argument) if row.arg_key]
    assert len(keys[0]) >= len(long_name)
    (tag,) = session.query(Tag)
    assert tag.value == {ODD: [ODD, float("inf")]}
    backend.close()


@pytest.mark.each_repo
def test_tags_with_odd_texts_are_found_again(repo_uri: str) -> None:
    backend = RedunBackendDb(repo_uri)
    backend.load()
    document = {"a": ["\0", float("inf"), "\udc80"]}
    backend.record_tags(TagEntity.Job, "j", [("k", document), ("plain", "text")])
    backend.record_tags(TagEntity.Job, ODD, [(ODD, 1)])
    assert backend.delete_tags(ODD, [], [ODD])
    assert backend.get_tags(["j"])["j"]["k"] == [document]
    found = backend.session.query(Tag).filter(Tag.value == document).all()
    assert [tag.key for tag in found] == ["k"]
    backend.delete_tags("j", [("k", document)])
    assert list(backend.get_tags(["j"])["j"].items()) == [("plain", "text")]
    backend.close()


def test_repo_of_an_older_version_holds_what_fits(empty_postgres_uri: str, make_jobs) -> None:
    backend = RedunBackendDb(empty_postgres_uri)
    backend.migrate(parse_db_version("3.5"))
    backend.load(migrate=False)
    records = make_jobs(1)
    argument = records.arguments[0]
    records.arguments.append(("2" * 40, argument[1], argument[2], None, "n\0" * 100))
    backend.record(records)
    backend.flush()
    keys = [row.arg_key for row in backend.session.query(Argument) if row.arg_key]
    assert keys == [("n\\x00" * 100)[:100]]
    backend.close()
