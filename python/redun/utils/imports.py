"""Import paths that a run adds, so that worker processes can be given the same ones."""

from __future__ import annotations

import sys

_import_paths: list[str] = []


def add_import_path(path: str) -> None:
    """Prepend `path` to `sys.path` and to the recorded paths."""
    _import_paths.insert(0, path)
    sys.path.insert(0, "" if path == "." else path)


def get_import_paths() -> list[str]:
    """The recorded paths, latest first (the live list)."""
    return _import_paths


def clear_import_paths() -> None:
    """Forget the recorded paths; `sys.path` stays as it is."""
    _import_paths.clear()
