"""3.0: Make job.execution_id non-nullable."""

import uuid

import sqlalchemy as sa
from alembic import context, op

revision = "cd2d53191748"
down_revision = "d4af139b6f53"

STUB_ARGS = '"Stub Execution"'


def upgrade() -> None:
    if not context.is_offline_mode():
        fill_execution_ids(op.get_bind())
    if op.get_context().dialect.name == "postgresql":
        # A table can't be altered while references of its new rows are still to be checked.
        op.execute("SET CONSTRAINTS ALL IMMEDIATE")
    with op.batch_alter_table("job") as batch:
        batch.alter_column("execution_id", existing_type=sa.String(), nullable=False)


def downgrade() -> None:
    with op.batch_alter_table("job") as batch:
        batch.alter_column("execution_id", existing_type=sa.String(), nullable=True)


def fill_execution_ids(connection: sa.Connection) -> None:
    """Gives each job the execution of its root job; a root job without one gets a stub."""
    orphans = connection.execute(
        sa.text(
            "SELECT job.id FROM job "
            "LEFT JOIN job AS parent ON parent.id = job.parent_id "
            "LEFT JOIN execution ON execution.job_id = job.id "
            "WHERE parent.id IS NULL AND execution.id IS NULL AND job.execution_id IS NULL"
        )
    ).scalars()
    stubs = [{"id": str(uuid.uuid4()), "args": STUB_ARGS, "job_id": job} for job in orphans]
    if stubs:
        connection.execute(
            sa.text("INSERT INTO execution (id, args, job_id) VALUES (:id, :args, :job_id)"), stubs
        )
    connection.execute(
        sa.text(
            "CREATE TEMPORARY TABLE tmp_ancestors (id VARCHAR PRIMARY KEY, execution_id VARCHAR)"
        )
    )
    connection.execute(
        sa.text(
            "INSERT INTO tmp_ancestors "
            "WITH RECURSIVE ancestors (id, execution_id) AS ("
            "  SELECT job.id, MIN(COALESCE(job.execution_id, execution.id)) FROM job "
            "  LEFT JOIN execution ON execution.job_id = job.id "
            "  WHERE COALESCE(job.execution_id, execution.id) IS NOT NULL GROUP BY job.id "
            "  UNION "
            "  SELECT job.id, ancestors.execution_id FROM job "
            "  JOIN ancestors ON job.parent_id = ancestors.id "
            "  WHERE job.execution_id IS NULL"
            "    AND NOT EXISTS (SELECT 1 FROM execution WHERE execution.job_id = job.id)"
            ") SELECT id, execution_id FROM ancestors"
        )
    )
    connection.execute(
        sa.text(
            "UPDATE job SET execution_id = "
            "(SELECT execution_id FROM tmp_ancestors WHERE tmp_ancestors.id = job.id) "
            "WHERE execution_id IS NULL"
        )
    )
    connection.execute(sa.text("DROP TABLE tmp_ancestors"))
