"""The cache policy: which recorded results may stand in for a call."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from redun.backends.base import CacheHit, CacheQuery
from redun.expression import Expression, TaskExpression
from redun.logging import logger
from redun.model.failure import ErrorValue
from redun.model.job import Job
from redun.utils import trim_string
from redun.utils.nested import leaves

if TYPE_CHECKING:
    from redun.backends.base import RedunBackend
    from redun.engine.foresight import Foresight
    from redun.engine.record import Journal
    from redun.task import TaskRegistry
    from redun.value import TypeRegistry

__all__ = ["Cache", "Reuse"]


class Reuse(NamedTuple):
    """A recorded result that may stand in for a call.

    Parameters
    ----------
    value : the result; for a single reduction it may hold expressions.
    value_hash : its hash.
    call_hash : the call it is the final result of; None for a single reduction.
    leaves : its leaves that are not plain data.
    subtree : hashes of the tasks below the call, if the machine does not know them.
    """

    value: Any
    value_hash: str
    call_hash: str | None
    leaves: list[Any]
    subtree: Collection[str] = ()


class Cache:
    """Looks calls up in the repo and judges what it finds.

    Parameters
    ----------
    backend : the repo.
    types : deserializes values and judges their validity.
    tasks : the tasks as they are now.
    journal : what is still to be handed over to the repo.
    foresight : look-ups made ahead.
    """

    def __init__(
        self,
        backend: RedunBackend,
        types: TypeRegistry,
        tasks: TaskRegistry,
        journal: Journal,
        foresight: Foresight,
    ) -> None:
        self._backend = backend
        self._types = types
        self._tasks = tasks
        self._unreadable: set[tuple[str, str]] = set()
        self._journal = journal
        self.foresight = foresight

    def look_up(self, jobs: list[Job]) -> list[Reuse | InvalidResult | None]:
        """Look calls up; returns for each what may be reused, what is invalid, or None."""
        foresight = self.foresight
        if not foresight.holds:
            return self._look_up_now(jobs)
        answers: dict[Job, Reuse | InvalidResult | None] = {}
        rest: list[Job] = []
        for job in jobs:
            if job.plan.foreseeable and foresight.answers(job.eval_hash):
                found = foresight.take(job.eval_hash)
                if isinstance(found, CacheHit):
                    found = self._read(found, ())
                answers[job] = self._judge(found) if found is not None else None
            else:
                rest.append(job)
        if rest:
            answers.update(zip(rest, self._look_up_now(rest), strict=True))
        return [answers[job] for job in jobs]

    def foresees(self, eval_hash: str) -> bool:
        """Whether a call will take a recorded result that holds plain data only.

        Then it doesn't matter when its turn comes: it runs nothing, and its result stays valid. What
        was read back is kept for its turn.
        """
        foresight = self.foresight
        if not foresight.answers(eval_hash):
            return False
        found = foresight.take(eval_hash)
        if isinstance(found, CacheHit):
            found = self._read(found, ())
        final = found is not None and not found.leaves
        foresight.put_back(eval_hash, found, final)
        return final

    def _look_up_now(self, jobs: list[Job]) -> list[Reuse | InvalidResult | None]:
        queries = [
            CacheQuery(
                job.task.hash,
                job.args_hash or "",
                job.eval_hash or "",
                job.context_hash,
                job.plan.shallow,
                job.plan.single,
            )
            for job in jobs
        ]
        hits = self._ask(queries)
        calls = [hit.call_hash for hit in hits if hit is not None and hit.call_hash is not None]
        subtrees = self._backend.get_subtree_tasks_many(calls) if calls else {}
        return [
            self._judge(self._read(hit, subtrees.get(hit.call_hash or "", ())))
            if hit is not None
            else None
            for hit in hits
        ]

    def _ask(self, queries: list[CacheQuery]) -> list[CacheHit | None]:
        shallow = any(query.shallow for query in queries)
        if shallow or self._journal.knows({query.eval_hash for query in queries}):
            self._journal.hand_over()  # what has just been computed is asked for
        # Only the look-up of whole calls wants to know which tasks there are.
        return self._backend.check_cache_many(queries, self._tasks.task_hashes if shallow else ())

    def reductions(
        self, queries: list[CacheQuery], likely: list[Any]
    ) -> list[Reuse | InvalidResult | None]:
        """Return what evaluations came to, where that is recorded.

        Parameters
        ----------
        queries : the evaluations.
        likely : for each, an expression with its hash that it may have come to, which then need not
            be read back; or any other value.
        """
        hits = self._ask(queries)
        found: list[Reuse | InvalidResult | None] = []
        for hit, guess in zip(hits, likely, strict=True):
            if hit is None:
                found.append(None)
            elif isinstance(guess, Expression) and hit.value_hash == guess._hash:
                found.append(Reuse(guess, hit.value_hash, None, [guess]))
            else:
                found.append(self._judge(self._read(hit, ())) or InvalidResult(None, None))
        return found

    def _read(self, hit: CacheHit, subtree: Collection[str]) -> Reuse | None:
        """Read a recorded result back; None if it is an error or can't be read any more."""
        try:
            value = self._types.deserialize(hit.type, hit.data)
        except Exception as error:  # whatever a class raises that is gone or has changed: a miss
            self._explain_unreadable(hit, error)
            return None
        if hit.stored and not self._types.is_intact(value, hit.value_hash, hit.data):
            self._explain_unreadable(hit, ValueError("its payload is damaged"))
            return None
        if isinstance(value, ErrorValue):
            return None
        return Reuse(value, hit.value_hash, hit.call_hash, leaves(value), subtree)

    def _judge(self, reuse: Reuse | None) -> Reuse | InvalidResult | None:
        """Tell whether what was read back is still valid."""
        if reuse is not None and reuse.leaves:
            invalid = self._first_invalid(reuse.leaves)
            if invalid:
                return InvalidResult(reuse.value, invalid[0])
        return reuse

    def _explain_unreadable(self, hit: CacheHit, error: Exception) -> None:
        """Warn, once for each type and reason, of a result that can't be read back."""
        if hit.stored:
            self._backend.distrust_payloads()
        reason = f"{type(error).__name__}: {error}"
        if (hit.type, reason) not in self._unreadable:
            self._unreadable.add((hit.type, reason))
            logger.warning(
                f"A recorded value of type {hit.type} (hash={hit.value_hash[:8]}) cannot be used, "
                f"so its call runs again: {trim_string(reason, 500)}"
            )

    def _first_invalid(self, found: Iterable[Any]) -> list[Any]:
        """The first leaf that isn't valid any more; an expression is if what it is made of is."""
        seen: set[int] = set()  # a task or a file may be an argument of many calls
        for leaf in found:
            if isinstance(leaf, TaskExpression):
                valid = leaf.is_valid(seen)
            else:
                valid = self._types.is_valid(leaf)
            if not valid:
                return [leaf]
        return []

    def replay(self, call_hashes: list[str]) -> dict[str, Any]:
        """Return the results of calls of this run, errors included, by call hash.

        Results that can't be read back are left out.
        """
        results = {}
        for call_hash, hit in self._backend.get_call_results(call_hashes).items():
            try:
                value = self._types.deserialize(hit.type, hit.data)
            except Exception:  # whatever a user's class raises: the call then runs again
                continue
            results[call_hash] = Reuse(value, hit.value_hash, call_hash, leaves(value))
        return results

    def explain_miss(self, job: Job) -> str:
        """Return why nothing was found for a call, for the log."""
        task, args_hash = job.task, job.args_hash or ""
        found = self._backend.explain_cache_miss(task, args_hash) or {}
        name, task8, args8 = task.fullname, task.hash[:8], args_hash[:8]
        reason = found.get("reason")
        if reason == "new_task":
            old = found["call_task_hash"][:8]
            return (
                f"New task '{name}()' with previous arguments "
                f"(task_hash={old} --> {task8}, args_hash={args8})."
            )
        if reason == "new_args":
            old = found["call_args_hash"][:8]
            return (
                f"Existing task '{name}()' is called with new arguments "
                f"(task_hash={task8}, args_hash={old} --> {args8})."
            )
        if reason == "new_call":
            return (
                f"New task '{name}()' is called with new arguments "
                f"(task_hash={task8}, args_hash={args8})."
            )
        return (
            f"Cannot determine reason for cache miss of '{name}()' "
            f"(task_hash={task8}, args_hash={args8})."
        )


class InvalidResult(NamedTuple):
    """A recorded result that is no longer valid because of one of its leaves, such as a file."""

    value: Any
    leaf: Any
