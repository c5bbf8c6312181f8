"""
The one writer of a repo: collects rows and writes them in few, large transactions.

`record` hands rows over, `flush` waits until they are committed, `transact` runs other writes
between flushes. For a database in a file a thread writes what has waited long enough; a database
in memory has a single connection, and whoever hands rows over writes them when they are due.

After a crash the repo holds whole transactions, and each is closed: no row refers to a missing one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, TypeVar

from redun.backends.base import Records
from redun.backends.db.connection import Retry
from redun.backends.db.database import Database
from redun.backends.db.lengths import column_lengths
from redun.backends.db.plan import Batch, Plan, Planner, Rows, compile_inserts, compile_job_ends
from redun.backends.db.source import DriverSource, Transaction
from redun.backends.db.sqlite import prepare_writer

Result = TypeVar("Result")

#: Rows are written when the oldest has waited this long, in seconds ...
FLUSH_SECONDS = 0.05
#: ... or when this many wait.
FLUSH_ROWS = 8000

#: The larger a repo, the more pages the rows of a transaction dirty, nearly one for each row and
#: index; only larger transactions make up for that. So the wait grows to this many times what the
#: last transaction took, up to a limit in seconds.
FLUSH_PATIENCE = 10.0
MAX_FLUSH_SECONDS = 1.0

#: Whoever hands over more than this without the writer keeping up has to write.
MAX_ROWS = 16000
MAX_BYTES = 256 * 1024 * 1024

#: The writing thread ends when it has had nothing to do for this long, in seconds.
IDLE_SECONDS = 2.0


class Recorder:
    """
    Writes rows to a repo.

    Parameters
    ----------
    database : of the repo.
    retry : how to go on when the database is locked.
    hash_tags : (entity_type, entity_id, key, value) of plain tags -> rows of the table `tag`.
    send_payloads : puts (value_hash, data) into the value store; called before the rows are written.
    """

    def __init__(
        self,
        database: Database,
        retry: Retry,
        hash_tags: Callable[[list[tuple[str, str, str, Any]]], list[tuple[Any, ...]]],
        send_payloads: Callable[[list[tuple[str, bytes]]], None],
    ) -> None:
        self._database = database
        self._shared = database.shared
        self._retry = retry
        self._hash_tags = hash_tags
        self._send_payloads = send_payloads
        self._sqlite = database.dialect == "sqlite"
        self._inserts = compile_inserts(database.dialect)
        self._job_ends = compile_job_ends(database.dialect)
        self._planner = Planner()
        self._connection: Any = None
        self._unwritten: list[Plan] = []
        self._unsent: list[tuple[str, bytes]] = []
        self._error: BaseException | None = None
        # Held by whoever writes. Taken before `_handover` where both are held.
        self._writing = threading.RLock()
        # Guards the two batches and the thread's wake-up.
        self._handover = threading.Condition(threading.Lock())
        self._open = Batch()
        self._taken = Batch()  # being written; still to be found by `is_pending`
        self._patience = FLUSH_SECONDS  # how long the oldest row waits at present
        self._oldest = 0.0  # when the first row of the open batch came, by the monotonic clock
        self._thread: threading.Thread | None = None
        self._closed = False

    def record(self, records: Records, states: Rows = ()) -> None:
        """
        Takes rows over; `records` is empty afterwards.

        Parameters
        ----------
        states : rows of handles that become valid whatever they were.

        Raises the error that writing earlier rows met.
        """
        self._raise_error()
        tags = self._hash_tags(records.tags) if records.tags else []
        with self._handover:
            if self._closed:
                raise RuntimeError("The backend is closed.")
            batch = self._open
            if not batch.rows:
                self._oldest = time.monotonic()
            batch.add(records, tags, states)
            rows, overdue = batch.rows, time.monotonic() - self._oldest >= self._patience
            if not self._shared and rows:
                self._wake(rows)
        too_much = rows > MAX_ROWS or batch.bytes > MAX_BYTES
        if too_much or (self._shared and (overdue or rows > FLUSH_ROWS)):
            self._write_open(everything=False)
            self._raise_error()

    def flush(self, everything: bool = True) -> None:
        """
        Returns when what was handed over is committed.

        Parameters
        ----------
        everything : also the starts of jobs that would rather wait for their ends.

        Raises the error that writing met; the rows are kept, and the next flush tries again.
        """
        self._error = None
        self._write_open(everything)
        self._raise_error()

    def transact(self, operation: Callable[[Transaction], Result]) -> Result:
        """Runs other writes in a transaction of their own, after all that was handed over."""
        with self._writing:
            self.flush(everything=False)
            return self._run_transaction(operation, "transaction")

    def is_pending(
        self,
        evaluations: Iterable[str] = (),
        call_keys: Iterable[tuple[str, str]] = (),
    ) -> bool:
        """Whether rows with one of these keys wait to be committed."""
        with self._handover:
            return any(
                not batch.evaluations.isdisjoint(evaluations)
                or not batch.call_keys.isdisjoint(call_keys)
                for batch in (self._open, self._taken)
                if batch.rows
            )

    def pending_calls(self, call_hashes: Iterable[str]) -> set[str]:
        """Those of the call nodes that wait to be committed."""
        with self._handover:
            return {
                call
                for call in call_hashes
                if call in self._open.calls or call in self._taken.calls
            }

    def pending_values(self, value_hashes: Iterable[str]) -> set[str]:
        """Those of the values that wait to be committed."""
        with self._handover:
            return {
                value
                for value in value_hashes
                if value in self._open.values or value in self._taken.values
            }

    def close(self) -> None:
        """Commits what was handed over and lets go of the connection. Idempotent."""
        try:
            if not self._closed:
                self.flush()
        finally:
            with self._writing, self._handover:
                self._closed = True
                self._handover.notify_all()
                self._disconnect()

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    def _wake(self, rows: int) -> None:
        """Makes sure that the thread will see to the open batch. Called with the batch locked."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="redun-recorder", daemon=True)
            self._thread.start()
        elif rows > FLUSH_ROWS:
            self._handover.notify()

    def _run(self) -> None:
        """The writing thread: waits for rows to be due, writes them, ends when idle."""
        while True:
            with self._handover:
                if not self._wait_for_rows():
                    self._thread = None
                    return
            self._write_open(everything=False)

    def _wait_for_rows(self) -> bool:
        """Waits until something is due; false if the thread should end. Called locked."""
        idle_until = time.monotonic() + IDLE_SECONDS
        while not self._closed:
            now = time.monotonic()
            if self._open.rows:
                if self._error is not None:
                    return False  # the next flush shows and retries it
                due = self._oldest + self._patience
                if now >= due or self._open.rows > FLUSH_ROWS:
                    return True
            else:
                started = self._planner.oldest_start
                if started is not None:
                    due = now + started + self._planner.patience - time.time()
                    if now >= due:
                        return True
                elif now >= idle_until:
                    return False
                else:
                    due = idle_until
            self._handover.wait(due - now)
        return False

    def _write_open(self, everything: bool) -> None:
        """Writes the open batch in one transaction; an error is kept for the next caller."""
        with self._writing:
            with self._handover:
                batch, self._open = self._open, Batch()
                self._taken = batch
            plan = self._planner.plan(batch, time.time(), everything)
            if plan:
                self._unwritten.append(plan)
            self._unsent += batch.records.payloads
            if not self._unwritten:
                return
            started = time.monotonic()
            try:
                # A row says that the payload is there, so that comes first.
                if self._unsent:
                    self._send_payloads(self._unsent)
                    self._unsent.clear()
                self._run_transaction(self._write_plans, "record")
            except BaseException as error:
                self._error = error
                return
            self._unwritten.clear()
            wanted = FLUSH_PATIENCE * (time.monotonic() - started)
            self._patience = min(max(FLUSH_SECONDS, wanted), MAX_FLUSH_SECONDS)
            with self._handover:
                self._taken = Batch()

    def _write_plans(self, transaction: Transaction) -> None:
        cursor = transaction.cursor()
        try:
            for plan in self._unwritten:
                for table, rows in plan.inserts:
                    if rows:
                        self._inserts[table].run(cursor, rows)
                if plan.job_updates:
                    self._job_ends.run(cursor, plan.job_updates)
        finally:
            cursor.close()

    def _run_transaction(self, operation: Callable[[Transaction], Result], name: str) -> Result:
        database = self._database

        def attempt() -> Result:
            with database.driver_errors():
                connection = self._connect()
            with database.driver_errors("", connection):
                self._begin(connection)
                result = operation(Transaction(connection, database.dialect))
                connection.commit()
            return result

        return self._retry.run(name, attempt, self._rollback)

    def _begin(self, connection: Any) -> None:
        if not self._sqlite:
            connection.execute("BEGIN")
            return
        # A lock taken at once waits its turn; one upgraded later may fail without waiting.
        if not connection.in_transaction:
            connection.execute("BEGIN IMMEDIATE")
        if self._shared:
            # An execution and its root job refer to each other.
            connection.execute("PRAGMA defer_foreign_keys=ON")

    def _rollback(self) -> None:
        if self._sqlite:
            if self._connection is not None:
                self._connection.rollback()
        else:
            # The connection may be broken without knowing it; making another one is cheap.
            self._disconnect()

    def _connect(self) -> Any:
        if self._connection is None:
            connection = self._database.connect()
            if not self._sqlite:
                source = DriverSource(connection, self._database.dialect)
                self._inserts = compile_inserts(source.dialect, column_lengths(source))
            elif not self._shared:
                prepare_writer(connection)
            self._connection = connection
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and not self._shared:
            with suppress(Exception):
                connection.close()
