"""`redun report`: one self-contained HTML page about an execution."""

from __future__ import annotations

import os

import click

from redun.bootstrap.errors import RedunClientError
from redun.cli.app import RedunCommand
from redun.cli.context import AppContext, open_backend, pass_app


@click.command("report", cls=RedunCommand)
@click.argument("execution", metavar="[EXEC]", default="-")
@click.option(
    "-o", "--output", metavar="FILE", default="report.html", show_default=True,
    help="Where the page goes; `-` is stdout.",
)  # fmt: skip
@pass_app
def command(app: AppContext, execution: str, output: str) -> None:
    """Write a page about an execution: timeline, call graph, slow jobs, files, code, errors.

    EXEC is an execution: id, prefix, `-` for the latest, `~N` for the N-th latest. The page needs no
    network and runs no script.
    """
    from redun.cli.lookback import require_execution
    from redun.report.data import read_report
    from redun.report.page import report_page

    backend = open_backend(app)
    data = read_report(backend, require_execution(backend, execution))
    if output == "-":
        for piece in report_page(data):
            app.ui.write(piece)
        return
    # A link or device (`/dev/stdout`) is written to; putting a file in its place would destroy it.
    in_place = os.path.islink(output) or (os.path.exists(output) and not os.path.isfile(output))
    partial = output if in_place else f"{output}.{os.getpid()}.part"
    try:
        with open(partial, "w", encoding="utf-8", errors="replace") as stream:
            stream.writelines(report_page(data))
        if not in_place:
            os.replace(partial, output)
    except OSError as error:
        raise RedunClientError(
            f"cannot write the report to `{output}`: {error.strerror or error}",
            hints=["name a file in a directory that you may write to with `-o`"],
        ) from error
    finally:
        if not in_place and os.path.exists(partial):
            os.remove(partial)
    app.ui.line(f"Wrote {output}")
