"""
The nodes and edges of a dataflow graph.

An edge points upstream, from what was computed to what it was computed from. Nodes are equal when
they speak of the same rows, whichever objects hold them: rows of the ORM, or the light ones of
`redun.backends.db.dataflow.rows`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from redun.backends.db.dataflow.rows import CALL, VALUE, ArgumentRow, CallRow, TaskRow, ValueRow
from redun.backends.db.source import Source

if TYPE_CHECKING:
    from redun.backends.db.orm import Argument, CallNode, Task, Value

#: Kinds of nodes that are parts of rows.
RESULT = "CallNodeValue"
ARGUMENT = "ArgumentValue"

AnyValue: TypeAlias = "Value | ValueRow"
AnyCall: TypeAlias = "CallNode | CallRow"
AnyArgument: TypeAlias = "Argument | ArgumentRow"
AnyTask: TypeAlias = "Task | TaskRow"


class CallNodeValue:
    """A value as (part of) the result of a call."""

    __slots__ = ("call_node", "key", "value")

    def __init__(self, call_node: AnyCall, value: AnyValue) -> None:
        self.call_node = call_node
        self.value = value
        self.key = (RESULT, call_node.call_hash, value.value_hash)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CallNodeValue) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return f"CallNodeValue({self.key[1][:8]}, {self.key[2][:8]})"


class ArgumentValue:
    """A value as (part of) an argument of a call."""

    __slots__ = ("argument", "key", "value")

    def __init__(self, argument: AnyArgument, value: AnyValue) -> None:
        self.argument = argument
        self.value = value
        self.key = (ARGUMENT, argument.arg_hash, value.value_hash)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ArgumentValue) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return f"ArgumentValue({self.key[1][:8]}, {self.key[2][:8]})"


DataflowNode: TypeAlias = "Value | ValueRow | CallNode | CallRow | CallNodeValue | ArgumentValue"

#: What tells one node from another: kind and hashes. None is the origin.
NodeKey: TypeAlias = tuple[str, ...]


class DataflowEdge(NamedTuple):
    """`src` was computed from `dest`; None as `dest` means that nothing recorded lies upstream."""

    src: DataflowNode
    dest: DataflowNode | None


def key_of(node: Any) -> NodeKey:
    """
    The identity of a node that is not the origin.

    The rows of the ORM have no `key`. They are told by their columns: asking for their classes
    would load it.
    """
    try:
        key: NodeKey = node.key
    except AttributeError:
        is_call = hasattr(type(node), "call_hash")
        return (CALL, node.call_hash) if is_call else (VALUE, node.value_hash)
    return key


def node_key(node: DataflowNode | None) -> NodeKey | None:
    """The identity of a node; None for the origin."""
    return None if node is None else key_of(node)


def source_of(row: AnyValue | AnyCall) -> Source | None:
    """What reads the repo that a row is from; None for a row of the ORM without a session."""
    if isinstance(row, (ValueRow, CallRow)):
        return row.source
    from redun.backends.db.dataflow import orm_rows

    return orm_rows.source_of(row)
