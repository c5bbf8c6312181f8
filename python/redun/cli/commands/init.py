"""`redun init`: create a configuration and a database."""

from __future__ import annotations

import os
from contextlib import closing

import click

from redun.cli.app import RedunCommand
from redun.cli.context import AppContext, pass_app


@click.command("init", cls=RedunCommand)
@click.argument("basedir", required=False)
@pass_app
def command(app: AppContext, basedir: str | None) -> None:
    """Initialize a redun configuration directory, in BASEDIR if given.

    The database is created, or brought to the current version.
    """
    from redun.bootstrap.config import get_config_dir, setup_config
    from redun.bootstrap.scheduler import backend_from_config
    from redun.scheduler_config import REDUN_CONFIG_DIR

    if basedir is not None:
        config_dir = os.path.join(basedir, REDUN_CONFIG_DIR)
    else:
        config_dir = get_config_dir(app.config_dir)
    backend = backend_from_config(setup_config(config_dir, repo=app.repo))
    with closing(backend):
        backend.load(migrate=True)
    app.ui.line(f"Initialized redun repository: {config_dir}")
