"""
Walking upstream from a value or a call: what it was computed from, over calls and arguments.

The walk asks the database for a whole frontier of nodes at a time and then hands the edges out in
depth-first order. It doesn't recurse, so graphs may be of any depth.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import sqlalchemy as sa

from redun.backends.db.bulk import in_chunks
from redun.backends.db.dataflow.nodes import (
    ArgumentValue,
    CallNodeValue,
    DataflowEdge,
    DataflowNode,
    NodeKey,
    node_key,
)
from redun.backends.db.orm import (
    Argument,
    ArgumentResult,
    CallEdge,
    CallNode,
    Job,
    Subvalue,
    Value,
)

#: Calls that only wrap a script: its own task and the calling task tell the story.
IGNORED_TASKS = ("redun.postprocess_script", "redun.script")


def walk_dataflow(backend: Any, node: DataflowNode) -> Iterator[DataflowEdge]:
    """
    All edges upstream of a node, depth first; each visited node's edges come once, together.

    Parameters
    ----------
    backend : the database backend, or anything with its `session`.
    node : where to start: a `Value`, a `CallNode`, or a part of a result or argument.
    """
    found = _Upstream(backend.session).edges_from(node)
    start = node_key(node)
    assert start is not None
    seen = {start}
    stack = [start]
    while stack:
        edges = found[stack.pop()]
        yield from edges
        for edge in reversed(edges):
            key = node_key(edge.dest)
            if key is not None and key not in seen:
                seen.add(key)
                stack.append(key)


class _Upstream:
    """Finds the edges of all nodes upstream of one, a frontier at a time."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._calls: dict[str, CallNode] = {}
        self._values: dict[str, Value] = {}
        self._containers: dict[str, set[str]] = {}
        self._arguments: dict[str, list[Argument]] = {}
        self._orders: dict[str, dict[str, int]] = {}
        self._queries = _queries()

    def edges_from(self, start: DataflowNode) -> dict[NodeKey, list[DataflowEdge]]:
        found: dict[NodeKey, list[DataflowEdge]] = {}
        frontier: list[DataflowNode] = [start]
        while frontier:
            self._expand(frontier, found)
            fresh: dict[NodeKey, DataflowNode] = {}
            for node in frontier:
                for edge in found[node_key(node)]:  # type: ignore[index]
                    key = node_key(edge.dest)
                    if edge.dest is not None and key is not None and key not in found:
                        fresh[key] = edge.dest
            frontier = list(fresh.values())
        return found

    def _expand(
        self, frontier: list[DataflowNode], found: dict[NodeKey, list[DataflowEdge]]
    ) -> None:
        """Adds the edges of every node of a frontier."""
        results = [node for node in frontier if isinstance(node, CallNodeValue)]
        arguments = [node for node in frontier if isinstance(node, ArgumentValue)]
        calls = [node for node in frontier if isinstance(node, CallNode)]
        dests: dict[NodeKey, list[DataflowNode]] = {}
        for node in frontier:
            if isinstance(node, Value):
                producer = self._producer(node.value_hash)
                dests["Value", node.value_hash] = [producer] if producer else []
        dests.update(self._arguments_of(calls))
        dests.update(self._sources_of_results(results))
        dests.update(self._sources_of_arguments(arguments))
        for node in frontier:
            key = node_key(node)
            assert key is not None
            found[key] = [DataflowEdge(node, dest) for dest in dests[key]] or [
                DataflowEdge(node, None)
            ]

    def _producer(self, value_hash: str) -> CallNode | None:
        """
        The call that made a value: of those that returned it, alone or inside something, the
        one that ran last. A call that got the value from another of them only passed it on.
        """
        containers = sa.select(Subvalue.parent_value_hash).where(Subvalue.value_hash == value_hash)
        made = (
            sa.select(CallNode.call_hash)
            .where(sa.or_(CallNode.value_hash == value_hash, CallNode.value_hash.in_(containers)))
            .where(CallNode.task_name.not_in(IGNORED_TASKS))
            .cte("made")
        )
        above = (
            sa.select(CallEdge.parent_id.label("call_hash"))
            .join(made, CallEdge.child_id == made.c.call_hash)
            .cte("above", recursive=True)
        )
        above = above.union(
            sa.select(CallEdge.parent_id).join(above, CallEdge.child_id == above.c.call_hash)
        )
        latest = sa.func.max(Job.start_time)
        query = (
            sa.select(made.c.call_hash)
            .outerjoin(Job, Job.call_hash == made.c.call_hash)
            .where(made.c.call_hash.not_in(sa.select(above.c.call_hash)))
            .group_by(made.c.call_hash)
            .order_by(latest.desc().nulls_last(), made.c.call_hash)
            .limit(1)
        )
        call_hash = self._session.execute(query).scalar()
        return self._get_calls([call_hash])[call_hash] if call_hash else None

    def _arguments_of(self, calls: list[CallNode]) -> dict[NodeKey, list[DataflowNode]]:
        """Positional arguments by position, then the others by name."""
        by_call = self._get_arguments([call.call_hash for call in calls])
        self._get_values(arg.value_hash for call in calls for arg in by_call[call.call_hash])
        return {
            ("CallNode", call.call_hash): [
                ArgumentValue(arg, self._values[arg.value_hash]) for arg in by_call[call.call_hash]
            ]
            for call in calls
        }

    def _sources_of_results(self, nodes: list[CallNodeValue]) -> dict[NodeKey, list[DataflowNode]]:
        """The one child call that gave the value, else the call itself."""
        self._get_containers(node.value.value_hash for node in nodes)
        children: dict[str, dict[str, str]] = defaultdict(dict)
        query = self._queries["children"]
        calls = {node.call_node.call_hash for node in nodes}
        for parent, child, result in in_chunks(self._session, query, CallEdge.parent_id, calls):
            children[parent][child] = result
        givers: dict[NodeKey, list[str]] = {}
        for node in nodes:
            containers = self._containers[node.value.value_hash]
            results = children[node.call_node.call_hash]
            givers[node.key] = [child for child, result in results.items() if result in containers]
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
            containers = self._containers[node.value.value_hash]
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
        latest: dict[str, tuple[Any, str]] = {}
        query = self._queries["parents"]
        for child, parent, timestamp in in_chunks(self._session, query, CallEdge.child_id, calls):
            if child not in latest or (timestamp, parent) > latest[child]:
                latest[child] = (timestamp, parent)
        return {child: parent for child, (_timestamp, parent) in latest.items()}

    def _upstream_calls(self, arguments: set[str], parents: dict[str, str]) -> dict[str, list[str]]:
        """Of each argument, the calls it was computed from: those called last come first."""
        query = self._queries["upstream"]
        rows = list(in_chunks(self._session, query, ArgumentResult.arg_hash, arguments))
        self._get_orders({parents[call] for _arg, call, _result in rows if call in parents})
        self._get_calls(result for _arg, _call, result in rows)
        found: dict[str, list[tuple[int, str]]] = defaultdict(list)
        for arg, call, result in rows:
            order = self._orders.get(parents.get(call, ""), {}).get(result, -1)
            found[arg].append((-order, result))
        return defaultdict(
            list,
            {arg: [result for _order, result in sorted(calls)] for arg, calls in found.items()},
        )

    def _get_orders(self, parents: set[str]) -> None:
        """The last position of each child within each parent call."""
        missing = {parent for parent in parents if parent not in self._orders}
        self._orders.update({parent: {} for parent in missing})
        query = self._queries["orders"]
        for parent, child, order in in_chunks(self._session, query, CallEdge.parent_id, missing):
            orders = self._orders[parent]
            orders[child] = max(order, orders.get(child, -1))

    def _get_arguments(self, calls: Iterable[str]) -> dict[str, list[Argument]]:
        """The arguments of calls: by position, then by name."""
        missing = {call for call in calls if call not in self._arguments}
        self._arguments.update({call: [] for call in missing})
        query = self._queries["arguments"]
        for (arg,) in in_chunks(self._session, query, Argument.call_hash, missing):
            self._arguments[arg.call_hash].append(arg)
        for call in missing:
            self._arguments[call].sort(
                key=lambda arg: (arg.arg_key is not None, arg.arg_position or 0, arg.arg_key or "")
            )
        return self._arguments

    def _get_calls(self, hashes: Iterable[str]) -> dict[str, CallNode]:
        missing = {key for key in hashes if key not in self._calls}
        for (call,) in in_chunks(
            self._session, self._queries["calls"], CallNode.call_hash, missing
        ):
            self._calls[call.call_hash] = call
        return self._calls

    def _get_values(self, hashes: Iterable[str]) -> None:
        missing = {key for key in hashes if key not in self._values}
        for (value,) in in_chunks(
            self._session, self._queries["values"], Value.value_hash, missing
        ):
            self._values[value.value_hash] = value

    def _get_containers(self, hashes: Iterable[str]) -> None:
        """Of each value, itself and the values that hold it."""
        missing = {key for key in hashes if key not in self._containers}
        for value_hash in missing:
            self._containers[value_hash] = {value_hash}
        query = self._queries["containers"]
        for child, parent in in_chunks(self._session, query, Subvalue.value_hash, missing):
            self._containers[child].add(parent)


@functools.cache
def _queries() -> dict[str, sa.Select[Any]]:
    """The statements that a walk asks for one frontier after the other."""
    return {
        "arguments": sa.select(Argument),
        "calls": sa.select(CallNode),
        "values": sa.select(Value),
        "containers": sa.select(Subvalue.value_hash, Subvalue.parent_value_hash),
        "orders": sa.select(CallEdge.parent_id, CallEdge.child_id, CallEdge.call_order),
        "children": (
            sa.select(CallEdge.parent_id, CallNode.call_hash, CallNode.value_hash)
            .join(CallNode, CallNode.call_hash == CallEdge.child_id)
            .where(CallNode.task_name.not_in(IGNORED_TASKS))
        ),
        "parents": sa.select(CallEdge.child_id, CallEdge.parent_id, CallNode.timestamp).join(
            CallNode, CallNode.call_hash == CallEdge.parent_id
        ),
        "upstream": sa.select(
            ArgumentResult.arg_hash, Argument.call_hash, ArgumentResult.result_call_hash
        ).join(Argument, Argument.arg_hash == ArgumentResult.arg_hash),
    }
