"""3.5: Add updated_time."""

import sqlalchemy as sa
from alembic import op

revision = "0bee3d6dba76"
down_revision = "3b0a6e67cc58"


def upgrade() -> None:
    op.add_column("execution", sa.Column("updated_time", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("execution") as batch:
        batch.drop_column("updated_time")
