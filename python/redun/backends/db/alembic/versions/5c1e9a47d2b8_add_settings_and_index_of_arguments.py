"""3.6: Add settings and index of arguments."""

import sqlalchemy as sa
from alembic import op

revision = "5c1e9a47d2b8"
down_revision = "0bee3d6dba76"


def upgrade() -> None:
    op.create_table(
        "redun_setting",
        sa.Column("key", sa.String(), primary_key=True),
        sa.Column("value", sa.String(), nullable=False),
    )
    op.create_index("ix_call_node_args_hash", "call_node", ["args_hash"])


def downgrade() -> None:
    op.drop_index("ix_call_node_args_hash", table_name="call_node")
    op.drop_table("redun_setting")
