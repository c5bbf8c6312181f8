"""3.4: Add UTC timezone to timestamps."""

import os

import sqlalchemy as sa
from alembic import op

revision = "3b0a6e67cc58"
down_revision = "f68b3aaee9cc"

TIMESTAMPS = (
    ("job", "start_time", False),
    ("job", "end_time", True),
    ("call_node", "timestamp", False),
    ("redun_version", "timestamp", False),
)


def upgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        _alter_timestamps(with_zone=True)
        _create_trigger(os.environ.get("REDUN_LOCALTIMEZONE", "UTC"))
    else:
        _shift_jobs("utc")


def downgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP TRIGGER IF EXISTS check_job_utc ON job")
        op.execute("DROP FUNCTION IF EXISTS check_job_utc()")
        _alter_timestamps(with_zone=False)
    else:
        _shift_jobs("localtime")


def _alter_timestamps(with_zone: bool) -> None:
    """Converts times from or to the time zone of the server, or of the role."""
    op.execute("SET LOCAL timezone TO DEFAULT")
    for table, column, nullable in TIMESTAMPS:
        op.alter_column(
            table, column, type_=sa.DateTime(timezone=with_zone), existing_nullable=nullable
        )
    op.execute("SET LOCAL timezone TO 'UTC'")


def _shift_jobs(modifier: str) -> None:
    """Moves the times of jobs between local time and UTC; call nodes were in UTC before."""
    for column in ("start_time", "end_time"):
        # What follows the seconds is kept: offsets between zones are whole seconds.
        op.execute(
            f"UPDATE job SET {column} = datetime({column}, '{modifier}') || substr({column}, 20) "
            f"WHERE {column} IS NOT NULL"
        )


def _create_trigger(zone: str) -> None:
    """Lets clients from before this version, which insert local times, go on for a while."""
    literal = zone.replace("'", "''")
    op.execute(
        f"""
        CREATE OR REPLACE FUNCTION check_job_utc() RETURNS trigger AS $$
        BEGIN
            IF current_setting('redun.version', true) IS NULL THEN
                SET LOCAL timezone = '{literal}';
                NEW.start_time := (NEW.start_time AT TIME ZONE 'UTC')::timestamptz;
                NEW.end_time := (NEW.end_time AT TIME ZONE 'UTC')::timestamptz;
            END IF;
            RETURN NEW;
        END;
        $$ LANGUAGE plpgsql
        """
    )
    op.execute(
        "CREATE TRIGGER check_job_utc BEFORE INSERT ON job "
        "FOR EACH ROW EXECUTE PROCEDURE check_job_utc()"
    )
