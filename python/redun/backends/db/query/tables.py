"""
The tables of a repo, for statements that select columns.

Statements over tables need none of the object mapper's set-up, which takes longer than most
look-ups.
"""

from __future__ import annotations

from typing import Any

from redun.backends.db import orm

ARGUMENT: Any = orm.Argument.__table__
CALL_NODE: Any = orm.CallNode.__table__
EXECUTION: Any = orm.Execution.__table__
FILE: Any = orm.File.__table__
JOB: Any = orm.Job.__table__
SUBVALUE: Any = orm.Subvalue.__table__
TAG: Any = orm.Tag.__table__
TASK: Any = orm.Task.__table__
VALUE: Any = orm.Value.__table__

#: The table of each record type, in the order in which types are given out.
RECORD_TABLES: dict[str, Any] = {
    "Execution": EXECUTION,
    "Job": JOB,
    "CallNode": CALL_NODE,
    "Task": TASK,
    "Value": VALUE,
}
