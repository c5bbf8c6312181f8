"""`redun launch`: run a shell command on an executor."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from redun.bootstrap.errors import RedunClientError
from redun.cli.app import RedunCommand
from redun.cli.context import AppContext, pass_app

if TYPE_CHECKING:
    from collections.abc import Iterable

    from redun.engine.scheduler import Scheduler


class LaunchCommand(RedunCommand):
    """Everything from the first word of the shell command on belongs to it."""

    allow_abbreviations = False


@click.command(
    "launch",
    cls=LaunchCommand,
    context_settings={"allow_interspersed_args": False},
    options_metavar="--executor NAME [OPTIONS]",
)
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED, metavar="COMMAND...")
@click.option("--executor", metavar="NAME", help="Executor of the configuration to run it on.")
@click.option(
    "-o", "--option", metavar="KEY=VALUE", multiple=True, help="Option of the job, like `memory=4`."
)
@click.option("--wait", is_flag=True, help="Record the job, wait for it and print its output.")
@pass_app
def command(
    app: AppContext,
    words: tuple[str, ...],
    executor: str | None,
    option: tuple[str, ...],
    wait: bool,
) -> Any:
    """Run a shell command on an executor, for example to start a workflow there.

    Without `--wait` nothing is recorded, and where jobs go on by themselves the command is only
    submitted.
    """
    import shlex

    from redun.cli.keyvalues import parse_pairs

    if executor is None:
        raise RedunClientError(
            "--executor is required.",
            hints=["name an executor of the configuration, such as `default`"],
        )
    options = dict(parse_pairs("--option", option))
    text = shlex.join(words)
    if wait:
        return _run(app, executor, text, options)
    _launch(app, executor, text, options)
    return None


def _launch(app: AppContext, executor: str, text: str, options: dict[str, Any]) -> None:
    from redun.bootstrap.config import blaming_config
    from redun.executors.launch import BUILT_IN, find_executors, launch_on
    from redun.scripting import ScriptError

    config = app.load_config()
    _check_executor(executor, [*BUILT_IN, *config.get("executors", {})])
    with blaming_config(config):
        executors = find_executors(config, executor)
    try:
        launch_on(config, executors, text, options)
    except ScriptError as error:
        app.ui.note(str(error.message).rstrip())
        raise


def _run(app: AppContext, executor: str, text: str, options: dict[str, Any]) -> Any:
    scheduler = app.open_scheduler(migrate_if_local=True)
    with closing(scheduler.backend):
        _check_executor(executor, scheduler.executors)
        scheduler.log(f"Run within Executor {executor}: {text}")
        result = _run_script(app, scheduler, text, {**options, "executor": executor})
    app.ui.pretty(result)
    return result


def _run_script(app: AppContext, scheduler: Scheduler, text: str, options: dict[str, Any]) -> Any:
    from redun.cli.execution_tags import get_default_execution_tags
    from redun.cli.progress import show_progress
    from redun.scripting import script_task

    try:
        with show_progress(scheduler):
            return scheduler.run(
                script_task.options(**options)(text),
                exec_argv=app.argv,
                tags=get_default_execution_tags(project=script_task.namespace),
            )
    except Exception as error:
        app.note_failure(scheduler, script_task.fullname, error)
        raise


def _check_executor(name: str, known: Iterable[str]) -> None:
    known = sorted(set(known))
    if name not in known:
        raise RedunClientError(
            f"Unknown executor {name}", hints=["known executors: " + ", ".join(known)]
        )
