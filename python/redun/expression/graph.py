"""Pickling of expression graphs of any depth, shared parts once.

In the layout of the original a call holds its arguments as pickled bytes, so nested calls are pickles
within pickles: the depth is bounded by the stack, and what two calls share is written twice.
Here a graph is one inner pickle of `(expressions, value)`, the expressions listed children first.
When an expression is written, its children are already in the pickler's memo, so nothing recurses.

The outer pickle names `redun.expression.restore_graph`. Both layouts can always be read.
"""

from __future__ import annotations

import copyreg
import io
import pickle
from typing import Any

from redun.expression.node import Node, children, topological_order
from redun.hashing import get_scheme
from redun.utils import PICKLE_PROTOCOL, pickle_loads
from redun.utils.nested import expand

__all__ = ["flatten", "reduce_graph", "restore_graph"]

# Limits of what is still written in the original layout under `redun1`.
MAX_NESTED_DEPTH = 50
MAX_NESTED_CALLS = 10_000


def restore_graph(data: bytes) -> Any:
    """Rebuild a value that holds expressions from the inner pickle of its graph."""
    return pickle_loads(data)[1]


restore_graph.__module__ = "redun.expression"  # stored in pickles


def flatten(value: Any, leaves: list[Any]) -> Any:
    """Return the object to pickle in place of a value, given its leaves that are not plain.

    The answer is the value itself if no leaf is an expression, or if the original layout is due.
    """
    exprs = [leaf for leaf in leaves if isinstance(leaf, Node)]
    if not exprs or uses_original_layout(exprs):
        return value
    return Graph(value, exprs)


def reduce_graph(value: Any, exprs: list[Node]) -> tuple[Any, ...]:
    """Return how to pickle a value that holds expressions (see `object.__reduce__`)."""
    nodes = [node for node, _ in topological_order(exprs)]
    listed = {id(node) for node in nodes}
    try:
        data = _dump((nodes, value), listed)
    except RecursionError:  # containers within the arguments are nested too deep
        data = _dump((_parts(value, listed), value), listed)
    return restore_graph, (data,)


def _dump(graph: tuple[list[Any], Any], listed: set[int]) -> bytes:
    buffer = io.BytesIO()
    GraphPickler(buffer, listed).dump(graph)
    return buffer.getvalue()


def _parts(value: Any, listed: set[int]) -> list[Any]:
    """Return the listed expressions in a value and all containers, what is inside first."""
    parts: list[Any] = []
    seen: set[int] = set()
    stack: list[tuple[Any, bool]] = [(value, False)]
    while stack:
        part, is_done = stack.pop()
        if is_done:
            parts.append(part)
            continue
        inside = _inside(part, listed)
        if inside is not None and id(part) not in seen:
            seen.add(id(part))
            stack.append((part, True))
            stack.extend((item, False) for item in inside)
    return parts


def _inside(part: Any, listed: set[int]) -> Any:
    kind = type(part)
    if kind in (list, tuple, set):
        return part
    if kind is dict:
        return [*part.keys(), *part.values()]
    if id(part) in listed:
        return part._graph_state()
    return expand(part)


def uses_original_layout(exprs: list[Node]) -> bool:
    """Whether expressions are pickled as the original does: under `redun1`, while it is possible.

    The original layout writes a shared expression once for each path to it.
    """
    if get_scheme() != "redun1":
        return False
    calls: dict[int, int] = {}
    for expr, height in topological_order(exprs):
        count = 1 + sum(calls[id(child)] for child in children(expr))
        if height >= MAX_NESTED_DEPTH or count > MAX_NESTED_CALLS:
            return False
        calls[id(expr)] = count
    return True


class Graph:
    """Stands for a value while it is pickled; what is loaded is the value."""

    __slots__ = ("exprs", "value")

    def __init__(self, value: Any, exprs: list[Node]) -> None:
        self.value = value
        self.exprs = exprs

    def __reduce__(self) -> tuple[Any, ...]:
        return reduce_graph(self.value, self.exprs)


class GraphPickler(pickle.Pickler):
    """Writes the listed expressions with their arguments in place."""

    def __init__(self, file: io.BytesIO, nodes: set[int]) -> None:
        super().__init__(file, PICKLE_PROTOCOL)
        self._nodes = nodes

    def reducer_override(self, obj: Any) -> Any:
        """Reduce a listed expression to its class and state; leave anything else to its class."""
        if isinstance(obj, Node) and id(obj) in self._nodes:
            return copyreg.__newobj__, (type(obj),), obj._graph_state()  # type: ignore[attr-defined]
        return NotImplemented
