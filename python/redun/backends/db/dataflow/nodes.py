"""
The nodes and edges of a dataflow graph.

An edge points upstream, from what was computed to what it was computed from. Nodes are equal when
they speak of the same rows, whichever objects hold them.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from redun.backends.db.orm import Argument, CallNode, Value


class CallNodeValue:
    """A value as (part of) the result of a call."""

    __slots__ = ("call_node", "key", "value")

    def __init__(self, call_node: CallNode, value: Value) -> None:
        self.call_node = call_node
        self.value = value
        self.key = ("CallNodeValue", call_node.call_hash, value.value_hash)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CallNodeValue) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return f"CallNodeValue({self.key[1][:8]}, {self.key[2][:8]})"


class ArgumentValue:
    """A value as (part of) an argument of a call."""

    __slots__ = ("argument", "key", "value")

    def __init__(self, argument: Argument, value: Value) -> None:
        self.argument = argument
        self.value = value
        self.key = ("ArgumentValue", argument.arg_hash, value.value_hash)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ArgumentValue) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return f"ArgumentValue({self.key[1][:8]}, {self.key[2][:8]})"


DataflowNode: TypeAlias = Value | CallNode | CallNodeValue | ArgumentValue

#: What tells one node from another: kind and hashes. None is the origin.
NodeKey: TypeAlias = tuple[str, ...]


class DataflowEdge(NamedTuple):
    """`src` was computed from `dest`; None as `dest` means that nothing recorded lies upstream."""

    src: DataflowNode
    dest: DataflowNode | None


def node_key(node: DataflowNode | None) -> NodeKey | None:
    """The identity of a node; None for the origin."""
    if node is None:
        return None
    if isinstance(node, (CallNodeValue, ArgumentValue)):
        return node.key
    if isinstance(node, CallNode):
        return ("CallNode", node.call_hash)
    return ("Value", node.value_hash)
