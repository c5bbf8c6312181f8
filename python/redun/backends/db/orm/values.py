"""Values: content-addressed payloads, what they contain, and files and handles among them."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import object_session, relationship
from sqlalchemy.orm.attributes import set_committed_value

from redun.backends.db.codec import MAX_VALUE_SIZE_PREVIEW, short
from redun.backends.db.orm.html import facts_table, shown_tags, shown_value
from redun.backends.db.orm.types import Base, Column, hash_type, limited, prefix_index, session_of
from redun.backends.db.parsing import PreviewValue, preview_payload, show
from redun.utils import trim_string

PREVIEW_CHUNK = 500

VALUE_TYPE = limited(100)


class Value(Base):
    """
    One serialized value under its hash.

    A zero-length payload means that the bytes live in the value store. The payload column is
    loaded when first read, so that listing values doesn't drag their bytes along.
    """

    __tablename__ = "value"

    value_hash = Column(hash_type(), primary_key=True)
    type = Column(VALUE_TYPE, index=True)
    format = Column(limited(100))
    value = Column(sa.LargeBinary, deferred=True)

    __table_args__ = (prefix_index("ix_value_value_hash_vpo", "value_hash", unique=True),)

    child_edges = relationship(
        "Subvalue", foreign_keys="Subvalue.parent_value_hash", back_populates="parent"
    )
    parent_edges = relationship(
        "Subvalue", foreign_keys="Subvalue.value_hash", back_populates="child"
    )
    children = relationship(
        "Value",
        secondary="subvalue",
        primaryjoin="Value.value_hash == Subvalue.parent_value_hash",
        secondaryjoin="Subvalue.value_hash == Value.value_hash",
        viewonly=True,
    )
    parents = relationship(
        "Value",
        secondary="subvalue",
        primaryjoin="Value.value_hash == Subvalue.value_hash",
        secondaryjoin="Subvalue.parent_value_hash == Value.value_hash",
        viewonly=True,
    )
    file = relationship("File", back_populates="value", uselist=False)
    subfiles = relationship(
        "File",
        secondary="subvalue",
        primaryjoin="Value.value_hash == foreign(Subvalue.parent_value_hash)",
        secondaryjoin="foreign(Subvalue.value_hash) == File.value_hash",
        viewonly=True,
    )
    handle = relationship("Handle", back_populates="value", uselist=False)
    subhandles = relationship(
        "Handle",
        secondary="subvalue",
        primaryjoin="Value.value_hash == foreign(Subvalue.parent_value_hash)",
        secondaryjoin="foreign(Subvalue.value_hash) == Handle.value_hash",
        viewonly=True,
    )
    task = relationship(
        "Task",
        primaryjoin="Value.value_hash == foreign(Task.hash)",
        uselist=False,
        viewonly=True,
    )
    arguments = relationship("Argument", back_populates="value")
    evals = relationship("Evaluation", back_populates="value")
    results = relationship("CallNode", back_populates="value")
    tags = relationship(
        "Tag",
        primaryjoin="and_(Value.value_hash == foreign(Tag.entity_id), Tag.is_current)",
        viewonly=True,
        uselist=True,
    )

    def __repr__(self) -> str:
        shown = trim_string(show(self.value_parsed))
        return f"Value(hash='{short(self.value_hash)}', value={shown})"

    def _repr_html_(self) -> str:
        size = self._payload_size()
        return facts_table(
            f"Value {self.value_hash}",
            [
                ("type", self.type),
                ("size", f"{size} bytes" if size else "in the value store"),
                ("file", self.file.path if self.file else None),
                ("value", shown_value(self.preview)),
                ("tags", shown_tags(self.tags)),
            ],
        )

    @property
    def in_value_store(self) -> bool:
        """Whether the payload lives in the value store instead of the row."""
        return self._payload_size() == 0

    @property
    def value_parsed(self) -> Any:
        """
        The value, or a stand-in for what this process can't or shouldn't load.

        Only plain data and the library's own types are built; anything else is shown as an object
        with the class's name, its arguments and state, so that looking at a repo runs no code out
        of it. None if the payload is stored elsewhere and can't be had.
        """
        data = self.value
        if not data:
            store = self._value_store()
            data = store.read(self.value_hash) if store is not None else None
            if data is None:
                return None
        return preview_payload(self._registry(), self.type, self.format, data, self.value_hash)

    @property
    def preview(self) -> Any:
        """
        Like `value_parsed`, but a payload above `MAX_VALUE_SIZE_PREVIEW` bytes is only described.
        """
        load_previews([self])
        if "value" in sa.inspect(self).unloaded:
            return PreviewValue(self.type, self.value_hash, self._payload_size())
        data = self.value
        if len(data) > MAX_VALUE_SIZE_PREVIEW:
            return PreviewValue(self.type, self.value_hash, len(data))
        if not data:
            store = self._value_store()
            size = store.size(self.value_hash) if store is not None else -1
            if size > MAX_VALUE_SIZE_PREVIEW:
                return PreviewValue(self.type, self.value_hash, size)
            data = store.read(self.value_hash) if size >= 0 else None
        return preview_payload(self._registry(), self.type, self.format, data, self.value_hash)

    def _payload_size(self) -> int:
        """Bytes in the payload column, without loading them."""
        state = sa.inspect(self)
        if "value" not in state.unloaded or object_session(self) is None:
            return len(self.value)
        query = sa.select(sa.func.length(Value.value)).where(Value.value_hash == self.value_hash)
        return session_of(self).execute(query).scalar_one()

    def _value_store(self) -> Any:
        return getattr(self._backend(), "value_store", None)

    def _backend(self) -> Any:
        return getattr(object_session(self), "backend", None)

    def _registry(self) -> Any:
        return getattr(self._backend(), "type_registry", None)


def load_previews(values: Iterable[Value]) -> None:
    """
    Loads the payloads that previews need, in one statement for each 500 values.

    Payloads above `MAX_VALUE_SIZE_PREVIEW` bytes stay where they are. Worth calling before showing
    many values, whose payloads are otherwise loaded one by one.
    """
    missing = {
        value.value_hash: value
        for value in values
        if object_session(value) is not None and "value" in sa.inspect(value).unloaded
    }
    hashes = list(missing)
    for start in range(0, len(hashes), PREVIEW_CHUNK):
        query = sa.select(Value.value_hash, Value.value).where(
            Value.value_hash.in_(hashes[start : start + PREVIEW_CHUNK]),
            sa.func.length(Value.value) <= MAX_VALUE_SIZE_PREVIEW,
        )
        for value_hash, data in session_of(missing[hashes[start]]).execute(query):
            set_committed_value(missing[value_hash], "value", data)


class Subvalue(Base):
    """`child` occurs somewhere inside `parent`, at any depth, once or more often."""

    __tablename__ = "subvalue"

    value_hash = Column(
        hash_type(), sa.ForeignKey("value.value_hash"), primary_key=True, index=True
    )
    parent_value_hash = Column(
        hash_type(), sa.ForeignKey("value.value_hash"), primary_key=True, index=True
    )

    child = relationship("Value", foreign_keys=[value_hash], back_populates="parent_edges")
    parent = relationship("Value", foreign_keys=[parent_value_hash], back_populates="child_edges")


class File(Base):
    """A value that is a file: its path."""

    __tablename__ = "file"

    value_hash = Column(hash_type(), sa.ForeignKey("value.value_hash"), primary_key=True)
    path = Column(sa.String(1024), index=True)

    value = relationship("Value", back_populates="file")
    parent_values = relationship(
        "Value",
        secondary="subvalue",
        primaryjoin="File.value_hash == foreign(Subvalue.value_hash)",
        secondaryjoin="foreign(Subvalue.parent_value_hash) == Value.value_hash",
        viewonly=True,
    )

    def __repr__(self) -> str:
        return f"File(hash='{short(self.value_hash)}', path='{trim_string(self.path)}')"

    @property
    def values(self) -> list[Value]:
        """The file's own value, then the values that contain it."""
        return [self.value, *self.parent_values]


class Handle(Base):
    """One state of a handle."""

    __tablename__ = "handle"

    hash = Column(hash_type(), primary_key=True)
    fullname = Column(sa.String(1024), index=True)
    value_hash = Column(hash_type(), sa.ForeignKey("value.value_hash"), index=True)
    key = Column(limited(1024))
    is_valid = Column(sa.Boolean, default=True)

    value = relationship("Value", back_populates="handle")
    parent_values = relationship(
        "Value",
        secondary="subvalue",
        primaryjoin="Handle.value_hash == foreign(Subvalue.value_hash)",
        secondaryjoin="foreign(Subvalue.parent_value_hash) == Value.value_hash",
        viewonly=True,
    )
    children = relationship(
        "Handle",
        secondary="handle_edge",
        primaryjoin="Handle.hash == HandleEdge.parent_id",
        secondaryjoin="HandleEdge.child_id == Handle.hash",
        back_populates="parents",
    )
    parents = relationship(
        "Handle",
        secondary="handle_edge",
        primaryjoin="Handle.hash == HandleEdge.child_id",
        secondaryjoin="HandleEdge.parent_id == Handle.hash",
        back_populates="children",
    )

    def __repr__(self) -> str:
        return f"Handle(hash='{short(self.hash)}', name='{self.fullname}')"

    @property
    def values(self) -> list[Value]:
        """The handle's own value, then the values that contain it."""
        return [self.value, *self.parent_values]


class HandleEdge(Base):
    """`child` was derived from `parent` by passing it to, or getting it from, a call."""

    __tablename__ = "handle_edge"

    parent_id = Column(hash_type(), sa.ForeignKey("handle.hash"), primary_key=True, index=True)
    child_id = Column(hash_type(), sa.ForeignKey("handle.hash"), primary_key=True, index=True)
