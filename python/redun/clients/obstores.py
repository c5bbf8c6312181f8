"""Object stores through `obstore`, a Rust library that serves S3, Google and Azure.

Reading and writing go on outside the GIL, failed requests are repeated with growing pauses.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from redun.clients.extras import load
from redun.clients.objects import PART_SIZE, ObjectInfo, Upload, is_usual_key

# The time for one request, body included: a part must get through a slow line.
CLIENT_OPTIONS = {"timeout": timedelta(minutes=5), "connect_timeout": timedelta(seconds=10)}

# The runtime of the library does not survive a fork; it is started at the first request.
_pid: int | None = None


def started_elsewhere() -> bool:
    """Whether this process is a fork of one in which the library was in use."""
    return _pid is not None and _pid != os.getpid()


def load_obstore(need: str, extra: str) -> Any:
    """The library, for use in this process.

    Raises
    ------
    MissingExtraError
        It is not installed.
    OSError
        This process was forked from one that used it.
    """
    global _pid
    if started_elsewhere():
        raise OSError(
            errno.ENOTSUP,
            "Not available in a process forked from one that used cloud files: "
            "start processes with 'forkserver' or 'spawn'",
        )
    obstore = load("obstore", need, extra)
    load("obstore.store", need, extra)
    _pid = os.getpid()
    return obstore


class ObstoreStore:
    """One bucket through `obstore`. Keys must be usual ones (`is_usual_key`).

    Parameters
    ----------
    obstore
        The library, from `load_obstore`.
    store
        Its store of the bucket.
    """

    def __init__(self, obstore: Any, store: Any) -> None:
        self._lib = obstore
        self._store = store

    def head(self, key: str) -> ObjectInfo:
        with _telling():
            return _info(self._lib.head(self._store, _checked(key)))

    def read_start(self, key: str, length: int) -> tuple[ObjectInfo, bytes]:
        try:
            with _telling():
                got = self._lib.get(self._store, _checked(key), options={"range": (0, length)})
                return _info(got.meta), bytes(got.bytes())
        except (FileNotFoundError, PermissionError):
            raise
        except OSError:
            # No range of an empty object can be satisfied.
            info = self.head(key)
            if info.size == 0:
                return info, b""
            raise

    def read(self, info: ObjectInfo, start: int, end: int) -> bytes:
        options = {"range": (start, end), "if_match": info.tag or None}
        with _telling():
            return bytes(self._lib.get(self._store, info.key, options=options).bytes())

    def put(self, key: str, data: bytes, create: bool = False) -> None:
        mode = "create" if create else "overwrite"
        with _telling():
            self._lib.put(self._store, _checked(key), data, mode=mode, use_multipart=False)

    def put_file(self, key: str, path: str) -> None:
        from pathlib import Path

        _checked(key)
        with open(path, "rb"):
            pass  # a missing or unreadable source is told apart from errors of the store
        with _telling():
            self._lib.put(self._store, key, Path(path), chunk_size=PART_SIZE, max_concurrency=8)

    def upload(self, key: str) -> Upload:
        with _telling():
            writer = self._lib.open_writer(
                self._store, _checked(key), buffer_size=PART_SIZE, max_concurrency=4
            )
        return _Upload(writer)

    def copy(self, source: str, dest: str) -> None:
        with _telling():
            self._lib.copy(self._store, _checked(source), _checked(dest))

    def delete(self, keys: Iterable[str]) -> None:
        names = [_checked(key) for key in keys]
        try:
            with _telling():
                self._lib.delete(self._store, names)
        except FileNotFoundError:
            if len(names) > 1:
                # Some stores stop at a missing object.
                for name in names:
                    self.delete([name])

    def objects(self, prefix: str) -> list[ObjectInfo]:
        parent = prefix[: prefix.rfind("/") + 1]
        found = self.list_below(parent)
        if prefix != parent:
            found = [info for info in found if info.key.startswith(prefix)]
        return self._without_markers(found)

    def list_below(self, parent: str) -> list[ObjectInfo]:
        """All objects below a prefix that ends in a slash or is empty, as the library names them."""
        with _telling():
            batches = self._lib.list(self._store, _folder(parent), chunk_size=1000)
            return [_info(meta) for batch in batches for meta in batch]

    def level(self, prefix: str) -> tuple[list[ObjectInfo], list[str]]:
        parent = prefix[: prefix.rfind("/") + 1]
        objects, prefixes = self.level_below(parent)
        return (
            self._without_markers([info for info in objects if info.key.startswith(prefix)]),
            [name for name in prefixes if name.startswith(prefix)],
        )

    def level_below(self, parent: str) -> tuple[list[ObjectInfo], list[str]]:
        """`level` for a prefix that ends in a slash or is empty, as the library names objects."""
        with _telling():
            result = self._lib.list_with_delimiter(self._store, _folder(parent))
            objects = [_info(meta) for meta in result["objects"]]
            return objects, [f"{name}/" for name in result["common_prefixes"]]

    def is_prefix(self, prefix: str) -> bool:
        parent = prefix[: prefix.rfind("/") + 1]
        if parent != prefix:
            return bool(self.objects(prefix))
        with _telling():
            return any(self._lib.list(self._store, _folder(parent), chunk_size=1))

    def _without_markers(self, found: list[ObjectInfo]) -> list[ObjectInfo]:
        """Leave out empty objects `name/`, which stand for directories: they are listed as `name`."""
        kept: dict[str, ObjectInfo] = {}
        for info in found:
            if info.size > 0 or (info.key not in kept and self._is_there(info.key)):
                kept[info.key] = info
        return list(kept.values())

    def _is_there(self, key: str) -> bool:
        try:
            self.head(key)
        except FileNotFoundError:
            return False
        return True


class _Upload:
    def __init__(self, writer: Any) -> None:
        self._writer = writer

    def write(self, data: bytes) -> None:
        with _telling():
            self._writer.write(data)

    def close(self) -> None:
        with _telling():
            self._writer.close()


def _folder(parent: str) -> str | None:
    return _checked(parent[:-1]) if parent else None


def _checked(key: str) -> str:
    if not is_usual_key(key):
        raise OSError(errno.EINVAL, f"The client of this store cannot handle the key {key!r}")
    return key


def _info(meta: Any) -> ObjectInfo:
    tag = meta["e_tag"] or ""
    if tag and not tag.endswith('"'):
        tag = f'"{tag}"'  # Azure's listings leave the quotes out
    return ObjectInfo(meta["path"], meta["size"], tag)


_CODE = re.compile(r"<Code>([^<]*)</Code>")
_STATUS = re.compile(r"status code: (\d+)")
_MESSAGE = re.compile(r"<Message>([^<]*)</Message>")


@contextmanager
def _telling() -> Iterator[None]:
    """Turn the library's errors into those of the operating system."""
    try:
        yield
    except OSError as error:
        if error.errno is not None or not isinstance(error, FileNotFoundError):
            raise
        raise FileNotFoundError(errno.ENOENT, _missing(str(error))) from error
    except ValueError as error:
        raise OSError(errno.EINVAL, str(error).partition("\n")[0]) from error
    except Exception as error:
        if not type(error).__module__.startswith("obstore"):
            raise
        raise _translated(type(error).__name__, str(error)) from error


def _translated(kind: str, text: str) -> OSError:
    text = text.partition("\n\nDebug source")[0]
    code, message = _CODE.search(text), _MESSAGE.search(text)
    told = f" ({code[1]}{': ' + message[1] if message else ''})" if code else ""
    status = _STATUS.search(text)
    denied = status is not None and status[1] in ("401", "403")
    if denied or kind in ("PermissionDeniedError", "UnauthenticatedError"):
        return PermissionError(errno.EACCES, f"Access denied{told or _reason(text)}")
    if kind == "AlreadyExistsError":
        return FileExistsError(errno.EEXIST, "File exists")
    if kind == "PreconditionError":
        return OSError(errno.ESTALE, "Changed while it was read")
    if code and code[1] in ("NoSuchBucket", "ContainerNotFound"):
        return FileNotFoundError(errno.ENOENT, "No such bucket")
    if kind == "InvalidPathError":
        reason = text.partition("\n")[0]
        return OSError(errno.EINVAL, f"The client of this store cannot handle a key: {reason}")
    return OSError(errno.EIO, told.strip(" ()") or text)


def _reason(text: str) -> str:
    """What a credential provider said."""
    said = text.partition("credential provider: ")[2].partition("\n")[0]
    return f" ({said})" if said else ""


def _missing(text: str) -> str:
    code = _CODE.search(text)
    if code and code[1] in ("NoSuchBucket", "ContainerNotFound"):
        return "No such bucket"
    return os.strerror(errno.ENOENT)
