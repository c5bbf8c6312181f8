"""`redun push`: send records to another repo, or to a bundle."""

from __future__ import annotations

import click

from redun.cli.app import RedunCommand
from redun.cli.context import AppContext, pass_app


@click.command("push", cls=RedunCommand, short_help="Push records to another repo.")
@click.argument("repo")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--deep", is_flag=True, help="Look below what the other repo has, too, to repair it.")
@click.option("-n", "--dry-run", is_flag=True, help="Only count.")
@click.option(
    "--verify/--no-verify",
    default=None,
    help="Recompute hashes and refuse what does not match; by default only out of bundles.",
)
@pass_app
def command(
    app: AppContext,
    repo: str,
    ids: tuple[str, ...],
    deep: bool,
    dry_run: bool,
    verify: bool | None,
) -> None:
    """Send records that REPO lacks: all executions, or what the given IDs lead to.

    REPO is a name from `redun repo list`, or the path or URL of a bundle: a file `*.redun`, or a
    directory of such files.
    """
    from redun.cli.transfers import Options, find_roots, open_ends, run_transfer

    with open_ends(app, repo, "push") as (here, other):
        roots = find_roots(here, other, ids, f"redun pull {repo}")
        counts = run_transfer(app, here, other, roots, Options(ids, deep, dry_run, verify))
    if not counts.total:
        app.ui.line(f"Repo '{repo}' is up to date.")
        return
    verb = "Would push" if dry_run else "Pushed"
    app.ui.line(f"{verb} {counts.total} record(s) to repo '{repo}'")
    app.ui.note(f"  {counts.describe()}")
