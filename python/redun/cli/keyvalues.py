"""`KEY=VALUE` items of the command line: tags, task options, context."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from redun.bootstrap.errors import RedunClientError, UsageError
from redun.tags import parse_tag_key_value


def parse_pairs(option: str, items: Iterable[str]) -> list[tuple[str, Any]]:
    """Parse the values given to a repeatable option.

    Parameters
    ----------
    option
        Name of the option, for messages.
    items
        Texts `key=value`.

    Raises
    ------
    UsageError
        If an item has no key or no value, or the value is malformed JSON.
    """
    pairs = []
    for item in items:
        try:
            pairs.append(parse_tag_key_value(item))
        except ValueError as error:
            hint = f"write for example `{option} key=value`"
            raise UsageError(f"{option}: {error}", hints=[hint]) from error
    return pairs


def parse_context(path: str | None, items: Iterable[str]) -> dict[str, Any]:
    """Build the context update that the command line asks for.

    Parameters
    ----------
    path
        JSON file with an object: the base of the update.
    items
        Texts `a.b.c=value`; each sets a nested key, later ones winning.

    Raises
    ------
    RedunClientError
        If the file cannot be used.
    UsageError
        If an item is malformed, or lies below a key whose value is no dictionary.
    """
    context = _read_context(path) if path is not None else {}
    for key, value in parse_pairs("--context", items):
        *parents, last = key.split(".")
        place = context
        for name in parents:
            place = place.setdefault(name, {})
            if not isinstance(place, dict):
                raise UsageError(
                    f"--context: cannot set `{key}`: `{name}` has a value that is no dictionary"
                )
        place[last] = value
    return context


def _read_context(path: str) -> dict[str, Any]:
    from redun.file import File

    try:
        with File(path).open("r") as stream:
            context = json.load(stream)
    except OSError as error:
        raise RedunClientError(
            f"cannot read the context file `{path}`: {error.strerror or error}"
        ) from error
    except ValueError as error:
        raise RedunClientError(f"the context file `{path}` is not JSON: {error}") from error
    if not isinstance(context, dict):
        raise RedunClientError(f"the context file `{path}` holds no JSON object")
    return context
