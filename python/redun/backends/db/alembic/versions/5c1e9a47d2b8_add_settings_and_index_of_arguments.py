"""3.6: Add settings and index of arguments."""

import sqlalchemy as sa
from alembic import context, op

revision = "5c1e9a47d2b8"
down_revision = "0bee3d6dba76"

# Texts that PostgreSQL held to a length and SQLite never did.
LIMITS = (
    ("value", "format", 100),
    ("handle", "key", 1024),
    ("call_node", "task_name", 1024),
    ("argument", "arg_key", 100),
)


# Bytes of an entry of a B-tree; the server's limit is a little higher.
MAX_INDEXED = 2600


def upgrade() -> None:
    # A repo that was here before may have kept its settings.
    if context.is_offline_mode() or not sa.inspect(op.get_bind()).has_table("redun_setting"):
        op.create_table(
            "redun_setting",
            sa.Column("key", sa.String(), primary_key=True),
            sa.Column("value", sa.String(), nullable=False),
        )
    op.create_index("ix_call_node_args_hash", "call_node", ["args_hash"])
    if op.get_context().dialect.name == "postgresql":
        for table, column, _ in LIMITS:
            op.alter_column(table, column, type_=sa.String())
        # Large values don't fit in a B-tree.
        op.drop_index("ix_tag_value", table_name="tag")
        op.create_index("ix_tag_value", "tag", ["value"], postgresql_using="hash")


def downgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        if _has_none("tag", f"pg_column_size(value) > {MAX_INDEXED}"):
            op.drop_index("ix_tag_value", table_name="tag")
            op.create_index("ix_tag_value", "tag", ["value"])
        for table, column, length in LIMITS:
            if _has_none(table, f"length({column}) > {length}"):
                op.alter_column(table, column, type_=sa.String(length))
    op.drop_index("ix_call_node_args_hash", table_name="call_node")
    if _is_default():
        op.drop_table("redun_setting")


def _has_none(table: str, condition: str) -> bool:
    """Whether there is nothing that would be lost; what there is doesn't trouble older programs."""
    if context.is_offline_mode():
        return True
    query = sa.text(f"SELECT 1 FROM {table} WHERE {condition} LIMIT 1")
    return op.get_bind().execute(query).first() is None


def _is_default() -> bool:
    """Whether a repo without settings is taken for what this one is."""
    if context.is_offline_mode():
        return True
    scheme = sa.text("SELECT value FROM redun_setting WHERE key = 'hash_scheme'")
    return op.get_bind().execute(scheme).scalar() in (None, "redun1")
