"""What the scheduler reads from the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["get_ignore_warnings_from_config", "get_limits_from_config"]


def get_limits_from_config(limits_config: Mapping[str, Any] | None = None) -> dict[str, int]:
    """Return how much there is of each resource, from the section `[limits]`."""
    return {name: int(value) for name, value in (limits_config or {}).items()}


def get_ignore_warnings_from_config(scheduler_config: Mapping[str, Any]) -> set[str]:
    """Return the names of the warnings to leave out, from the section `[scheduler]`."""
    return set((scheduler_config.get("ignore_warnings") or "").split())
