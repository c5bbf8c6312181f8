"""2.2: Add indexes for id prefix search."""

from alembic import op

revision = "71ec303c90e4"
down_revision = "30ffbaee18cd"

PREFIX_INDEXES = (
    ("call_node", "call_hash", True),
    ("execution", "id", True),
    ("job", "id", True),
    ("task", "hash", True),
    ("task", "name", False),
    ("task", "namespace", False),
    ("value", "value_hash", True),
)


def upgrade() -> None:
    for table, column, unique in PREFIX_INDEXES:
        op.create_index(
            f"ix_{table}_{column}_vpo",
            table,
            [column],
            unique=unique,
            postgresql_ops={column: "varchar_pattern_ops"},
        )
    op.create_index("ix_file_path", "file", ["path"])


def downgrade() -> None:
    op.drop_index("ix_file_path", table_name="file")
    for table, column, _ in reversed(PREFIX_INDEXES):
        op.drop_index(f"ix_{table}_{column}_vpo", table_name=table)
