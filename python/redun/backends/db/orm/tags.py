"""Tags: key-value notes on entities, and the edits that supersede them."""

import json
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import relationship

from redun.backends.base import TagEntity
from redun.backends.db.orm.types import (
    JSON,
    Base,
    Column,
    hash_type,
    make_index,
    session_of,
)


class Tag(Base):
    """
    One key-value pair on one entity.

    `entity_id` is a hash or id in the table that `entity_type` names; the entity need not exist.
    A tag is current until an edit makes it a parent of another tag.
    """

    __tablename__ = "tag"

    tag_hash = Column(hash_type(), primary_key=True)
    entity_type = Column(sa.Enum(TagEntity, name="tagentitytype"))
    entity_id = Column(sa.String, index=True)
    key = Column(sa.String, index=True)
    value = Column(JSON)
    is_current = Column(sa.Boolean, default=True)

    __table_args__ = (
        # Entries of the ordinary kind of index may not be large on PostgreSQL; values may.
        make_index("ix_tag_value", "value", {"using": "hash"}),
        make_index(
            "ix_tag_tag_hash_current",
            "tag_hash",
            {"where": sa.text("is_current")},
            unique=True,
            sqlite_where=sa.text("is_current"),
        ),
    )

    child_edits = relationship("TagEdit", foreign_keys="TagEdit.parent_id", back_populates="parent")
    parent_edits = relationship("TagEdit", foreign_keys="TagEdit.child_id", back_populates="child")
    children = relationship(
        "Tag",
        secondary="tag_edit",
        primaryjoin="Tag.tag_hash == TagEdit.parent_id",
        secondaryjoin="TagEdit.child_id == Tag.tag_hash",
        viewonly=True,
    )
    parents = relationship(
        "Tag",
        secondary="tag_edit",
        primaryjoin="Tag.tag_hash == TagEdit.child_id",
        secondaryjoin="TagEdit.parent_id == Tag.tag_hash",
        viewonly=True,
    )
    executions = relationship(
        "Execution",
        primaryjoin="foreign(Tag.entity_id) == Execution.id",
        viewonly=True,
        uselist=True,
    )
    jobs = relationship(
        "Job", primaryjoin="foreign(Tag.entity_id) == Job.id", viewonly=True, uselist=True
    )
    call_nodes = relationship(
        "CallNode",
        primaryjoin="foreign(Tag.entity_id) == CallNode.call_hash",
        viewonly=True,
        uselist=True,
    )
    tasks = relationship(
        "Task", primaryjoin="foreign(Tag.entity_id) == Task.hash", viewonly=True, uselist=True
    )
    values = relationship(
        "Value",
        primaryjoin="foreign(Tag.entity_id) == Value.value_hash",
        viewonly=True,
        uselist=True,
    )

    def __repr__(self) -> str:
        return (
            f"Tag(tag_hash={str(self.tag_hash)[:8]}, entity_id={str(self.entity_id)[:8]}, "
            f"key={self.key}, value={_display_json(self.value)})"
        )

    @staticmethod
    def get_delete_tag() -> "Tag":
        """A new row of the tag that deletes its parents: no entity, no key, null; hash unset."""
        return Tag(
            tag_hash="",
            entity_type=TagEntity.Null,
            entity_id="",
            key="",
            value=None,
            is_current=True,
        )

    @property
    def entity(self) -> Any:
        """
        The row this tag is about.

        Raises `sqlalchemy.exc.NoResultFound` if it isn't recorded, `AssertionError` for a tag that
        deletes others.
        """
        assert self.entity_type is not TagEntity.Null, "a deleting tag has no entity"
        model = next(
            mapper.class_
            for mapper in Base.registry.mappers
            if mapper.class_.__name__ == self.entity_type.name
        )
        key = sa.inspect(model).primary_key[0]
        return session_of(self).query(model).filter(key == self.entity_id).one()

    @property
    def base_key(self) -> str:
        """The key after its last dot."""
        return self.key.rpartition(".")[2]

    @property
    def namespace(self) -> str:
        """The key before its last dot, or ''."""
        return self.key.rpartition(".")[0]

    @property
    def value_parsed(self) -> Any:
        """The `Value` row whose hash is this tag's value, or None."""
        if not isinstance(self.value, str):
            return None
        model = sa.inspect(Tag).relationships["values"].mapper.class_
        return session_of(self).get(model, self.value)


class TagEdit(Base):
    """`child` supersedes `parent`."""

    __tablename__ = "tag_edit"

    parent_id = Column(sa.String, sa.ForeignKey("tag.tag_hash"), primary_key=True)
    child_id = Column(sa.String, sa.ForeignKey("tag.tag_hash"), primary_key=True)

    parent = relationship("Tag", foreign_keys=[parent_id], back_populates="child_edits")
    child = relationship("Tag", foreign_keys=[child_id], back_populates="parent_edits")


def _display_json(value: Any) -> str:
    """Sorted JSON with the usual spaces, for people."""
    return json.dumps(value, sort_keys=True)
