"""Lazy control flow: `cond`, `throw`, `catch`, `catch_all`."""

from __future__ import annotations

from collections.abc import Callable
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
    result: Promise = Promise()
    recollection: Recollection | None = None
    memory = scheduler.current_run.memory
    evaluator = scheduler.current_run.evaluator

    def find_recover(error: Exception) -> Any:
        for error_class, recover in zip(catch_args[::2], catch_args[1::2], strict=False):
            if isinstance(error, error_class):
                return recover
        return None

    def on_error(error: Exception) -> None:
        recover = find_recover(error)
        if recover is None:
            result.do_reject(error)
            return
        scheduler.note_recovery(error)
        recovery = recover(derive_expression(expr, error))
        finish(recovery, result.do_reject)

    def finish(source: Any, on_failure: Callable[[Exception], Any]) -> None:
        def on_value(value: Any) -> None:
            # Without a memory `expr` is evaluated anyway: its success needs none, unless something
            # else is remembered. So catches within catches are not stored over and over.
            if (
                recollection is not None
                and source is not recollection.value
                and (source is not expr or recollection.known)
            ):
                memory.remember(catch, recollection, source)
            result.do_resolve(value)

        evaluator.tell(source, parent_job, guarded(on_value, result), on_failure)

    def on_recollection(found: Recollection) -> None:
        nonlocal recollection
        recollection = found
        reuse = found.found and scheduler.use_cache
        finish(found.value if reuse else expr, guarded(on_error, result))

    scope = sexpr._options.get("cache_scope")
    if scope is None or CacheScope(scope) == CacheScope.BACKEND:
        memory.recall(catch, sexpr, guarded(on_recollection, result), result.do_reject, likely=expr)
    else:
        finish(expr, guarded(on_error, result))
    return result


def guarded(callback: Callable[[Any], Any], result: Promise) -> Callable[[Any], None]:
    """Return a callback whose errors reject a promise."""

    def call(value: Any) -> None:
        try:
            callback(value)
        except Exception as error:
            result.do_reject(error)

    return call


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
