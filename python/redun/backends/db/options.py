"""The options of the section `[backend]`, parsed; what can't be is an error that names the option."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from redun.backends.db import versions
from redun.backends.db.uri import DEFAULT_DB_URI, get_abs_path, parse_automigrate
from redun.backends.value_store import ValueStore

DEFAULT_MAX_VALUE_SIZE = 1000000000
DEFAULT_VALUE_STORE_MIN_SIZE = 1024
DEFAULT_CONFIG_DIR = ".redun"

Number = TypeVar("Number", int, float)


class Options(NamedTuple):
    """
    What a configuration says about a repo.

    Sizes are in bytes, delays in seconds. `hash_scheme` is None if it isn't chosen.
    """

    db_uri: str
    automigrate: bool
    max_value_size: int
    value_store: ValueStore | None
    value_store_min_size: int
    retries: int
    backoff: float
    backoff_max: float
    hash_scheme: str | None


def read_options(config: Mapping[str, Any], db_uri: str | None = None) -> Options:
    """
    Parses a section.

    Parameters
    ----------
    db_uri : wins over the option of this name.

    Raises `ValueError` that names the option.
    """
    db_uri = db_uri or config.get("db_uri") or DEFAULT_DB_URI
    hash_scheme = config.get("hash_scheme") or None
    if hash_scheme is not None:
        versions.check_hash_scheme(hash_scheme)
    return Options(
        db_uri=db_uri,
        automigrate=_automigrate(config, db_uri),
        max_value_size=_number(config, "max_value_size", int, DEFAULT_MAX_VALUE_SIZE),
        value_store=_value_store(config),
        value_store_min_size=_number(
            config, "value_store_min_size", int, DEFAULT_VALUE_STORE_MIN_SIZE
        ),
        retries=_number(config, "db_retries", int, 3),
        backoff=_number(config, "db_retries_backoff", float, 1.0),
        backoff_max=_number(config, "db_retries_backoff_max", float, 60.0),
        hash_scheme=hash_scheme,
    )


def _number(
    config: Mapping[str, Any], name: str, parse: Callable[[Any], Number], default: Number
) -> Number:
    """A number that is not negative."""
    text = config.get(name)
    if text is None or text == "":
        return default
    kind = "whole number" if parse is int else "number"
    try:
        number = parse(text)
    except (ValueError, TypeError):
        raise ValueError(f"[backend] {name}: expected a {kind}, not {text!r}") from None
    if not 0 <= number < math.inf:
        raise ValueError(f"[backend] {name}: expected a {kind} of at least 0, not {text!r}")
    return number


def _automigrate(config: Mapping[str, Any], db_uri: str) -> bool:
    try:
        return parse_automigrate(config, db_uri)
    except ValueError as error:
        raise ValueError(f"[backend] automigrate: {error}") from None


def _value_store(config: Mapping[str, Any]) -> ValueStore | None:
    path = config.get("value_store_path")
    if not path:
        return None
    root = config.get("config_dir") or os.path.join(os.getcwd(), DEFAULT_CONFIG_DIR)
    try:
        return ValueStore(get_abs_path(root, path))
    except KeyError as error:
        raise ValueError(f"[backend] value_store_path: {error.args[0]}") from None
