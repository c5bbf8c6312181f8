"""What repos on PostgreSQL need and those on SQLite don't."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine

from redun.clients.extras import MissingExtraError
from redun.version import version as program_version

#: Processes that migrate a repo hold the advisory lock of this number ("redun").
MIGRATION_LOCK = 0x726564756E

#: How long a migration waits for clients that are in the middle of something, in milliseconds.
LOCK_TIMEOUT_MS = 60_000

#: How long to wait for a server that doesn't answer, in seconds: when connecting, and for a sign of
#: life on a connection that is idle.
CONNECT_SECONDS = 30
KEEPALIVE_SECONDS = 60

#: Moments that a client from before version 3.4 inserts are in its local time; it can be told by not
#: having said which version it is.
JOB_TRIGGER = (
    """
    CREATE OR REPLACE FUNCTION check_job_utc() RETURNS trigger AS $$
    BEGIN
        IF current_setting('redun.version', true) IS NULL THEN
            SET LOCAL timezone = '{zone}';
            NEW.start_time := (NEW.start_time AT TIME ZONE 'UTC')::timestamptz;
            NEW.end_time := (NEW.end_time AT TIME ZONE 'UTC')::timestamptz;
        END IF;
        RETURN NEW;
    END;
    $$ LANGUAGE plpgsql
    """,
    """
    CREATE TRIGGER check_job_utc BEFORE INSERT ON job
    FOR EACH ROW EXECUTE PROCEDURE check_job_utc()
    """,
)


def create_postgres_engine(url: URL, echo: bool) -> Engine:
    """
    Builds the engine of a repo on PostgreSQL. Nothing is opened yet.

    Raises `MissingExtraError` if the driver isn't installed.
    """
    options: dict[str, Any] = {}
    if "psycopg" in url.get_driver_name():
        given = dict(url.query)
        options = {"connect_timeout": CONNECT_SECONDS, "keepalives_idle": KEEPALIVE_SECONDS}
        options = {name: value for name, value in options.items() if name not in given}
    try:
        # A connection that broke while nobody used it is replaced instead of failing its next user.
        engine = sa.create_engine(url, echo=echo, pool_pre_ping=True, connect_args=options)
    except ModuleNotFoundError as error:
        raise MissingExtraError("repos on PostgreSQL", str(error.name), "postgres") from error
    sa.event.listen(engine, "connect", _prepare)
    return engine


def _prepare(driver: Any, _record: Any) -> None:
    """Tells a new connection who we are, and that we speak of moments in UTC."""
    cursor = driver.cursor()
    cursor.execute(
        "SELECT set_config('redun.version', %s, false), set_config('timezone', 'UTC', false)",
        (program_version,),
    )
    cursor.close()
    driver.commit()


def lock_for_migration(connection: Connection) -> None:
    """
    Waits until no other process migrates the repo; holds until the end of the transaction.

    What follows fails, instead of blocking everybody, if others keep tables locked for long.
    """
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_LOCK)))
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")


def create_job_trigger(connection: Connection, zone: str) -> None:
    """Converts the moments that old clients insert from the time zone `zone` to UTC."""
    for statement in JOB_TRIGGER:
        connection.exec_driver_sql(statement.replace("{zone}", zone.replace("'", "''")))
