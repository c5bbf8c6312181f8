"""Another name for an executor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from redun.executors.base import Executor, ExecutorError, register_executor

if TYPE_CHECKING:
    from redun.engine.scheduler import Scheduler
    from redun.model.job import Job

__all__ = ["AliasExecutor"]


@register_executor("alias")
class AliasExecutor(Executor):
    """Hands jobs to another executor of the same scheduler, found by name when they are submitted.

    Parameters
    ----------
    name : the name that the task option `executor` refers to.
    scheduler : set later by `Scheduler.add_executor`.
    config : section with `target`.
    target : name of the other executor, for aliases built by hand.
    """

    def __init__(
        self,
        name: str,
        scheduler: Scheduler | None = None,
        config: Mapping[str, Any] | None = None,
        target: str | None = None,
    ) -> None:
        super().__init__(name, scheduler=scheduler)
        assert (config is None) != (target is None), "Give either config or target."
        self.target = target if target is not None else (config or {}).get("target")
        assert self.target, f"Executor {name} needs an option: target"

    def _resolve(self) -> Executor:
        assert self._scheduler is not None
        assert self.target is not None
        executors = self._scheduler.executors
        if self.target not in executors:
            raise ExecutorError(
                f"Could not find executor `{self.target}` from options: {', '.join(executors)}"
            )
        return executors[self.target]

    def keeps_time(self) -> bool:
        """As the other executor does."""
        return self._resolve().keeps_time()

    def detaches(self) -> bool:
        """As those of the other executor do."""
        return self._resolve().detaches()

    def capacity(self) -> int | None:
        """That of the other executor, beside the jobs that go to that one directly."""
        return self._resolve().capacity()

    def cancel(self, job: Job) -> None:
        """Let the other executor stop the job."""
        self._resolve().cancel(job)

    def submit(self, job: Job) -> None:
        """Start a job on the other executor."""
        self._resolve().submit(job)

    def submit_many(self, jobs: list[Job]) -> None:
        """Start several jobs on the other executor."""
        self._resolve().submit_many(jobs)

    def is_brief(self, job: Job) -> bool:
        """As the other executor expects."""
        return self._resolve().is_brief(job)

    def run_here(self, job: Job) -> None:
        """Let the other executor run the job in this thread."""
        self._resolve().run_here(job)

    def submit_script(self, job: Job) -> None:
        """Start a script job on the other executor."""
        self._resolve().submit_script(job)
