"""`redun diff`: what differs between two executions."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import click

from redun.bootstrap.errors import RedunClientError
from redun.cli.app import RedunCommand
from redun.cli.context import AppContext, open_backend, pass_app

if TYPE_CHECKING:
    from redun.backends.db import RedunBackendDb
    from redun.lookback.diff import Diff

CHANGES = ("new", "gone", "changed", "same")


@click.command("diff", cls=RedunCommand)
@click.argument("before", metavar="[BEFORE]", default="~2")
@click.argument("after", metavar="[AFTER]", default="-")
@click.option(
    "--format", "format_name", type=click.Choice(["text", "json"]), default="text",
    show_default=True, help="Text, or one JSON object a line.",
)  # fmt: skip
@click.option("--no-pager", is_flag=True, help="Never send output through a pager.")
@pass_app
def command(app: AppContext, before: str, after: str, format_name: str, no_pager: bool) -> None:
    """Compare two executions: code, arguments, results, durations and files of matching jobs.

    BEFORE and AFTER are executions: ids, prefixes, `-` for the latest, `~N` for the N-th latest; by
    default the latest two.
    """
    from redun.cli.lookback import require_execution
    from redun.lookback.diff import Diff

    backend = open_backend(app)
    executions = [require_execution(backend, reference) for reference in (before, after)]
    if executions[0] == executions[1]:
        raise RedunClientError(
            f"`{before}` and `{after}` are the same execution",
            hints=["name two executions; `redun log` lists them"],
        )
    diff = Diff(backend, *executions)
    with app.ui.pager(enabled=not no_pager):
        if format_name == "json":
            _print_json(app, diff)
        else:
            _print_text(app, backend, diff)


def _print_text(app: AppContext, backend: RedunBackendDb, diff: Diff) -> None:
    from redun.backends.db.query import Views
    from redun.cli.render import diff as render
    from redun.cli.render.execution import execution_line

    ids = [diff.before.execution_id, diff.after.execution_id]
    for mark, view in zip("-+", Views(backend.source).executions(ids), strict=True):
        app.ui.line(f"{mark} {execution_line(view)}".rstrip())
    app.ui.line(render.span_line(diff))
    app.ui.line()
    for line in render.code_lines(diff.code()):
        app.ui.line(line)
    counts: Counter[str] = Counter()
    for job in diff.jobs():
        counts[job.change] += 1
        for line in render.job_lines(job):
            app.ui.line(line)
    if counts["same"] < counts.total():
        app.ui.line()
    for line in render.duration_lines(diff.durations()):
        app.ui.line(line)
    app.ui.line("Jobs: " + ", ".join(f"{counts[change]} {change}" for change in CHANGES))


def _print_json(app: AppContext, diff: Diff) -> None:
    from redun.cli.render.diff import job_record

    spans = [span.total_seconds() if span is not None else None for span in diff.spans()]
    summary = {
        "type": "executions",
        "before": {
            "id": diff.before.execution_id,
            "jobs": len(diff.before.jobs),
            "seconds": spans[0],
        },
        "after": {"id": diff.after.execution_id, "jobs": len(diff.after.jobs), "seconds": spans[1]},
    }
    app.ui.line(json.dumps(summary, sort_keys=True))
    for name, cause in diff.code().items():
        record = {"type": "code", "task": name, "kind": cause.kind, "text": cause.text}
        app.ui.line(json.dumps({**record, "facts": cause.facts}, sort_keys=True))
    for job in diff.jobs():
        app.ui.line(json.dumps(job_record(job), sort_keys=True))
