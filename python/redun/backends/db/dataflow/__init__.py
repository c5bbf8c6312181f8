"""
Where a value comes from: the calls and arguments it was computed from, upstream to its origin.

`walk_dataflow` yields edges, `make_dataflow_dom` groups them into sections with variable names, and
`display_dataflow` or `serialize_dataflow` turn those into text or data.
"""

from redun.backends.db.dataflow.dom import (
    DataflowArg,
    DataflowAssign,
    DataflowRouting,
    DataflowSectionDOM,
    make_dataflow_dom,
)
from redun.backends.db.dataflow.nodes import (
    ArgumentValue,
    CallNodeValue,
    DataflowEdge,
    DataflowNode,
)
from redun.backends.db.dataflow.sections import SectionEdgeType, get_section_edge_type
from redun.backends.db.dataflow.shown import Dataflow
from redun.backends.db.dataflow.text import display_dataflow, serialize_dataflow
from redun.backends.db.dataflow.walk import dataflow_of_value, walk_dataflow

__all__ = [
    "ArgumentValue",
    "CallNodeValue",
    "Dataflow",
    "DataflowArg",
    "DataflowAssign",
    "DataflowEdge",
    "DataflowNode",
    "DataflowRouting",
    "DataflowSectionDOM",
    "SectionEdgeType",
    "dataflow_of_value",
    "display_dataflow",
    "get_section_edge_type",
    "make_dataflow_dom",
    "serialize_dataflow",
    "walk_dataflow",
]
