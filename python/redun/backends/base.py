"""
The backend port: what the engine asks of the place where provenance and values are kept.

The engine talks in batches. It looks up a wave of jobs with one `check_cache_many`, and appends
what it learns to a `Records`, which `record` hands over. The methods that treat one thing at a time
serve library code and users; they see, and are seen by, the batches.
"""

from __future__ import annotations

import abc
import enum
import importlib
import math
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import IO, TYPE_CHECKING, Any, NamedTuple, TypeAlias

from redun.utils import MultiMap
from redun.value import get_type_registry

if TYPE_CHECKING:
    import datetime as dt

    from redun.handle import Handle
    from redun.model.job import Job
    from redun.task import Task
    from redun.task.options import CacheCheckValid, CacheResult, CacheScope
    from redun.value import TypeRegistry

__all__ = [
    "CacheHit",
    "CacheQuery",
    "KeyValue",
    "Records",
    "RedunBackend",
    "TagEntity",
    "TagMap",
    "get_backend_from_config",
]

KeyValue: TypeAlias = tuple[str, Any]
TagMap: TypeAlias = MultiMap[str, Any]
TagRow: TypeAlias = tuple[str, str, str, Any]


class TagEntity(enum.Enum):
    """What a tag can be about. `Null` marks the tag that deletes others."""

    Execution = "Execution"
    Job = "Job"
    CallNode = "CallNode"
    Task = "Task"
    Value = "Value"
    Null = "Null"


class CacheQuery(NamedTuple):
    """
    One look-up in the cache of earlier runs.

    `shallow` asks for a finished call whose subtree of tasks is unchanged, `single` for the result
    of one reduction; both may be set, then the first wins. `context_hash` restricts the former.
    """

    task_hash: str
    args_hash: str
    eval_hash: str
    context_hash: str | None
    shallow: bool
    single: bool


class CacheHit(NamedTuple):
    """
    A recorded result: its hash, type name and bytes; `call_hash` if a whole call was found.

    `stored`: the bytes come from a value store, where they may have been damaged.
    """

    value_hash: str
    type: str
    data: bytes
    call_hash: str | None
    stored: bool = False


@dataclass(slots=True)
class Records:
    """
    Rows to record, as tuples in the terms of the schema. Moments are epoch seconds.

    Rows may come in any order and may repeat: rows that exist are left alone, except that the
    newest value of an evaluation wins. What a row refers to must be in the same `Records` or
    handed over before.
    """

    #: (value_hash, type, format, data); no data if it is in `payloads` or was streamed
    values: list[tuple[str, str, str, bytes]] = field(default_factory=list)
    #: (value_hash, data) for the value store
    payloads: list[tuple[str, bytes]] = field(default_factory=list)
    #: (value_hash, parent_value_hash)
    subvalues: list[tuple[str, str]] = field(default_factory=list)
    #: (value_hash, path)
    files: list[tuple[str, str]] = field(default_factory=list)
    #: (hash, name, namespace, source); the companion row is in `values`
    tasks: list[tuple[str, str, str, str]] = field(default_factory=list)
    #: (hash, fullname, value_hash, key, is_valid)
    handles: list[tuple[str, str, str, str, bool]] = field(default_factory=list)
    #: (parent_id, child_id)
    handle_edges: list[tuple[str, str]] = field(default_factory=list)
    #: (eval_hash, task_hash, args_hash, value_hash)
    evaluations: list[tuple[str, str, str, str]] = field(default_factory=list)
    #: (call_hash, task_name, task_hash, args_hash, value_hash, timestamp)
    call_nodes: list[tuple[str, str, str, str, str, float]] = field(default_factory=list)
    #: (parent_id, child_id, call_order)
    call_edges: list[tuple[str, str, int]] = field(default_factory=list)
    #: (call_hash, task_hash)
    subtree_tasks: list[tuple[str, str]] = field(default_factory=list)
    #: (arg_hash, call_hash, value_hash, arg_position, arg_key)
    arguments: list[tuple[str, str, str, int | None, str | None]] = field(default_factory=list)
    #: (arg_hash, result_call_hash)
    argument_results: list[tuple[str, str]] = field(default_factory=list)
    #: (id, args as JSON text, job_id)
    executions: list[tuple[str, str, str]] = field(default_factory=list)
    #: (id, start, task_hash, parent_id, execution_id)
    job_starts: list[tuple[str, float, str, str | None, str]] = field(default_factory=list)
    #: (id, end, cached, call_hash)
    job_ends: list[tuple[str, float, bool, str | None]] = field(default_factory=list)
    #: (entity_type, entity_id, key, value)
    tags: list[tuple[str, str, str, Any]] = field(default_factory=list)

    def __len__(self) -> int:
        return sum([len(getattr(self, name)) for name in RECORD_KINDS])

    def __bool__(self) -> bool:
        # Those that most jobs have come first.
        return bool(
            self.job_ends
            or self.job_starts
            or self.values
            or self.evaluations
            or any(getattr(self, name) for name in RECORD_KINDS)
        )

    def clear(self) -> None:
        """Starts new lists; those handed over before stay as they are."""
        for name in RECORD_KINDS:
            setattr(self, name, [])


RECORD_KINDS: tuple[str, ...] = tuple(item.name for item in fields(Records))


class RedunBackend(abc.ABC):
    """
    Keeps values, call graphs and executions.

    Parameters
    ----------
    type_registry : how values are serialized; the registry of the process by default.
    """

    #: The largest serialized value that is kept, in bytes.
    max_value_size: int = 1_000_000_000

    #: Payloads of at least this many bytes belong in a value store; infinite if there is none.
    #: The values within a value stay with it in the repo, however large.
    store_from: float = math.inf

    #: Whether others can open this repo too; not so one in memory.
    can_be_shared: bool = True

    def __init__(self, type_registry: TypeRegistry | None = None) -> None:
        self.type_registry = type_registry or get_type_registry()

    @abc.abstractmethod
    def value_too_large(self, value: Any) -> Exception:
        """The error for a value above `max_value_size`."""

    @property
    @abc.abstractmethod
    def hash_scheme(self) -> str:
        """How the contents of this repo are hashed: `blake3` or `redun1`. Known after `load`."""

    @abc.abstractmethod
    def load(self, migrate: bool | None = None) -> None:
        """Opens the repo; `migrate` brings its schema up to date first (None: as configured)."""

    @abc.abstractmethod
    def close(self) -> None:
        """Commits what was handed over and lets go of the repo. Raises what recording raised."""

    @abc.abstractmethod
    def stream_payload(self, value_hash: str, write: Callable[[IO[bytes]], object]) -> None:
        """
        Puts what `write` writes into the value store, as the payload of a value.

        Raises `RedunDatabaseError` for more than `max_value_size` bytes.
        """

    @abc.abstractmethod
    def distrust_payloads(self) -> None:
        """Notes that a payload in the value store is damaged: what is recorded again replaces it."""

    @property
    @abc.abstractmethod
    def lost_payloads(self) -> bool:
        """Whether payloads turned out to be missing or damaged: what can be is recorded again."""

    # Batches, for the engine.

    @abc.abstractmethod
    def record(self, records: Records) -> None:
        """
        Hands rows over and returns at once; `records` is empty afterwards.

        Raises the error that an earlier batch met, if any.
        """

    @abc.abstractmethod
    def flush(self) -> None:
        """Returns when all rows handed over are committed; raises what recording raised."""

    @abc.abstractmethod
    def check_cache_many(
        self, queries: list[CacheQuery], task_hashes: Container[str]
    ) -> list[CacheHit | None]:
        """
        Looks up many calls at once; the answers are in the order of the queries.

        `task_hashes` are the tasks that exist now: a call below which another task ran is no hit.
        """

    @abc.abstractmethod
    def get_call_results(self, call_hashes: Iterable[str]) -> dict[str, CacheHit]:
        """The results of those of the calls that are recorded."""

    @abc.abstractmethod
    def known_calls(self, call_hashes: Iterable[str]) -> set[str]:
        """Those of the calls that are recorded or handed over."""

    @abc.abstractmethod
    def known_values(self, value_hashes: Iterable[str]) -> set[str]:
        """Those of the values that are recorded or handed over."""

    # Values and the cache.

    @abc.abstractmethod
    def record_value(self, value: Any, data: bytes | None = None) -> str:
        """Records a value (`data`: its serialization, if known) and returns its hash."""

    @abc.abstractmethod
    def get_value(self, value_hash: str) -> tuple[Any, bool]:
        """Returns (value, True), or (None, False) if it can't be had."""

    @abc.abstractmethod
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
        """Looks up one call: (result, call hash if a whole call was found, kind of hit)."""

    @abc.abstractmethod
    def set_eval_cache(
        self,
        eval_hash: str,
        task_hash: str,
        args_hash: str,
        value: Any,
        value_hash: str | None = None,
    ) -> None:
        """Records the result of one reduction; `value` is ignored if `value_hash` is given."""

    def get_task_versions(self, names: Iterable[str]) -> dict[str, set[str]]:
        """The hashes recorded of tasks, by full name; for explanations only."""
        return {}

    def get_call_outcomes(self, args_hashes: Iterable[str]) -> dict[tuple[str, str], str]:
        """
        The calls recorded with some arguments: (task hash, args hash) -> type name of the result.

        For explanations only.
        """
        return {}

    @abc.abstractmethod
    def explain_cache_miss(self, task: Task, args_hash: str) -> dict[str, Any] | None:
        """Says what changed since the most similar recorded call."""

    # Calls.

    @abc.abstractmethod
    def record_call_node(
        self,
        task_name: str,
        task_hash: str,
        args_hash: str,
        expr_args: tuple[tuple[Any, ...], dict[str, Any]],
        eval_args: tuple[tuple[Any, ...], dict[str, Any]],
        result_hash: str,
        child_call_hashes: list[str],
        subtree_tasks: Iterable[Task],
    ) -> str:
        """Records a finished call with its arguments and returns its hash."""

    @abc.abstractmethod
    def record_call_node_context(
        self, call_hash: str, context_hash: str | None, context: dict[str, Any]
    ) -> str:
        """Notes the context a call was made in; returns the hash of the context."""

    @abc.abstractmethod
    def get_subtree_tasks(self, call_hash: str) -> set[str]:
        """Hashes of the tasks used in a call and below it."""

    @abc.abstractmethod
    def get_subtree_tasks_many(self, call_hashes: Iterable[str]) -> dict[str, set[str]]:
        """Hashes of the tasks used in each of several calls and below it."""

    # Handles.

    @abc.abstractmethod
    def advance_handle(self, parent_handles: list[Handle], child_handle: Handle) -> None:
        """Records that one handle state came from others; the states become valid."""

    @abc.abstractmethod
    def rollback_handle(self, handle: Handle) -> None:
        """Makes all states that came from this one invalid."""

    @abc.abstractmethod
    def is_valid_handle(self, handle: Handle) -> bool | None:
        """Whether a handle state is valid; None if it isn't recorded."""

    # Runs.

    @abc.abstractmethod
    def record_execution(self, exec_id: str, args: list[str]) -> None:
        """Announces an execution; it is recorded with its root job."""

    @abc.abstractmethod
    def record_updated_time(self, execution_id: str) -> None:
        """Notes that an execution is alive."""

    @abc.abstractmethod
    def record_job_start(self, job: Job, now: dt.datetime | None = None) -> Any:
        """Records that a job started."""

    @abc.abstractmethod
    def record_job_end(
        self, job: Job, now: dt.datetime | None = None, status: str | None = None
    ) -> None:
        """Records that a job ended; one that never started is started too."""

    @abc.abstractmethod
    def get_job(self, job_id: str) -> dict[str, Any] | None:
        """Returns `job_id`, `parent_id` and `execution_id` of a job, or None."""

    # Tags.

    @abc.abstractmethod
    def record_tags(
        self,
        entity_type: TagEntity,
        entity_id: str,
        tags: Iterable[KeyValue],
        parents: Iterable[str] = (),
        update: bool = False,
        new: bool = False,
    ) -> list[TagRow]:
        """Adds tags; returns (tag hash, entity id, key, value) of each."""

    @abc.abstractmethod
    def update_tags(
        self,
        entity_type: TagEntity,
        entity_id: str,
        old_keys: Iterable[str],
        new_tags: Iterable[KeyValue],
    ) -> list[TagRow]:
        """Replaces the current tags that have one of the keys."""

    @abc.abstractmethod
    def delete_tags(
        self, entity_id: str, tags: Iterable[KeyValue], keys: Iterable[str] = ()
    ) -> list[TagRow]:
        """Deletes current tags by pair or by key."""

    @abc.abstractmethod
    def get_tags(self, entity_ids: list[str]) -> dict[str, TagMap]:
        """Current tags by entity id; entities without tags are left out."""


#: The backend that configurations get, imported when first used: it brings the database library.
DEFAULT_BACKEND = "redun.backends.db.RedunBackendDb"


def get_backend_from_config(section: Mapping[str, Any] | None = None) -> RedunBackend:
    """
    Builds the backend that a configuration describes, without opening it.

    Parameters
    ----------
    section : the `[backend]` section; None gives a repo in memory.
    """
    module_name, _, class_name = DEFAULT_BACKEND.rpartition(".")
    backend = getattr(importlib.import_module(module_name), class_name)
    if section is None:
        return backend(db_uri="sqlite:///:memory:")
    return backend(config=section)
