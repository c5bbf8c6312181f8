"""Look-ups made ahead, for calls that will come one by one: one statement for many of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from redun.backends.base import CacheHit, CacheQuery
from redun.expression import SchedulerExpression, TaskExpression, hash_expressions
from redun.hashing import hash_structs

if TYPE_CHECKING:
    from redun.backends.base import RedunBackend
    from redun.engine.cache import Reuse
    from redun.engine.plan import Planner
    from redun.task import TaskRegistry

__all__ = ["Foresight"]

# What was looked up longer ago does not count: another run may have recorded more since. Jobs that
# take so long don't need it either.
FRESH_SECONDS = 5.0


class Foresight:
    """What the repo knew of calls when it was asked ahead.

    Only what depends on nothing but the call is foreseen: the recorded result of a single reduction,
    whose validity is judged when its turn comes, and whether the call is recorded.

    Parameters
    ----------
    backend : the repo.
    tasks : the tasks as they are now.
    planner : knows the tasks' parameters.
    """

    def __init__(self, backend: RedunBackend, tasks: TaskRegistry, planner: Planner) -> None:
        self._backend = backend
        self._tasks = tasks
        self._planner = planner
        # By eval hash: what was found, what was made of it once that was read back, or nothing.
        self._hits: dict[str, CacheHit | Reuse | None] = {}
        self._final: dict[str, Reuse] = {}  # by eval hash: those that stay true
        self._calls: set[str] = set()
        self._asked = 0.0  # when, on the monotonic clock

    @property
    def holds(self) -> bool:
        """Whether anything was looked up whose turn has not come."""
        return bool(self._hits or self._final)

    def expect(self, exprs: Sequence[Any]) -> list[str | None]:
        """Look up what can be known already of calls that will follow.

        Parameters
        ----------
        exprs : any values; those that are no calls of tasks, or wait for others, are passed over.

        Returns the eval hashes of those whose results are recorded, None for the others.
        """
        found: list[str | None] = [None] * len(exprs)
        calls = {
            place: expr
            for place, expr in enumerate(exprs)
            if isinstance(expr, TaskExpression) and not isinstance(expr, SchedulerExpression)
        }
        try:
            hash_expressions(list(calls.values()))
        except Exception:  # it fails again, and is told of, when its turn comes
            return found
        structs, keys, places = [], [], []
        for place, expr in calls.items():
            task = self._tasks.get(expr.task_name)
            if task is not None and expr._plain and self._planner.facts(task).bare:
                keys.append((task.hash, expr._args_hash or ""))
                structs.append(["Eval", *keys[-1]])
                places.append(place)
        if not keys:
            return found
        queries = [
            CacheQuery(task_hash, args_hash, eval_hash, None, shallow=False, single=True)
            for (task_hash, args_hash), eval_hash in zip(keys, hash_structs(structs), strict=True)
        ]
        self._asked = time.monotonic()
        hits = self._backend.check_cache_many(queries, ())
        for place, query, hit in zip(places, queries, hits, strict=True):
            self._hits[query.eval_hash] = hit
            found[place] = query.eval_hash if hit is not None else None
        # The calls, for results that hold no expressions.
        likely = hash_structs(
            [
                ["CallNode", query.task_hash, query.args_hash, hit.value_hash, []]
                for query, hit in zip(queries, hits, strict=True)
                if hit is not None
            ]
        )
        if likely:
            self._calls.update(self._backend.known_calls(likely))
        return found

    def answers(self, eval_hash: str) -> bool:
        """Whether the result of a single reduction was looked up, not long ago."""
        if eval_hash in self._final:
            return True
        if eval_hash not in self._hits:
            return False
        if time.monotonic() - self._asked > FRESH_SECONDS:
            self._hits.clear()
            self._calls.clear()
            return False
        return True

    def take(self, eval_hash: str) -> CacheHit | Reuse | None:
        """Return what was found of a reduction that was looked up, once."""
        return self._final.pop(eval_hash, None) or self._hits.pop(eval_hash)

    def misses(self, eval_hash: str) -> bool:
        """Whether nothing was found of a reduction that was looked up. That is told once."""
        if self._hits.get(eval_hash, self) is not None or not self.answers(eval_hash):
            return False
        del self._hits[eval_hash]
        return True

    def put_back(self, eval_hash: str, found: Reuse | None, final: bool) -> None:
        """Keep what was taken; what is final counts however long ago it was looked up."""
        if final and found is not None:
            self._final[eval_hash] = found
        else:
            self._hits[eval_hash] = found

    def unknown(self, call_hashes: list[str]) -> list[str]:
        """Return those of the calls that were not foreseen to be recorded."""
        if not self._calls:
            return call_hashes
        rest = [call for call in call_hashes if call not in self._calls]
        self._calls.difference_update(call_hashes)
        return rest
