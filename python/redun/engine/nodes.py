"""Nodes that wait for others without being jobs: lazy operators, scheduler tasks, joins.

Each kind answers two calls of the evaluator: `ready` when all it waits for is there, and `rejected`
when something it waits for has failed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from redun.expression import SchedulerExpression, SimpleExpression, get_lazy_operation
from redun.promise import Promise
from redun.utils.nested import leaves, substitute

if TYPE_CHECKING:
    from redun.engine.evaluate import Evaluator
    from redun.model.job import Job, JobEnv

__all__ = ["Broken", "Constant", "Join", "Operator", "Pending", "SchedulerCall", "values_of"]

Deps = dict[int, Any]  # id(leaf) -> the node that computes it


def values_of(deps: Deps) -> dict[int, Any]:
    """Return id(leaf) -> value, for the substitution of leaves by what they evaluate to."""
    return {key: node.value for key, node in deps.items()}


class Constant:
    """A value that is there already; not known to the state machine."""

    __slots__ = ("value",)
    node_id = -1

    def __init__(self, value: Any) -> None:
        self.value = value


class Op:
    """Base of the nodes: a value or an error once `settled`."""

    __slots__ = ("error", "node_id", "settled", "value")
    call_hash: str | None = None

    def __init__(self) -> None:
        self.node_id = -1
        self.value: Any = None
        self.error: BaseException | None = None
        self.settled = False

    def ready(self, evaluator: Evaluator) -> None:
        """Go on: everything this node waited for has settled."""
        raise NotImplementedError

    def rejected(self, evaluator: Evaluator, error: BaseException) -> None:
        """Something this node waited for has failed."""
        evaluator.fail(self, error)


class Broken(Op):
    """An expression that can't be evaluated, for example of an unknown task."""

    __slots__ = ()

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def ready(self, evaluator: Evaluator) -> None:
        """Fail with the error."""
        assert self.error is not None
        evaluator.fail(self, self.error)


class Operator(Op):
    """A lazy operator: waits for its operands, applies, then evaluates the outcome once."""

    __slots__ = ("deps", "expr", "outcome", "scope")

    def __init__(self, expr: SimpleExpression, scope: Job | JobEnv) -> None:
        super().__init__()
        self.expr: SimpleExpression | None = expr
        self.scope: Any = scope
        self.deps: Deps = {}
        self.outcome: Any = None

    def ready(self, evaluator: Evaluator) -> None:
        """Apply the operator, or pass on the evaluated outcome."""
        mapping = values_of(self.deps)
        if self.expr is None:
            evaluator.settle(self, substitute(self.outcome, mapping))
            self.outcome = None
            return
        expr, self.expr = self.expr, None
        apply = get_lazy_operation(expr.func_name)
        if apply is None:
            message = f"Expression function '{expr.func_name}' does not exist"
            evaluator.fail(self, NotImplementedError(message))
            return
        args, kwargs = substitute((expr.args, expr.kwargs), mapping)
        try:
            outcome = apply(*args, **kwargs)
            self.deps = evaluator.declare(leaves(outcome), self.scope)
        except Exception as error:
            evaluator.fail(self, error)
            return
        if self.deps:
            self.outcome = outcome
            evaluator.wait(self, self.deps)
        else:
            evaluator.settle(self, outcome)


class SchedulerCall(Op):
    """A call of a scheduler task: settles as the promise that the task returns does."""

    __slots__ = ("expr", "func", "scope")

    def __init__(
        self, func: Callable[..., Any], expr: SchedulerExpression, scope: Job | JobEnv
    ) -> None:
        super().__init__()
        self.func = func
        self.expr = expr
        self.scope = scope

    def ready(self, evaluator: Evaluator) -> None:
        """Call the scheduler task with its unevaluated arguments."""
        expr = self.expr
        try:
            result = self.func(evaluator.scheduler, self.scope, expr, *expr.args, **expr.kwargs)
        except Exception as error:
            evaluator.fail(self, error)
            return
        if isinstance(result, Promise):
            evaluator.follow(self, result)
        else:
            evaluator.settle(self, result)


class Pending(Op):
    """A promise that a task's value holds."""

    __slots__ = ("promise",)

    def __init__(self, promise: Promise) -> None:
        super().__init__()
        self.promise = promise

    def ready(self, evaluator: Evaluator) -> None:
        """Wait for the promise."""
        evaluator.follow(self, self.promise)


class Follower(Op):
    """Calls back once a single node has settled."""

    __slots__ = ("node", "on_error", "on_value", "scope")

    def __init__(
        self,
        node: Any,
        scope: Any,
        on_value: Callable[[Any], Any],
        on_error: Callable[[Exception], Any],
    ) -> None:
        super().__init__()
        self.node = node
        self.scope = scope
        self.on_value = on_value
        self.on_error = on_error

    def ready(self, evaluator: Evaluator) -> None:
        """Hand the value over."""
        evaluator.settle(self, None)
        evaluator.wire.nodes[self.node_id] = None
        self.on_value(self.node.value)

    def rejected(self, evaluator: Evaluator, error: BaseException) -> None:
        """Hand the error over."""
        evaluator.fail(self, error)
        evaluator.wire.nodes[self.node_id] = None
        assert isinstance(error, Exception)
        self.on_error(error)


class Join(Op):
    """Waits for the lazy leaves of a value, then calls back with the value rebuilt."""

    __slots__ = ("deps", "on_error", "on_value", "scope", "source")

    def __init__(
        self,
        source: Any,
        on_value: Callable[[Any], Any],
        on_error: Callable[[BaseException], Any],
        scope: Any,
    ) -> None:
        super().__init__()
        self.scope = scope
        self.source = source
        self.on_value = on_value
        self.on_error = on_error
        self.deps: Deps = {}

    def ready(self, evaluator: Evaluator) -> None:
        """Rebuild the value and hand it over."""
        try:
            value = substitute(self.source, values_of(self.deps))
        except Exception as error:  # an evaluated key of a dict may not be hashable
            self.rejected(evaluator, error)
            return
        evaluator.settle(self, None)
        self.source = None
        self.deps = {}
        self.on_value(value)

    def rejected(self, evaluator: Evaluator, error: BaseException) -> None:
        """Hand the error over."""
        evaluator.fail(self, error)
        self.source = None
        self.deps = {}
        self.on_error(error)
