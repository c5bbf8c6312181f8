"""What scheduler tasks came to in earlier executions, looked up for many of them at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from redun.backends.base import CacheQuery
from redun.engine.cache import Reuse
from redun.expression import ApplyExpression, SchedulerExpression, hash_expressions
from redun.hashing import hash_structs
from redun.task import SchedulerTask, hashed_arguments

if TYPE_CHECKING:
    from redun.engine.cache import Cache
    from redun.engine.record import Journal
    from redun.value import TypeRegistry

__all__ = ["Memory", "Recollection"]

Asked = tuple[
    "SchedulerTask[..., Any]",
    Sequence[Any],
    "str | None",
    Any,
    "Callable[[Recollection], None]",
    Callable[[Exception], Any],
]


class Recollection(NamedTuple):
    """What is known of one call of a scheduler task.

    Parameters
    ----------
    eval_hash, task_hash, args_hash : they identify the call.
    known : whether something is remembered, be it valid or not.
    found : whether something valid is remembered.
    value : what is remembered; it may hold expressions.
    """

    eval_hash: str
    task_hash: str
    args_hash: str
    known: bool
    found: bool
    value: Any


class Memory:
    """Remembers what calls of scheduler tasks came to, as single reductions.

    Parameters
    ----------
    cache : where look-ups go.
    journal : where what is to be remembered goes.
    types : hashes arguments.
    """

    def __init__(self, cache: Cache, journal: Journal, types: TypeRegistry) -> None:
        self._cache = cache
        self._journal = journal
        self._types = types
        self._asked: list[Asked] = []

    @property
    def waiting(self) -> bool:
        """Whether calls wait to be looked up."""
        return bool(self._asked)

    def recall(
        self,
        task: SchedulerTask[..., Any],
        sexpr: SchedulerExpression,
        on_found: Callable[[Recollection], None],
        on_error: Callable[[Exception], Any],
        likely: Any = None,
    ) -> None:
        """Look for the `Recollection` of a call without keyword arguments, later, and call back.

        Parameters
        ----------
        task : the scheduler task.
        sexpr : its call.
        on_found : called with what is known. It must not raise.
        on_error : called with what hashing an argument raises.
        likely : the argument that the call may have come to.
        """
        args, _ = hashed_arguments(task, sexpr.args, sexpr.kwargs)
        known = sexpr._args_hash if args is sexpr.args and not sexpr.kwargs else None
        self._asked.append((task, args, known, likely, on_found, on_error))

    def look_up(self) -> None:
        """Answer all calls that wait, with one look-up."""
        asked, self._asked = self._asked, []
        hashed: list[tuple[str, str, Callable[[Recollection], None]]] = []
        guesses = []
        for task, args, known, likely, on_found, on_error in asked:
            try:
                args_hash = known or self._types.hash_args([(args, {})])[0][0]
            except Exception as error:
                on_error(error)
            else:
                hashed.append((task.hash, args_hash, on_found))
                guesses.append(likely)
        evals = hash_structs([["Eval", task_hash, args_hash] for task_hash, args_hash, _ in hashed])
        shallow, single = False, True
        queries = [
            CacheQuery(task_hash, args_hash, eval_hash, None, shallow, single)
            for (task_hash, args_hash, _), eval_hash in zip(hashed, evals, strict=True)
        ]
        answers = self._cache.reductions(queries, guesses)
        # What is found is evaluated next, one by one; hashed here, all of it is hashed at once.
        hash_expressions(
            [
                leaf
                for reuse in answers
                if isinstance(reuse, Reuse)
                for leaf in reuse.leaves
                if isinstance(leaf, ApplyExpression)
            ]
        )
        for eval_hash, answer, (task_hash, args_hash, on_found) in zip(
            evals, answers, hashed, strict=True
        ):
            found, value = (True, answer.value) if isinstance(answer, Reuse) else (False, None)
            on_found(
                Recollection(eval_hash, task_hash, args_hash, answer is not None, found, value)
            )

    def remember(
        self, task: SchedulerTask[..., Any], recollection: Recollection, outcome: Any
    ) -> None:
        """Record what a call came to, for later executions."""
        self._journal.task(task)
        value_hash = self._journal.whole_value(outcome)
        self._journal.evaluation(
            recollection.eval_hash, recollection.task_hash, recollection.args_hash, value_hash
        )
