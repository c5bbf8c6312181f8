"""Buckets of S3, through `obstore` and, where that can't, `boto3`."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import IO, Any

from redun.clients.aws import (
    NEED,
    bucket_region,
    credential_teller,
    is_anonymous,
    s3_client,
    session_of,
    settings,
    telling,
)
from redun.clients.objects import ObjectInfo, Upload, is_usual_key
from redun.clients.obstores import CLIENT_OPTIONS, ObstoreStore, load_obstore, started_elsewhere


def s3_bucket(name: str) -> S3Bucket:
    """The client of a bucket, for this process and the settings of its environment.

    Raises
    ------
    MissingExtraError
        The libraries are not installed.
    """
    return _bucket(name, settings())


@lru_cache(maxsize=256)
def _bucket(name: str, settings: tuple) -> S3Bucket:
    return S3Bucket(name)


class S3Bucket:
    """A bucket of S3: `obstore` does the work, `boto3` what that can't.

    That is: keys that are no paths (`a//b`, `dir/`), listings that hold such, listings by any prefix,
    copies between buckets or of more than 5 GB, and everything in a forked process.

    Parameters
    ----------
    name
        The bucket's name.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._exact = BotoBucket(name)
        self._fast_store: ObstoreStore | None = None

    def _fast(self, *keys: str) -> Any:
        """The client to use for some keys."""
        if not all(map(is_usual_key, keys)) or started_elsewhere():
            return self._exact
        if self._fast_store is None:
            self._fast_store = _obstore_bucket(self.name)
        return self._fast_store

    def head(self, key: str) -> ObjectInfo:
        return self._fast(key).head(key)

    def read_start(self, key: str, length: int) -> tuple[ObjectInfo, bytes]:
        return self._fast(key).read_start(key, length)

    def read(self, info: ObjectInfo, start: int, end: int) -> bytes:
        return self._fast(info.key).read(info, start, end)

    def put(self, key: str, data: bytes, create: bool = False) -> None:
        self._fast(key).put(key, data, create)

    def put_file(self, key: str, path: str) -> None:
        self._fast(key).put_file(key, path)

    def upload(self, key: str) -> Upload:
        return self._fast(key).upload(key)

    def copy(self, source: str, dest: str) -> None:
        try:
            self._fast(source, dest).copy(source, dest)
        except (FileNotFoundError, PermissionError):
            raise
        except OSError:
            # One request copies 5 GB at most.
            self._exact.copy(source, dest)

    def copy_from(self, bucket: str, source: str, dest: str) -> None:
        """Copy from another bucket, on the server."""
        self._exact.copy_from(bucket, source, dest)

    def delete(self, keys: Iterable[str]) -> None:
        names = list(keys)
        self._fast(*names).delete(names)

    def objects(self, prefix: str) -> list[ObjectInfo]:
        fast = self._lister(prefix)
        if fast is not None:
            try:
                found = fast.list_below(prefix)
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
            else:
                # An empty object may be `name/`, which this client lists as `name`.
                if all(info.size for info in found):
                    return found
        return self._exact.objects(prefix)

    def level(self, prefix: str) -> tuple[list[ObjectInfo], list[str]]:
        fast = self._lister(prefix)
        if fast is not None:
            try:
                objects, prefixes = fast.level_below(prefix)
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
            else:
                if all(info.size for info in objects):
                    return objects, prefixes
        return self._exact.level(prefix)

    def is_prefix(self, prefix: str) -> bool:
        """Whether any key starts with a prefix."""
        return self._exact.is_prefix(prefix)

    def _lister(self, prefix: str) -> ObstoreStore | None:
        """The fast client if it can list what starts with a prefix."""
        if prefix and not (prefix.endswith("/") and is_usual_key(prefix[:-1])):
            return None
        client = self._fast()
        if client is self._exact or (not prefix and self._exact.is_prefix("/")):
            return None
        return client


class BotoBucket:
    """A bucket of S3 through `boto3`: slower, and true to any key.

    Parameters
    ----------
    name
        The bucket's name.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def head(self, key: str) -> ObjectInfo:
        with telling():
            got = s3_client().head_object(Bucket=self.name, Key=key)
            return ObjectInfo(key, got["ContentLength"], got["ETag"])

    def read_start(self, key: str, length: int) -> tuple[ObjectInfo, bytes]:
        info = self.head(key)
        return info, self.read(info, 0, min(length, info.size)) if info.size else b""

    def read(self, info: ObjectInfo, start: int, end: int) -> bytes:
        with telling():
            got = s3_client().get_object(
                Bucket=self.name, Key=info.key, Range=f"bytes={start}-{end - 1}", IfMatch=info.tag
            )
            return got["Body"].read()

    def put(self, key: str, data: bytes, create: bool = False) -> None:
        only_new = {"IfNoneMatch": "*"} if create else {}
        try:
            with telling():
                s3_client().put_object(Bucket=self.name, Key=key, Body=data, **only_new)
        except OSError as error:
            if create and error.errno == errno.ESTALE:
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from error
            raise

    def put_file(self, key: str, path: str) -> None:
        with open(path, "rb") as stream, telling():
            s3_client().upload_fileobj(stream, self.name, key)

    def upload(self, key: str) -> Upload:
        return _SpooledUpload(self.name, key)

    def copy(self, source: str, dest: str) -> None:
        self.copy_from(self.name, source, dest)

    def copy_from(self, bucket: str, source: str, dest: str) -> None:
        """Copy from a bucket, on the server, in parts if large."""
        with telling():
            s3_client().copy({"Bucket": bucket, "Key": source}, self.name, dest)

    def delete(self, keys: Iterable[str]) -> None:
        names = [{"Key": key} for key in keys]
        with telling():
            for start in range(0, len(names), 1000):
                done = s3_client().delete_objects(
                    Bucket=self.name,
                    Delete={"Objects": names[start : start + 1000], "Quiet": True},
                )
                for failed in done.get("Errors", ()):
                    raise PermissionError(errno.EACCES, f"{failed['Code']}: {failed['Key']}")

    def objects(self, prefix: str) -> list[ObjectInfo]:
        return [info for page in self._pages(prefix) for info in _contents(page)]

    def level(self, prefix: str) -> tuple[list[ObjectInfo], list[str]]:
        objects: list[ObjectInfo] = []
        prefixes: list[str] = []
        for page in self._pages(prefix, Delimiter="/"):
            objects += _contents(page)
            prefixes += (entry["Prefix"] for entry in page.get("CommonPrefixes", ()))
        return objects, prefixes

    def _pages(self, prefix: str, **options: Any) -> Iterator[dict]:
        with telling():
            paginator = s3_client().get_paginator("list_objects_v2")
            yield from paginator.paginate(Bucket=self.name, Prefix=prefix, **options)

    def is_prefix(self, prefix: str) -> bool:
        """Whether any key starts with a prefix."""
        with telling():
            page = s3_client().list_objects_v2(Bucket=self.name, Prefix=prefix, MaxKeys=1)
            return page["KeyCount"] > 0


class _SpooledUpload:
    """An upload kept in a temporary file until it is closed."""

    def __init__(self, bucket: str, key: str) -> None:
        self._target = (bucket, key)
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115

    def write(self, data: bytes) -> None:
        self._file.write(data)

    def close(self) -> None:
        self._file.seek(0)
        with self._file, telling():
            s3_client().upload_fileobj(self._file, *self._target)


def _contents(page: dict) -> Iterator[ObjectInfo]:
    return (
        ObjectInfo(entry["Key"], entry["Size"], entry["ETag"]) for entry in page.get("Contents", ())
    )


def _obstore_bucket(name: str) -> ObstoreStore:
    """The bucket through `obstore`, set up as the session is."""
    obstore = load_obstore(NEED, "s3")
    session, client = session_of(settings())
    endpoint = client.meta.endpoint_url
    options: dict[str, Any] = {}
    if ".amazonaws.com" in endpoint:
        options["region"] = bucket_region(client, name)
    else:
        options["region"] = client.meta.region_name
        options["endpoint"] = endpoint
        options["virtual_hosted_style_request"] = False
    if is_anonymous():
        options["skip_signature"] = True
    else:
        options["credential_provider"] = credential_teller(session)
    store = obstore.store.S3Store(
        name,
        client_options={**CLIENT_OPTIONS, "allow_http": endpoint.startswith("http:")},
        **options,
    )
    return ObstoreStore(obstore, store)
