"""3.1: Add Tag schemas."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "cc4f663817b6"
down_revision = "cd2d53191748"

HASH = sa.String(40)
ENTITIES = ("Execution", "Job", "CallNode", "Task", "Value", "Null")


def upgrade() -> None:
    op.create_table(
        "tag",
        sa.Column("tag_hash", HASH, primary_key=True),
        sa.Column("entity_type", sa.Enum(*ENTITIES, name="tagentitytype"), nullable=False),
        sa.Column("entity_id", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column(
            "value", sa.String().with_variant(postgresql.JSONB(), "postgresql"), nullable=False
        ),
        sa.Column("is_current", sa.Boolean(), nullable=False),
    )
    op.create_table(
        "tag_edit",
        sa.Column("parent_id", sa.String(), sa.ForeignKey("tag.tag_hash"), primary_key=True),
        sa.Column("child_id", sa.String(), sa.ForeignKey("tag.tag_hash"), primary_key=True),
    )
    for column in ("entity_id", "key", "value"):
        op.create_index(f"ix_tag_{column}", "tag", [column])
    op.create_index(
        "ix_tag_tag_hash_current",
        "tag",
        ["tag_hash"],
        unique=True,
        postgresql_where=sa.text("is_current"),
        sqlite_where=sa.text("is_current"),
    )


def downgrade() -> None:
    op.drop_table("tag_edit")
    op.drop_table("tag")
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP TYPE IF EXISTS tagentitytype")
