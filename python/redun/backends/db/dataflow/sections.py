"""
Grouping the edges of a dataflow into sections.

A section tells where one variable comes from: along one path upstream, over results and arguments
that only pass the value on, up to the call that made it, to the origin, or to a variable that has a
section of its own. A variable that was put together from several results has a `derives from`
section that lists them.
"""

from __future__ import annotations

import enum
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import cast

from redun.backends.db.dataflow.nodes import (
    ARGUMENT,
    CALL,
    RESULT,
    VALUE,
    AnyCall,
    ArgumentValue,
    CallNodeValue,
    DataflowEdge,
    DataflowNode,
    NodeKey,
    key_of,
    node_key,
)


class SectionEdgeType(str, enum.Enum):
    """What an edge says. `routing` passes a value on unchanged; `origin` has nothing upstream."""

    data = "data"
    call_arg = "call_arg"
    call_result = "call_result"
    call_result_routing = "call_result_routing"
    call_arg_result_routing = "call_arg_result_routing"
    call_arg_routing = "call_arg_routing"
    call_origin = "call_origin"
    call_arg_origin = "call_arg_origin"
    call_value_origin = "call_value_origin"


def get_section_edge_type(edge: DataflowEdge) -> SectionEdgeType:
    """
    The kind of an edge.

    Raises `ValueError` for a pair of nodes that no walk yields.
    """
    src, dest = key_of(edge.src), node_key(edge.dest)
    if src[0] == ARGUMENT and dest is not None and dest[0] == RESULT:
        same = src[2] == dest[2]
        return SectionEdgeType.call_arg_result_routing if same else SectionEdgeType.data
    kind = _KINDS.get((src[0], None if dest is None else dest[0]))
    if kind is None:
        raise ValueError(f"Not a dataflow edge: {edge!r}")
    return kind


_KINDS = {
    (ARGUMENT, ARGUMENT): SectionEdgeType.call_arg_routing,
    (ARGUMENT, None): SectionEdgeType.call_arg_origin,
    (RESULT, RESULT): SectionEdgeType.call_result_routing,
    (RESULT, CALL): SectionEdgeType.call_result,
    (CALL, ARGUMENT): SectionEdgeType.call_arg,
    (CALL, None): SectionEdgeType.call_origin,
    (VALUE, CALL): SectionEdgeType.call_result,
    (VALUE, None): SectionEdgeType.call_value_origin,
}


@dataclass
class Section:
    """
    One path, or one list of parts.

    Parameters
    ----------
    head : the node whose variable the section explains.
    path : the nodes upstream of it, in order; None at the end is the origin. Empty with `parts`.
    renamed : whether the path ends at a node with a variable and a section of its own.
    parts : the results that the head derives from.
    args : the arguments of the call that the path ends with.
    """

    head: DataflowNode
    path: list[DataflowNode | None] = field(default_factory=list)
    renamed: bool = False
    parts: list[CallNodeValue] = field(default_factory=list)
    args: list[ArgumentValue] = field(default_factory=list)


def iter_sections(edges: Iterable[DataflowEdge]) -> Iterator[Section]:
    """The sections of a dataflow, each variable's after those that mention it."""
    graph = _Graph(edges)
    return graph.sections() if graph.order else iter(())


class _Graph:
    """A dataflow as adjacency lists, with several parts of one result joined into the whole."""

    def __init__(self, edges: Iterable[DataflowEdge]) -> None:
        self.nodes: dict[NodeKey, DataflowNode] = {}
        self.dests: dict[NodeKey, list[NodeKey | None]] = defaultdict(list)
        #: Nodes beyond the limit of the walk: nobody looked upstream of them.
        self.beyond: set[NodeKey] = set()
        self._read(edges)
        self.order = self._sorted()
        #: Of a result joined from parts: which part each consumer meant, as its place in the order.
        self.meant: dict[NodeKey, dict[NodeKey, int]] = {}
        self._join_results()
        #: How many paths enter a node; more than one give it a variable of its own.
        self.entries: dict[NodeKey, int] = defaultdict(int)
        self.is_part: set[NodeKey] = set()
        self.is_derived: set[NodeKey] = set()
        self._count()
        self._place_of = {key: index for index, key in enumerate(self.order)}

    def _read(self, edges: Iterable[DataflowEdge]) -> None:
        for src, dest in edges:
            src_key, dest_key = key_of(src), node_key(dest)
            self.nodes.setdefault(src_key, src)
            if dest is not None and dest_key is not None:
                self.nodes.setdefault(dest_key, dest)
            self.dests[src_key].append(dest_key)
        self.beyond = self.nodes.keys() - self.dests.keys()

    def _sorted(self) -> list[NodeKey]:
        """All nodes, each after its consumers; along one path as deep as that allows."""
        if not self.nodes:
            return []
        start = next(iter(self.nodes))
        finished: list[NodeKey] = []
        seen = {start}
        stack: list[tuple[NodeKey, Iterator[NodeKey | None]]] = [
            (start, reversed(self.dests[start]))
        ]
        while stack:
            key, dests = stack[-1]
            for dest in dests:
                if dest is not None and dest not in seen:
                    seen.add(dest)
                    stack.append((dest, reversed(self.dests[dest])))
                    break
            else:
                finished.append(key)
                stack.pop()
        finished.reverse()
        return finished

    def _join_results(self) -> None:
        """Turns several parts of the result of one call into the one whole result."""
        parts: dict[NodeKey, list[NodeKey]] = defaultdict(list)
        for key in self.order:
            if key[0] == RESULT:
                for dest in self.dests[key]:
                    if dest is not None and dest[0] == CALL:
                        parts[dest].append(key)
        joined: dict[NodeKey, NodeKey] = {}
        wholes: dict[NodeKey, NodeKey] = {}
        for call_key, keys in parts.items():
            if len(keys) < 2:
                continue
            call = cast(AnyCall, self.nodes[call_key])
            whole = CallNodeValue(call, call.value)
            joined.update(dict.fromkeys(keys, whole.key))
            wholes[call_key] = whole.key
            self.nodes[whole.key] = whole
        if wholes:
            self._replace(joined, wholes)

    def _replace(self, joined: dict[NodeKey, NodeKey], wholes: dict[NodeKey, NodeKey]) -> None:
        """Puts wholes in place of their parts, just before the call: after all consumers."""
        order: list[NodeKey] = []
        for key in self.order:
            if key in wholes:
                order.append(wholes[key])
            if key not in joined:
                order.append(key)
        place = {key: index for index, key in enumerate(self.order)}
        self.meant = {whole: {} for whole in wholes.values()}
        for key in joined:
            del self.dests[key]
        for call_key, whole in wholes.items():
            self.dests[whole] = [call_key]
        self.order = order
        for key in order:
            for dest in self.dests[key]:
                if dest in joined:
                    self.meant[joined[dest]].setdefault(key, place[dest])
            replaced = (joined.get(dest, dest) if dest else None for dest in self.dests[key])
            self.dests[key] = list(dict.fromkeys(replaced))

    def _count(self) -> None:
        for key in self.order:
            for dest in self.dests[key]:
                if dest is None:
                    continue
                if self._is_data(key, dest):
                    self.is_part.add(dest)
                    self.is_derived.add(key)
                else:
                    self.entries[dest] += 1

    def _is_data(self, src: NodeKey, dest: NodeKey | None) -> bool:
        """`get_section_edge_type(...) is data`, told from the keys: it is asked a lot."""
        return dest is not None and src[0] == ARGUMENT and dest[0] == RESULT and src[2] != dest[2]

    def _is_shared(self, key: NodeKey) -> bool:
        return self.entries[key] > 1 and key[0] != CALL

    def _is_named(self, key: NodeKey) -> bool:
        """Whether a path that comes here stops, because the node has a variable of its own."""
        return self._is_shared(key) or key in self.is_derived

    def sections(self) -> Iterator[Section]:
        """A section comes when the last node of its path has its turn in the order."""
        waiting: dict[NodeKey, list[tuple[tuple[int, bool], Section]]] = defaultdict(list)
        arguments: set[NodeKey] = set()
        start = self.order[0]
        for key in self.order:
            arrived = sorted(waiting.pop(key, ()), key=lambda entry: entry[0])
            yield from (section for _place, section in arrived)
            if key[0] == CALL:
                arguments.update(dest for dest in self.dests[key] if dest is not None)
                if key != start:
                    continue
            heads_part = key in self.is_part and not self.entries[key]
            if key == start or key in arguments or self._is_named(key) or heads_part:
                for path, section in self._sections_of(key):
                    last = next((node for node in reversed(path) if node is not None), key)
                    if last == key:
                        yield section
                    else:
                        place = (self._place(path), not self._is_shared(key))
                        waiting[last].append((place, section))

    def _sections_of(self, head: NodeKey) -> Iterator[tuple[list[NodeKey | None], Section]]:
        """The sections that explain one variable, each with its path."""
        node = self.nodes[head]
        parts = [dest for dest in self.dests[head] if dest and self._is_data(head, dest)]
        if parts:
            section = Section(node, parts=[self.nodes[part] for part in parts])  # type: ignore[misc]
            first = min(parts, key=self._place_of.__getitem__)
            yield ([head, first] if first in self.meant else [head]), section
        for path in self._paths(head):
            if path == [None] and head[0] == ARGUMENT and not self._is_shared(head):
                continue
            yield [head, *path], self._section(node, path)

    def _place(self, path: list[NodeKey | None]) -> int:
        """Among the paths to a result joined from parts, the place of the part that was meant."""
        *_, src, dest = [None, *path]
        if src is not None and dest is not None and dest in self.meant:
            return self.meant[dest][src]
        return 0

    def _section(self, head: DataflowNode, path: list[NodeKey | None]) -> Section:
        """A section along a path, with the arguments of the call it ends with."""
        nodes = [self.nodes[key] if key else None for key in path]
        last = path[-1]
        if last is None:
            return Section(head, nodes)
        if last[0] != CALL:
            return Section(head, nodes, renamed=last not in self.beyond)
        if len(nodes) > 1 and isinstance(nodes[-2], CallNodeValue):
            nodes.pop()  # The call's result stands for the call.
        args = [self.nodes[dest] for dest in self.dests[last] if dest]
        if not args and last not in self.beyond:
            nodes.append(None)
        return Section(head, nodes, args=args)  # type: ignore[arg-type]

    def _paths(self, head: NodeKey) -> Iterator[list[NodeKey | None]]:
        """All ways upstream from a head to where a section ends, leaving out its parts."""
        if head[0] == CALL:
            yield [head]
            return
        stack: list[list[NodeKey | None]] = [[head]]
        while stack:
            path = stack.pop()
            key = path[-1]
            if len(path) > 1 and (key in self.beyond or self._is_end(key)):
                yield path[1:]
                continue
            assert key is not None
            dests = [dest for dest in self.dests[key] if not self._is_data(key, dest)]
            stack.extend([*path, dest] for dest in reversed(dests))

    def _is_end(self, key: NodeKey | None) -> bool:
        return key is None or key[0] == CALL or self._is_named(key)
