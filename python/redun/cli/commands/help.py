"""`redun help`: what `redun --help` prints, or the help of one command."""

from __future__ import annotations

import click

from redun.cli.app import RedunCommand
from redun.cli.context import find_app


@click.command("help", cls=RedunCommand)
@click.argument("name", required=False)
@click.pass_context
def command(ctx: click.Context, name: str | None) -> None:
    """Show help information, of all commands or of the command NAME."""
    parent = ctx.parent
    assert parent is not None
    if name is None:
        find_app(ctx).ui.line(parent.get_help())
        return
    group = parent.command
    assert isinstance(group, click.Group)
    _, wanted, _ = group.resolve_command(parent, [name])
    assert wanted is not None
    with wanted.make_context(name, [], parent=parent, resilient_parsing=True) as context:
        find_app(ctx).ui.line(wanted.get_help(context))
