"""
Finding records in a repo and reading what is needed to show them.

`RecordQuery` filters records of all types at once; `find_record` finds what a text means; `Views`
reads what a listing shows, in bulk. `CallGraphQuery`, `infer_id` and `find_file` do the same for
prompts and notebooks, and give rows of the ORM, which is loaded with them.
"""

from typing import TYPE_CHECKING, Any

from redun.backends.db.query.ids import (
    FileUse,
    find_execution,
    find_execution_ids,
    find_file_use,
    find_record,
)
from redun.backends.db.query.records import RECORD_TYPES, RecordQuery
from redun.backends.db.query.selection import Selection
from redun.backends.db.query.views import (
    CallNodeView,
    ExecutionView,
    JobView,
    TaskView,
    ValueView,
    Views,
)

if TYPE_CHECKING:
    from redun.backends.db.query.callgraph import CallGraphQuery, find_file, infer_id

__all__ = [
    "RECORD_TYPES",
    "CallGraphQuery",
    "CallNodeView",
    "ExecutionView",
    "FileUse",
    "JobView",
    "RecordQuery",
    "Selection",
    "TaskView",
    "ValueView",
    "Views",
    "find_execution",
    "find_execution_ids",
    "find_file",
    "find_file_use",
    "find_record",
    "infer_id",
]


def __getattr__(name: str) -> Any:
    if name in ("CallGraphQuery", "find_file", "infer_id"):
        from redun.backends.db.query import callgraph

        return getattr(callgraph, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
