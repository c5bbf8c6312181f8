"""`redun repl`: a Python prompt with the repo at hand."""

from __future__ import annotations

from contextlib import closing

import click

from redun.bootstrap.errors import RedunClientError
from redun.cli.app import RedunCommand
from redun.cli.context import AppContext, pass_app


@click.command("repl", cls=RedunCommand)
@click.argument("record_id", metavar="[ID]", required=False)
@pass_app
def command(app: AppContext, record_id: str | None) -> None:
    """Ask the repo from Python: `query`, `execs`, `last_exec`, `session`, `scheduler`, the models.

    ID is a record to start with, as for `redun log`; it is called `obj`. Leave with `q`.
    """
    from types import SimpleNamespace

    from redun.cli.repl import repl_names, run_prompt

    scheduler = app.open_scheduler(migrate=False)
    with closing(scheduler.backend):
        names = repl_names(scheduler, SimpleNamespace(id=record_id))
        if record_id is not None:
            try:
                names["obj"] = names["query"](record_id)
            except ValueError as error:
                raise RedunClientError(
                    f"`{record_id}` means no record, or several: {error}",
                    hints=[f"`redun log {record_id}` shows what matches"],
                ) from error
            app.ui.line(f"obj = query({record_id!r})")
            app.ui.line(repr(names["obj"]))
            app.ui.line()
        app.ui.flush()
        run_prompt(names)
