"""Calls: recording one finished call with its arguments, and what lies below it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

from redun.backends.base import Records
from redun.backends.db.repo import Repo
from redun.backends.db.store.cache import CacheRows
from redun.backends.db.store.values import ValueStoreRows
from redun.expression import Expression, SchedulerExpression, TaskExpression
from redun.hashing import hash_call_node, hash_struct
from redun.utils.nested import leaves

if TYPE_CHECKING:
    from redun.task import Task

#: Positional and keyword arguments.
Arguments: TypeAlias = tuple[tuple[Any, ...], dict[str, Any]]

SELECT_SUBTREE = "SELECT call_hash, task_hash FROM call_subtree_task WHERE call_hash {in_ids}"


class CallRows:
    """The tables `call_node`, `call_edge`, `call_subtree_task`, `argument`, `argument_result`."""

    def __init__(self, repo: Repo, values: ValueStoreRows, cache: CacheRows) -> None:
        self._repo = repo
        self._values = values
        self._cache = cache

    def record(
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
        """Records a call and returns its hash; see `RedunBackend.record_call_node`."""
        with self._repo.hashing():
            call_hash = hash_call_node(task_hash, args_hash, result_hash, child_call_hashes)
            if self._cache.known_calls([call_hash]):
                return call_hash
            records = Records()
            records.call_nodes.append(
                (call_hash, task_name, task_hash, args_hash, result_hash, time.time())
            )
            known = self._cache.known_calls(child_call_hashes)
            records.call_edges += [
                (call_hash, child, order)
                for order, child in enumerate(child_call_hashes)
                if child in known
            ]
            for task in subtree_tasks:
                self._values.add(records, task)
                records.subtree_tasks.append((call_hash, task.hash))
            self._add_arguments(records, call_hash, expr_args, eval_args)
        self._repo.recorder.record(records)
        self._repo.recorder.flush()
        return call_hash

    def get_subtree_tasks(self, call_hash: str) -> set[str]:
        """Hashes of the tasks used in a call and below it."""
        return self.get_subtree_tasks_many([call_hash]).get(call_hash, set())

    def get_subtree_tasks_many(self, call_hashes: Iterable[str]) -> dict[str, set[str]]:
        """Hashes of the tasks used in each of several calls and below it."""
        wanted = list(set(call_hashes))
        if self._repo.recorder.pending_calls(wanted):
            self._repo.recorder.flush(everything=False)
        subtrees: dict[str, set[str]] = {}
        for call_hash, task_hash in self._repo.reader.rows(SELECT_SUBTREE, wanted):
            subtrees.setdefault(call_hash, set()).add(task_hash)
        return subtrees

    def _add_arguments(
        self, records: Records, call_hash: str, expr_args: Arguments, eval_args: Arguments
    ) -> None:
        # Positional defaults have a value but no expression.
        positional = zip(expr_args[0], eval_args[0], strict=False)
        for position, (expr, value) in enumerate(positional):
            self._add_argument(records, call_hash, value, position, None, find_upstream(expr))
        given = expr_args[1].keys() & eval_args[1].keys()
        for key in sorted(given):
            upstream = find_upstream(expr_args[1][key])
            self._add_argument(records, call_hash, eval_args[1][key], None, key, upstream)
        for key, value in eval_args[1].items():
            if key not in given:
                self._add_argument(records, call_hash, value, None, key, set())

    def _add_argument(
        self,
        records: Records,
        call_hash: str,
        value: Any,
        position: int | None,
        key: str | None,
        upstream: set[str],
    ) -> None:
        value_hash = self._values.add(records, value)
        arg_hash = hash_struct(["Argument", call_hash, str(position), str(key), value_hash])
        records.arguments.append((arg_hash, call_hash, value_hash, position, key))
        records.argument_results += [(arg_hash, call) for call in sorted(upstream)]


def find_upstream(expr: Any) -> set[str]:
    """The calls whose results go into an argument, found through the expressions it is made of."""
    found: set[str] = set()
    seen: set[int] = set()
    waiting = [leaf for leaf in leaves(expr) if isinstance(leaf, Expression)]
    while waiting:
        current = waiting.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        call_hash = None
        if isinstance(current, TaskExpression) and not isinstance(current, SchedulerExpression):
            call_hash = current.call_hash
        if call_hash:
            found.add(call_hash)
            continue
        inner = leaves(current._upstreams)
        waiting += [leaf for leaf in inner if isinstance(leaf, Expression)]
    return found
