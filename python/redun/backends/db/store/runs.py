"""Runs: executions and their jobs."""

from __future__ import annotations

import datetime as dt
import json
import threading
from typing import TYPE_CHECKING, Any

from redun.backends.base import Records
from redun.backends.db.repo import Repo
from redun.backends.db.source import Transaction
from redun.backends.db.store.values import ValueStoreRows
from redun.utils import utcnow

if TYPE_CHECKING:
    from redun.model.job import Job

SELECT_JOB = "SELECT id, parent_id, execution_id FROM job WHERE id {in_ids}"


class RunRows:
    """The tables `execution` and `job`."""

    def __init__(self, repo: Repo, values: ValueStoreRows) -> None:
        self._repo = repo
        self._values = values
        #: Executions whose root job hasn't started: id -> (args as JSON text, updated time).
        self._announced: dict[str, tuple[str, dt.datetime | None]] = {}
        self._lock = threading.Lock()

    def record_execution(self, exec_id: str, args: list[str]) -> None:
        """Announces an execution, which is recorded with its root job."""
        with self._lock:
            self._announced[exec_id] = (json.dumps(args), None)

    def record_updated_time(self, execution_id: str) -> None:
        """Notes that an execution is alive; unknown ones are ignored."""
        now = utcnow()
        with self._lock:
            announced = self._announced.get(execution_id)
            if announced is not None:
                self._announced[execution_id] = (announced[0], now)
                return
        self._repo.recorder.transact(
            lambda transaction: _set_updated_time(transaction, execution_id, now)
        )

    def start_job(self, job: Job, now: dt.datetime | None = None) -> None:
        """
        Records that a job started, with its execution if it is the root.

        Raises `KeyError` for a root job whose execution wasn't announced.
        """
        records = Records()
        assert job.execution is not None
        execution_id = job.execution.id
        updated_time = None
        if job.parent_job is None:
            with self._lock:
                args, updated_time = self._announced[execution_id]
            records.executions.append((execution_id, args, job.id))
        with self._repo.hashing():
            self._values.add(records, job.task)
            task_hash = job.task.hash
        parent_id = job.parent_job.id if job.parent_job else None
        records.job_starts.append(
            (job.id, _epoch(now or utcnow()), task_hash, parent_id, execution_id)
        )
        self._repo.recorder.record(records)
        self._repo.recorder.flush()
        if job.parent_job is None:
            with self._lock:
                self._announced.pop(execution_id, None)
            if updated_time is not None:
                moment = updated_time
                self._repo.recorder.transact(
                    lambda transaction: _set_updated_time(transaction, execution_id, moment)
                )

    def end_job(self, job: Job, now: dt.datetime | None = None) -> None:
        """Records that a job ended; one that isn't recorded is started at the same moment."""
        moment = now or utcnow()
        if self.get(job.id) is None:
            self.start_job(job, moment)
        records = Records()
        records.job_ends.append((job.id, _epoch(moment), bool(job.was_cached), job.call_hash))
        self._repo.recorder.record(records)
        self._repo.recorder.flush()

    def get(self, job_id: str) -> dict[str, Any] | None:
        """`job_id`, `parent_id` and `execution_id` of a job, or None."""
        self._repo.recorder.flush()
        for job, parent, execution in self._repo.reader.rows(SELECT_JOB, [job_id]):
            return {"job_id": job, "parent_id": parent, "execution_id": execution}
        return None


def _epoch(moment: dt.datetime) -> float:
    """Epoch seconds. Raises `ValueError` for a naive datetime, whose zone can only be guessed."""
    if moment.tzinfo is None:
        raise ValueError(f"timezone naive datetimes are not allowed: {moment!r}")
    return moment.timestamp()


def _set_updated_time(transaction: Transaction, execution_id: str, moment: dt.datetime) -> None:
    transaction.execute(
        "UPDATE execution SET updated_time = ? WHERE id = ?", (moment, execution_id)
    )
