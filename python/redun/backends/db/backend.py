"""The database backend: opening a repo, and one method for each thing that can be asked of it."""

from __future__ import annotations

import copy
import datetime as dt
import logging
import threading
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import IO, TYPE_CHECKING, Any

from redun.backends.base import (
    CacheHit,
    CacheQuery,
    KeyValue,
    Records,
    RedunBackend,
    TagEntity,
    TagMap,
    TagRow,
)
from redun.backends.db import versions
from redun.backends.db.connection import Retry, db_retry
from redun.backends.db.creation import create_repo
from redun.backends.db.database import Database, DatabaseSource, open_database
from redun.backends.db.errors import RedunDatabaseError
from redun.backends.db.opening import check_schema, open_repo
from redun.backends.db.options import read_options
from redun.backends.db.parsing import PreviewValue
from redun.backends.db.payloads import Payloads
from redun.backends.db.records import RecordRows
from redun.backends.db.repo import Repo
from redun.backends.db.source import Source
from redun.backends.db.store.cache import CacheRows
from redun.backends.db.store.calls import Arguments, CallRows
from redun.backends.db.store.handles import HandleRows
from redun.backends.db.store.runs import RunRows
from redun.backends.db.store.tags import TagRows
from redun.backends.db.store.values import ValueStoreRows, value_too_large
from redun.backends.db.versions import DBVersionInfo
from redun.backends.db.walk import child_ids, get_records, reachable_ids
from redun.tags import CONTEXT_KEY
from redun.task import CacheCheckValid, CacheResult, CacheScope

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine
    from sqlalchemy.orm import Session as OrmSession

    from redun.backends.db import orm
    from redun.handle import Handle
    from redun.model.job import Job
    from redun.task import Task


class RedunBackendDb(RedunBackend):
    """
    A repo in a database.

    Parameters
    ----------
    db_uri : SQLAlchemy URI without password; wins over the option `db_uri`.
    config : the `[backend]` section.
    logger : gets warnings about retries and a line about each migration.

    Raises `ValueError` for options that can't be parsed.
    """

    __module__ = "redun.backends.db"

    def __init__(
        self,
        db_uri: str | None = None,
        config: Mapping[str, Any] | None = None,
        logger: logging.Logger | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.config: Mapping[str, Any] = {} if config is None else config
        options = read_options(self.config, db_uri)
        self.db_uri = options.db_uri
        self.logger = logger or logging.getLogger("redun")
        self.automigrate = options.automigrate
        self.max_value_size = options.max_value_size
        self.value_store: Any = options.value_store
        self.value_store_min_size = options.value_store_min_size
        self.retry = Retry(options.retries, options.backoff, options.backoff_max, self.logger)
        self.retrying = False
        self.wanted_hash_scheme = options.hash_scheme
        self.lock = threading.RLock()
        self._database: Database | None = None
        self._source: DatabaseSource | None = None
        self._is_clone = False
        self._sessions: Any = None
        self._session: OrmSession | None = None
        self._repo: Repo | None = None

    # Opening and closing.

    @property
    def database(self) -> Database:
        """Where the repo is. Nothing is opened before it is read or written."""
        if self._database is None:
            self._database = open_database(self.db_uri, self.config)
        return self._database

    def create_engine(self) -> Engine:
        """The engine of SQLAlchemy for this database. Nothing is read or written yet."""
        return self.database.engine

    @property
    def engine(self) -> Engine | None:
        """The engine of SQLAlchemy; None before the database is asked for."""
        return None if self._database is None else self._database.engine

    @property
    def Session(self) -> Any:
        """What makes units of work; None before the database is asked for."""
        if self._sessions is None and self._database is not None:
            from sqlalchemy.orm import sessionmaker

            from redun.backends.db.session import RedunSession

            self._sessions = sessionmaker(bind=self._database.engine, class_=RedunSession)
        return self._sessions

    def load(self, migrate: bool | None = None) -> None:
        """
        Opens the repo.

        Parameters
        ----------
        migrate : bring the schema up to date, or create it; None: as the option `automigrate` says.

        Raises `RedunVersionError` if the schema isn't one that this program works with.
        """
        if self._repo is not None:
            return
        wants_newest = self.automigrate if migrate is None else migrate
        if wants_newest and self.get_db_version() != versions.REDUN_DB_VERSIONS[-1]:
            self.migrate(upgrade_only=True)
        with closing(DatabaseSource(self.database)) as source:
            scheme = check_schema(source, self.wanted_hash_scheme)
        self._open(self.database, scheme)

    def _open(self, database: Database, scheme: str) -> None:
        self.can_be_shared = not database.shared
        payloads = Payloads(database, self.value_store, self.value_store_min_size, self.logger)
        self.store_from = payloads.store_from
        repo = open_repo(
            database, payloads, scheme, self.retry, self.type_registry, self.max_value_size
        )
        self._values = ValueStoreRows(repo)
        self._cache = CacheRows(repo, self._values)
        self._calls = CallRows(repo, self._values, self._cache)
        self._handles = HandleRows(repo, self._values)
        self._runs = RunRows(repo, self._values)
        self._tags = TagRows(repo)
        self._records = RecordRows(repo, self.retry)
        self._repo = repo

    def close(self) -> None:
        """Commits what was handed over and lets go of the database. Idempotent."""
        repo, self._repo = self._repo, None
        try:
            if repo is not None:
                repo.recorder.close()
        finally:
            if repo is not None:
                repo.payloads.close()
                repo.reader.close()
            if self._session is not None:
                self._session.close()
                self._session = None
            if self._source is not None:
                self._source.close()
                self._source = None
            if self._database is not None:
                self._database.close()
                self._database = None
                self._sessions = None

    @property
    def repo(self) -> Repo:
        """The open repo. Raises `RedunDatabaseError` before `load`."""
        if self._repo is None:
            raise RedunDatabaseError("The redun database is not loaded.")
        return self._repo

    @property
    def hash_scheme(self) -> str:
        """How the contents of this repo are hashed: `blake3` or `redun1`."""
        return self.repo.hash_scheme

    def value_too_large(self, value: Any) -> RedunDatabaseError:
        """The error for a value above `max_value_size`."""
        return value_too_large(value, self.max_value_size)

    def stream_payload(self, value_hash: str, write: Callable[[IO[bytes]], object]) -> None:
        if not self.repo.payloads.stream(value_hash, write, self.max_value_size):
            raise value_too_large(PreviewValue("Value", value_hash, -1), self.max_value_size)

    def distrust_payloads(self) -> None:
        self.repo.payloads.distrust()

    @property
    def lost_payloads(self) -> bool:
        return self.repo.payloads.some_lost

    # Versions.

    @staticmethod
    def get_all_db_versions() -> list[DBVersionInfo]:
        """All versions of the schema, oldest first."""
        return list(versions.REDUN_DB_VERSIONS)

    @staticmethod
    def get_db_version_required() -> tuple[DBVersionInfo, DBVersionInfo]:
        """The oldest and the newest version that this program works with."""
        return versions.REDUN_DB_MIN_VERSION, versions.REDUN_DB_MAX_VERSION

    def get_db_version(self) -> DBVersionInfo:
        """The version of the schema of this database."""
        with closing(DatabaseSource(self.database)) as source:
            return versions.read_version(source)

    def is_db_compatible(self) -> bool:
        """Whether this program works with the schema of this database."""
        return versions.is_compatible(self.get_db_version())

    def migrate(
        self, desired_version: DBVersionInfo | None = None, upgrade_only: bool = False
    ) -> None:
        """
        Brings the schema to a version, the newest by default.

        Raises `RedunVersionError` if the database is too new for this program.
        """
        scheme = self.wanted_hash_scheme or versions.DEFAULT_HASH_SCHEME
        if desired_version is None and create_repo(self.database, scheme, self.logger):
            return
        # What migrating needs takes longer to import than to make or open a repo.
        from redun.backends.db.migrate import migrate_db

        engine = self.create_engine()
        migrate_db(engine, desired_version, upgrade_only, scheme, self.logger)

    # Sessions.

    @property
    def session(self) -> Any:
        """
        The unit of work for queries with the ORM. It sees what has been committed.

        Rows are loaded anew after each flush, unless the session holds changes of its own.
        """
        if self._session is None and self._database is not None:
            session = self._session = self.Session()
            session.backend = self
        return self._session

    @session.setter
    def session(self, session: Any) -> None:
        self._session = session

    @property
    def source(self) -> Source:
        """
        What reads this repo with SQL text. It sees what has been committed.

        On PostgreSQL and for clones that is the session.
        """
        if self._is_clone or self.database.dialect != "sqlite":
            session: Source = self.session
            return session
        if self._source is None:
            self._source = DatabaseSource(self.database, self.type_registry, self.value_store)
        return self._source

    @contextmanager
    def with_session(self) -> Iterator[Any]:
        """The session, for one thread at a time."""
        with self.lock:
            yield self.session

    def clone(self, session: OrmSession | None = None) -> RedunBackendDb:
        """
        The same open repo with another unit of work, for use in another thread.

        Raises `RedunDatabaseError` before `load`.
        """
        if self._repo is None:
            raise RedunDatabaseError(
                "RedunBackendDb can be cloned only after the database has been loaded"
            )
        clone = copy.copy(self)
        clone._is_clone = True
        clone._session = session or self.Session()
        if hasattr(clone._session, "backend"):
            clone._session.backend = clone
        return clone

    def _refresh(self) -> None:
        """Lets the session load its rows again, since they may have been written to."""
        session = self._session
        if session is None or session.new or session.dirty or session.deleted:
            return
        if not getattr(session, "has_changes", True) and self.database.dialect != "sqlite":
            # Also ends the transaction that reading began, which would hold up migrations.
            session.rollback()
        else:
            session.expire_all()

    # Batches.

    def record(self, records: Records) -> None:
        self.repo.recorder.record(records)

    def flush(self) -> None:
        self.repo.recorder.flush()
        self._refresh()

    @db_retry
    def check_cache_many(
        self, queries: list[CacheQuery], task_hashes: Container[str]
    ) -> list[CacheHit | None]:
        return self._cache.check_many(queries, task_hashes)

    @db_retry
    def get_call_results(self, call_hashes: Iterable[str]) -> dict[str, CacheHit]:
        return self._cache.get_results(call_hashes)

    @db_retry
    def known_calls(self, call_hashes: Iterable[str]) -> set[str]:
        return self._cache.known_calls(call_hashes)

    @db_retry
    def known_values(self, value_hashes: Iterable[str]) -> set[str]:
        return self._values.known(value_hashes)

    def get_task_versions(self, names: Iterable[str]) -> dict[str, set[str]]:
        return self._cache.get_task_versions(names)

    def get_call_outcomes(self, args_hashes: Iterable[str]) -> dict[tuple[str, str], str]:
        return self._cache.get_outcomes(args_hashes)

    # Values and the cache.

    @db_retry
    def record_value(self, value: Any, data: bytes | None = None) -> str:
        return self._values.record(value, data)

    @db_retry
    def get_value(self, value_hash: str) -> tuple[Any, bool]:
        return self._values.get(value_hash)

    @db_retry
    def get_eval_cache(self, eval_hash: str) -> tuple[Any, bool]:
        """The result of one reduction: (value, True), or (None, False)."""
        return self._cache.get_evaluation(eval_hash)

    @db_retry
    def get_call_cache(self, call_hash: str) -> tuple[Any, bool]:
        """The result of a call: (value, True), or (None, False)."""
        return self._cache.get_call(call_hash)

    @db_retry
    def set_eval_cache(
        self,
        eval_hash: str,
        task_hash: str,
        args_hash: str,
        value: Any,
        value_hash: str | None = None,
    ) -> None:
        records = Records()
        if value_hash is None:
            value_hash = self._values.add(records, value)
        records.evaluations.append((eval_hash, task_hash, args_hash, value_hash))
        self.repo.recorder.record(records)
        self.repo.recorder.flush()

    @db_retry
    def check_cache(
        self,
        task_hash: str,
        args_hash: str,
        eval_hash: str,
        execution_id: str,
        scheduler_task_hashes: set[str],
        cache_scope: CacheScope,
        check_valid: CacheCheckValid,
        context_hash: str | None = None,
        allowed_cache_results: set[CacheResult] | None = None,
    ) -> tuple[Any, str | None, CacheResult]:
        if cache_scope == CacheScope.NONE:
            return None, None, CacheResult.MISS
        allowed = set(CacheResult) if allowed_cache_results is None else allowed_cache_results
        if CacheResult.CSE in allowed:
            call_hash = self._cache.find_in_execution(
                execution_id, task_hash, args_hash, context_hash
            )
            if call_hash is not None:
                value, found = self._cache.get_call(call_hash)
                if found:
                    return value, call_hash, CacheResult.CSE
        if cache_scope == CacheScope.BACKEND:
            shallow = check_valid == CacheCheckValid.SHALLOW and CacheResult.ULTIMATE in allowed
            single = CacheResult.SINGLE in allowed
            # One after the other: a call whose result can't be loaded is no hit.
            for is_shallow, kind in ((True, CacheResult.ULTIMATE), (False, CacheResult.SINGLE)):
                if not (shallow if is_shallow else single):
                    continue
                query = CacheQuery(
                    task_hash, args_hash, eval_hash, context_hash, is_shallow, not is_shallow
                )
                (hit,) = self._cache.check_many([query], scheduler_task_hashes)
                if hit is not None:
                    value, found = self._values.load(hit.value_hash, hit.type, hit.data)
                    if found:
                        return value, hit.call_hash, kind
        return None, None, CacheResult.MISS

    @db_retry
    def explain_cache_miss(self, task: Task, args_hash: str) -> dict[str, Any]:
        return self._cache.explain_miss(task, args_hash)

    # Calls.

    @db_retry
    def record_call_node(
        self,
        task_name: str,
        task_hash: str,
        args_hash: str,
        expr_args: Arguments,
        eval_args: Arguments,
        result_hash: str,
        child_call_hashes: list[str],
        subtree_tasks: Iterable[Task],
    ) -> str:
        return self._calls.record(
            task_name,
            task_hash,
            args_hash,
            expr_args,
            eval_args,
            result_hash,
            child_call_hashes,
            subtree_tasks,
        )

    @db_retry
    def record_call_node_context(
        self, call_hash: str, context_hash: str | None, context: dict[str, Any]
    ) -> str:
        context_hash = context_hash or self._values.record(context)
        self._tags.record(TagEntity.CallNode, call_hash, [(CONTEXT_KEY, context_hash)])
        return context_hash

    @db_retry
    def get_subtree_tasks(self, call_hash: str) -> set[str]:
        return self._calls.get_subtree_tasks(call_hash)

    @db_retry
    def get_subtree_tasks_many(self, call_hashes: Iterable[str]) -> dict[str, set[str]]:
        return self._calls.get_subtree_tasks_many(call_hashes)

    # Handles.

    @db_retry
    def advance_handle(self, parent_handles: list[Handle], child_handle: Handle) -> None:
        self._handles.advance(parent_handles, child_handle)

    @db_retry
    def rollback_handle(self, handle: Handle) -> None:
        self._handles.rollback(handle)

    @db_retry
    def is_valid_handle(self, handle: Handle) -> bool | None:
        return self._handles.is_valid(handle)

    # Runs.

    def record_execution(self, exec_id: str, args: list[str]) -> None:
        self._runs.record_execution(exec_id, args)

    @db_retry
    def record_updated_time(self, execution_id: str) -> None:
        self._runs.record_updated_time(execution_id)

    @db_retry
    def record_job_start(self, job: Job, now: dt.datetime | None = None) -> orm.Job:
        self._runs.start_job(job, now)
        self._refresh()
        from redun.backends.db import orm

        return self.session.get(orm.Job, job.id)

    @db_retry
    def record_job_end(
        self, job: Job, now: dt.datetime | None = None, status: str | None = None
    ) -> None:
        self._runs.end_job(job, now)
        self._refresh()

    @db_retry
    def get_job(self, job_id: str) -> dict[str, Any] | None:
        return self._runs.get(job_id)

    # Tags.

    @db_retry
    def record_tags(
        self,
        entity_type: TagEntity,
        entity_id: str,
        tags: Iterable[KeyValue],
        parents: Iterable[str] = (),
        update: bool = False,
        new: bool = False,
    ) -> list[TagRow]:
        rows = self._tags.record(entity_type, entity_id, tags, parents, update, new)
        self._refresh()
        return rows

    @db_retry
    def update_tags(
        self,
        entity_type: TagEntity,
        entity_id: str,
        old_keys: Iterable[str],
        new_tags: Iterable[KeyValue],
    ) -> list[TagRow]:
        rows = self._tags.update(entity_type, entity_id, old_keys, new_tags)
        self._refresh()
        return rows

    @db_retry
    def delete_tags(
        self, entity_id: str, tags: Iterable[KeyValue], keys: Iterable[str] = ()
    ) -> list[TagRow]:
        rows = self._tags.delete(entity_id, tags, keys)
        self._refresh()
        return rows

    @db_retry
    def get_tags(self, entity_ids: list[str]) -> dict[str, TagMap]:
        return self._tags.get(entity_ids)

    # Records.

    @property
    def records(self) -> RecordRows:
        """The records of this repo, as a store to copy from and to. For use after `load`."""
        self.repo.recorder.flush()
        return self._records

    def iter_record_ids(self, root_ids: Iterable[str]) -> Iterator[str]:
        """The ids of all records that given ones lead to, each once; unknown ones are ignored."""
        return reachable_ids(self.records, root_ids)

    def get_child_record_ids(
        self, model_ids: Iterable[tuple[Any, str]]
    ) -> Iterator[tuple[str, Any, str]]:
        """What records, given as (class, id), lead to: (name of the edge, class, id)."""
        return child_ids(self.records, model_ids)

    def get_records(self, ids: Iterable[str], sorted: bool = True) -> Iterator[dict[str, Any]]:
        """
        The records with these ids, those that are not held left out.

        Parameters
        ----------
        sorted : in the order of the ids, repeats repeated; otherwise by kind, which takes less memory.
        """
        return get_records(self.records, list(ids), sorted)

    def has_records(self, ids: Iterable[str]) -> list[str]:
        """Those of the ids that records have, in their order, duplicates kept."""
        wanted = list(ids)
        held = self.records.find(wanted)
        return [record_id for record_id in wanted if record_id in held]

    def put_records(self, records: Iterable[dict[str, Any]]) -> int:
        """
        Adds records in one transaction; returns how many were new.

        Raises `RecordError` for one that is malformed; nothing is added then.
        """
        count = sum(self.records.put(records, verify=False).values())
        self._refresh()
        return count

    def rollback(self) -> None:
        """Undoes what the session has not committed."""
        if self._session is not None:
            self._session.rollback()
