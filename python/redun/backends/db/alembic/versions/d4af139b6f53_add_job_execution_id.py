"""2.3: Add job.execution_id."""

import sqlalchemy as sa
from alembic import op

revision = "d4af139b6f53"
down_revision = "71ec303c90e4"


def upgrade() -> None:
    with op.batch_alter_table("job") as batch:
        batch.add_column(sa.Column("execution_id", sa.String(), nullable=True))
        batch.create_index("ix_job_execution_id", ["execution_id"])
        batch.create_foreign_key(
            "ct_job_execution_id",
            "execution",
            ["execution_id"],
            ["id"],
            deferrable=True,
            initially="DEFERRED",
        )
    if op.get_context().dialect.name == "postgresql":
        # A root job and its execution refer to each other, so one of them must wait.
        op.execute(
            "ALTER TABLE execution ALTER CONSTRAINT execution_job_id_fkey "
            "DEFERRABLE INITIALLY DEFERRED"
        )


def downgrade() -> None:
    with op.batch_alter_table("job") as batch:
        batch.drop_constraint("ct_job_execution_id", type_="foreignkey")
        batch.drop_index("ix_job_execution_id")
        batch.drop_column("execution_id")
