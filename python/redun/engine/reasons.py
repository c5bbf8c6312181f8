"""Why jobs run instead of taking a recorded result: in a few words for the log, as facts for the repo.

Most causes can be read off the repo later, by comparing the call with earlier ones. What can't, such
as a file that was gone when its job came up, is noted as a tag of the job.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from redun.expression import Expression, TaskExpression, direct_leaves
from redun.file import Dir, File, FileSet
from redun.model.failure import ErrorValue
from redun.model.job import Job
from redun.tags import REASON_KEY

if TYPE_CHECKING:
    from redun.backends.base import RedunBackend

__all__ = ["CACHE_OFF", "Reasons"]

#: Tag of an execution, or of a job, that takes no results of earlier ones.
CACHE_OFF = (REASON_KEY, "cache off")

# Tasks of the library run whenever those run that use them.
OWN_NAMESPACE = "redun"


class Reasons:
    """The reasons of the jobs of one run.

    Parameters
    ----------
    backend : tells what is recorded.
    logger : decides whether reasons for the log are looked for at all.
    use_cache : False if the run takes no results of earlier executions.
    dryrun : whether reasons are what the run is for.
    """

    def __init__(
        self, backend: RedunBackend, logger: logging.Logger, use_cache: bool, dryrun: bool
    ) -> None:
        self._backend = backend
        self._logger = logger
        self._dryrun = dryrun
        self._use_cache = use_cache
        self._versions: dict[str, set[str]] = {}  # full name of a task -> hashes before this run
        self._reasons: dict[Job, str] = {}

    def missed(self, jobs: list[Job]) -> None:
        """No result was found for these jobs."""
        if not jobs or not (self._dryrun or self._logger.isEnabledFor(logging.INFO)):
            return
        versions = self._versions
        names = {job.task.fullname for job in jobs}
        fresh = [name for name in names if name not in versions]
        if fresh:
            found = self._backend.get_task_versions(fresh)
            versions.update({name: found.get(name, set()) for name in fresh})
        known: list[Job] = []
        for job in jobs:
            recorded = versions[job.task.fullname]
            if job.task.hash in recorded:
                known.append(job)
            else:
                self._reasons[job] = "code changed" if recorded else "new task"
        if known:
            self._explain_known(known)

    def _explain_known(self, jobs: list[Job]) -> None:
        """Their code has run before: the arguments are new, or the call came to nothing."""
        outcomes = self._backend.get_call_outcomes({job.args_hash for job in jobs})
        for job in jobs:
            outcome = outcomes.get((job.task.hash, job.args_hash))
            if outcome is None:
                reason = "new arguments"
            elif outcome == ErrorValue.type_name:
                reason = "failed before"
            elif job.plan.shallow:
                reason = "new context or task below"
            else:
                reason = "no usable result"
            self._reasons[job] = reason

    def invalid(self, job: Job, leaf: Any) -> None:
        """The recorded result of a job holds something that is no longer valid."""
        facts = describe(self._culprit(leaf))
        job.job_tags = [*(job.job_tags or ()), (REASON_KEY, {"cause": "result", **facts})]
        shown = facts.get("path") or facts.get("task") or facts["type"]
        self._reasons[job] = f"{shown} {facts['change']}"

    def _culprit(self, leaf: Any) -> Any:
        """What makes a value invalid: of an expression, what it is made of."""
        is_valid = self._backend.type_registry.is_valid
        while isinstance(leaf, Expression):
            below = [part for part in direct_leaves(leaf) if not is_valid(part)]
            if not below:
                return leaf
            leaf = below[0]
        return leaf

    def take(self, job: Job) -> str:
        """Return, once, why a job runs that is about to; empty if that isn't known."""
        if job.plan.lookup:
            return self._reasons.pop(job, "")
        if not self._use_cache:
            return "cache off"
        if job.task.namespace != OWN_NAMESPACE and job.plan.recording:
            job.job_tags = [*(job.job_tags or ()), CACHE_OFF]
            return "cache off"
        return ""


def describe(leaf: Any) -> dict[str, str]:
    """
    What a value that is no longer valid is, and what became of it, where that can be told.

    `type` and `change`, with the `path` of a file or the name of a `task` that is gone.
    """
    if isinstance(leaf, Dir):
        kind, path = "Dir", leaf.path
    elif isinstance(leaf, FileSet):
        kind, path = "FileSet", leaf.pattern
    elif isinstance(leaf, File):
        kind, path = "File", leaf.path
        if not leaf.exists():
            return {"type": kind, "path": path, "change": "is missing"}
    elif isinstance(leaf, TaskExpression):
        return {"type": "task", "task": leaf.task_name, "change": "is gone"}
    else:
        return {"type": type(leaf).__name__, "change": "is no longer valid"}
    return {"type": kind, "path": path, "change": "changed"}
