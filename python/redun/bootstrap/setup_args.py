"""The user's own scheduler setup function and the `--setup` arguments for it."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Sequence
from inspect import Parameter, signature
from typing import Any, NoReturn

from redun.bootstrap.arguments import add_options
from redun.bootstrap.errors import RedunClientError, UsageError
from redun.bootstrap.scripts import import_script, parse_func_path
from redun.config import Config


class _SetupParser(ArgumentParser):
    """An argument parser that raises instead of ending the process."""

    def error(self, message: str) -> NoReturn:
        options = " ".join(line.strip() for line in format_setup_help(self))
        raise UsageError(f"--setup: {message}", hints=[options])


def get_setup_function(config: Config) -> Callable[..., Any] | None:
    """The function that `[scheduler] setup_scheduler = file_or_module::function` names.

    Returns
    -------
    Callable or None
        `None` if the option is absent or empty.

    Raises
    ------
    RedunClientError
        If the option is malformed or leads nowhere.
    """
    path = config["scheduler"].get("setup_scheduler")
    if not path:
        return None
    hint = "set `setup_scheduler = FILE_OR_MODULE::FUNCTION` in the section [scheduler]"
    try:
        file_or_module, name = parse_func_path(path)
    except ValueError as error:
        raise RedunClientError(str(error), hints=[hint]) from error
    module = import_script(file_or_module)
    function: Callable[..., Any] | None = getattr(module, name, None)
    if function is None:
        raise RedunClientError(f"module `{file_or_module}` has no function `{name}`", hints=[hint])
    return function


def get_setup_parser(setup_func: Callable[..., Any]) -> tuple[ArgumentParser, dict[str, str]]:
    """Build the parser for the parameters of a setup function after the first.

    Returns
    -------
    tuple
        The parser, and the mapping from names in its namespace to parameter names.
    """
    parser = _SetupParser(
        prog="redun --setup", add_help=False, allow_abbrev=False, conflict_handler="resolve"
    )
    parameters = list(signature(setup_func).parameters.values())[1:]
    names = add_options(parser, setup_func, parameters, default=_default, describe=lambda _: None)
    return parser, names


def _default(parameter: Parameter) -> Any:
    return None if parameter.default is Parameter.empty else parameter.default


def format_setup_help(parser: ArgumentParser) -> Iterator[str]:
    """Lines that describe the setup arguments, the usage line first."""
    yield "redun --setup <option>=<value> ..."
    for action in parser._actions:
        name = action.option_strings[0].removeprefix("--")
        yield f"  --setup {name}={name.upper()} (default: {action.default})"


def parse_setup_args(
    setup_func: Callable[..., Any], setup_args: Sequence[str] | None
) -> dict[str, Any]:
    """Keyword arguments for a setup function.

    Parameters
    ----------
    setup_func
        The function.
    setup_args
        Items `name=value`; none at all leaves every parameter to the function's own default.

    Raises
    ------
    UsageError
        If an item is malformed, unknown or has a value of the wrong type.
    """
    if not setup_args:
        return {}
    parser, names = get_setup_parser(setup_func)
    words = []
    for item in setup_args:
        name, equals, value = item.partition("=")
        if not equals or not name:
            raise UsageError("Setup argument must be the format `option=value`.")
        words.append(f"--{name}={value}")
    namespace = parser.parse_args(words)
    return {names[dest]: value for dest, value in vars(namespace).items()}
