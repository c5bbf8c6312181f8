"""Digests of the content of local files, kept between runs so that unchanged files are not read again.

They are in one small SQLite file of the user, `redun/digests-1.db` in the cache directory (`XDG_CACHE_HOME`,
by default `~/.cache`); `REDUN_DIGEST_CACHE` names another file, or is `off`. It may be deleted at any time, used by
several processes at once, and is left alone where it cannot be used.

A digest belongs to a path and to what `stat` says of it: device, inode, size, and the times, in
nanoseconds, of the last change of content and of metadata. Every write sets the latter, whatever else a program
may restore afterwards. Two writes within one tick of the clock leave the same times, so nothing is kept of a file
that changed less than two seconds ago (as git does with its index), nor is anything trusted that was kept at
a time that is yet to come: then the clock was set back.
"""

from __future__ import annotations

import os
import stat
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING
from zlib import crc32

from redun.hashing import hash_bytes, hash_files

if TYPE_CHECKING:
    import sqlite3

VARIABLE = "REDUN_DIGEST_CACHE"
OFF = ("off", "0", "no", "false")
FILE_NAME = os.path.join("redun", "digests-1.db")

# Smaller files are read faster than looked up.
MIN_SIZE = 1 << 14
# Files that changed less than this ago, in nanoseconds, may change again without a trace.
RACY = 2 * 10**9
# From this size of the database, in bytes, the older half is dropped.
MAX_BYTES = 64 << 20
# How long, in seconds, to wait for another process that writes.
PATIENCE = 1.0
BATCH = 500

_SCHEMA = """
CREATE TABLE IF NOT EXISTS digest (
    key TEXT PRIMARY KEY, state BLOB NOT NULL, kept INTEGER NOT NULL, digest TEXT NOT NULL, check_sum INTEGER NOT NULL
) WITHOUT ROWID
"""
_LOOK_UP = "SELECT key, state, kept, digest, check_sum FROM digest WHERE key IN ({})"
_KEEP = "INSERT OR REPLACE INTO digest VALUES (?, ?, ?, ?, ?)"
_DROP_OLDER_HALF = """
DELETE FROM digest WHERE kept <= (
    SELECT kept FROM digest ORDER BY kept LIMIT 1 OFFSET (SELECT count(*) / 2 FROM digest)
)
"""


def content_digests(paths: Sequence[str]) -> list[str]:
    """The digest of the content of each local file, read only if it is not known from before.

    Raises `OSError` for the first path in order that can't be read.
    """
    store = _open_store()
    if store is None:
        return hash_files(paths)
    now = time.time_ns()
    states = {
        index: state for index, path in enumerate(paths) if (state := _state(path)) is not None
    }
    if not states:
        return hash_files(paths)
    keys = {index: _key(paths[index]) for index in states}
    known = store.look_up(list(keys.values()), now)
    digests: dict[int, str] = {}
    for index, state in states.items():
        kept_state, digest = known.get(keys[index], (b"", ""))
        if kept_state == state:
            digests[index] = digest
    wanted = [index for index in range(len(paths)) if index not in digests]
    fresh = dict(zip(wanted, hash_files([paths[index] for index in wanted]), strict=True))
    store.keep(
        [
            (keys[index], states[index], now, digest)
            for index, digest in fresh.items()
            if index in states and _last_change(states[index]) + RACY <= now
        ]
    )
    digests.update(fresh)
    return [digests[index] for index in range(len(paths))]


# Size, times of change of content and of metadata (nanoseconds), inode, device.
_STATE = struct.Struct("<QqqQQ")
_WORD = (1 << 64) - 1


def _state(path: str) -> bytes | None:
    """What must not change for the digest to hold; None for what is not worth a look-up."""
    try:
        about = os.stat(path)
    except (OSError, ValueError):
        return None
    if about.st_size < MIN_SIZE or not stat.S_ISREG(about.st_mode):
        return None
    words = about.st_ino & _WORD, about.st_dev & _WORD
    return _STATE.pack(about.st_size, about.st_mtime_ns, about.st_ctime_ns, *words)


def _last_change(state: bytes) -> int:
    _, content, metadata, _, _ = _STATE.unpack(state)
    return max(content, metadata)


def _key(path: str) -> str:
    # The schemes have digests of their own, and so keys of their own.
    return hash_bytes(os.fsencode(os.path.join(os.getcwd(), path)))


# -- the store -----------------------------------------------------------------------------------


class _Store:
    """The database, of one process. Whatever goes wrong with it only means that files are read."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.process = os.getpid()
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._failed = False

    def look_up(self, keys: list[str], now: int) -> dict[str, tuple[bytes, str]]:
        """State and digest of each key that is known."""
        with self._guarded():
            connection = self._connect()
            return {
                key: (state, digest)
                for start in range(0, len(keys), BATCH)
                for key, state, kept, digest, check in _rows(connection, keys[start:][:BATCH])
                if kept <= now and check == _check_sum(key, state, kept, digest)
            }
        return {}

    def keep(self, rows: list[tuple[str, bytes, int, str]]) -> None:
        """Remember digests: key, state, time and digest of each."""
        if not rows or self._failed:
            return
        with self._guarded():
            connection = self._connect()
            with connection:
                connection.executemany(_KEEP, ((*row, _check_sum(*row)) for row in rows))
                if _used_bytes(connection) > MAX_BYTES:
                    connection.execute(_DROP_OLDER_HALF)

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Hold the lock, and swallow what goes wrong with the database."""
        import sqlite3

        with self._lock:
            try:
                yield
            except (OSError, sqlite3.Error) as error:
                self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        import sqlite3

        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()
        if isinstance(error, (OSError, sqlite3.OperationalError)):
            # A database that is locked may be free the next time, one that can't be written stays so.
            self._failed = "locked" not in str(error)
            return
        # It is damaged, or something else altogether.
        for suffix in ("", "-wal", "-shm"):
            with suppress(OSError):
                os.unlink(self.path + suffix)

    def _connect(self) -> sqlite3.Connection:
        import sqlite3

        if self._connection is None:
            if self._failed:
                raise sqlite3.OperationalError("not usable")
            os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
            connection = sqlite3.connect(
                self.path, timeout=PATIENCE, check_same_thread=False, cached_statements=8
            )
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(_SCHEMA)
            self._connection = connection
        return self._connection


def _rows(connection: sqlite3.Connection, keys: list[str]) -> Iterator[tuple]:
    return connection.execute(_LOOK_UP.format(",".join("?" * len(keys))), keys)


def _check_sum(key: str, state: bytes, kept: int, digest: str) -> int:
    """A damaged row must not pass for a digest."""
    return crc32(b"%b %b %d %b" % (key.encode(), state, kept, digest.encode()))


def _used_bytes(connection: sqlite3.Connection) -> int:
    size, pages, free = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_size", "page_count", "freelist_count")
    )
    return int(size * (pages - free))


_store: _Store | None = None
# Connections of the process that this one was forked from: they are its, not ours to close.
_inherited: list[_Store] = []


def _open_store() -> _Store | None:
    """The store that the environment asks for; None if it is off."""
    global _store
    path = _store_path()
    if path is None:
        return None
    store = _store
    if store is None or store.path != path or store.process != os.getpid():
        if store is not None and store.process != os.getpid():
            _inherited.append(store)
        store = _store = _Store(path)
    return store


def _store_path() -> str | None:
    setting = os.environ.get(VARIABLE, "").strip()
    if setting:
        return None if setting.lower() in OFF else setting
    caches = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser(os.path.join("~", ".cache"))
    return os.path.join(caches, FILE_NAME) if os.path.isabs(caches) else None
