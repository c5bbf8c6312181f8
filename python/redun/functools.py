"""Higher-order tasks: tasks that take tasks, and what is needed to put them together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from textwrap import dedent
from typing import TYPE_CHECKING, Any, TypeVar, cast

from redun.expression import ApplyExpression, QuotedExpression, SchedulerExpression, quote
from redun.promise import Promise
from redun.task import PartialTask, Task, scheduler_task, task

if TYPE_CHECKING:
    from redun.engine.scheduler import Scheduler
    from redun.model.job import Job

__all__ = [
    "apply_func",
    "as_task",
    "compose",
    "compose_apply",
    "const",
    "delay",
    "eval_",
    "flat_map",
    "flatten",
    "force",
    "identity",
    "map_",
    "no_prov",
    "seq",
    "starmap",
    "zip_",
]

T = TypeVar("T")

redun_namespace = "redun"


@task(version="1")
def compose_apply(tasks: Sequence[Task[..., Any]], *args: Any, **kwargs: Any) -> Any:
    """Call the last task with the arguments and each earlier one with the result of the next."""
    from_last = reversed(tasks)
    # Without tasks there is nothing to call: StopIteration.
    result = next(from_last)(*args, **kwargs)
    for a_task in from_last:
        result = a_task(result)
    return result


def compose(*tasks: Task[..., Any]) -> PartialTask[..., Any]:
    """Return the composition of tasks: `compose(f, g)(x)` is `f(g(x))`."""
    return compose_apply.partial(tasks)


@task(version="1")
def identity(x: T) -> T:
    """Return the argument."""
    return x


@task(version="1")
def const(x: T, _: Any) -> T:
    """Return the first argument, once the second is there too."""
    return x


def delay(x: T) -> PartialTask[..., T]:
    """Return a task without arguments that gives `x`; an expression stays unevaluated in it."""
    return cast("PartialTask[..., T]", identity.partial(x))


def force(x: Task[[], T]) -> T:
    """Call a task without arguments, such as what `delay` returns."""
    return x()


@scheduler_task()
def seq(
    scheduler: Scheduler, parent_job: Job, sexpr: SchedulerExpression, exprs: Sequence[Any]
) -> Promise:
    """Evaluate expressions strictly one after another; returns the list of their values.

    Stops at the first error. The sequence itself can't be an expression: `TypeError`.
    """
    result: Promise = Promise()
    values: list[Any] = []
    evaluator = scheduler.current_run.evaluator
    pending = scheduler.current_run.looking_ahead(exprs or (), parent_job)

    def step() -> None:
        # Expressions that are there already are taken in a loop, so that long sequences don't nest.
        for items in pending:
            item = items[0]
            if len(items) > 1:
                scheduler.evaluate(items, parent_job=parent_job).tell(on_values, result.do_reject)
                return
            if isinstance(item, ApplyExpression):
                evaluator.follow_up(item, parent_job, on_value, result.do_reject, early=True)
                return
            promise = scheduler.evaluate(item, parent_job=parent_job)
            if not promise.is_fulfilled:
                promise.tell(on_value, result.do_reject)
                return
            values.append(promise.value)
        result.do_resolve(values)

    def on_values(found: list[Any]) -> None:
        values.extend(found[:-1])
        on_value(found[-1])

    def on_value(value: Any) -> None:
        values.append(value)
        try:
            step()
        except Exception as error:  # of what gives the expressions
            result.do_reject(error)

    step()
    return result


@task(version="1")
def apply_func(func: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Call a plain function as a task; it must be defined at the level of its module."""
    return func(*args, **kwargs)


def as_task(func: Callable[..., T]) -> PartialTask[..., T]:
    """Return a task that calls a plain function, which must be defined at the level of its module."""
    return cast("PartialTask[..., T]", apply_func.partial(func))


@task(version="1")
def eval_(code: str, *args: Any, **kwargs: Any) -> Any:
    """Evaluate a Python expression as a task.

    Parameters
    ----------
    code : the expression; common indentation is taken off.
    *args : values of the variables that `pos_args` names.
    **kwargs : variables by name, and `pos_args`, a list of names, for those given by position.

    Raises `TypeError` if there are not as many positional arguments as names.
    """
    pos_args = kwargs.pop("pos_args", [])
    if len(args) != len(pos_args):
        raise TypeError(
            f"Wrong number of positional arguments given {len(args)}, expected {len(pos_args)}."
        )
    return eval(dedent(code).strip(), {**kwargs, **dict(zip(pos_args, args, strict=True))})


@scheduler_task()
def map_(
    scheduler: Scheduler,
    parent_job: Job,
    sexpr: SchedulerExpression,
    a_task: Task[..., Any],
    values: Any,
) -> Promise:
    """Call a task with each of the values, in parallel; returns the list of results.

    Both may be expressions. `map_(g, map_(f, xs))` calls `f` then `g` for each value, without waiting
    for the other values in between.
    """
    tasks = [a_task]
    while isinstance(values, SchedulerExpression) and values.task_name == map_.fullname:
        inner = _map_arguments(*values.args, **values.kwargs)
        tasks.append(inner[0])
        values = inner[1]

    def on_tasks(evaluated: list[Task[..., Any]]) -> Promise:
        each = evaluated[0] if len(evaluated) == 1 else compose(*evaluated)
        return scheduler.evaluate(values, parent_job=parent_job).then(
            lambda items: on_values(each, items)
        )

    def on_values(each: Task[..., Any], items: Iterable[Any]) -> Promise:
        return scheduler.evaluate([each(item) for item in items], parent_job=parent_job)

    return scheduler.evaluate(tasks, parent_job=parent_job).then(on_tasks)


def _map_arguments(a_task: Any, values: Any) -> tuple[Any, Any]:
    """Return the arguments of a call of `map_`, given by position or by name."""
    return a_task, values


def starmap(a_task: Task[..., T], kwargs: list[dict[str, Any]] = []) -> list[T]:
    """Call a task with each of several dicts of keyword arguments, in parallel.

    Parameters
    ----------
    a_task : the task.
    kwargs : the dicts; the list may be an expression.
    """
    each = eval_.partial("a_task(**x)", pos_args=["x"], a_task=a_task)
    return cast("list[T]", map_(each, kwargs))


@task(version="1")
def flatten(list_of_lists: Sequence[Sequence[T]]) -> list[T]:
    """Return the items of several lists as one list."""
    return [item for items in list_of_lists for item in items]


@task(version="1")
def flat_map(a_task: Task[..., list[T]], values: list[Any]) -> list[T]:
    """Call a task that returns a list with each of the values; returns all items as one list."""
    return flatten(cast("list[list[T]]", map_(a_task, values)))


@task(version="1")
def zip_(*lists: list[T]) -> list[tuple[T, ...]]:
    """Return tuples of the items that have the same place in several lists, to the shortest one."""
    return list(zip(*lists, strict=False))


@task(name="no_prov_helper", prov=False)
def _no_prov_helper(expr: QuotedExpression[T]) -> T:
    """Evaluate a quoted expression without recording it."""
    return expr.eval()


@task(name="no_prov", check_valid="shallow")
def _no_prov(expr: QuotedExpression[T]) -> T:
    """Evaluate a quoted expression of which only this call is recorded."""
    return _no_prov_helper(expr)


def no_prov(expr: T) -> T:
    """Evaluate an expression without recording the calls below it.

    One call, of the task `redun.no_prov`, stands for them all: while its result is valid and no code
    below it has changed, it is reused as a whole.
    """
    return _no_prov(quote(expr))
