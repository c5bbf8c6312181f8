"""The call graph: tasks, calls, their arguments and results, and the reduction cache."""

from html import escape
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import joinedload, object_session, relationship

from redun.backends.db.codec import short
from redun.backends.db.orm.html import facts_table, shown_tags, shown_value
from redun.backends.db.orm.types import (
    Base,
    Column,
    DateTimeUTC,
    hash_type,
    limited,
    prefix_index,
    session_of,
)
from redun.backends.db.orm.values import load_previews
from redun.backends.db.parsing import show
from redun.utils import trim_string, utcnow

ARGS_DISPLAY_LENGTH = 100


class Task(Base):
    """One version of a task. A `Value` row of the same hash goes with it."""

    __tablename__ = "task"

    hash = Column(hash_type(), primary_key=True)
    name = Column(sa.String)
    namespace = Column(sa.String)
    source = Column(sa.String)

    __table_args__ = (
        prefix_index("ix_task_hash_vpo", "hash", unique=True),
        prefix_index("ix_task_name_vpo", "name"),
        prefix_index("ix_task_namespace_vpo", "namespace"),
    )

    value = relationship(
        "Value",
        primaryjoin="foreign(Task.hash) == Value.value_hash",
        uselist=False,
        viewonly=True,
    )
    tags = relationship(
        "Tag",
        primaryjoin="and_(Task.hash == foreign(Tag.entity_id), Tag.is_current)",
        viewonly=True,
        uselist=True,
    )
    evals = relationship("Evaluation", back_populates="task")
    call_nodes = relationship("CallNode", back_populates="task")
    jobs = relationship("Job", back_populates="task")

    def __repr__(self) -> str:
        return f"Task(hash='{short(self.hash)}', name='{self.fullname}')"

    def _repr_html_(self) -> str:
        facts = [("hash", self.hash), ("tags", shown_tags(self.tags))]
        source = f'<pre style="text-align:left">{escape(self.source or "")}</pre>'
        return facts_table(f"Task {self.fullname}", facts) + source

    @property
    def fullname(self) -> str:
        """`namespace.name`, or the bare name of a task without namespace."""
        return f"{self.namespace}.{self.name}" if self.namespace else self.name

    def show_source(self) -> None:
        """Prints the task's source as it was when recorded."""
        print(self.source)  # noqa: T201 - printing is what this method is for


class Argument(Base):
    """One argument of a call: by position, or by key (also for defaults)."""

    __tablename__ = "argument"

    arg_hash = Column(hash_type(), primary_key=True)
    call_hash = Column(hash_type(), sa.ForeignKey("call_node.call_hash"), index=True)
    value_hash = Column(hash_type(), sa.ForeignKey("value.value_hash"), index=True)
    arg_position = Column(sa.Integer, nullable=True)
    arg_key = Column(limited(100), nullable=True)

    value = relationship("Value", back_populates="arguments")
    call_node = relationship("CallNode", back_populates="arguments")
    arg_results = relationship("ArgumentResult", back_populates="arg")
    upstream = relationship("CallNode", secondary="argument_result", viewonly=True)

    def __repr__(self) -> str:
        position = self.arg_position if self.arg_key is None else self.arg_key
        value = trim_string(show(self.value_parsed, str))
        return f"Argument(task_name='{self.call_node.task_name}', pos={position}, value={value})"

    @property
    def value_parsed(self) -> Any:
        """The argument as `Value.value_parsed` gives it."""
        return self.value.value_parsed


class ArgumentResult(Base):
    """An argument was computed, at least partly, from the result of a call."""

    __tablename__ = "argument_result"

    arg_hash = Column(hash_type(), sa.ForeignKey("argument.arg_hash"), primary_key=True, index=True)
    result_call_hash = Column(
        hash_type(), sa.ForeignKey("call_node.call_hash"), primary_key=True, index=True
    )

    arg = relationship("Argument", back_populates="arg_results")
    result_call_node = relationship("CallNode", back_populates="arg_results")


class Evaluation(Base):
    """One entry of the single-reduction cache: what a task returned for these arguments."""

    __tablename__ = "evaluation"

    eval_hash = Column(hash_type(), primary_key=True)
    task_hash = Column(hash_type(), sa.ForeignKey("task.hash"), index=True)
    args_hash = Column(hash_type())
    value_hash = Column(hash_type(), sa.ForeignKey("value.value_hash"), index=True)

    task = relationship("Task", back_populates="evals")
    value = relationship("Value", back_populates="evals")

    @property
    def value_parsed(self) -> Any:
        """The result as `Value.value_parsed` gives it."""
        return self.value.value_parsed


class CallNode(Base):
    """One completed call: task, arguments, final result and child calls."""

    __tablename__ = "call_node"

    call_hash = Column(hash_type(), primary_key=True)
    task_name = Column(limited(1024))
    task_hash = Column(hash_type(), sa.ForeignKey("task.hash"), index=True)
    args_hash = Column(hash_type())
    value_hash = Column(hash_type(), sa.ForeignKey("value.value_hash"), index=True)
    timestamp = Column(DateTimeUTC, default=utcnow)

    __table_args__ = (
        prefix_index("ix_call_node_call_hash_vpo", "call_hash", unique=True),
        sa.Index("ix_call_node_args_hash", "args_hash"),
    )

    task = relationship("Task", back_populates="call_nodes")
    value = relationship("Value", back_populates="results")
    arguments = relationship("Argument", back_populates="call_node")
    arg_results = relationship("ArgumentResult", back_populates="result_call_node")
    downstream = relationship("Argument", secondary="argument_result", viewonly=True)
    child_edges = relationship(
        "CallEdge",
        foreign_keys="CallEdge.parent_id",
        order_by="CallEdge.call_order",
        back_populates="parent_node",
    )
    parent_edges = relationship(
        "CallEdge",
        foreign_keys="CallEdge.child_id",
        order_by="CallEdge.call_order",
        back_populates="child_node",
    )
    task_set = relationship("CallSubtreeTask", back_populates="call_node")
    jobs = relationship("Job", back_populates="call_node")
    tags = relationship(
        "Tag",
        primaryjoin="and_(CallNode.call_hash == foreign(Tag.entity_id), Tag.is_current)",
        viewonly=True,
        uselist=True,
    )

    def __repr__(self) -> str:
        return (
            f"CallNode(hash='{short(self.call_hash)}', task_name='{self.task_name}', "
            f"args={self.args_display})"
        )

    def _repr_html_(self) -> str:
        return facts_table(
            f"CallNode {self.call_hash}",
            [
                ("task", self.task_name),
                ("arguments", self.args_display),
                ("result", shown_value(self.value.preview)),
                ("made", self.timestamp),
                ("tags", shown_tags(self.tags)),
            ],
        )

    @property
    def value_parsed(self) -> Any:
        """The result as `Value.value_parsed` gives it."""
        return self.value.value_parsed

    @property
    def children(self) -> list["CallNode"]:
        """The calls this call made, in call order; a call made twice appears twice."""
        if object_session(self) is None:
            return [edge.child_node for edge in self.child_edges]
        return _related_calls(self, CallEdge.child_id, CallEdge.parent_id)

    @property
    def parents(self) -> list["CallNode"]:
        """The calls that made this call, by call order; repeats are kept."""
        if object_session(self) is None:
            return [edge.parent_node for edge in self.parent_edges]
        return _related_calls(self, CallEdge.parent_id, CallEdge.child_id)

    @property
    def args_display(self) -> str:
        """The arguments as a list, cut to 100 characters."""
        shown: list[str] = []
        length = 0
        arguments = self._ordered_arguments()
        load_previews([argument.value for argument in arguments[:ARGS_DISPLAY_LENGTH]])
        for argument in arguments:
            shown.append(show(argument.value.preview))
            length += len(shown[-1]) + 2
            if length > ARGS_DISPLAY_LENGTH:
                break
        return trim_string("[" + ", ".join(shown) + "]", ARGS_DISPLAY_LENGTH, "...]")

    def _ordered_arguments(self) -> list[Argument]:
        """Positional arguments by position, then the others by key, with their values."""
        session = object_session(self)
        if session is None:
            arguments = self.arguments
        else:
            query = sa.select(Argument).where(Argument.call_hash == self.call_hash)
            arguments = session.scalars(query.options(joinedload(Argument.value))).all()
        return sorted(
            arguments,
            key=lambda arg: (arg.arg_key is not None, arg.arg_position or 0, arg.arg_key or ""),
        )


class CallEdge(Base):
    """`parent` made the call `child` as its `call_order`-th (from 0)."""

    __tablename__ = "call_edge"

    parent_id = Column(
        hash_type(), sa.ForeignKey("call_node.call_hash"), primary_key=True, index=True
    )
    child_id = Column(
        hash_type(), sa.ForeignKey("call_node.call_hash"), primary_key=True, index=True
    )
    call_order = Column(sa.Integer, primary_key=True)

    parent_node = relationship("CallNode", foreign_keys=[parent_id], back_populates="child_edges")
    child_node = relationship("CallNode", foreign_keys=[child_id], back_populates="parent_edges")


class CallSubtreeTask(Base):
    """A task that is used anywhere in the subtree of a call, the call's own included."""

    __tablename__ = "call_subtree_task"

    call_hash = Column(
        hash_type(), sa.ForeignKey("call_node.call_hash"), primary_key=True, index=True
    )
    task_hash = Column(hash_type(), sa.ForeignKey("task.hash"), primary_key=True, index=True)

    call_node = relationship("CallNode", back_populates="task_set")
    task = relationship("Task")


def _related_calls(call: CallNode, found: Any, known: Any) -> list[CallNode]:
    """The calls at the other end of a call's edges, in one statement."""
    query = (
        sa.select(CallNode)
        .join(CallEdge, CallNode.call_hash == found)
        .where(known == call.call_hash)
        .order_by(CallEdge.call_order)
    )
    return list(session_of(call).scalars(query))
