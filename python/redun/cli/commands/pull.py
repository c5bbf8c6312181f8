"""`redun pull`: fetch records from another repo, or from a bundle."""

from __future__ import annotations

import click

from redun.cli.app import RedunCommand
from redun.cli.context import AppContext, pass_app


@click.command("pull", cls=RedunCommand, short_help="Pull records from another repo.")
@click.argument("repo")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--deep", is_flag=True, help="Look below what this repo has, too, to repair it.")
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
    """Fetch records that this repo lacks: all executions of REPO, or what the given IDs lead to.

    REPO is a name from `redun repo list`, or the path or URL of a bundle: a file `*.redun`, or a
    directory of such files.
    """
    from redun.cli.transfers import Options, find_roots, open_ends, run_transfer

    with open_ends(app, repo, "pull") as (here, other):
        roots = find_roots(other, here, ids, f"redun push {repo}")
        counts = run_transfer(app, other, here, roots, Options(ids, deep, dry_run, verify))
    verb = "Would pull" if dry_run else "Pulled"
    app.ui.line(f"{verb} {counts.total} new record(s) from repo '{repo}'")
    if counts.total:
        app.ui.note(f"  {counts.describe()}")
