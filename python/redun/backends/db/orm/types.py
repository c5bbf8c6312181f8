"""
The declarative base and the column types of a repo.

Each type maps to the storage class the reference schema uses on SQLite and on PostgreSQL, so that
the text and the bytes in a column are the same whoever wrote them.
"""

import datetime as dt
import json
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, mapped_column, object_session
from sqlalchemy.types import TypeDecorator, TypeEngine

from redun.backends.db.codec import (
    HASH_LEN,
    from_json_text,
    from_jsonb,
    json_text,
    jsonb_text,
    to_moment,
)

NULL = sa.null()


class Base(DeclarativeBase):
    """Declarative base of all tables of a repo."""

    # Rows also have attributes that are no columns, such as a memoised status.
    __allow_unmapped__ = True


#: An edge out of a record: name of the edge, model of the record at its end, and that one's id.
RecordEdgeType: TypeAlias = tuple[str, type[Base], str]


def Column(*args: Any, nullable: bool = False, **kwargs: Any) -> Any:
    """A mapped column that is NOT NULL unless said otherwise."""
    return mapped_column(*args, nullable=nullable, **kwargs)


def hash_type() -> sa.String:
    """Type of a content hash column."""
    return sa.String(HASH_LEN)


def limited(length: int) -> Any:
    """Type of a text that SQLite declares with a length, which it doesn't enforce."""
    return sa.String(length).with_variant(sa.String(), "postgresql")


def prefix_index(name: str, column: str, unique: bool = False) -> sa.Index:
    """An index that serves `LIKE 'prefix%'`, which PostgreSQL only does with its own opclass."""
    return make_index(name, column, {"ops": {column: "varchar_pattern_ops"}}, unique=unique)


def make_index(name: str, column: str, postgresql: dict[str, Any], **options: Any) -> sa.Index:
    """
    An index with options for PostgreSQL.

    Those are given to the index only when it is created there: an index that has them loads the
    dialect and its drivers, which costs a tenth of a second and repos on SQLite never need.

    Parameters
    ----------
    postgresql : options by their names in SQLAlchemy, without `postgresql_`.
    options : as `sqlalchemy.Index` takes them.
    """
    _ON_POSTGRESQL[name] = postgresql
    return sa.Index(name, column, **options)


_ON_POSTGRESQL: dict[str, dict[str, Any]] = {}


class JSON(TypeDecorator[Any]):
    """A JSON document: compact sorted text on SQLite, `jsonb` on PostgreSQL."""

    impl = sa.String
    cache_ok = True
    should_evaluate_none = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            # Imported here: it brings the whole dialect, which SQLite repos never need.
            from sqlalchemy.dialects.postgresql import JSONB

            return dialect.type_descriptor(JSONB())
        return dialect.type_descriptor(sa.String())

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        text = json_text(value)
        return json.loads(jsonb_text(text)) if dialect.name == "postgresql" else text

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return from_jsonb(value) if dialect.name == "postgresql" else from_json_text(value)

    def process_literal_param(self, value: Any, dialect: Dialect) -> str:
        return "'" + json_text(value).replace("'", "''") + "'"

    def coerce_compared_value(self, op: Any, value: Any) -> Any:
        # LIKE and friends look at the text; everything else compares documents.
        return sa.String() if getattr(op, "__name__", "").endswith("like_op") else self


class DateTimeUTC(TypeDecorator[dt.datetime]):
    """
    A moment, stored and returned in UTC.

    Binding a naive datetime raises `ValueError`, which SQLAlchemy wraps in a `StatementError`.
    """

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"timezone naive datetimes are not allowed: {value!r}")
        return value.astimezone(dt.timezone.utc)

    def process_result_value(self, value: Any, dialect: Dialect) -> dt.datetime | None:
        return to_moment(value)


@compiles(sa.ForeignKeyConstraint, "sqlite")
def _compile_foreign_key(constraint: Any, compiler: Any, **kwargs: Any) -> str:
    """
    Renders a foreign key on SQLite, where repos defer only the constraints marked for it.

    The execution's root job is deferred on PostgreSQL alone: migrated SQLite files hold it as an
    immediate constraint, and a new file must have the schema that the migrations give.
    """
    text = compiler.visit_foreign_key_constraint(constraint, **kwargs)
    if constraint.info.get("sqlite_immediate"):
        text = text.replace(" DEFERRABLE INITIALLY DEFERRED", "")
    return text


@compiles(sa.schema.CreateIndex, "postgresql")
def _compile_index(create: Any, compiler: Any, **kwargs: Any) -> str:
    """Renders an index on PostgreSQL, with the options that `make_index` was given for it."""
    index = create.element
    index.dialect_options["postgresql"].update(_ON_POSTGRESQL.get(index.name, {}))
    return str(compiler.visit_create_index(create, **kwargs))


def session_of(row: Any) -> Any:
    """The session that loaded a row. Raises `ValueError` for a detached row."""
    session = object_session(row)
    if session is None:
        raise ValueError(f"{type(row).__name__} row is not attached to a session")
    return session
