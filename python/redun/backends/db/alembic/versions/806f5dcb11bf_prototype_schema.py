"""1.0: Prototype schema."""

import sqlalchemy as sa
from alembic import op

revision = "806f5dcb11bf"
down_revision = None

HASH = sa.String(40)

# Children first: the order in which they are created, and the reverse of that of dropping.
TABLES = (
    "redun_version",
    "task",
    "value",
    "call_node",
    "file",
    "handle",
    "subvalue",
    "argument",
    "call_edge",
    "call_subtree_task",
    "handle_edge",
    "job",
    "argument_result",
    "execution",
)


def upgrade() -> None:
    _create_values()
    _create_calls()
    _create_runs()
    for table, columns in (
        ("call_node", ("task_hash", "value_hash")),
        ("handle", ("fullname", "value_hash")),
        ("subvalue", ("parent_value_hash", "value_hash")),
        ("argument", ("call_hash", "value_hash")),
        ("call_edge", ("child_id", "parent_id")),
        ("call_subtree_task", ("call_hash", "task_hash")),
        ("handle_edge", ("child_id", "parent_id")),
        ("job", ("call_hash", "parent_id", "task_hash")),
        ("argument_result", ("arg_hash", "result_call_hash")),
        ("execution", ("job_id",)),
    ):
        for column in columns:
            op.create_index(f"ix_{table}_{column}", table, [column])


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)


def _create_values() -> None:
    op.create_table(
        "redun_version",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("timestamp", sa.DateTime(), nullable=False),
    )
    op.create_table(
        "task",
        sa.Column("hash", HASH, primary_key=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("namespace", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
    )
    op.create_table(
        "value",
        sa.Column("value_hash", HASH, primary_key=True),
        sa.Column("type", sa.String(100), nullable=False),
        sa.Column("format", sa.String(100), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "file",
        sa.Column("value_hash", HASH, sa.ForeignKey("value.value_hash"), primary_key=True),
        sa.Column("path", sa.String(1024), nullable=False),
    )
    op.create_table(
        "handle",
        sa.Column("hash", HASH, primary_key=True),
        sa.Column("fullname", sa.String(1024), nullable=False),
        sa.Column("value_hash", HASH, sa.ForeignKey("value.value_hash"), nullable=False),
        sa.Column("key", sa.String(1024), nullable=False),
        sa.Column("is_valid", sa.Boolean(), nullable=False),
    )
    op.create_table(
        "subvalue",
        sa.Column("value_hash", HASH, sa.ForeignKey("value.value_hash"), primary_key=True),
        sa.Column("parent_value_hash", HASH, sa.ForeignKey("value.value_hash"), primary_key=True),
    )
    op.create_table(
        "handle_edge",
        sa.Column("parent_id", HASH, sa.ForeignKey("handle.hash"), primary_key=True),
        sa.Column("child_id", HASH, sa.ForeignKey("handle.hash"), primary_key=True),
    )


def _create_calls() -> None:
    op.create_table(
        "call_node",
        sa.Column("call_hash", HASH, primary_key=True),
        sa.Column("task_name", sa.String(1024), nullable=False),
        sa.Column("task_hash", HASH, sa.ForeignKey("task.hash"), nullable=False),
        sa.Column("args_hash", HASH, nullable=False),
        sa.Column("value_hash", HASH, sa.ForeignKey("value.value_hash"), nullable=False),
        sa.Column("timestamp", sa.DateTime(), nullable=False),
    )
    op.create_table(
        "argument",
        sa.Column("arg_hash", HASH, primary_key=True),
        sa.Column("call_hash", HASH, sa.ForeignKey("call_node.call_hash"), nullable=False),
        sa.Column("value_hash", HASH, sa.ForeignKey("value.value_hash"), nullable=False),
        sa.Column("arg_position", sa.Integer(), nullable=True),
        sa.Column("arg_key", sa.String(100), nullable=True),
    )
    op.create_table(
        "call_edge",
        sa.Column("parent_id", HASH, sa.ForeignKey("call_node.call_hash"), primary_key=True),
        sa.Column("child_id", HASH, sa.ForeignKey("call_node.call_hash"), primary_key=True),
        sa.Column("call_order", sa.Integer(), primary_key=True),
    )
    op.create_table(
        "call_subtree_task",
        sa.Column("call_hash", HASH, sa.ForeignKey("call_node.call_hash"), primary_key=True),
        sa.Column("task_hash", HASH, sa.ForeignKey("task.hash"), primary_key=True),
    )
    op.create_table(
        "argument_result",
        sa.Column("arg_hash", HASH, sa.ForeignKey("argument.arg_hash"), primary_key=True),
        sa.Column("result_call_hash", HASH, sa.ForeignKey("call_node.call_hash"), primary_key=True),
    )


def _create_runs() -> None:
    op.create_table(
        "job",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("start_time", sa.DateTime(), nullable=False),
        sa.Column("end_time", sa.DateTime(), nullable=True),
        sa.Column("task_hash", HASH, sa.ForeignKey("task.hash"), nullable=False),
        sa.Column("cached", sa.Boolean(), nullable=False),
        sa.Column("call_hash", HASH, sa.ForeignKey("call_node.call_hash"), nullable=True),
        sa.Column("parent_id", sa.String(), sa.ForeignKey("job.id"), nullable=True),
    )
    op.create_table(
        "execution",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("args", sa.String(), nullable=False),
        sa.Column("job_id", sa.String(), sa.ForeignKey("job.id"), nullable=False),
    )
