"""
Finding records in a repo and reading what is needed to show them.

`CallGraphQuery` filters records of all types at once; `infer_id` finds what a text means; `Views`
reads what a listing shows, in bulk.
"""

from redun.backends.db.query.callgraph import CallGraphQuery
from redun.backends.db.query.ids import (
    find_execution,
    find_execution_ids,
    find_file,
    infer_id,
)
from redun.backends.db.query.selection import Selection
from redun.backends.db.query.views import (
    CallNodeView,
    ExecutionView,
    JobView,
    TaskView,
    ValueView,
    Views,
)

__all__ = [
    "CallGraphQuery",
    "CallNodeView",
    "ExecutionView",
    "JobView",
    "Selection",
    "TaskView",
    "ValueView",
    "Views",
    "find_execution",
    "find_execution_ids",
    "find_file",
    "infer_id",
]
