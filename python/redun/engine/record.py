"""Provenance: what happened, as rows of the repo, handed to the backend in batches."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Container, Sequence
from typing import TYPE_CHECKING, Any

from redun.backends.base import Records, TagEntity
from redun.expression import ApplyExpression, Expression, TaskExpression, direct_leaves
from redun.file import File
from redun.handle import Handle
from redun.hashing import hash_structs
from redun.model.job import Job
from redun.task import Task
from redun.utils import trim_string
from redun.utils.nested import leaves
from redun.value import MIME_TYPE_PICKLE, Value

if TYPE_CHECKING:
    from redun.backends.base import RedunBackend
    from redun.engine.foresight import Foresight
    from redun.engine.wire import Wire
    from redun.task import TaskRegistry
    from redun.value import TypeRegistry

__all__ = ["Journal", "Settled"]

# How many value hashes are remembered, so that a value shared by many calls is serialized once.
MAX_SEEN = 10_000

# How long rows may be kept back to be handed over with those that follow.
HOLD_SECONDS = 0.005

# A job that ended: (job, subtree id or None if its call is recorded already, ids of its children).
Settled = tuple[Job, "int | None", "list[int] | None"]


class Journal:
    """Collects the rows of a run.

    Parameters
    ----------
    backend : where the rows go.
    registry : serializes values.
    tasks : the tasks as they are now.
    wire : names tasks of a subtree and calls of other scopes.
    foresight : knows of calls that are recorded already.
    """

    def __init__(
        self,
        backend: RedunBackend,
        registry: TypeRegistry,
        tasks: TaskRegistry,
        wire: Wire,
        foresight: Foresight,
    ) -> None:
        self._backend = backend
        self._foresight = foresight
        self._registry = registry
        self._task_registry = tasks
        self._wire = wire
        self._records = Records()
        self._seen: set[str] = set()
        self._tasks: set[str] = set()
        self._type_names: dict[type, str] = {}
        self._max_value_size = backend.max_value_size
        # Payloads of this size are treated specially: too large, or to be kept elsewhere.
        self._special_size = min(backend.store_from, backend.max_value_size + 1)
        self._has_store = backend.store_from < math.inf
        self._held_until: float | None = None  # on the monotonic clock

    def hand_over(self) -> None:
        """Give the collected rows to the backend."""
        if self._records:
            records, self._records = self._records, Records()
            self._backend.record(records)
        self._held_until = None

    def hand_over_soon(self) -> None:
        """Give the collected rows to the backend unless more may come within a moment.

        Handing over costs as much as a few rows do: jobs that come one by one share it.
        """
        if self._held_until is None:
            if self._records:
                self._held_until = time.monotonic() + HOLD_SECONDS
        elif time.monotonic() >= self._held_until:
            self.hand_over()

    @property
    def holding(self) -> bool:
        """Whether rows are kept back for a moment."""
        return self._held_until is not None

    def knows(self, eval_hashes: Container[str | None]) -> bool:
        """Whether one of these evaluations is among the rows that are not handed over yet."""
        return any(row[0] in eval_hashes for row in self._records.evaluations)

    def flush(self) -> None:
        """Return when everything is in the repo."""
        self.hand_over()
        self._backend.flush()

    # -- values ----------------------------------------------------------------------------------

    def value(self, value: Any, value_hash: str, plain: bool = False) -> None:
        """Record a value and the values nested in it.

        Raises `ValueTooLargeError` if its serialized form exceeds the backend's `max_value_size`.
        """
        if value_hash in self._seen:
            return
        records = self._records
        if self._has_store and self._registry.size_to_stream(value):
            data = self._stream(value, value_hash)
        else:
            data = self._registry.serialize(value)
            if len(data) >= self._special_size:
                if len(data) > self._max_value_size:
                    raise self._backend.value_too_large(value)
                records.payloads.append((value_hash, data))
                data = b""
        self._remember(value_hash)
        kind = MIME_TYPE_PICKLE if plain else self._registry.get_serialization_format(value)
        records.values.append((value_hash, self._type_name(value), kind, data))
        if not plain:
            self._special_rows(value, value_hash)
            for child in self._registry.iter_subvalues(value):
                if isinstance(child, Expression):
                    continue  # only the value as a whole is ever read back
                child_hash = self._registry.get_hash(child)
                records.subvalues.append((child_hash, value_hash))
                if child_hash not in self._seen:
                    self._remember(child_hash)
                    records.values.append(
                        (
                            child_hash,
                            self._type_name(child),
                            self._registry.get_serialization_format(child),
                            self._registry.serialize(child),
                        )
                    )
                    self._special_rows(child, child_hash)

    def _stream(self, value: Any, value_hash: str) -> bytes:
        """Write a large value straight to the value store; returns what its row holds instead."""
        if self._registry.size_to_stream(value) > self._max_value_size:
            raise self._backend.value_too_large(value)
        self._backend.stream_payload(value_hash, lambda out: self._registry.stream(value, out))
        return b""

    def whole_value(self, value: Any) -> str:
        """Hash and record a value; returns its hash."""
        ((value_hash, plain),) = self._registry.hash_many([value])
        self.value(value, value_hash, plain)
        return value_hash

    def _remember(self, value_hash: str) -> None:
        if len(self._seen) >= MAX_SEEN:
            self._seen.clear()
        self._seen.add(value_hash)

    def _type_name(self, value: Any) -> str:
        kind = type(value)
        name = self._type_names.get(kind)
        if name is None:
            name = self._type_names[kind] = self._registry.get_type_name(kind)
        return name

    def _special_rows(self, value: Any, value_hash: str) -> None:
        if isinstance(value, File):
            self._records.files.append((value_hash, value.path))
        elif isinstance(value, Task):
            self._records.tasks.append(
                (value_hash, value.name, value.namespace or "", value.source)
            )
        elif isinstance(value, Handle):
            info = value.__handle__
            self._records.handles.append((value_hash, info.fullname, value_hash, info.key, True))

    def task(self, task: Task) -> None:
        """Record a task once a run."""
        if task.hash not in self._tasks:
            self._tasks.add(task.hash)
            self._seen.discard(task.hash)
            self.value(task, task.hash)

    # -- jobs ------------------------------------------------------------------------------------

    def start(self, job: Job, exec_argv: Sequence[str] | None = None) -> None:
        """Record that a job begins; the root job brings its execution along."""
        job.recorded = True
        self.task(job.task)
        parent, execution = job.parent_job, job.execution
        assert execution is not None
        if exec_argv is not None and execution.job is job:
            self._records.executions.append((execution.id, json.dumps(list(exec_argv)), job.id))
        self._records.job_starts.append(
            (
                job.id,
                time.time(),
                job.task.hash,
                parent.id if parent is not None else None,
                execution.id,
            )
        )

    def evaluation(
        self, eval_hash: str | None, task_hash: str, args_hash: str | None, value_hash: str
    ) -> None:
        """Record the unevaluated result of a call, for single reduction."""
        assert eval_hash is not None
        assert args_hash is not None
        self._records.evaluations.append((eval_hash, task_hash, args_hash, value_hash))

    def end(self, job: Job) -> None:
        """Record that a job has ended, and its tags."""
        self._records.job_ends.append((job.id, time.time(), job.was_cached, job.call_hash))
        tags = self._records.tags
        for key, value in job.plan.tags if job.plan else ():
            tags.append((TagEntity.Job.name, job.id, key, value))
        for key, value in job.job_tags or ():
            tags.append((TagEntity.Job.name, job.id, key, value))
        for key, value in job.execution_tags or ():
            assert job.execution is not None
            tags.append((TagEntity.Execution.name, job.execution.id, key, value))
        for value_hash, pairs in job.value_tags or ():
            for key, value in pairs:
                tags.append((TagEntity.Value.name, value_hash, key, value))
        for key, value in job.task._task_options_base.get("tags") or ():
            tags.append((TagEntity.Task.name, job.task.hash, key, value))
        if job.context_hash is not None and job.call_hash is not None:
            tags.append((TagEntity.CallNode.name, job.call_hash, "redun.context", job.context_hash))

    # -- calls -----------------------------------------------------------------------------------

    def calls(self, settled: list[Settled]) -> None:
        """Record the calls of ended jobs: call nodes, edges, arguments, tasks below."""
        cached = [job.call_hash for job, _, _ in settled if job.was_cached and job.call_hash]
        known = self._known_calls(cached) if cached else set()
        structs: list[list[str]] = []
        arguments: list[tuple[str, str, int | None, str | None, set[str]]] = []
        for job, subtree_id, children in settled:
            call_hash = job.call_hash
            if call_hash is None or (job.was_cached and call_hash in known):
                if call_hash is not None and job.error is None and self._backend.lost_payloads:
                    self.value(job.value, job.result_hash)
                continue
            self._call_rows(job, subtree_id, children)
            for value_hash, position, key, upstream in self._arguments(job):
                structs.append(["Argument", call_hash, str(position), str(key), value_hash])
                arguments.append((call_hash, value_hash, position, key, upstream))
        if not structs:
            return
        records = self._records
        for arg_hash, (call_hash, value_hash, position, key, upstream) in zip(
            hash_structs(structs), arguments, strict=True
        ):
            records.arguments.append((arg_hash, call_hash, value_hash, position, key))
            for upstream_hash in upstream:
                records.argument_results.append((arg_hash, upstream_hash))

    def _known_calls(self, call_hashes: list[str]) -> set[str]:
        """Return those of the calls that are recorded already."""
        unknown = self._foresight.unknown(call_hashes)
        known = set(call_hashes).difference(unknown)
        return known | self._backend.known_calls(unknown) if unknown else known

    def _call_rows(self, job: Job, subtree_id: int | None, children: list[int] | None) -> None:
        records, call_hash, task = self._records, job.call_hash, job.task
        if job.was_cached and job.error is None:
            self.value(job.value, job.result_hash)
        records.call_nodes.append(
            (call_hash, task.fullname, task.hash, job.args_hash, job.result_hash, time.time())
        )
        nodes = self._wire.nodes
        for order, child_id in enumerate(children or ()):
            child = nodes[child_id]
            if child is None:
                records.call_edges.append((call_hash, self._wire.call_hash(child_id), order))
            elif child.recorded:
                records.call_edges.append((call_hash, child.call_hash, order))
        if subtree_id is not None:
            for task_hash in self._wire.subtree(subtree_id):
                if task_hash not in self._tasks:
                    self._unrecorded_task(task_hash)
                records.subtree_tasks.append((call_hash, task_hash))
        for task_hash in job.tasks_below or ():
            records.subtree_tasks.append((call_hash, task_hash))

    def call_below(self, call_hash: str, below_hash: str, parent_job: Job) -> None:
        """Record that a call, which has ended, had another scheduler evaluate a call below it.

        Parameters
        ----------
        call_hash, below_hash : the two calls; the repo has both.
        parent_job : the job in whose body the first one stands.
        """
        records = self._records
        below = set(self._backend.get_subtree_tasks(below_hash))
        records.call_edges.append((call_hash, below_hash, 0))
        records.subtree_tasks.extend((call_hash, task_hash) for task_hash in below)
        job: Job | None = parent_job
        while job is not None:
            job.tasks_below = below | (job.tasks_below or set())
            job = job.parent_job

    def _unrecorded_task(self, task_hash: str) -> None:
        """Record a task of which no job is recorded: that of a call without provenance."""
        task = self._task_registry.get(hash=task_hash)
        if task is not None:
            self.task(task)
        self._tasks.add(task_hash)  # else it came from the repo

    def _arguments(self, job: Job) -> list[tuple[str, int | None, str | None, set[str]]]:
        """Record the values of the arguments of a call.

        Returns (value hash, position, keyword, upstream call hashes) of each: positional ones, given
        keywords by name, then defaults.
        """
        assert job.eval_args is not None
        args, kwargs = job.eval_args
        plain = job.arg_hashes is not None
        if job.arg_hashes is None:
            ((_, by_position, by_keyword, _),) = self._registry.hash_args([(args, kwargs)])
        else:
            by_position, by_keyword = job.arg_hashes
        expr = job.expr
        lazy = bool(job.deps)
        rows: list[tuple[str, int | None, str | None, set[str]]] = []
        nothing: set[str] = set()
        for position, (value, value_hash) in enumerate(zip(args, by_position, strict=True)):
            self.value(value, value_hash, plain)
            lazy_arg = lazy and position < len(expr.args)
            upstream = self._upstream(job, expr.args[position]) if lazy_arg else nothing
            rows.append((value_hash, position, None, upstream))
        if kwargs:
            keywords = list(zip(kwargs, by_keyword, strict=True))
            given = sorted(keywords[: job.given_kwargs])
            for key, value_hash in (*given, *keywords[job.given_kwargs :]):
                self.value(kwargs[key], value_hash, plain)
                lazy_arg = lazy and key in expr.kwargs
                upstream = self._upstream(job, expr.kwargs[key]) if lazy_arg else nothing
                rows.append((value_hash, None, key, upstream))
        return rows

    def _upstream(self, job: Job, arg: Any) -> set[str]:
        """Return the calls whose results an argument is made of."""
        scope = job.parent_job
        nodes = scope.nodes if scope is not None and scope.nodes is not None else {}
        found: set[str] = set()
        seen: set[int] = set()
        stack = [leaf for leaf in leaves(arg) if isinstance(leaf, Expression)]
        while stack:
            expr = stack.pop()
            if id(expr) in seen:
                continue
            seen.add(id(expr))
            if isinstance(expr, ApplyExpression):
                if isinstance(expr, TaskExpression) and expr.call_hash is not None:
                    found.add(expr.call_hash)
                    continue
                node = nodes.get(expr._hash or "")
                if isinstance(node, Job):
                    if node.call_hash is not None and node.recorded:
                        found.add(node.call_hash)
                    continue
                inner = direct_leaves(expr)
            else:
                inner = leaves(getattr(expr, "_upstreams", None) or ())
            stack.extend(leaf for leaf in inner if isinstance(leaf, Expression))
        return found

    # -- failures --------------------------------------------------------------------------------

    def error(self, error_value: Value) -> str:
        """Record a failure; returns its hash.

        An error that can't be pickled is recorded as `Exception(repr(error))`.
        """
        from redun.model.failure import ErrorValue

        assert isinstance(error_value, ErrorValue)
        try:
            value_hash = error_value.get_hash()
            self.value(error_value, value_hash)
        except Exception:
            stand_in = ErrorValue(Exception(trim_string(repr(error_value.error), 10_000)))
            value_hash = stand_in.get_hash()
            self.value(stand_in, value_hash)
        return value_hash
