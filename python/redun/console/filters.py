"""The options of a screen: what may be typed after its path, or as its filter."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import click

Values = dict[str, Any]

PAGE = click.Option(
    ["--page"], type=click.IntRange(min=1), default=1, metavar="N", help="Page to show."
)


class Filters:
    """
    Options, to be read from words and written as words.

    Parameters
    ----------
    options : what there is.
    takes_ids : whether words that aren't options mean something; they are the value `ids`.
    """

    def __init__(self, options: Sequence[click.Parameter] = (), takes_ids: bool = False) -> None:
        settings = {"ignore_unknown_options": True, "allow_extra_args": True}
        self._command = click.Command(
            "filter", params=list(options), add_help_option=False, context_settings=settings
        )
        self._takes_ids = takes_ids

    @property
    def is_empty(self) -> bool:
        """Whether there are no options at all."""
        return not self._command.params and not self._takes_ids

    def parse(self, words: Iterable[str]) -> Values:
        """
        The values of the options; those that aren't known are dropped.

        Raises `click.UsageError` for a value that an option can't have.
        """
        context = self._command.make_context("filter", list(words))
        values: Values = dict(context.params)
        if self._takes_ids:
            values["ids"] = tuple(
                word for word in context.args if word == "-" or not word.startswith("-")
            )
        return values

    def words(self, values: Values) -> list[str]:
        """The words that give these values."""
        return [*values.get("ids", ()), *self._option_words(values)]

    def _option_words(self, values: Values) -> Iterator[str]:
        for option in self._command.params:
            value = values.get(option.name or "")
            name = max(option.opts, key=len)
            if value is None or value is False or value == option.default:
                continue
            if value is True:
                yield name
                continue
            for item in value if isinstance(value, (tuple, list)) else (value,):
                yield from (name, str(item))

    def help_lines(self) -> list[str]:
        """The options and what they are for."""
        formatter = click.HelpFormatter(width=78)
        context = click.Context(self._command)
        records = [record for p in self._command.params if (record := p.get_help_record(context))]
        if records:
            formatter.write_dl(records)
        return formatter.getvalue().splitlines()


def split_words(text: str) -> list[str]:
    """
    The words of a line, as a shell takes them.

    Raises `click.UsageError` for a quote that isn't closed.
    """
    try:
        return shlex.split(text)
    except ValueError as error:
        raise click.UsageError(f"{error} in `{text}`") from error


NO_FILTERS = Filters()
