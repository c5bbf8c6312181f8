"""The tables of a repo as SQLAlchemy models: columns, relationships and how rows are shown."""

from redun.backends.db.codec import HASH_LEN, MAX_VALUE_SIZE_PREVIEW
from redun.backends.db.orm.calls import (
    Argument,
    ArgumentResult,
    CallEdge,
    CallNode,
    CallSubtreeTask,
    Evaluation,
    Task,
)
from redun.backends.db.orm.meta import RedunMigration, RedunSetting, RedunVersion
from redun.backends.db.orm.runs import Execution, Job
from redun.backends.db.orm.tags import Tag, TagEdit
from redun.backends.db.orm.types import (
    JSON,
    NULL,
    Base,
    Column,
    DateTimeUTC,
    RecordEdgeType,
)
from redun.backends.db.orm.values import File, Handle, HandleEdge, Subvalue, Value

__all__ = [
    "HASH_LEN",
    "JSON",
    "MAX_VALUE_SIZE_PREVIEW",
    "NULL",
    "Argument",
    "ArgumentResult",
    "Base",
    "CallEdge",
    "CallNode",
    "CallSubtreeTask",
    "Column",
    "DateTimeUTC",
    "Evaluation",
    "Execution",
    "File",
    "Handle",
    "HandleEdge",
    "Job",
    "RecordEdgeType",
    "RedunMigration",
    "RedunSetting",
    "RedunVersion",
    "Subvalue",
    "Tag",
    "TagEdit",
    "Task",
    "Value",
]
