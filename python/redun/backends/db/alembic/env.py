"""Runs migrations on the connection that the backend passes, or on `-x url=...` by hand."""

import sqlalchemy as sa
from alembic import context


def run(connection: sa.Connection) -> None:
    """Migrates the database behind a connection in the transaction it is in."""
    context.configure(connection=connection, render_as_batch=True, transactional_ddl=True)
    context.run_migrations()


def main() -> None:
    """Finds out what to migrate."""
    url = context.get_x_argument(as_dictionary=True).get("url")
    connection = context.config.attributes.get("connection")
    if context.is_offline_mode():
        context.configure(url=url, literal_binds=True, render_as_batch=True)
        context.run_migrations()
    elif connection is not None:
        run(connection)
    else:
        if not url:
            raise SystemExit("error: no database given\nhint: add -x url=sqlite:////path/to.db")
        with sa.create_engine(url).begin() as own:
            run(own)


main()
