"""What repos on SQLite need and those on PostgreSQL don't."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.pool import StaticPool

from redun.backends.db.uri import is_memory_url

#: How long the driver waits for another process's lock before it gives up, in milliseconds.
BUSY_TIMEOUT_MS = 5000

#: Page cache of the writing connection, in KiB. Keys are random, so every insert touches another
#: page of each index; more spares reading pages back, but is memory that every run takes.
WRITER_CACHE_KIB = 4096

#: Pages in the write-ahead log before they are copied back. A page that several flushes touch is
#: copied once.
WRITER_CHECKPOINT_PAGES = 10000

#: Page size of new files, in bytes. Rows with random keys dirty a page of each index for nearly each
#: row; fewer, larger pages cost less to log and to copy back than SQLite's 4096.
PAGE_SIZE = 8192

#: How a file is opened that can't be written. The first sees what the log holds, but can't make the
#: log's index; the second needs nothing beside the file.
READ_ONLY_MODES = ("mode=ro", "immutable=1")


def create_sqlite_engine(url: URL, echo: bool) -> Engine:
    """
    Builds the engine of a repo in SQLite. Nothing is opened yet.

    All connections to a repo in memory are one, shared by all threads. A repo that can't be written
    can be read.
    """
    options: dict[str, Any] = {"connect_args": {"check_same_thread": False}}
    memory = is_memory_url(url)
    if memory:
        # Returning one user of the shared connection must not roll back the work of another.
        options.update(poolclass=StaticPool, pool_reset_on_return=None)
    engine = sa.create_engine(url, echo=echo, **options)
    sa.event.listen(engine, "connect", _prepare)
    if not memory:
        sa.event.listen(engine, "do_connect", _connect_read_only)
    return engine


def prepare_writer(connection: Connection) -> None:
    """
    Tunes the connection that the recorder writes with; the connection must not be pooled.

    References aren't checked row by row: rows are written children first, in transactions that
    hold all that their rows refer to.
    """
    for pragma in (
        "foreign_keys=OFF",
        f"cache_size=-{WRITER_CACHE_KIB}",
        f"wal_autocheckpoint={WRITER_CHECKPOINT_PAGES}",
    ):
        connection.exec_driver_sql(f"PRAGMA {pragma}")


def _prepare(driver: Any, _record: Any) -> None:
    """Sets up a new connection: checked references, log instead of journal, patience."""
    cursor = driver.cursor()
    cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute(f"PRAGMA page_size={PAGE_SIZE}")
    # The log lets readers and the writer work side by side. Where it can't be had (network file
    # systems, read-only media) SQLite keeps the journal mode it has, or the disk says no.
    with suppress(Exception):
        mode = cursor.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        if mode == "wal":
            cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()


def _connect_read_only(_dialect: Any, _record: Any, args: list[Any], options: Any) -> Any:
    """
    Opens a file that can't be written, or whose directory can't; None for others.

    SQLite refuses to read such a file if it can't make the files of the log beside it.
    """
    path = args[0]
    if options.get("uri") or not os.path.isfile(path):
        return None
    if os.access(path, os.W_OK) and os.access(os.path.dirname(os.path.abspath(path)), os.W_OK):
        return None
    import sqlite3

    for mode in READ_ONLY_MODES:
        uri = f"file:{quote(os.path.abspath(path))}?{mode}"
        connection = sqlite3.connect(uri, *args[1:], **{**options, "uri": True})
        try:
            connection.execute("SELECT 1 FROM sqlite_master").fetchone()
            return connection
        except sqlite3.Error:
            connection.close()
    return None
