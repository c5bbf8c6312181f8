"""Errors of the scheduler itself."""

from redun.errors import RedunError

__all__ = ["DryRunResult", "SchedulerError"]


class SchedulerError(RedunError):
    """A workflow or its configuration asks for something the scheduler can't do."""

    __module__ = "redun.scheduler"


class DryRunResult(RedunError):
    """Raised at the end of a dry run if jobs would have to run."""

    __module__ = "redun.scheduler"
