"""3.2: Remove length restriction on value type names."""

import sqlalchemy as sa
from alembic import op

revision = "eb7b95e4e8bf"
down_revision = "cc4f663817b6"


def upgrade() -> None:
    # SQLite doesn't enforce lengths.
    if op.get_context().dialect.name == "postgresql":
        op.alter_column("value", "type", type_=sa.String(), existing_nullable=False)


def downgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        op.alter_column("value", "type", type_=sa.String(100), existing_nullable=False)
