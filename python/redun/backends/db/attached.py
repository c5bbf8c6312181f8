"""
Copying records between two repos in SQLite within the database: rows never become objects of Python.

The connection that writes to the target attaches the source, read-only: beginning a transaction locks
every attached file that it could write to.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from redun.backends.db.connection import Retry
from redun.backends.db.repo import Repo
from redun.backends.db.rows import COLUMNS, TABLES, subtrees
from redun.backends.db.sqlite import BUSY_TIMEOUT_MS, WRITER_CHECKPOINT_PAGES
from redun.backends.db.text import json_strings
from redun.backends.db.writer import CACHE_KIB, END_JOB, MAIN_TABLES, total
from redun.backends.records import Part

#: Page cache for the attached source, in KiB. It is read in the order of keys.
SOURCE_CACHE_KIB = 16384

#: Values that are copied at once, and by how many pages they may make the file grow within one
#: transaction: with large payloads it takes time, and room in the log.
VALUES_AT_ONCE = 5000
MAX_PAGES = 8192

#: Seconds after which a transaction ends where it may: others wait to write to the target.
MAX_SECONDS = 1.0

#: Kinds of records after which a transaction may end.
ENDING = ("Value", "CallNode")

PICKED = "(SELECT id FROM temp.picked)"

#: What a job has while it has not ended, by column.
OPEN_JOB = {"end_time": "NULL", "cached": "0", "call_hash": "NULL"}

UPSTREAM = (
    "INSERT OR FAIL INTO main.argument_result (arg_hash, result_call_hash) "
    "SELECT argument_result.arg_hash, argument_result.result_call_hash FROM source.argument "
    "JOIN source.argument_result ON argument_result.arg_hash = argument.arg_hash "
    f"WHERE argument.call_hash IN {PICKED} ON CONFLICT DO NOTHING"
)

#: Calls that came without rows of `call_subtree_task`, with what such rows follow from.
LACKING = (
    f"SELECT call_hash, task_hash FROM main.call_node WHERE call_hash IN {PICKED} AND NOT EXISTS "
    "(SELECT 1 FROM main.call_subtree_task AS subtree WHERE subtree.call_hash = call_node.call_hash)"
)
EDGES = (
    "SELECT parent_id, child_id FROM main.call_edge "
    "WHERE parent_id IN (SELECT value FROM json_each(?))"
)
BELOW = (
    "SELECT DISTINCT call_edge.parent_id, subtree.task_hash FROM main.call_edge "
    "JOIN main.call_subtree_task AS subtree ON subtree.call_hash = call_edge.child_id "
    "WHERE call_edge.parent_id IN (SELECT value FROM json_each(?))"
)

#: Tags that others replace stop being current, whichever of them came first.
SUPERSEDE = (
    "UPDATE main.tag SET is_current = 0 WHERE is_current "
    f"AND tag_hash IN (SELECT id FROM temp.picked UNION SELECT parent_id FROM main.tag_edit "
    f"WHERE child_id IN {PICKED}) "
    "AND EXISTS (SELECT 1 FROM main.tag_edit AS edit WHERE edit.parent_id = tag.tag_hash)"
)


def can_attach(target: Repo, source: Repo) -> bool:
    """Whether records may be copied between two repos like this."""
    return all(_path(repo) and repo.payloads.store is None for repo in (target, source))


def _path(repo: Repo) -> str | None:
    """The file of a repo in SQLite; none for others, and for one in memory."""
    path = repo.database.path
    return path if path is not None and os.path.isfile(path) else None


class AttachedCopy:
    """
    Copies records from one repo to another, as `can_attach` allows.

    Parameters
    ----------
    retry : how to go on when the database is locked.
    """

    def __init__(self, target: Repo, source: Repo, retry: Retry) -> None:
        self._target = target
        self._source = source
        self._retry = retry
        self._connection: sqlite3.Connection | None = None
        self._is_refused = False

    def copy(self, parts: Sequence[Part]) -> dict[str, int] | None:
        """
        Copies records; returns how many were new or ended a job, by kind.

        Returns None, and does nothing, if the source can't be attached after all.
        """
        if self._is_refused:
            return None
        connection = self._connection
        if connection is None:
            try:
                connection = self._connection = self._connect()
            except sqlite3.Error:
                self._is_refused = True
                return None
        for repo in (self._source, self._target):
            repo.recorder.flush(everything=False)
        work = _Work(connection, parts)
        with self._target.database.driver_errors():
            return self._retry.run("transaction", work.run, connection.rollback)

    def close(self) -> None:
        """Lets go of both files."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> sqlite3.Connection:
        target, source = _path(self._target), _path(self._source)
        assert target is not None
        assert source is not None
        connection = sqlite3.connect(
            f"file:{quote(target)}?mode=rw", uri=True, isolation_level=None
        )
        try:
            connection.execute("ATTACH ? AS source", (f"file:{quote(source)}?mode=ro",))
            connection.execute("SELECT 1 FROM source.sqlite_master").fetchone()
            (mode,) = connection.execute("PRAGMA main.journal_mode").fetchone()
            for pragma in (
                f"busy_timeout={BUSY_TIMEOUT_MS}",
                # Each transaction holds all that its rows refer to.
                "foreign_keys=OFF",
                f"main.synchronous={'NORMAL' if mode == 'wal' else 'FULL'}",
                f"main.cache_size=-{CACHE_KIB}",
                f"source.cache_size=-{SOURCE_CACHE_KIB}",
                f"wal_autocheckpoint={WRITER_CHECKPOINT_PAGES}",
                "temp_store=MEMORY",
            ):
                connection.execute(f"PRAGMA {pragma}")
            connection.execute("CREATE TEMP TABLE picked (id TEXT PRIMARY KEY) WITHOUT ROWID")
        except BaseException:
            connection.close()
            raise
        return connection


class _Work:
    """
    Parts to copy in one transaction, or in several if their payload is large or it takes long.

    What others own comes first, then values and calls, and only then jobs: a transaction may end after
    any of the former. Values stay in their order, in which those that a value holds come before it.
    """

    def __init__(self, connection: sqlite3.Connection, parts: Sequence[Part]) -> None:
        self._connection = connection
        self._waiting: list[Part] = []
        for part in parts:
            size = VALUES_AT_ONCE if part.kind == "Value" else max(len(part.ids), 1)
            for start in range(0, len(part.ids), size):
                self._waiting.append(part._replace(ids=part.ids[start : start + size]))
        self._counts: dict[str, int] = {}
        self._committed: dict[str, int] = {}

    def run(self) -> dict[str, int]:
        """Does what is not committed yet; returns counts by kind, of all."""
        while self._waiting:
            self._counts = {}
            self._connection.execute("BEGIN IMMEDIATE")
            done = self._copy_some()
            self._connection.execute("DELETE FROM temp.picked")
            self._connection.execute("COMMIT")
            del self._waiting[:done]
            self._committed = total(iter((self._committed, self._counts)))
        return self._committed

    def _copy_some(self) -> int:
        """Copies all that waits, or until there is much in the transaction; how many parts."""
        begin, start = time.monotonic(), self._pages()
        for done, part in enumerate(self._waiting, 1):
            self._pick(part.ids)
            for table, key in TABLES[part.kind]:
                self._copy(table, key, part.open)
            if part.kind == "CallNode":
                self._connection.execute(UPSTREAM)
                self._add_subtrees()
            elif part.kind == "Tag":
                self._connection.execute(SUPERSEDE)
            if part.kind not in ENDING:
                continue
            if self._pages() - start > MAX_PAGES or time.monotonic() - begin > MAX_SECONDS:
                return done
        return len(self._waiting)

    def _pages(self) -> int:
        count: int = self._connection.execute("PRAGMA main.page_count").fetchone()[0]
        return count

    def _pick(self, ids: Sequence[str]) -> None:
        self._connection.execute("DELETE FROM temp.picked")
        self._connection.execute(
            "INSERT OR IGNORE INTO temp.picked SELECT value FROM json_each(?)",
            (json_strings(sorted(ids)),),
        )

    def _copy(self, table: str, key: str, is_open: bool) -> None:
        names = COLUMNS[table]
        quoted = [f'"{name}"' for name in names]
        cells = list(quoted)
        if table == "job" and is_open:
            cells = [OPEN_JOB.get(name, f'"{name}"') for name in names]
        elif table == "tag":
            # Which tags are replaced is told by `tag_edit`.
            cells[names.index("is_current")] = "1"
        conflict = END_JOB if table == "job" else "DO NOTHING"
        # Without a journal for each statement: if one fails, the transaction is rolled back.
        cursor = self._connection.execute(
            f'INSERT OR FAIL INTO main."{table}" ({", ".join(quoted)}) '
            f'SELECT {", ".join(cells)} FROM source."{table}" WHERE "{key}" IN {PICKED} '
            f"ON CONFLICT {conflict}"
        )
        kind = MAIN_TABLES.get(table)
        if kind is not None and cursor.rowcount > 0:
            self._counts[kind] = self._counts.get(kind, 0) + cursor.rowcount

    def _add_subtrees(self) -> None:
        """Rows that an import by the original leaves out follow from the call graph."""
        calls = self._connection.execute(LACKING).fetchall()
        if not calls:
            return
        lacking = (json_strings([call for call, _ in calls]),)
        edges: list[Any] = self._connection.execute(EDGES, lacking).fetchall()
        below = self._connection.execute(BELOW, lacking).fetchall()
        self._connection.executemany(
            "INSERT OR IGNORE INTO main.call_subtree_task (call_hash, task_hash) VALUES (?, ?)",
            subtrees(calls, edges, below),
        )
