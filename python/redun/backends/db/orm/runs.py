"""What happened when: executions and their jobs."""

import datetime as dt
import json
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import relationship

from redun.backends.db.codec import short
from redun.backends.db.orm.calls import CallNode, Task
from redun.backends.db.orm.html import facts_table, shown_tags, shown_value
from redun.backends.db.orm.tags import Tag
from redun.backends.db.orm.types import Base, Column, DateTimeUTC, prefix_index, session_of
from redun.backends.db.orm.values import Value
from redun.tags import CONTEXT_KEY
from redun.utils import format_timestamp, utcnow

ERROR_TYPE = "redun.ErrorValue"


class Execution(Base):
    """One run of a workflow. `args` is the JSON text of its command line."""

    __tablename__ = "execution"

    id = Column(sa.String, primary_key=True)
    args = Column(sa.String)
    job_id = Column(sa.String, index=True)
    updated_time = Column(DateTimeUTC, nullable=True)

    __table_args__ = (
        # Only PostgreSQL defers it: see types._compile_foreign_key.
        sa.ForeignKeyConstraint(
            ["job_id"],
            ["job.id"],
            deferrable=True,
            initially="DEFERRED",
            info={"sqlite_immediate": True},
        ),
        prefix_index("ix_execution_id_vpo", "id", unique=True),
    )

    job = relationship("Job", foreign_keys=[job_id], uselist=False)
    jobs = relationship("Job", foreign_keys="Job.execution_id", back_populates="execution")
    tags = relationship(
        "Tag",
        primaryjoin="and_(Execution.id == foreign(Tag.entity_id), Tag.is_current)",
        viewonly=True,
        uselist=True,
    )

    _status: str | None = None

    def __repr__(self) -> str:
        task = self.task
        name = task.fullname if task else None
        return f"Execution(id='{short(self.id)}', task_name='{name}', args={self.args})"

    def _repr_html_(self) -> str:
        job = self.job
        counted = sa.select(sa.func.count()).where(Job.execution_id == self.id)
        return facts_table(
            f"Execution {self.id}",
            [
                ("status", self.status),
                ("task", job.task.fullname if job and job.task else None),
                ("command", " ".join(json.loads(self.args)[1:])),
                ("started", format_timestamp(job.start_time) if job else None),
                ("duration", job.duration if job else None),
                ("jobs", session_of(self).execute(counted).scalar()),
                ("tags", shown_tags(self.tags)),
            ],
        )

    @property
    def call_node(self) -> CallNode | None:
        """The root call, once it has finished."""
        return self.job.call_node if self.job else None

    @property
    def task(self) -> Task | None:
        """The root task, once its call has finished."""
        call_node = self.call_node
        return call_node.task if call_node else None

    @property
    def status(self) -> str:
        """`RUNNING`, `DONE` or `FAILED`; `FAILED` too when the root job is missing."""
        if self._status is None:
            self._status = _root_status(self.job.status if self.job else None)
        return self._status

    @property
    def status_display(self) -> str:
        """The status as tables show it."""
        return _display_status(self.status)

    def calc_status(self, result_type: str | None) -> str:
        """The status, given the type name of the root call's result (None: none yet)."""
        self._status = _root_status(self.job.calc_status(result_type) if self.job else None)
        return self._status


class Job(Base):
    """One attempt to run a task within an execution."""

    __tablename__ = "job"

    id = Column(sa.String, primary_key=True)
    start_time = Column(DateTimeUTC, default=utcnow, index=True)
    end_time = Column(DateTimeUTC, nullable=True, index=True)
    task_hash = Column(sa.String(40), sa.ForeignKey("task.hash"), index=True)
    cached = Column(sa.Boolean, default=False)
    call_hash = Column(
        sa.String(40), sa.ForeignKey("call_node.call_hash"), nullable=True, index=True
    )
    parent_id = Column(sa.String, sa.ForeignKey("job.id"), nullable=True, index=True)
    execution_id = Column(sa.String, index=True)

    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["execution_id"],
            ["execution.id"],
            name="ct_job_execution_id",
            deferrable=True,
            initially="DEFERRED",
            use_alter=True,
        ),
        prefix_index("ix_job_id_vpo", "id", unique=True),
    )

    task = relationship("Task", back_populates="jobs")
    call_node = relationship("CallNode", back_populates="jobs")
    child_jobs = relationship("Job", order_by="Job.start_time", back_populates="parent_job")
    parent_job = relationship("Job", remote_side=[id], back_populates="child_jobs")
    execution = relationship("Execution", foreign_keys=[execution_id], back_populates="jobs")
    tags = relationship(
        "Tag",
        primaryjoin="and_(Job.id == foreign(Tag.entity_id), Tag.is_current)",
        viewonly=True,
        uselist=True,
    )

    _status: str | None = None

    def __repr__(self) -> str:
        return (
            f"Job(id='{short(self.id)}', start_time='{format_timestamp(self.start_time)}', "
            f"task_name='{self.task.fullname}')"
        )

    def _repr_html_(self) -> str:
        call = self.call_node
        return facts_table(
            f"Job {self.id}",
            [
                ("status", self.status),
                ("task", self.task.fullname if self.task else None),
                ("started", format_timestamp(self.start_time)),
                ("duration", self.duration),
                ("arguments", call.args_display if call else None),
                ("result", shown_value(call.value.preview) if call else None),
                ("parent", self.parent_id),
                ("execution", self.execution_id),
                ("tags", shown_tags(self.tags)),
            ],
        )

    @property
    def duration(self) -> dt.timedelta | None:
        """How long the job took, or None while it runs."""
        return self.end_time - self.start_time if self.end_time else None

    @property
    def status(self) -> str:
        """`RUNNING`, `CACHED`, `DONE` or `FAILED`. Kept once computed."""
        if self._status is not None:
            return self._status
        result_type = None
        if self.call_hash:
            query = sa.select(Value.type).join(CallNode, CallNode.value_hash == Value.value_hash)
            query = query.where(CallNode.call_hash == self.call_hash)
            result_type = session_of(self).execute(query).scalar_one_or_none()
        return self.calc_status(result_type)

    @property
    def status_display(self) -> str:
        """The status as tables show it."""
        return _display_status(self.status)

    def calc_status(self, result_type: str | None) -> str:
        """The status, given the type name of the call's result (None: no call recorded)."""
        if result_type == ERROR_TYPE:
            self._status = "FAILED"
        elif not self.end_time:
            self._status = "RUNNING"
        else:
            self._status = "CACHED" if self.cached else "DONE"
        return self._status

    @property
    def context(self) -> dict[str, Any]:
        """The context the job's call was made in, or {}."""
        if not self.call_hash:
            return {}
        query = (
            sa.select(Tag)
            .where(Tag.entity_id == self.call_hash, Tag.key == CONTEXT_KEY, Tag.is_current)
            .limit(1)
        )
        tag = session_of(self).scalars(query).first()
        value = tag.value_parsed if tag else None
        return value.value_parsed if value else {}


def _root_status(job_status: str | None) -> str:
    if job_status is None:
        return "FAILED"
    return "DONE" if job_status == "CACHED" else job_status


def _display_status(status: str) -> str:
    return "RUN " if status == "RUNNING" else status
