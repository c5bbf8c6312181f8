"""`redun export`: records as lines of JSON, for `redun import` of this program or of the original."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from redun.cli.app import RedunCommand
from redun.cli.context import AppContext, open_records, pass_app
from redun.cli.ui import is_terminal

# Records between two words about progress.
TOLD_EVERY = 500


@click.command("export", cls=RedunCommand)
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option(
    "-f", "--file", "path", metavar="FILE", default="-", show_default=True,
    help="File to write, local or remote; `-` is standard output. `.gz` and `.zst` compress.",
)  # fmt: skip
@pass_app
def command(app: AppContext, ids: tuple[str, ...], path: str) -> None:
    """Export records as lines of JSON.

    ID is an execution, job, call, task or value id or a prefix of it, or `-` for the latest execution; what
    these own and their tags come along. Without ids all executions are exported.
    """
    from redun.sync.export import export_records
    from redun.sync.lines import format_line
    from redun.sync.roots import find_roots

    with open_records(app) as store:
        roots, unknown = find_roots(store, ids)
        for reference in unknown:
            app.ui.note(f"hint: nothing recorded matches `{reference}`")
        with _opened(app, path) as write, _metered(app, path) as tell:
            for count, record in enumerate(export_records(store, roots if ids else None), 1):
                write(format_line(record))
                if count % TOLD_EVERY == 0:
                    tell(count)


@contextmanager
def _metered(app: AppContext, path: str) -> Iterator[Callable[[int], object]]:
    """Takes the number of records so far, and shows it unless the records go to the terminal."""
    from redun.cli.meter import show_meter
    from redun.sync.lines import STANDARD

    if path == STANDARD and is_terminal(app.ui.stdout):
        yield lambda count: None
        return
    with show_meter("exporting") as meter:
        yield lambda count: meter.update(count, None, "records")


@contextmanager
def _opened(app: AppContext, path: str) -> Iterator[Callable[[str], object]]:
    """Where lines go."""
    from redun.sync.lines import STANDARD, open_output

    if path == STANDARD:
        yield app.ui.write
        return
    with open_output(path) as stream:
        yield lambda line: stream.write(line.encode("ascii"))
