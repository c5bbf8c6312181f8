"""Lazy control flow: `cond`, `throw`, `catch`, `catch_all`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from redun.expression import SchedulerExpression, derive_expression
from redun.promise import Promise, wait_promises
from redun.task import scheduler_task, task
from redun.task.options import CacheScope
from redun.utils.nested import leaves, substitute

if TYPE_CHECKING:
    from redun.engine.memory import Recollection
    from redun.engine.scheduler import Scheduler
    from redun.model.job import Job

__all__ = ["catch", "catch_all", "cond", "throw"]


@scheduler_task(namespace="redun")
def cond(
    scheduler: Scheduler,
    parent_job: Job,
    sexpr: SchedulerExpression,
    cond_expr: Any,
    then_expr: Any,
    *rest: Any,
) -> Promise:
    """Evaluate one of several branches: `cond(c1, then1, c2, then2, ..., otherwise)`.

    Conditions are evaluated in order until one is true; only its branch is evaluated. Without
    `otherwise` and with no true condition the expression fails with `IndexError`.
    """
    branches = (cond_expr, then_expr, *rest)

    def choose(index: int) -> Promise:
        # Conditions that are there already are taken in a loop, so that many of them don't nest.
        while index + 1 < len(branches):
            decision = scheduler.evaluate(branches[index], parent_job=parent_job)
            if not decision.is_fulfilled:
                return decision.then(partial(decide, index))
            if decision.value:
                break
            index += 2
        else:
            if index >= len(branches):
                raise IndexError("cond() has no branch to take: no condition is true.")
            return scheduler.evaluate(branches[index], parent_job=parent_job)
        return scheduler.evaluate(branches[index + 1], parent_job=parent_job)

    def decide(index: int, chosen: Any) -> Promise:
        if not chosen:
            return choose(index + 2)
        return scheduler.evaluate(branches[index + 1], parent_job=parent_job)

    return choose(0)


@task(namespace="redun", version="1")
def throw(error: Exception) -> None:
    """Raise an error."""
    raise error


@scheduler_task(namespace="redun")
def catch(
    scheduler: Scheduler,
    parent_job: Job,
    sexpr: SchedulerExpression,
    expr: Any,
    *catch_args: Any,
) -> Promise:
    """Evaluate an expression and recover from errors: `catch(expr, ErrorClass, recover, ...)`.

    The first class that an error is an instance of decides; `recover(error)` is evaluated in place
    of `expr`. Errors of `recover` itself are not handled here. A recovery is remembered for the next
    execution, which then does not evaluate `expr` again.
    """
    return _Catching(scheduler, parent_job, sexpr, expr, catch_args).result


class _Catching:
    """One call of `catch` under way. None of the callbacks raises: an error rejects `result`."""

    __slots__ = ("expr", "handlers", "parent_job", "recollection", "result", "run", "scheduler")

    def __init__(
        self,
        scheduler: Scheduler,
        parent_job: Job,
        sexpr: SchedulerExpression,
        expr: Any,
        handlers: tuple[Any, ...],
    ) -> None:
        self.scheduler = scheduler
        self.run = scheduler.current_run
        self.parent_job = parent_job
        self.expr = expr
        self.handlers = handlers
        self.recollection: Recollection | None = None
        self.result: Promise = Promise()
        scope = sexpr._options.get("cache_scope")
        if scope is None or CacheScope(scope) == CacheScope.BACKEND:
            reject = self.result.do_reject
            self.run.memory.recall(catch, sexpr, self.on_recollection, reject, likely=expr)
        else:
            self.evaluate(expr)

    def on_recollection(self, found: Recollection) -> None:
        """Evaluate what the call came to, or else the expression."""
        self.recollection = found
        self.evaluate(found.value if found.found and self.scheduler.use_cache else self.expr)

    def evaluate(self, source: Any) -> None:
        """Evaluate the expression, or what stands for it."""
        on_value = self.pass_on if source is self.expr else partial(self.recovered, source)
        self.run.evaluator.tell(source, self.parent_job, on_value, self.on_error)

    def pass_on(self, value: Any) -> None:
        """Without a memory the expression is evaluated anyway: its success needs none.

        So catches within catches are not stored over and over. But if something else is remembered,
        this takes its place.
        """
        found = self.recollection
        if found is None or not found.known or self.expr is found.value:
            self.result.do_resolve(value)
        else:
            self.recovered(self.expr, value)

    def recovered(self, source: Any, value: Any) -> None:
        """Remember what the call came to."""
        try:
            found = self.recollection
            if found is not None and source is not found.value:
                self.run.memory.remember(catch, found, source)
            self.result.do_resolve(value)
        except Exception as error:
            self.result.do_reject(error)

    def on_error(self, error: Exception) -> None:
        """Recover, if one of the classes is that of the error."""
        try:
            recover = self.find_recover(error)
            if recover is None:
                self.result.do_reject(error)
                return
            self.scheduler.note_recovery(error)
            recovery = recover(derive_expression(self.expr, error))
            on_value = partial(self.recovered, recovery)
            self.run.evaluator.tell(recovery, self.parent_job, on_value, self.result.do_reject)
        except Exception as failure:
            self.result.do_reject(failure)

    def find_recover(self, error: Exception) -> Any:
        """The recovery for an error; None without any."""
        for error_class, recover in zip(self.handlers[::2], self.handlers[1::2], strict=False):
            if isinstance(error, error_class):
                return recover
        return None


@scheduler_task(namespace="redun")
def catch_all(
    scheduler: Scheduler,
    parent_job: Job,
    sexpr: SchedulerExpression,
    exprs: Any,
    error_class: Any = None,
    recover: Any = None,
) -> Promise:
    """Evaluate all expressions of a nested value, waiting for each even if others fail.

    Parameters
    ----------
    exprs : a nested value of expressions.
    error_class : class (or tuple of classes) of the errors that `recover` takes.
    recover : called with the nested value in which errors stand where expressions failed.

    Without `recover`, the first error in the order of the value is raised.
    """
    found = leaves(exprs)
    promises = [scheduler.evaluate(leaf, parent_job=parent_job) for leaf in found]
    result: Promise = Promise()

    def on_settled(_: Any) -> Any:
        errors = [promise.error for promise in promises if promise.is_rejected]
        outcome = substitute(
            exprs, {id(leaf): promise.value for leaf, promise in zip(found, promises, strict=True)}
        )
        if not errors:
            return outcome
        if recover is None:
            raise errors[0]
        return scheduler.evaluate(error_class, parent_job=parent_job).then(
            lambda classes: handle(classes, errors, outcome)
        )

    def handle(classes: Any, errors: list[Exception], outcome: Any) -> Any:
        for error in errors:
            if not isinstance(error, classes):
                raise error
        for error in errors:
            scheduler.note_recovery(error)
        return scheduler.evaluate(recover(outcome), parent_job=parent_job)

    wait_promises(promises).then(on_settled).then(result.do_resolve, result.do_reject)
    return result
