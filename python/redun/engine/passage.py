"""What happens to values on their way into a job and out of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redun.handle import Handle
from redun.model.job import Job
from redun.utils.nested import leaves

if TYPE_CHECKING:
    from redun.backends.base import RedunBackend
    from redun.engine.record import Journal
    from redun.value import TypeRegistry

__all__ = ["Passage"]


class Passage:
    """Gets values ready for tasks and for the repo, and keeps track of the states of handles.

    Parameters
    ----------
    types : knows how values of each type get ready.
    backend : where the states of handles are kept.
    journal : what is still to be handed over to it.
    """

    def __init__(self, types: TypeRegistry, backend: RedunBackend, journal: Journal) -> None:
        self._types = types
        self._backend = backend
        self._journal = journal

    def preprocess(self, job: Job, value: Any) -> Any:
        """Get a value ready for use as an argument of a job."""
        if not isinstance(value, Handle):
            return self._types.preprocess(value, {})
        parent = job.parent_job
        order = 0
        if parent is not None:
            if parent.handle_forks is None:
                parent.handle_forks = {}
            order = parent.handle_forks.get(value.__handle__.hash, 0) + 1
            parent.handle_forks[value.__handle__.hash] = order
        child = value.preprocess({"call_order": order})
        self._advance(job, [value], child)
        return child

    def postprocess(self, job: Job, value: Any) -> Any:
        """Turn a value that a task returned into what is recorded."""
        result = self._types.postprocess(value, {"pre_call_hash": job.eval_hash})
        if isinstance(value, Handle):
            self._advance(job, [value], result)
        return result

    def _advance(self, job: Job, parents: list[Handle], child: Handle) -> None:
        if job.plan.recording:
            self._journal.hand_over()
            self._backend.advance_handle(parents, child)

    def before_run(self, job: Job) -> None:
        """Roll back the handles among the arguments of a job that is about to run.

        The option `record_first` is for jobs that look for their own rows in the repo, so that these
        have to be there.
        """
        if job.args is None or job.arg_hashes is not None:
            return
        if job.get_options().get("record_first") and job.plan.recording:
            self._journal.flush()
        for leaf in leaves(job.args):
            if isinstance(leaf, Handle):
                self._backend.rollback_handle(leaf)
