"""`redun repo`: the repos that this configuration knows by name."""

from __future__ import annotations

import click

from redun.cli.app import RedunGroup
from redun.cli.context import AppContext, find_app, pass_app


@click.group("repo", cls=RedunGroup, invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Manage redun repos."""
    if ctx.invoked_subcommand is None:
        find_app(ctx).ui.line(ctx.get_help())


@command.command("add")
@click.argument("name")
@click.argument("config_dir", metavar="DIR")
@pass_app
def add(app: AppContext, name: str, config_dir: str) -> None:
    """Call the repo whose redun.ini is in DIR, a path or URL, by NAME."""
    from redun.bootstrap.repos import add_repo
    from redun.scheduler_config import get_abs_config_dir

    for other in add_repo(app.load_config(), name, config_dir):
        directory = get_abs_config_dir(config_dir)
        app.ui.line(f"Existing repository '{other}' also uses config at {directory}")


@command.command("list")
@pass_app
def list_command(app: AppContext) -> None:
    """List the repos with their configuration directories."""
    from redun.bootstrap.repos import list_repos

    repos = list_repos(app.load_config())
    app.ui.line("Repositories:")
    for name, config_dir in repos:
        app.ui.line(f"  {name}: {config_dir}")


@command.command("remove")
@click.argument("name")
@pass_app
def remove(app: AppContext, name: str) -> None:
    """Say how to take the repo NAME out of the configuration."""
    from redun.bootstrap.repos import removal_advice

    raise removal_advice(app.load_config(), name)
