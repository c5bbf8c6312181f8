"""Connections to repos on SQLite, with the driver alone."""

from __future__ import annotations

import logging
import os
import sqlite3
from contextlib import suppress
from urllib.parse import quote

logger = logging.getLogger("redun")

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


def connect(path: str) -> sqlite3.Connection:
    """
    Opens a file, for any thread; transactions are begun by statements.

    A repo that can't be written can be read.

    Raises `sqlite3.Error`.
    """
    connection = connect_read_only(path)
    if connection is None:
        connection = sqlite3.connect(path, check_same_thread=False)
    connection.isolation_level = None
    if os.environ.get("REDUN_DB_ECHO"):
        connection.set_trace_callback(logger.info)
    prepare(connection)
    return connection


def connect_memory() -> sqlite3.Connection:
    """
    Makes a database in memory, for any thread.

    The ORM works on this connection too, and relies on the driver to begin transactions.
    """
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    prepare(connection)
    return connection


def prepare(connection: sqlite3.Connection) -> None:
    """Sets up a new connection: checked references, log instead of journal, patience."""
    cursor = connection.cursor()
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


def prepare_writer(connection: sqlite3.Connection) -> None:
    """
    Tunes the connection that the recorder writes with.

    References aren't checked row by row: rows are written children first, in transactions that
    hold all that their rows refer to.
    """
    for pragma in (
        "foreign_keys=OFF",
        f"cache_size=-{WRITER_CACHE_KIB}",
        f"wal_autocheckpoint={WRITER_CHECKPOINT_PAGES}",
    ):
        connection.execute(f"PRAGMA {pragma}")


def connect_read_only(path: str) -> sqlite3.Connection | None:
    """
    Opens a file that can't be written, or whose directory can't; None for others.

    SQLite refuses to read such a file if it can't make the files of the log beside it.
    """
    if not os.path.isfile(path):
        return None
    if os.access(path, os.W_OK) and os.access(os.path.dirname(os.path.abspath(path)), os.W_OK):
        return None
    for mode in READ_ONLY_MODES:
        uri = f"file:{quote(os.path.abspath(path))}?{mode}"
        connection = sqlite3.connect(uri, uri=True, check_same_thread=False)
        try:
            connection.execute("SELECT 1 FROM sqlite_master").fetchone()
            return connection
        except sqlite3.Error:
            connection.close()
    return None
