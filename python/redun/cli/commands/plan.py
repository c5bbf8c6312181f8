"""`redun plan`: what a run would do, without running or recording anything."""

from __future__ import annotations

import json
import os
from contextlib import closing
from typing import TYPE_CHECKING

import click

from redun.cli.app import RedunCommand
from redun.cli.context import AppContext, pass_app

if TYPE_CHECKING:
    from redun.engine.scheduler import Scheduler
    from redun.lookback.forecast import PlannedJob


class PlanCommand(RedunCommand):
    """`plan` passes what it does not know on to the task, as `run` does."""

    allow_abbreviations = False


@click.command("plan", cls=PlanCommand, context_settings={"ignore_unknown_options": True})
@click.argument("script")
@click.argument("task")
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[TASK OPTIONS]...")
@click.option("-o", "--option", metavar="KEY=VALUE", multiple=True, help="Option of the task.")
@click.option("--context-file", metavar="FILE", help="JSON file to merge into the context.")
@click.option("--context", metavar="KEY=VALUE", multiple=True, help="Value to set in the context.")
@click.option("--all", "everything", is_flag=True, help="List the cached jobs, too.")
@click.option(
    "--format", "format_name", type=click.Choice(["text", "json"]), default="text",
    show_default=True, help="Text, or one JSON object a line.",
)  # fmt: skip
@pass_app
def command(
    app: AppContext,
    script: str,
    task: str,
    words: tuple[str, ...],
    option: tuple[str, ...],
    context_file: str | None,
    context: tuple[str, ...],
    everything: bool,
    format_name: str,
) -> None:
    """Show what `redun run SCRIPT TASK` would run, and what is cached.

    Nothing runs and nothing is recorded. Below a job that would run, the jobs of its latest
    recorded call are shown as likely. Options of this command stand before SCRIPT.
    """
    from redun.cli.commands.run import configure_task
    from redun.cli.render.plan import plan_lines, plan_record
    from redun.cli.scripts import find_task, import_script
    from redun.cli.taskargs import parse_task_call
    from redun.lookback.forecast import forecast

    module = import_script(script)
    scheduler = _open_scheduler(app)
    with closing(scheduler.backend):
        found = find_task(module, script, task)
        call = parse_task_call(found, words)
        configured = configure_task(found, option, context_file, context)
        planned: list[PlannedJob] = forecast(scheduler, configured(*call.args, **call.kwargs))
    if format_name == "json":
        for job in planned:
            app.ui.line(json.dumps(plan_record(job), sort_keys=True))
        return
    for line in plan_lines(planned, everything):
        app.ui.line(line)


def _open_scheduler(app: AppContext) -> Scheduler:
    """The repo's scheduler, silent; where nothing has run yet, one that knows of nothing."""
    from redun.bootstrap.config import is_config_local_db
    from redun.engine.scheduler import Scheduler
    from redun.logging import logger

    logger.setLevel("ERROR")
    config = app.load_config()
    path = config["backend"].get("db_uri", "").removeprefix("sqlite:///")
    if is_config_local_db(config) and not os.path.exists(path):
        config["backend"]["db_uri"] = "sqlite:///:memory:"
        scheduler = Scheduler(config=config)
        scheduler.load()
        return scheduler
    return app.open_scheduler(migrate=False)
