"""Clients of Azure: credentials, and containers of Blob Storage."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from datetime import datetime, timezone
from functools import lru_cache
from typing import Any

from redun.clients.extras import load
from redun.clients.obstores import CLIENT_OPTIONS, ObstoreStore, load_obstore

_NEED = "files on Azure"
_SCOPE = "https://storage.azure.com/.default"
_METADATA = "http://169.254.169.254/metadata/instance?api-version=2021-02-01"
_CLIENT_IDS = ("AZURE_CLIENT_ID", "AZUREML_USER_MANAGED_CLIENT_ID", "DEFAULT_IDENTITY_CLIENT_ID")
# With one of these the account is reached without an identity.
_KEYS = (
    "AZURE_STORAGE_ACCOUNT_KEY",
    "AZURE_STORAGE_ACCESS_KEY",
    "AZURE_STORAGE_MASTER_KEY",
    "AZURE_STORAGE_SAS_KEY",
    "AZURE_STORAGE_SAS_TOKEN",
    "AZURE_STORAGE_TOKEN",
    "AZURE_SKIP_SIGNATURE",
)
_VARIABLES = (*_KEYS, *_CLIENT_IDS, "AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_ENDPOINT")


def azure_container(account: str, container: str) -> ObstoreStore:
    """The client of a container, for this process and the settings of its environment.

    Credentials are a key, a shared access signature or a token of the environment
    (`AZURE_STORAGE_ACCOUNT_KEY`, `AZURE_STORAGE_SAS_TOKEN`, ...), those of
    `AZURE_STORAGE_CONNECTION_STRING`, or else `get_az_credential`. `AZURE_STORAGE_ENDPOINT` names a
    server to use instead of Azure's.

    Raises
    ------
    MissingExtraError
        The libraries are not installed.
    PermissionError
        There are no credentials.
    """
    return _container(account, container, (os.getpid(), *map(os.environ.get, _VARIABLES)))


@lru_cache(maxsize=256)
def _container(account: str, container: str, settings: tuple) -> ObstoreStore:
    obstore = load_obstore(_NEED, "azure")
    options = _connection_options(os.environ.get("AZURE_STORAGE_CONNECTION_STRING", ""))
    options["account_name"] = account
    if len(options) == 1 and not any(map(os.environ.get, _KEYS)):
        options["credential_provider"] = _tokens(get_az_credential())
    endpoint = options.get("endpoint") or os.environ.get("AZURE_STORAGE_ENDPOINT", "")
    client = {**CLIENT_OPTIONS, "allow_http": endpoint.startswith("http:")}
    store = obstore.store.AzureStore(container, client_options=client, **options)
    return ObstoreStore(obstore, store)


def _connection_options(text: str) -> dict[str, Any]:
    """What a connection string, `Name=value;...`, says of key, signature and endpoint."""
    fields = dict(part.split("=", 1) for part in text.split(";") if "=" in part)
    names = {
        "AccountKey": "account_key",
        "SharedAccessSignature": "sas_key",
        "BlobEndpoint": "endpoint",
    }
    return {option: fields[name] for name, option in names.items() if name in fields}


def get_az_credential() -> Any:
    """The credential to use on this machine.

    On Azure that of the user on whose behalf a job of Azure ML runs, or else the managed identity
    (`AZURE_CLIENT_ID`); elsewhere what `DefaultAzureCredential` finds. A token for storage is asked for
    at once, so that missing rights show early.

    Raises
    ------
    MissingExtraError
        The library is not installed.
    PermissionError
        There is no credential.
    """
    identity = load("azure.identity", _NEED, "azure")
    errors = load("azure.core.exceptions", _NEED, "azure")
    try:
        if not _on_azure():
            credential = identity.DefaultAzureCredential(exclude_managed_identity_credential=True)
        else:
            credential = _on_behalf(errors)
            if credential is not None:
                return credential
            client = next(filter(None, map(os.environ.get, _CLIENT_IDS)), None)
            credential = identity.DefaultAzureCredential(managed_identity_client_id=client)
        credential.get_token(_SCOPE)
    except errors.ClientAuthenticationError as error:
        raise PermissionError(errno.EACCES, f"No Azure credentials ({_first(error)})") from error
    return credential


def _on_behalf(errors: Any) -> Any:
    """The credential of the user of an Azure ML job, if there is one."""
    try:
        from azure.ai.ml.identity import AzureMLOnBehalfOfCredential
    except ImportError:
        return None
    credential = AzureMLOnBehalfOfCredential()
    try:
        credential.get_token(_SCOPE)
    except errors.ClientAuthenticationError:
        return None
    return credential


def _on_azure() -> bool:
    """Whether this machine is one of Azure's, by its metadata service."""
    from urllib.request import ProxyHandler, Request, build_opener

    # The service is on the machine itself: a proxy can't reach it.
    opener = build_opener(ProxyHandler({}))
    try:
        with opener.open(Request(_METADATA, headers={"Metadata": "true"}), timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


def _tokens(credential: Any) -> Callable[[], dict[str, Any]]:
    def tell() -> dict[str, Any]:
        token = credential.get_token(_SCOPE)
        expires = datetime.fromtimestamp(token.expires_on, timezone.utc)
        return {"token": token.token, "expires_at": expires}

    return tell


def _first(error: Exception) -> str:
    return str(error).partition("\n")[0]
