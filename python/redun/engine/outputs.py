"""The task option `outputs="must_exist"`: the files and directories of a result must be there."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from redun.file import Dir, File

if TYPE_CHECKING:
    from redun.model.job import Job

__all__ = ["check_outputs", "first_missing", "must_exist"]


def must_exist(options: dict[str, Any]) -> bool:
    """Whether options ask for it. Other values of `outputs` are left to executors."""
    value = options.get("outputs")
    return isinstance(value, str) and value == "must_exist"


def first_missing(found: Iterable[Any]) -> File | Dir | None:
    """Return the first of the leaves of a result that is a file or directory and does not exist."""
    for leaf in found:
        if isinstance(leaf, (File, Dir)) and not leaf.exists():
            return leaf
    return None


def check_outputs(job: Job, found: Iterable[Any]) -> None:
    """Raise `FileNotFoundError`, which names the path, if a leaf of the result of a job is missing."""
    missing = first_missing(found)
    if missing is not None:
        reason = f"Task {job.task.fullname}() ended well but its output does not exist"
        raise FileNotFoundError(errno.ENOENT, reason, missing.path)
