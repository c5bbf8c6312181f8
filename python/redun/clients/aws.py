"""Clients of Amazon Web Services, which find credentials and regions as users of `boto3` know it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Any

from redun.clients.extras import load
from redun.errors import RedunError

NEED = "files on S3"
# Temporary credentials are renewed by the session ten minutes before they end at the latest.
_CREDENTIALS_KEPT = timedelta(minutes=5)
_VARIABLES = (
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SKIP_SIGNATURE",
)
# Variables each of which stands for credentials.
_CREDENTIALS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)


def get_aws_client(service: str, region: str | None = None) -> Any:
    """Return a boto3 client.

    Credentials and the rest come from where boto3 looks for them; `AWS_ENDPOINT_URL` names another
    server.

    Parameters
    ----------
    service : such as `"lambda"` or `"batch"`.
    region : name of the region; by default the environment variable `AWS_REGION`, then what the
        configuration of AWS says.

    Raises `RedunError` if boto3 is not installed or has no region.
    """
    try:
        import boto3
        from botocore.exceptions import NoRegionError
    except ImportError as error:
        raise RedunError(
            f"AWS {service} needs the package boto3.", hints=["pip install 'redun[aws]'"]
        ) from error
    try:
        return boto3.client(service, region_name=region or os.environ.get("AWS_REGION"))
    except NoRegionError as error:
        raise RedunError(
            f"AWS {service} needs a region.", hints=["set the environment variable AWS_REGION"]
        ) from error


def get_secret(name: str, region: str | None = None) -> str:
    """The text of a secret in Secrets Manager.

    Raises `RedunError` if it can't be read.
    """
    client = get_aws_client("secretsmanager", region)
    errors = load("botocore.exceptions", "secrets", "aws")
    try:
        text: str = client.get_secret_value(SecretId=name)["SecretString"]
    except KeyError:
        raise RedunError(f"The AWS secret '{name}' holds no text.") from None
    except (errors.BotoCoreError, errors.ClientError) as error:
        hint = "check its name, the region (AWS_REGION), the credentials and their rights"
        raise RedunError(f"Cannot read the AWS secret '{name}': {error}", hints=[hint]) from error
    return text


def s3_client() -> Any:
    """A `boto3` client of S3, one for each process, from the usual variables, files and roles.

    With `AWS_SKIP_SIGNATURE` set requests are anonymous.

    Raises
    ------
    MissingExtraError
        `boto3` is not installed.
    """
    return session_of(settings())[1]


def settings() -> tuple:
    """What a session depends on: the process, and the variables of its environment."""
    return (os.getpid(), *map(os.environ.get, _VARIABLES))


@lru_cache(maxsize=4)
def session_of(settings: tuple) -> tuple[Any, Any]:
    """The `boto3` session for some `settings`, and its client of S3."""
    boto3 = load("boto3", NEED, "s3")
    config: dict[str, Any] = {"retries": {"mode": "standard", "max_attempts": 8}}
    if is_anonymous():
        config["signature_version"] = load("botocore", NEED, "s3").UNSIGNED
    session = boto3.session.Session()
    # Without a region S3 answers from the first one, and names the bucket's own.
    region = None if session.region_name else "us-east-1"
    client = session.client(
        "s3", region_name=region, config=load("botocore.config", NEED, "s3").Config(**config)
    )
    return session, client


def is_anonymous() -> bool:
    """Whether requests are sent without credentials."""
    return os.environ.get("AWS_SKIP_SIGNATURE", "").lower() in ("1", "true", "yes")


def bucket_region(client: Any, bucket: str) -> str:
    """The region of a bucket, which other ones only redirect to."""
    errors = load("botocore.exceptions", NEED, "s3")
    try:
        headers = client.head_bucket(Bucket=bucket)["ResponseMetadata"]["HTTPHeaders"]
    except errors.ClientError as error:
        # Also who may not ask is told the region.
        headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    except errors.BotoCoreError:
        headers = {}
    return headers.get("x-amz-bucket-region") or client.meta.region_name


def credential_teller(session: Any) -> Any:
    """A function that tells the session's credentials of the moment."""
    found = session.get_credentials()
    if found is None:
        raise PermissionError(errno.EACCES, _NO_CREDENTIALS)

    def tell() -> dict[str, Any]:
        frozen = found.get_frozen_credentials()
        return {
            "access_key_id": frozen.access_key,
            "secret_access_key": frozen.secret_key,
            "token": frozen.token,
            "expires_at": datetime.now(timezone.utc) + _CREDENTIALS_KEPT,
        }

    return tell


_NO_CREDENTIALS = (
    "No AWS credentials (set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
    "or AWS_SKIP_SIGNATURE=1 for public buckets)"
)


@contextmanager
def telling() -> Iterator[None]:
    """Turn the library's errors into those of the operating system."""
    errors = load("botocore.exceptions", NEED, "s3")
    try:
        yield
    except errors.ClientError as error:
        raise _translated(error.response) from error
    except errors.NoCredentialsError as error:
        raise PermissionError(errno.EACCES, _NO_CREDENTIALS) from error
    except (errors.BotoCoreError, load("boto3.exceptions", NEED, "s3").Boto3Error) as error:
        cause = error.__context__
        if isinstance(cause, errors.ClientError):
            raise _translated(cause.response) from error
        raise OSError(errno.EIO, str(error)) from error


def _translated(response: dict) -> OSError:
    told = response.get("Error", {})
    code, message = str(told.get("Code", "")), str(told.get("Message", ""))
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    if code == "NoSuchBucket":
        return FileNotFoundError(errno.ENOENT, "No such bucket")
    if status == 404:
        return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    if status in (401, 403):
        return PermissionError(errno.EACCES, f"Access denied ({code}: {message})")
    if code == "PreconditionFailed":
        return OSError(errno.ESTALE, "Changed while it was read")
    return OSError(errno.EIO, f"{code}: {message}")


def find_caller() -> str | None:
    """
    The ARN that AWS knows this user by; None without credentials or an answer.

    A machine without any sign of credentials is not asked for a role of its own: where there is no
    such service, that takes seconds.
    """
    from importlib.util import find_spec

    if not _signs_of_credentials() or find_spec("boto3") is None:
        return None
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    patience = Config(connect_timeout=2, read_timeout=3, retries={"total_max_attempts": 1})
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    try:
        client = boto3.client("sts", region_name=region, config=patience)
        arn: str = client.get_caller_identity()["Arn"]
    except (BotoCoreError, ClientError, RuntimeError):
        return None
    return arn


def _signs_of_credentials() -> bool:
    if any(os.environ.get(name) for name in _CREDENTIALS):
        return True
    files = {
        "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials",
        "AWS_CONFIG_FILE": "~/.aws/config",
    }
    paths = [os.environ.get(name) or path for name, path in files.items()]
    return any(os.path.exists(os.path.expanduser(path)) for path in paths)
