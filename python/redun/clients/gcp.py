"""Clients of Google Cloud: buckets of Cloud Storage."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Any

from redun.clients.extras import load
from redun.clients.obstores import CLIENT_OPTIONS, ObstoreStore, load_obstore

_NEED = "files on Google Cloud"
_SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"
_VARIABLES = (
    "STORAGE_EMULATOR_HOST",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_SKIP_SIGNATURE",
    "GOOGLE_BEARER_TOKEN",
    "CLOUDSDK_CONFIG",
)
_NO_CREDENTIALS = (
    "No Google credentials (run `gcloud auth application-default login`, set "
    "GOOGLE_APPLICATION_CREDENTIALS, or GOOGLE_SKIP_SIGNATURE=1 for public buckets)"
)


def gcs_bucket(name: str) -> ObstoreStore:
    """The client of a bucket, for this process and the settings of its environment.

    Credentials are the application's default ones; `STORAGE_EMULATOR_HOST` names a server to use
    instead of Google's, without credentials.

    Raises
    ------
    MissingExtraError
        The libraries are not installed.
    PermissionError
        There are no credentials.
    """
    return _bucket(name, (os.getpid(), *map(os.environ.get, _VARIABLES)))


@lru_cache(maxsize=256)
def _bucket(name: str, settings: tuple) -> ObstoreStore:
    obstore = load_obstore(_NEED, "gcs")
    options: dict[str, Any] = {}
    endpoint = os.environ.get("STORAGE_EMULATOR_HOST")
    if endpoint:
        options["base_url"] = endpoint if "://" in endpoint else f"http://{endpoint}"
        # A server for tests takes any token, and some requests are never made without one.
        options["credential_provider"] = lambda: {"token": "emulator", "expires_at": None}
    elif _is_set("GOOGLE_SKIP_SIGNATURE"):
        options["skip_signature"] = True
    elif not os.environ.get("GOOGLE_BEARER_TOKEN"):
        options["credential_provider"] = _tokens()
    plain = options.get("base_url", "").startswith("http:")
    store = obstore.store.GCSStore(
        name, client_options={**CLIENT_OPTIONS, "allow_http": plain}, **options
    )
    return ObstoreStore(obstore, store)


def _is_set(name: str) -> bool:
    return os.environ.get(name, "").lower() in ("1", "true", "yes")


def _tokens() -> Callable[[], dict[str, Any]]:
    """A function that tells a token, from the application's default credentials."""
    auth = load("google.auth", _NEED, "gcs")
    transport = load("google.auth.transport.requests", _NEED, "gcs")
    try:
        credentials, _ = auth.default(scopes=[_SCOPE])
    except auth.exceptions.DefaultCredentialsError as error:
        raise PermissionError(errno.EACCES, _NO_CREDENTIALS) from error

    def tell() -> dict[str, Any]:
        credentials.refresh(transport.Request())
        expiry = credentials.expiry
        if expiry is None:
            expires = datetime.now(timezone.utc) + timedelta(minutes=5)
        else:
            expires = expiry.replace(tzinfo=timezone.utc)
        return {"token": credentials.token, "expires_at": expires}

    return tell
