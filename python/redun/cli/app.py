"""The `redun` command: global options, then a sub-command that is imported when it is used."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import click

from redun.cli.context import AppContext, find_app
from redun.version import version

CONTEXT_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class LazyCommand(NamedTuple):
    """Where a sub-command lives, and what to say about it without importing it."""

    module: str
    help: str


COMMANDS = {
    "help": LazyCommand("redun.cli.commands.help", "Show help information."),
    "init": LazyCommand("redun.cli.commands.init", "Initialize a redun configuration directory."),
    "run": LazyCommand("redun.cli.commands.run", "Run a workflow task."),
    "launch": LazyCommand("redun.cli.commands.launch", "Run a shell command on an executor."),
    "log": LazyCommand("redun.cli.commands.log", "Show information on historical runs."),
    "console": LazyCommand("redun.console.command", "Look at what ran, in the terminal."),
    "fs": LazyCommand("redun.cli.commands.fs", "List file systems, or copy files between them."),
    "repl": LazyCommand("redun.cli.commands.repl", "Ask the repo from a Python prompt."),
    "plan": LazyCommand("redun.cli.commands.plan", "Show what a run would do."),
    "report": LazyCommand("redun.cli.commands.report", "Write a page about an execution."),
    "why": LazyCommand("redun.cli.commands.why", "Say why jobs ran and were not cached."),
    "diff": LazyCommand("redun.cli.commands.diff", "Compare two executions."),
    "tag": LazyCommand("redun.cli.commands.tag", "Manage tags of records."),
    "db": LazyCommand("redun.cli.commands.db", "Manage redun repo database."),
    "export": LazyCommand("redun.cli.commands.export", "Export records."),
    "import": LazyCommand("redun.cli.commands.import_", "Import records."),
    "repo": LazyCommand("redun.cli.commands.repo", "Manage redun repos."),
    "push": LazyCommand("redun.cli.commands.push", "Push records to another repo."),
    "pull": LazyCommand("redun.cli.commands.pull", "Pull records from another repo."),
}


class RedunCommand(click.Command):
    """A sub-command with the conventions of this program.

    Long options may be shortened to a unique prefix, and help goes through our printer.
    """

    allow_abbreviations = True

    def __init__(self, *args: Any, **kwargs: Any):
        kwargs["context_settings"] = {**CONTEXT_SETTINGS, **kwargs.get("context_settings", {})}
        super().__init__(*args, **kwargs)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Called by click with the words of this command."""
        if self.allow_abbreviations:
            args = list(expand_abbreviations(self, ctx, args))
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            # Some of click's errors do not know whose usage to show.
            error.ctx = error.ctx or ctx
            raise

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """The option that prints help; called by click."""
        option = super().get_help_option(ctx)
        if option is not None:
            option.callback = _print_help
        return option


class RedunGroup(RedunCommand, click.Group):
    """A command with sub-commands; prints its help if none is given."""

    command_class = RedunCommand
    lazy_commands: dict[str, LazyCommand] = {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the sub-commands, in the order of help; called by click."""
        return [*self.lazy_commands, *self.commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a sub-command; called by click."""
        lazy = self.lazy_commands.get(cmd_name)
        if lazy is None:
            return super().get_command(ctx, cmd_name)
        command: click.Command = importlib.import_module(lazy.module).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the sub-command that the first word names; called by click."""
        name = args[0]
        if name not in self.list_commands(ctx) and not name.startswith("-"):
            raise click.UsageError(_unknown_command(name, self.list_commands(ctx)), ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of sub-commands without importing them; called by click."""
        rows = [(name, lazy.help) for name, lazy in self.lazy_commands.items()]
        rows += [(name, command.get_short_help_str()) for name, command in self.commands.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


class MainGroup(RedunGroup):
    """The program itself."""

    lazy_commands = COMMANDS


def _unknown_command(name: str, known: list[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, known, n=1)
    advice = f"did you mean `{near[0]}`?" if near else "choose from " + ", ".join(known)
    return f"no such command `{name}`; {advice}"


def _print_help(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        find_app(ctx).ui.line(ctx.get_help())
        ctx.exit()


def expand_abbreviations(
    command: click.Command, ctx: click.Context, args: list[str]
) -> Iterator[str]:
    """Replace unique prefixes of a command's long options by their full names.

    Stops at `--` and, for a group, at the sub-command, whose options are its own affair.
    """
    options = {
        name: option
        for option in command.get_params(ctx)
        if isinstance(option, click.Option)
        for name in option.opts
    }
    words = iter(args)
    for word in words:
        name, equals, value = word.partition("=")
        if word == "--" or (isinstance(command, click.Group) and not word.startswith("-")):
            yield word
            break
        if name.startswith("--") and name not in options:
            matches = [option for option in options if option.startswith(name)]
            if len(matches) > 1:
                names = ", ".join(f"`{match}`" for match in matches)
                raise click.UsageError(f"ambiguous option `{name}` could be {names}", ctx)
            name = matches[0] if matches else name
        yield name + equals + value
        option = options.get(name)
        if option is not None and not equals and not option.is_flag and not option.count:
            yield from _take(words, option.nargs)
    yield from words


def _take(words: Iterator[str], count: int) -> Iterator[str]:
    for _, word in zip(range(count), words, strict=False):
        yield word


@click.command(
    "redun",
    cls=MainGroup,
    invoke_without_command=True,
    help=f"redun :: version {version}\n\nThe redundant workflow engine.",
)
@click.option("-c", "--config", metavar="DIR", help="redun configuration directory.")
@click.option(
    "-r", "--repo", metavar="NAME", default="default", show_default=True,
    help="Redun repository to use.",
)  # fmt: skip
@click.option("-V", "--version", "show_version", is_flag=True, help="Show redun version.")
@click.option(
    "--check-version", metavar="SPEC", help="Enforce required redun version, e.g. `>=0.4,<1`."
)
@click.option(
    "--log-level",
    type=click.Choice(["ERROR", "WARN", "INFO", "DEBUG"]),
    default="INFO",
    show_default=True,
    help="Set redun logging level.",
)
@click.option("-s", "--setup", metavar="KEY=VALUE", multiple=True, help="Specify a setup argument.")
@click.option("--setup-help", is_flag=True, help="Show setup argument help.")
@click.pass_context
def redun(
    ctx: click.Context,
    config: str | None,
    repo: str,
    show_version: bool,
    check_version: str | None,
    log_level: str,
    setup: tuple[str, ...],
    setup_help: bool,
) -> None:
    """Called before every sub-command, with the global options."""
    app = find_app(ctx)
    app.config_dir = config
    app.repo = repo
    app.setup_args = list(setup)

    from redun.logging import log_levels, logger

    logger.setLevel(log_levels[log_level])
    if check_version is not None:
        _require_version(check_version)
    if ctx.invoked_subcommand in (None, "help"):
        if show_version:
            app.ui.line(version)
            ctx.exit()
        if setup_help:
            _print_setup_help(app)
            ctx.exit()
    if ctx.invoked_subcommand is None:
        app.ui.line(ctx.get_help())


def _require_version(spec: str) -> None:
    from redun.bootstrap.errors import RedunClientError
    from redun.cli.versions import check_version

    try:
        satisfied = check_version(version, spec)
    except ValueError as error:
        hint = "write for example `--check-version '>=0.4,<1'`"
        raise RedunClientError(str(error), hints=[hint]) from error
    if not satisfied:
        raise RedunClientError(
            f"redun version {version} does not meet requirement {spec}",
            hints=["install a redun version that does"],
        )


def _print_setup_help(app: AppContext) -> None:
    from redun.bootstrap.setup_args import format_setup_help, get_setup_function, get_setup_parser

    setup_func = get_setup_function(app.load_config())
    if setup_func is None:
        app.ui.line("redun --setup <option>=<value> ...")
        return
    parser, _ = get_setup_parser(setup_func)
    for line in format_setup_help(parser):
        app.ui.line(line)
