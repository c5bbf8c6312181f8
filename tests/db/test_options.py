"""The options of `[backend]`, and where the database is."""

from __future__ import annotations

import json

import pytest

from redun.backends.db import RedunBackendDb, RedunDatabaseError
from redun.backends.db.options import read_options
from redun.errors import RedunError


@pytest.mark.parametrize(
    ("option", "text", "message"),
    [
        ("max_value_size", "1 GB", "expected a whole number, not '1 GB'"),
        ("max_value_size", "-1", "expected a whole number of at least 0"),
        ("value_store_min_size", "1.5", "expected a whole number"),
        ("db_retries", "many", "expected a whole number"),
        ("db_retries_backoff", "fast", "expected a number"),
        ("db_retries_backoff_max", "nan", "expected a number of at least 0"),
        ("automigrate", "maybe", "Cannot parse bool: 'maybe'"),
        ("hash_scheme", "md5", "Unknown hash_scheme 'md5'"),
        ("value_store_path", "nowhere://b/x", "nowhere"),
    ],
)
def test_errors_name_the_option(option: str, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=option) as caught:
        RedunBackendDb(config={option: text})
    assert message in str(caught.value)


def test_empty_options_are_defaults() -> None:
    names = ("db_uri", "max_value_size", "db_retries", "value_store_path", "hash_scheme")
    assert read_options(dict.fromkeys(names, "")) == read_options({})


def test_zero_retries_are_zero() -> None:
    options = read_options({"db_retries": "0", "db_retries_backoff": "0"})
    assert (options.retries, options.backoff) == (0, 0.0)


SECRET = {
    "engine": "postgres",
    "username": "ann",
    "password": "p@ss word/%+",
    "host": "db.example.org",
    "port": 5433,
    "dbname": "redun",
}


@pytest.fixture
def put_secret(s3, monkeypatch: pytest.MonkeyPatch):
    """Puts a text into Secrets Manager, in the region that is asked by default."""
    import uuid

    import boto3

    def put(text: str, region: str = "us-west-2") -> str:
        name = f"secret-{uuid.uuid4().hex[:8]}"
        client = boto3.client("secretsmanager", region_name=region)
        client.create_secret(Name=name, SecretString=text)
        return name

    return put


def test_secret_says_where_the_database_is(put_secret, monkeypatch) -> None:
    monkeypatch.setenv("REDUN_DB_USERNAME", "not-asked")
    monkeypatch.setenv("REDUN_DB_PASSWORD", "not-asked")
    name = put_secret(json.dumps(SECRET))
    backend = RedunBackendDb("sqlite:///ignored.db", config={"db_aws_secret_name": name})
    assert backend.automigrate is False
    url = backend.create_engine().url
    assert (url.get_backend_name(), url.username, url.host, url.port, url.database) == (
        "postgresql",
        "ann",
        "db.example.org",
        5433,
        "redun",
    )
    assert url.password == "p@ss word/%+"
    assert "p@ss" not in str(url)
    backend.close()


def test_region_of_the_secret(put_secret, monkeypatch) -> None:
    name = put_secret(json.dumps(SECRET), "eu-central-1")
    with pytest.raises(RedunError, match=f"Cannot read the AWS secret '{name}'") as caught:
        RedunBackendDb(config={"db_aws_secret_name": name}).create_engine()
    assert "AWS_REGION" in caught.value.hints[0]
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    url = RedunBackendDb(config={"db_aws_secret_name": name}).create_engine().url
    assert url.host == "db.example.org"


@pytest.mark.parametrize(
    "text", ["no json", "[]", json.dumps({**SECRET, "port": "x"}), json.dumps({"password": "hush"})]
)
def test_secret_that_describes_no_database(put_secret, text: str) -> None:
    name = put_secret(text)
    with pytest.raises(RedunDatabaseError, match="does not describe a database") as caught:
        RedunBackendDb(config={"db_aws_secret_name": name}).create_engine()
    assert "hush" not in repr(caught.value)
    assert caught.value.__cause__ is None
