"""`redun run`: import a script, call one of its tasks, print the result."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

import click

from redun.bootstrap.errors import RedunClientError, UsageError
from redun.cli.app import RedunCommand
from redun.cli.context import AppContext, pass_app

if TYPE_CHECKING:
    from redun.engine.scheduler import Scheduler
    from redun.task import Task


@dataclass(frozen=True)
class RunOptions:
    """What was typed after `redun run`; field names are those of the options."""

    script: str
    task: str
    words: tuple[str, ...]
    no_cache: bool
    no_prov: bool
    dryrun: bool
    keep_going: bool
    pdb: bool
    rerun: bool
    option: tuple[str, ...]
    tag: tuple[str, ...]
    project: str | None
    doc: str | None
    user: str | None
    exclude_user: tuple[str, ...]
    input: str | None
    execution_id: str | None
    context_file: str | None
    context: tuple[str, ...]


class RunCommand(RedunCommand):
    """`run` passes what it does not know on to the task, so nothing may be abbreviated."""

    allow_abbreviations = False


@click.command(
    "run",
    cls=RunCommand,
    context_settings={"ignore_unknown_options": True},
    epilog="`redun run SCRIPT help` lists the tasks of a script, "
    "`redun run SCRIPT TASK help` the options of a task.",
)
@click.argument("script")
@click.argument("task")
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[TASK OPTIONS]...")
@click.option("--no-cache", is_flag=True, help="Recompute everything; results are recorded.")
@click.option("--no-prov", is_flag=True, help="Do not record provenance.")
@click.option("--dryrun", is_flag=True, help="Use cached results only; fail if jobs would run.")
@click.option(
    "--keep-going", is_flag=True, help="After a failure, finish what does not depend on it."
)
@click.option("--pdb", is_flag=True, help="Start the debugger where an error was raised.")
@click.option("--rerun", is_flag=True, help="TASK is a job or execution to run again.")
@click.option("-o", "--option", metavar="KEY=VALUE", multiple=True, help="Option of the task.")
@click.option("-t", "--tag", metavar="KEY=VALUE", multiple=True, help="Tag of the execution.")
@click.option("-p", "--project", help="Project tag (default: namespace of the task).")
@click.option("--doc", help="Documentation tag: why this execution is run.")
@click.option("-u", "--user", help="User tag (default: the login name).")
@click.option(
    "--exclude-user", metavar="KIND", multiple=True, help="Kind of user not to tag: aws, gcp."
)
@click.option("-i", "--input", metavar="FILE", help="Pickle of the task's `(args, kwargs)`.")
@click.option("--execution-id", metavar="ID", help="Id of the new execution.")
@click.option("--context-file", metavar="FILE", help="JSON file to merge into the context.")
@click.option("--context", metavar="KEY=VALUE", multiple=True, help="Value to set in the context.")
@pass_app
def command(app: AppContext, **typed: Any) -> Any:
    """Run a workflow task.

    SCRIPT is a Python file or a module, TASK the name of one of its tasks. Options of the task
    follow its name.
    """
    return run(app, RunOptions(**typed))


def run(app: AppContext, options: RunOptions) -> Any:
    """Run a task and print its result; returns the result, or `None` for `help` and `info`."""
    from redun.cli.scripts import import_script

    _check_order(options)
    _log_start(app)
    module = import_script(options.script)
    scheduler = app.open_scheduler(migrate_if_local=True)
    with closing(scheduler.backend):
        return _run_task(app, scheduler, module, options)


def _run_task(
    app: AppContext, scheduler: Scheduler, module: ModuleType, options: RunOptions
) -> Any:
    from redun.cli.rerun import recorded_call
    from redun.cli.scripts import find_task, task_names

    if options.task == "help" and not options.rerun:
        app.ui.line("Tasks available:")
        for name in task_names():
            app.ui.line(f"   {name}")
        return None

    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = {}
    if options.rerun:
        name, args, kwargs = recorded_call(scheduler.backend, options.task)
    else:
        name = options.task
    task = find_task(module, options.script, name)
    if options.execution_id is not None:
        _check_unused(scheduler.backend, options.execution_id)
    return _call(app, scheduler, task, options, args, kwargs)


def _call(
    app: AppContext,
    scheduler: Scheduler,
    task: Task,
    options: RunOptions,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    from redun.cli.taskargs import get_task_arg_parser, parse_task_call

    call = parse_task_call(task, options.words)
    if call.command == "help":
        parser, _ = get_task_arg_parser(task, include_defaults=True)
        app.ui.write(parser.format_help())
        return None
    if call.command == "info":
        _print_info(app, task)
        return None
    if options.input is not None:
        args, kwargs = _read_input(options.input)
    configured = configure_task(
        task, options.option, options.context_file, options.context, options.no_prov
    )
    expr = configured(*(*args, *call.args), **{**kwargs, **call.kwargs})
    result = _run_expr(app, scheduler, task, expr, options)
    if result is not None:
        app.ui.pretty(result)
    return result


def _check_order(options: RunOptions) -> None:
    for what, word in [("SCRIPT", options.script), ("TASK", options.task)]:
        if word.startswith("-") and word != "-":
            raise UsageError(
                f"expected {what}, got `{word}`",
                hints=["options of the task follow its name: redun run SCRIPT TASK --option value"],
            )


def _check_unused(backend: Any, execution_id: str) -> None:
    from redun.backends.db import Execution

    if backend.session.get(Execution, execution_id) is not None:
        raise RedunClientError(
            f"the execution id `{execution_id}` is already used",
            hints=["leave out `--execution-id` to get a fresh one"],
        )


def _log_start(app: AppContext) -> None:
    from redun.bootstrap.config import get_config_dir
    from redun.logging import logger
    from redun.version import version

    logger.info("redun :: version %s", version)
    logger.info("config dir: %s", get_config_dir(app.config_dir))


def _print_info(app: AppContext, task: Task) -> None:
    app.ui.line(f"Task {task.hash} {task.fullname} ")
    app.ui.line()
    for line in (task.source or "").splitlines():
        app.ui.line(f"  {line}".rstrip())
    app.ui.line()


def _read_input(path: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    from redun.file import File
    from redun.utils.pickling import pickle_loads

    try:
        with File(path).open("rb") as stream:
            args, kwargs = pickle_loads(stream.read())
        return tuple(args), dict(kwargs)
    except OSError as error:
        raise RedunClientError(
            f"cannot read the input `{path}`: {error.strerror or error}"
        ) from error
    except Exception as error:
        raise RedunClientError(
            f"cannot use the input `{path}`: {type(error).__name__}: {error}",
            hints=["it must be a pickle of `(args, kwargs)`, a list and a dictionary"],
        ) from error


def configure_task(
    task: Task,
    option: tuple[str, ...],
    context_file: str | None,
    context_words: tuple[str, ...],
    no_prov: bool = False,
) -> Task:
    """The task with the options and the context that the command line sets.

    Parameters
    ----------
    option, context_words
        Words `key=value`.
    context_file
        JSON file to merge into the context.

    Raises
    ------
    UsageError
        If an option has a value that the task can't take.
    """
    from redun.cli.keyvalues import parse_context, parse_pairs

    task_options = dict(parse_pairs("--option", option))
    if no_prov:
        task_options["prov"] = False
    if task_options:
        try:
            task = task.options(**task_options)
        except (TypeError, ValueError) as error:
            raise UsageError(f"--option: {error}") from error
    context = parse_context(context_file, context_words)
    return task.update_context(context) if context else task


def _run_expr(
    app: AppContext, scheduler: Scheduler, task: Task, expr: Any, options: RunOptions
) -> Any:
    from redun.cli.execution_tags import get_default_execution_tags
    from redun.cli.keyvalues import parse_pairs
    from redun.cli.progress import show_progress
    from redun.model.errors import DryRunResult

    tags = get_default_execution_tags(
        user=options.user,
        project=options.project or task.namespace,
        doc=options.doc,
        exclude_users=options.exclude_user,
    )
    tags += parse_pairs("--tag", options.tag)
    try:
        with show_progress(scheduler, enabled=not options.pdb):
            return scheduler.run(
                expr,
                exec_argv=app.argv,
                dryrun=options.dryrun,
                keep_going=options.keep_going,
                cache=not options.no_cache,
                tags=tags,
                execution_id=options.execution_id,
            )
    except DryRunResult:
        raise SystemExit(1) from None
    except Exception as error:
        app.note_failure(scheduler, task.fullname, error)
        if options.pdb:
            _debug(app, error)
        raise


def _debug(app: AppContext, error: Exception) -> None:
    import pdb

    app.ui.line("Uncaught exception. Entering postmortem debugging.")
    app.ui.flush()
    pdb.post_mortem(error.__traceback__)
