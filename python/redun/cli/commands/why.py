"""`redun why`: why jobs ran instead of being taken from the cache."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from redun.bootstrap.errors import RedunClientError
from redun.cli.app import RedunCommand
from redun.cli.context import AppContext, open_backend, pass_app

if TYPE_CHECKING:
    from redun.backends.db import RedunBackendDb
    from redun.lookback.why import Answer


@click.command("why", cls=RedunCommand)
@click.argument("record_id", metavar="ID", default="-")
@click.option("--against", metavar="EXEC", help="Compare with this execution.")
@click.option("--all", "everything", is_flag=True, help="Show every job, the reused ones too.")
@click.option(
    "--format", "format_name", type=click.Choice(["text", "json"]), default="text",
    show_default=True, help="Text, or one JSON object a line.",
)  # fmt: skip
@click.option("--no-pager", is_flag=True, help="Never send output through a pager.")
@pass_app
def command(
    app: AppContext,
    record_id: str,
    against: str | None,
    everything: bool,
    format_name: str,
    no_pager: bool,
) -> None:
    """Say why jobs ran: changed code, changed arguments, results that no longer hold.

    ID is a job or an execution (id, prefix, `-` for the latest, `~N` for the N-th latest). Each job
    is compared with the same call in the execution before, or with the latest earlier call.
    """
    from redun.cli.lookback import find_execution_or_job, require_execution
    from redun.lookback.why import Why

    backend = open_backend(app)
    execution_id, job_id = find_execution_or_job(backend, record_id)
    other = require_execution(backend, against) if against is not None else None
    if other == execution_id:
        raise RedunClientError(
            "An execution can't be compared with itself",
            hints=["choose an earlier one with `--against`; `redun log` lists them"],
        )
    why = Why(backend, execution_id, other)
    if job_id is not None:
        answers = why.chain(why.tree.jobs[job_id])
    else:
        answers = list(why.answers(why.tree.jobs.values() if everything else why.executed()))
    with app.ui.pager(enabled=not no_pager):
        if format_name == "json":
            _print_json(app, answers)
        elif job_id is not None:
            _print_chain(app, why, answers)
        else:
            _print_execution(app, backend, why, answers, everything)


def _print_json(app: AppContext, answers: list[Answer]) -> None:
    from redun.cli.render.why import answer_record

    for answer in answers:
        app.ui.line(json.dumps(answer_record(answer), sort_keys=True))


def _print_chain(app: AppContext, why: Any, answers: list[Answer]) -> None:
    from redun.cli.render.why import answer_lines

    names = {job.id: job.task_name for job in why.tree.jobs.values()}
    for index, answer in enumerate(answers):
        if index:
            app.ui.line()
        for line in answer_lines(answer, names):
            app.ui.line(line)


def _print_execution(
    app: AppContext, backend: RedunBackendDb, why: Any, answers: list[Answer], everything: bool
) -> None:
    from redun.backends.db.query import Views
    from redun.cli.render.execution import execution_line
    from redun.cli.render.why import answer_lines, group_lines
    from redun.lookback.why import group

    views = Views(backend.source)
    for view in views.executions([why.tree.execution_id]):
        app.ui.line(execution_line(view))
    if why.before is not None:
        for view in views.executions([why.before.execution_id]):
            app.ui.line(f"compared with {execution_line(view)}")
    ran = sum(not job.cached for job in why.tree.jobs.values())
    total = len(why.tree.jobs)
    app.ui.line(f"Jobs: {total} ({ran} ran, {total - ran} reused)")
    app.ui.line()
    names = {job.id: job.task_name for job in why.tree.jobs.values()}
    if everything:
        for answer in answers:
            for line in answer_lines(answer, names):
                app.ui.line(line)
        return
    for line in group_lines(group(answers), names):
        app.ui.line(line)
