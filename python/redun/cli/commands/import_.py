"""`redun import`: records that `redun export` wrote, of this program or of the original."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

import click

from redun.cli.app import RedunCommand
from redun.cli.context import AppContext, open_records, pass_app

if TYPE_CHECKING:
    from redun.cli.meter import Meter


@click.command("import", cls=RedunCommand)
@click.option(
    "-f", "--file", "path", metavar="FILE", default="-", show_default=True,
    help="File to read, local or remote; `-` is standard input. `.gz` and `.zst` are decompressed.",
)  # fmt: skip
@click.option(
    "--no-verify", is_flag=True, help="Also take records whose content does not match their hash."
)
@pass_app
def command(app: AppContext, path: str, no_verify: bool) -> None:
    """Import records that `redun export` wrote.

    Records that are there already are skipped. If a line can't be used, nothing is imported.
    """
    from redun.cli.meter import show_meter
    from redun.sync.lines import STANDARD, open_input
    from redun.sync.spool import copy_all, spooled

    name = "standard input" if path == STANDARD else f"`{path}`"
    with ExitStack() as stack:
        target = stack.enter_context(open_records(app))
        stream = stack.enter_context(open_input(path))
        with show_meter("checking") as meter:
            told = partial(_tell, meter)
            records = stack.enter_context(spooled(stream, name, not no_verify, told))
        with show_meter("importing") as meter:
            copy_all(records, target, partial(_tell, meter))


def _tell(meter: Meter, count: int) -> None:
    meter.update(count, None, "records")
