"""The options that a task has on the command line of `redun run`."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence
from dataclasses import dataclass
from inspect import Parameter, cleandoc
from typing import TYPE_CHECKING, Any, NoReturn

from redun.bootstrap.arguments import add_options
from redun.bootstrap.errors import UsageError

if TYPE_CHECKING:
    from redun.task import Task

PSEUDO_COMMANDS = {
    "help": "Show help for calling a task.",
    "info": "Show task information.",
}


class TaskArgParser(ArgumentParser):
    """An argument parser that raises `UsageError` instead of ending the process."""

    def error(self, message: str) -> NoReturn:
        """Called by argparse when the words do not fit."""
        raise UsageError(f"{self.prog}: {message}", hints=[self._help_hint()])

    def parse_task_args(self, words: Sequence[str]) -> tuple[Any, str | None]:
        """Parse the words after TASK.

        Returns
        -------
        tuple
            The namespace, and `help`, `info` or `None`.

        Raises
        ------
        UsageError
            If a word is unknown, misplaced, or has a value of the wrong type.
        """
        namespace, rest = self.parse_known_args(list(words))
        if rest and rest[0] in PSEUDO_COMMANDS:
            return namespace, rest[0]
        if rest:
            self._refuse(rest)
        return namespace, None

    def _refuse(self, rest: list[str]) -> NoReturn:
        from difflib import get_close_matches

        options = [name for action in self._actions for name in action.option_strings]
        word = rest[0].partition("=")[0]
        if word.startswith("-"):
            message = f"{self.prog}: unrecognized arguments: {' '.join(rest)}"
            near = get_close_matches(word, options, n=1)
        else:
            message = f"{self.prog}: unexpected word `{word}`: arguments are given as options"
            near = get_close_matches(f"--{word}", options, n=1)
        hints = [f"did you mean `{near[0]}`?"] if near else []
        raise UsageError(message, hints=[*hints, self._help_hint()])

    def _help_hint(self) -> str:
        return f"`redun run SCRIPT {self.prog} help` lists the options of the task"


@dataclass(frozen=True)
class TaskCall:
    """Arguments for a task from the command line.

    Parameters
    ----------
    args, kwargs
        What to call the task with.
    command
        `help`, `info` or `None`.
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    command: str | None


def get_task_arg_parser(task: Task, include_defaults: bool) -> tuple[TaskArgParser, dict[str, str]]:
    """Build the parser for a task's parameters.

    Parameters
    ----------
    task
        The task; its signature gives the options, its docstring the description.
    include_defaults
        Whether help shows the default of each parameter.

    Returns
    -------
    tuple
        The parser, and the mapping from names in its namespace to parameter names. Options that
        are not given are absent from the namespace, so that Python's own defaults apply.
    """
    own_signature = task.get_task_option("use_wrapper_signature", False)
    func = task.func if own_signature else task.inner_task.func
    parser = TaskArgParser(
        prog=task.fullname,
        description=cleandoc(func.__doc__ or ""),
        formatter_class=RawDescriptionHelpFormatter,
        epilog="\n".join(
            ["After the task, instead of options:"]
            + [f"  {name:<8}{text}" for name, text in PSEUDO_COMMANDS.items()]
        ),
        conflict_handler="resolve",
        argument_default=SUPPRESS,
    )

    def describe(parameter: Parameter) -> str | None:
        if not include_defaults or parameter.default is Parameter.empty:
            return None
        return f"(default: {parameter.default})".replace("%", "%%")

    parameters = list(task.signature.parameters.values())
    names = add_options(parser, func, parameters, lambda _: SUPPRESS, describe)
    return parser, names


def parse_task_call(task: Task, words: Sequence[str]) -> TaskCall:
    """Turn the words after TASK into arguments.

    Raises
    ------
    UsageError
        See `TaskArgParser.parse_task_args`.
    """
    parser, names = get_task_arg_parser(task, include_defaults=False)
    namespace, command = parser.parse_task_args(words)
    given = {names[dest]: value for dest, value in vars(namespace).items()}
    args, kwargs = _bind(list(task.signature.parameters.values()), given)
    return TaskCall(args, kwargs, command)


def _bind(
    parameters: list[Parameter], given: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Pass by keyword whatever Python lets us pass by keyword.

    Keywords keep a call equal to the same call by another tool; only positional-only parameters,
    and those before a `*args` that was given, go by position.
    """
    kwargs = dict(given)
    extra: list[Any] | None = None
    by_position = [p for p in parameters if p.kind is Parameter.POSITIONAL_ONLY]
    for parameter in parameters:
        if parameter.kind is Parameter.VAR_POSITIONAL:
            extra = kwargs.pop(parameter.name, None)
        elif parameter.kind is Parameter.VAR_KEYWORD:
            kwargs.update(kwargs.pop(parameter.name, {}))
    if extra is not None:
        by_position += [p for p in parameters if p.kind is Parameter.POSITIONAL_OR_KEYWORD]

    while by_position and extra is None and by_position[-1].name not in kwargs:
        by_position.pop()
    args: list[Any] = []
    for parameter in by_position:
        if parameter.name not in kwargs and parameter.default is Parameter.empty:
            return tuple(args), kwargs  # The call will fail with Python's own message.
        args.append(kwargs.pop(parameter.name, parameter.default))
    return (*args, *(extra or ())), kwargs
