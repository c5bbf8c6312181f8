"""2.0: Initial production schema."""

import sqlalchemy as sa
from alembic import op

revision = "647c510a77b1"
down_revision = "806f5dcb11bf"

HASH = sa.String(40)


def upgrade() -> None:
    op.create_table(
        "evaluation",
        sa.Column("eval_hash", HASH, primary_key=True),
        sa.Column("task_hash", HASH, sa.ForeignKey("task.hash"), nullable=False),
        sa.Column("args_hash", HASH, nullable=False),
        sa.Column("value_hash", HASH, sa.ForeignKey("value.value_hash"), nullable=False),
    )
    op.create_index("ix_evaluation_task_hash", "evaluation", ["task_hash"])
    op.create_index("ix_evaluation_value_hash", "evaluation", ["value_hash"])


def downgrade() -> None:
    op.drop_index("ix_evaluation_value_hash", table_name="evaluation")
    op.drop_index("ix_evaluation_task_hash", table_name="evaluation")
    op.drop_table("evaluation")
