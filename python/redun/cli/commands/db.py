"""`redun db`: the version of the database, and changing it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import click

from redun.bootstrap.errors import RedunClientError
from redun.cli.app import RedunGroup
from redun.cli.context import AppContext, pass_app
from redun.version import version as program_version

if TYPE_CHECKING:
    from redun.backends.db import RedunBackendDb


@click.group("db", cls=RedunGroup, invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Manage redun repo database."""
    if ctx.invoked_subcommand is None:
        ctx.find_object(AppContext).ui.line(ctx.get_help())  # type: ignore[union-attr]


@command.command("info")
@pass_app
def info(app: AppContext) -> None:
    """Show the version of the database."""
    with _opened(app) as backend:
        current = backend.get_db_version()
        lowest, highest = backend.get_db_version_required()
        compatible = backend.is_db_compatible()
    _print_header(app)
    app.ui.line(f"db version: {current} '{current.description}'")
    app.ui.line(f"CLI requires db versions: >={lowest},<{highest.major + 1}")
    app.ui.line(f"CLI compatible with db: {compatible}")


@command.command("versions")
@pass_app
def versions(app: AppContext) -> None:
    """List the known versions of the database."""
    from redun.backends.db import RedunBackendDb
    from redun.utils import format_table

    table = [["Version", "Migration", "Description"]]
    for known in RedunBackendDb.get_all_db_versions():
        table.append([str(known), known.migration_id, known.description])
    for line in format_table(table, "lll"):
        app.ui.line(line)


@command.command("upgrade", short_help="Upgrade the database.")
@click.argument("db_version", default="latest")
@pass_app
def upgrade(app: AppContext, db_version: str) -> None:
    """Upgrade the database to DB_VERSION, the newest by default."""
    _migrate(app, "upgrade", db_version)


@command.command("downgrade", short_help="Downgrade the database.")
@click.argument("db_version")
@pass_app
def downgrade(app: AppContext, db_version: str) -> None:
    """Downgrade the database to DB_VERSION."""
    _migrate(app, "downgrade", db_version)


def _migrate(app: AppContext, direction: str, wanted: str) -> None:
    from redun.backends.db import parse_db_version

    try:
        target = parse_db_version(wanted)
    except ValueError as error:
        hint = "write `latest`, or a version such as `3.5`"
        raise RedunClientError(str(error), hints=[hint]) from error
    with _opened(app) as backend:
        current = backend.get_db_version()
        _print_header(app)
        app.ui.line(f"Initial db version: {current}")
        if target == current:
            app.ui.line("No migration needed.")
            return
        needed = "upgrade" if target > current else "downgrade"
        if needed != direction:
            raise RedunClientError(
                f"Must use {needed} command to migrate from {current} to {target}.",
                hints=[f"redun db {needed} {target}"],
            )
        backend.migrate(target)
        app.ui.line(f"Final db version: {backend.get_db_version()}")


@contextmanager
def _opened(app: AppContext) -> Iterator[RedunBackendDb]:
    """The database whatever its version: connected, not loaded."""
    from redun.bootstrap.scheduler import backend_from_config

    with closing(backend_from_config(app.load_config())) as backend:
        backend.create_engine()
        yield backend


def _print_header(app: AppContext) -> None:
    from redun.bootstrap.config import get_config_dir

    app.ui.line(f"redun :: version {program_version}")
    app.ui.line(f"config dir: {get_config_dir(app.config_dir)}")
    app.ui.line()
