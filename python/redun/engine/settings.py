"""What the scheduler reads from the configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from redun.file import open_file
from redun.model.errors import SchedulerError

__all__ = ["get_ignore_warnings_from_config", "get_limits_from_config", "read_context"]


def get_limits_from_config(limits_config: Mapping[str, Any] | None = None) -> dict[str, int]:
    """Return how much there is of each resource, from the section `[limits]`."""
    return {name: int(value) for name, value in (limits_config or {}).items()}


def get_ignore_warnings_from_config(scheduler_config: Mapping[str, Any]) -> set[str]:
    """Return the names of the warnings to leave out, from the section `[scheduler]`."""
    return set((scheduler_config.get("ignore_warnings") or "").split())


def read_context(section: Mapping[str, Any]) -> dict[str, Any]:
    """Return the context of a `[scheduler]` section."""
    text, path = section.get("context"), section.get("context_file")
    if text and path:
        raise SchedulerError("Both context and context_file specified in config!")
    if path:
        with open_file(path) as stream:
            text = stream.read()
    if not text:
        return {}
    try:
        context: dict[str, Any] = json.loads(text)
    except json.JSONDecodeError as error:
        raise SchedulerError(f"Invalid redun context JSON definition: {error}") from error
    return context
