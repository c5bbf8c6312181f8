"""Azure Blob Storage: `az://container@account.blob.core.windows.net/path`."""

from __future__ import annotations

import re

from redun.clients.azure import azure_container
from redun.clients.objects import ObjectInfo
from redun.file.fs.base import register_filesystem
from redun.file.fs.objects import ObjectFileSystem, Place

_HOSTS = re.compile(r"([^./@]+)\.(?:blob|dfs)\.core\.windows\.net")


@register_filesystem
class AzureBlobFileSystem(ObjectFileSystem):
    """Blobs of Azure. The quick hash is of path and entity tag."""

    __module__ = "redun.file"

    name = "az"

    def locate(self, path: str) -> Place:
        _, separator, rest = path.partition("://")
        authority, _, key = rest.partition("/")
        container, _, host = authority.partition("@")
        account = _HOSTS.fullmatch(host)
        if not separator or not container or account is None:
            raise ValueError(
                "Invalid Azure Blob Storage URL. Expected "
                f"{self.name}://<container>@<account>.blob.core.windows.net/<path>"
            )
        store = azure_container(account[1], container)
        return Place(store, f"{self.name}://{authority}/", key)

    def _record(self, path: str, info: ObjectInfo | None) -> list:
        return ["File", "az", path, info.tag if info else ""]


@register_filesystem
class ABFSFileSystem(AzureBlobFileSystem):
    """The same blobs under the URLs of Hadoop's driver."""

    __module__ = "redun.file"

    name = "abfs"


@register_filesystem
class ABFSSFileSystem(AzureBlobFileSystem):
    """The same blobs under the URLs of Hadoop's driver, encrypted on the way."""

    __module__ = "redun.file"

    name = "abfss"
