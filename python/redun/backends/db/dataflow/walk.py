"""
Walking upstream from a value or a call: what it was computed from, over calls and arguments.

The walk asks the database for a whole frontier of nodes at a time and then hands the edges out in
depth-first order. It doesn't recurse, so graphs may be of any depth.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import Any, Protocol

from redun.backends.db.dataflow.nodes import (
    ARGUMENT,
    CALL,
    RESULT,
    VALUE,
    AnyArgument,
    AnyCall,
    AnyValue,
    ArgumentValue,
    CallNodeValue,
    DataflowEdge,
    DataflowNode,
    NodeKey,
    key_of,
)
from redun.backends.db.dataflow.producer import IGNORED, find_producer
from redun.backends.db.dataflow.rows import RowLoader, ValueRow
from redun.backends.db.source import Source

_CONTAINERS = "SELECT value_hash, parent_value_hash FROM subvalue WHERE value_hash {in_ids}"

_ORDERS = "SELECT parent_id, child_id, call_order FROM call_edge WHERE parent_id {in_ids}"

_CHILDREN = f"""
SELECT call_edge.parent_id, call_node.call_hash, call_node.value_hash
FROM call_edge JOIN call_node ON call_node.call_hash = call_edge.child_id
WHERE call_node.task_name NOT IN {IGNORED} AND call_edge.parent_id {{in_ids}}
"""

_PARENTS = """
SELECT call_edge.child_id, call_edge.parent_id, call_node.timestamp
FROM call_edge JOIN call_node ON call_node.call_hash = call_edge.parent_id
WHERE call_edge.child_id {in_ids}
"""

_UPSTREAM = """
SELECT argument_result.arg_hash, argument.call_hash, argument_result.result_call_hash
FROM argument_result JOIN argument ON argument.arg_hash = argument_result.arg_hash
WHERE argument_result.arg_hash {in_ids}
"""


class Loader(Protocol):
    """Loads rows by their hashes, in bulk."""

    source: Source

    def calls(self, hashes: Collection[str]) -> dict[str, Any]:
        """Calls by hash."""

    def values(self, hashes: Collection[str]) -> dict[str, Any]:
        """Values by hash."""

    def arguments(self, calls: Collection[str]) -> Iterable[Any]:
        """The arguments of calls, in no order."""


def walk_dataflow(backend: Any, node: DataflowNode) -> Iterator[DataflowEdge]:
    """
    All edges upstream of a node, depth first; each visited node's edges come once, together.

    Parameters
    ----------
    backend : the database backend, or anything with its `session`; rows are loaded in it.
    node : where to start: a `Value`, a `CallNode`, or a part of a result or argument.
    """
    # Imported here: who asks with `dataflow_of_value` needs no ORM.
    from redun.backends.db.dataflow.orm_rows import OrmLoader

    return _walk(OrmLoader(backend.session), node)


def dataflow_of_value(
    source: Source, value_hash: str, limit: int | None = None
) -> Iterator[DataflowEdge]:
    """
    All edges upstream of a value, in the order of `walk_dataflow`, between light rows.

    Parameters
    ----------
    source : the repo to read.
    value_hash : the value to start with.
    limit : how many nodes to look upstream of, the nearest first; None for all. The others that are
        met have no edges of their own, not even to the origin.
    """
    return _walk(RowLoader(source), ValueRow(value_hash, source), limit)


def _walk(loader: Loader, node: DataflowNode, limit: int | None = None) -> Iterator[DataflowEdge]:
    found = _Upstream(loader, limit).dests_from(node)
    del loader  # and what it remembers
    seen = {key_of(node)}
    stack = [node]
    while stack:
        src = stack.pop()
        # Let go of what is handed out: whoever takes it may keep all of it.
        dests = found.pop(key_of(src), None)
        if dests is None:
            continue  # beyond the limit
        if not dests:
            yield DataflowEdge(src, None)
        for dest in dests:
            yield DataflowEdge(src, dest)
        for dest in reversed(dests):
            key = key_of(dest)
            if key not in seen:
                seen.add(key)
                stack.append(dest)


class _Upstream:
    """Finds all nodes upstream of one, a frontier at a time."""

    def __init__(self, loader: Loader, limit: int | None) -> None:
        self._loader = loader
        self._limit = limit
        self._source = loader.source
        self._calls: dict[str, AnyCall] = {}
        self._values: dict[str, AnyValue] = {}
        self._containers: dict[str, set[str]] = {}
        self._alone: set[str] = set()
        self._arguments: dict[str, list[AnyArgument]] = {}
        self._orders: dict[str, dict[str, int]] = {}

    def dests_from(self, start: DataflowNode) -> dict[NodeKey, list[DataflowNode]]:
        """Of every node upstream of one, the nodes that it was computed from."""
        found: dict[NodeKey, list[DataflowNode]] = {}
        frontier: dict[NodeKey, DataflowNode] = {key_of(start): start}
        while frontier:
            if self._limit is not None:
                frontier = dict(islice(frontier.items(), self._limit - len(found)))
            self._expand(frontier, found)
            fresh: dict[NodeKey, DataflowNode] = {}
            for known in frontier:
                for dest in found[known]:
                    key = key_of(dest)
                    if key not in found:
                        fresh[key] = dest
            frontier = fresh
        return found

    def _expand(
        self, frontier: dict[NodeKey, DataflowNode], found: dict[NodeKey, list[DataflowNode]]
    ) -> None:
        """Adds what every node of a frontier was computed from."""
        by_kind: dict[str, list[Any]] = defaultdict(list)
        for key, node in frontier.items():
            by_kind[key[0]].append(node)
        for value in by_kind[VALUE]:
            found[key_of(value)] = self._producer(value.value_hash)
        if calls := by_kind[CALL]:
            found.update(self._arguments_of(calls))
        if results := by_kind[RESULT]:
            found.update(self._sources_of_results(results))
        if arguments := by_kind[ARGUMENT]:
            found.update(self._sources_of_arguments(arguments))

    def _producer(self, value_hash: str) -> list[DataflowNode]:
        call_hash = find_producer(self._source, value_hash)
        return [self._get_calls([call_hash])[call_hash]] if call_hash else []

    def _arguments_of(self, calls: list[AnyCall]) -> dict[NodeKey, list[DataflowNode]]:
        """Positional arguments by position, then the others by name."""
        by_call = self._get_arguments([call.call_hash for call in calls])
        self._get_values(arg.value_hash for call in calls for arg in by_call[call.call_hash])
        return {
            (CALL, call.call_hash): [
                ArgumentValue(arg, self._values[arg.value_hash]) for arg in by_call[call.call_hash]
            ]
            for call in calls
        }

    def _sources_of_results(self, nodes: list[CallNodeValue]) -> dict[NodeKey, list[DataflowNode]]:
        """The one child call that gave the value, else the call itself."""
        self._get_containers(node.value.value_hash for node in nodes)
        children: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        calls = {node.call_node.call_hash for node in nodes}
        for parent, child, result in self._source.rows_among(_CHILDREN, calls):
            children[parent][result].add(child)
        givers: dict[NodeKey, list[str]] = {}
        for node in nodes:
            containers = self._holders(node.value.value_hash)
            by_result = children[node.call_node.call_hash]
            # There may be many of either: values that hold this one, and results.
            common = containers & by_result.keys()
            givers[node.key] = [child for result in common for child in by_result[result]]
        self._get_calls(found[0] for found in givers.values() if len(found) == 1)
        return {
            node.key: [
                CallNodeValue(self._calls[givers[node.key][0]], node.value)
                if len(givers[node.key]) == 1
                else node.call_node
            ]
            for node in nodes
        }

    def _sources_of_arguments(
        self, nodes: list[ArgumentValue]
    ) -> dict[NodeKey, list[DataflowNode]]:
        """The results an argument was computed from, and the caller's arguments it repeats."""
        parents = self._latest_parents({node.argument.call_hash for node in nodes})
        upstream = self._upstream_calls({node.argument.arg_hash for node in nodes}, parents)
        outer = self._get_arguments(parents.values())
        self._get_calls(parents.values())  # their tasks name the arguments
        self._get_containers(node.value.value_hash for node in nodes)
        self._get_values(
            self._calls[call].value_hash for calls in upstream.values() for call in calls
        )
        dests: dict[NodeKey, list[DataflowNode]] = {}
        for node in nodes:
            containers = self._holders(node.value.value_hash)
            found: list[DataflowNode] = []
            for call_hash in upstream[node.argument.arg_hash]:
                call = self._calls[call_hash]
                passed_on = call.value_hash in containers
                value = node.value if passed_on else self._values[call.value_hash]
                found.append(CallNodeValue(call, value))
            parent = parents.get(node.argument.call_hash)
            for arg in outer[parent] if parent else ():
                if arg.value_hash in containers:
                    found.append(ArgumentValue(arg, node.value))
            dests[node.key] = found
        return dests

    def _latest_parents(self, calls: set[str]) -> dict[str, str]:
        """Of each call, the call that made it; of several, the one that ran last."""
        latest: dict[str, str] = {}
        # Many calls have one parent, whose hash comes anew with each of them.
        parents: dict[str, tuple[Any, str]] = {}
        for child, parent, timestamp in self._source.rows_among(_PARENTS, calls):
            known = parents.setdefault(parent, (timestamp, parent))
            if child not in latest or known > parents[latest[child]]:
                latest[child] = known[1]
        return latest

    def _upstream_calls(self, arguments: set[str], parents: dict[str, str]) -> dict[str, list[str]]:
        """Of each argument, the calls it was computed from: those called last come first."""
        rows = list(self._source.rows_among(_UPSTREAM, arguments))
        self._get_orders({parents[call] for _arg, call, _result in rows if call in parents})
        found: dict[str, list[tuple[int, str]]] = defaultdict(list)
        for arg, call, result in rows:
            order = self._orders.get(parents.get(call, ""), {}).get(result, -1)
            found[arg].append((-order, result))
        upstream: dict[str, list[str]] = defaultdict(list)
        for arg, calls in found.items():
            upstream[arg] = [result for _order, result in sorted(calls)[: self._limit]]
        self._get_calls(result for results in upstream.values() for result in results)
        return upstream

    def _get_orders(self, parents: set[str]) -> None:
        """The last position of each child within each parent call."""
        missing = {parent for parent in parents if parent not in self._orders}
        self._orders.update({parent: {} for parent in missing})
        for parent, child, order in self._source.rows_among(_ORDERS, missing):
            orders = self._orders[parent]
            orders[child] = max(order, orders.get(child, -1))

    def _get_arguments(self, calls: Iterable[str]) -> dict[str, list[AnyArgument]]:
        """The arguments of calls: by position, then by name."""
        missing = {call for call in calls if call not in self._arguments}
        self._arguments.update({call: [] for call in missing})
        for arg in self._loader.arguments(missing):
            self._arguments[arg.call_hash].append(arg)
        for call in missing:
            self._arguments[call].sort(
                key=lambda arg: (arg.arg_key is not None, arg.arg_position or 0, arg.arg_key or "")
            )
        return self._arguments

    def _get_calls(self, hashes: Iterable[str]) -> dict[str, AnyCall]:
        missing = {key for key in hashes if key not in self._calls}
        self._calls.update(self._loader.calls(missing))
        return self._calls

    def _get_values(self, hashes: Iterable[str]) -> None:
        missing = {key for key in hashes if key not in self._values}
        self._values.update(self._loader.values(missing))

    def _get_containers(self, hashes: Iterable[str]) -> None:
        known = self._containers
        missing = {key for key in hashes if key not in known and key not in self._alone}
        for child, parent in self._source.rows_among(_CONTAINERS, missing):
            known.setdefault(child, {child}).add(parent)
        self._alone.update(key for key in missing if key not in known)

    def _holders(self, value_hash: str) -> set[str]:
        """A value and the values that hold it."""
        return self._containers.get(value_hash) or {value_hash}
