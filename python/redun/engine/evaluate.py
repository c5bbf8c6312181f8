"""From expressions to nodes: what a value waits for, and in whose scope.

Nothing here recurses with the depth of an expression.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from redun.engine import wire as protocol
from redun.engine.nodes import (
    Broken,
    Constant,
    Deps,
    Follower,
    Join,
    Op,
    Operator,
    Pending,
    SchedulerCall,
)
from redun.engine.plan import Planner
from redun.expression import (
    ApplyExpression,
    Expression,
    SchedulerExpression,
    SimpleExpression,
    TaskExpression,
    ValueExpression,
    direct_leaves,
    hash_expressions,
)
from redun.hashing import get_scheme
from redun.model.failure import unusable
from redun.model.job import Job, JobEnv
from redun.promise import Promise
from redun.task import Default, missing_defaults
from redun.utils import merge_dicts
from redun.utils.nested import leaves, substitute

if TYPE_CHECKING:
    from redun.engine.scheduler import Scheduler
    from redun.engine.wire import Wire

__all__ = ["Evaluator"]

LAZY = (Expression, Promise)
SCALARS = frozenset((int, str, float, bool, bytes, type(None)))
HASH_BATCH = 2_000  # expressions hashed at a time, which bounds what that takes
Scope = Any  # Job | JobEnv | None


class Evaluator:
    """Turns expressions into nodes of the state machine.

    Parameters
    ----------
    scheduler : handed to scheduler tasks.
    wire : the state machine.
    planner : options of jobs.
    ready : where jobs go that have all they need.
    """

    def __init__(
        self, scheduler: Scheduler, wire: Wire, planner: Planner, ready: deque[Job]
    ) -> None:
        self.scheduler = scheduler
        self.wire = wire
        self.planner = planner
        self.ready = ready
        self.root_nodes: dict[str, Any] = {}
        self.suspended: set[Op] = set()  # those that wait for promises

    # -- values ----------------------------------------------------------------------------------

    def evaluate(self, value: Any, scope: Scope) -> Promise:
        """Evaluate the lazy leaves of a value in a scope; returns a promise of the value."""
        promise: Promise = Promise()
        if type(value) in SCALARS:
            promise.do_resolve(value)
            return promise
        if isinstance(value, ApplyExpression):
            self.follow_up(value, scope, promise.do_resolve, promise.do_reject)
            return promise
        try:
            found = leaves(value)
            deps = self.declare(found, scope) if found else {}
            if not deps:
                promise.do_resolve(substitute(value, {}))
                return promise
        except Exception as error:
            promise.do_reject(unusable(error, "An expression"))
            return promise
        self.join(value, deps, promise.do_resolve, promise.do_reject, scope)
        return promise

    def follow_up(
        self,
        expr: ApplyExpression[Any],
        scope: Scope,
        on_value: Callable[[Any], Any],
        on_error: Callable[[Exception], Any],
        early: bool = False,
    ) -> None:
        """Evaluate an expression and call back with its value or error.

        Parameters
        ----------
        expr, scope : as for `evaluate`.
        on_value, on_error : called once, at the earliest when this returns unless the expression is
            unusable. They must not raise.
        early : call back as soon as the task has returned data, before its job has ended, so that
            what is evaluated next goes through the machine together with that end.
        """
        try:
            node = self._declare_one(expr, scope)
        except Exception as error:
            on_error(unusable(error, "An expression"))
            return
        follower = Follower(node, scope, on_value, on_error)
        self.wire.declare(follower, protocol.OP, -1)
        self.wire.send(protocol.AWAIT, follower.node_id, [node.node_id])
        if early and type(node) is Job and node.follower is None:
            node.follower = follower

    def tell(
        self,
        value: Any,
        scope: Scope,
        on_value: Callable[[Any], Any],
        on_error: Callable[[Exception], Any],
    ) -> None:
        """Evaluate a value and call back, maybe at once. The callbacks must not raise."""
        if isinstance(value, ApplyExpression):
            self.follow_up(value, scope, on_value, on_error)
        else:
            self.evaluate(value, scope).tell(on_value, on_error)

    def join(
        self, value: Any, deps: Deps, on_value: Any, on_error: Any, scope: Scope = None
    ) -> None:
        """Call back once the nodes of a value's leaves have settled."""
        join = Join(value, on_value, on_error, scope)
        join.deps = deps
        self.wire.declare(join, protocol.OP, -1)
        self.wait(join, deps)

    def wait(self, node: Any, deps: Deps) -> None:
        """Let a node wait for others."""
        ids = [dep.node_id for dep in deps.values() if dep.node_id >= 0]
        self.wire.send(protocol.AWAIT, node.node_id, ids)

    def follow(self, op: Op, promise: Promise) -> None:
        """Settle an operator node as a promise does."""
        if promise.is_pending:
            self.suspended.add(op)
        promise.tell(partial(self.settle, op), partial(self.fail, op))

    def settle(self, op: Op, value: Any) -> None:
        """An operator node has its value."""
        if not op.settled:
            self.suspended.discard(op)
            op.value = value
            op.settled = True
            self.wire.send(protocol.SETTLE, op.node_id)

    def fail(self, op: Op, error: BaseException) -> None:
        """An operator node has failed."""
        if not op.settled:
            self.suspended.discard(op)
            op.error = error
            op.settled = True
            self.wire.send(protocol.FAIL, op.node_id)

    # -- expressions -----------------------------------------------------------------------------

    def declare(self, found: Iterable[Any], scope: Scope) -> Deps:
        """Declare nodes for the lazy ones among the leaves of a value.

        Parameters
        ----------
        found : leaves in document order; those that are not lazy are passed over.
        scope : the job in whose body they stand; None for a root expression.

        Returns id(leaf) -> node. An expression equal to one met before in the scope shares its node.
        Raises what hashing of an argument raises.
        """
        lazy: list[Any] = [leaf for leaf in found if isinstance(leaf, LAZY)]
        if not lazy:
            return {}
        for start in range(0, len(lazy), HASH_BATCH):
            batch = lazy[start : start + HASH_BATCH]
            hash_expressions([leaf for leaf in batch if isinstance(leaf, ApplyExpression)])
        nodes = self._table(scope)
        self._create_all(lazy[::-1], scope, nodes)
        return {id(leaf): self._find(leaf, nodes) for leaf in lazy}

    def _create_all(self, stack: list[Any], scope: Scope, nodes: dict[str, Any]) -> None:
        """Declare nodes for the leaves on a stack, and for what is below them."""
        created: list[tuple[Any, Any]] = []
        while stack:
            leaf = stack.pop()
            if self._find(leaf, nodes) is not None:
                continue
            node = nodes[self._key(leaf)] = self._create(leaf, scope)
            if type(node) is Job and leaf._plain and self.planner.settle_simple(node):
                self.ready.append(node)  # it waits for nothing, so the machine need not say so
                continue
            created.append((leaf, node))
            inner = self._inner(leaf, node)
            if inner:
                stack.extend(inner[::-1])
        for leaf, node in created:
            self._link(leaf, node, nodes)

    def _declare_one(self, expr: ApplyExpression[Any], scope: Scope) -> Any:
        """Return the node of one expression, as `declare` does."""
        if expr._hash is None or expr._hash_scheme != get_scheme():
            hash_expressions([expr])
        nodes, key = self._table(scope), expr._hash or ""
        node = nodes.get(key)
        if node is None:
            self._create_all([expr], scope, nodes)
            node = nodes[key]
        return node

    def fill_in(self, value: Any, scope: Scope) -> Any:
        """Return a value with its lazy leaves, declared in the scope before, replaced by theirs."""
        nodes = self._table(scope)
        mapping = {
            id(leaf): self._find(leaf, nodes).value
            for leaf in leaves(value)
            if isinstance(leaf, LAZY)
        }
        return substitute(value, mapping)

    def _table(self, scope: Scope) -> dict[str, Any]:
        if scope is None:
            return self.root_nodes
        if scope.nodes is None:
            scope.nodes = {}
        return scope.nodes

    @staticmethod
    def _key(leaf: Any) -> Any:
        # A promise is its own key, which also keeps it alive while its node is.
        return leaf._hash if isinstance(leaf, ApplyExpression) else leaf

    @staticmethod
    def _find(leaf: Any, nodes: dict[Any, Any]) -> Any:
        if isinstance(leaf, ApplyExpression):
            return nodes.get(leaf._hash)
        return Constant(leaf.value) if isinstance(leaf, ValueExpression) else nodes.get(leaf)

    def _inner(self, leaf: Any, node: Any) -> list[Any]:
        """Return the lazy leaves below an expression, in the order in which their jobs are created."""
        if isinstance(node, Job):
            arguments = [found for found in direct_leaves(leaf) if isinstance(found, LAZY)]
            extra = self.planner.lazy_options(node)
            if not extra and not node.get_raw_options().get("_context_override"):
                extra = self._default_leaves(node)
            if not extra:
                return arguments
            hash_expressions([found for found in extra if isinstance(found, ApplyExpression)])
            return [*extra, *arguments]
        if isinstance(node, Operator):
            return [found for found in direct_leaves(leaf) if isinstance(found, LAZY)]
        return []

    def _create(self, leaf: Any, scope: Scope) -> Any:
        node: Any
        if isinstance(leaf, SimpleExpression):
            node = Operator(leaf, scope)
        elif isinstance(leaf, SchedulerExpression):
            node = self._create_scheduler_call(leaf, scope)
        elif isinstance(leaf, TaskExpression):
            return self._create_job(leaf, scope)
        elif isinstance(leaf, Promise):
            node = Pending(leaf)
        else:
            node = Broken(NotImplementedError(f"Unknown expression: {leaf!r}"))
        self.wire.declare(node, protocol.OP, self._scope_id(scope))
        return node

    def _create_scheduler_call(self, leaf: SchedulerExpression, scope: Scope) -> Op:
        task = self.scheduler.task_registry.get(leaf.task_name)
        if task is None:
            return Broken(NotImplementedError(f"Scheduler task '{leaf.task_name}' does not exist"))
        return SchedulerCall(task.func, leaf, scope)

    @staticmethod
    def _scope_id(scope: Scope) -> int:
        return -1 if scope is None else scope.node_id

    def _create_job(self, leaf: TaskExpression, scope: Scope) -> Any:
        task = self.scheduler.task_registry.get(leaf.task_name)
        if task is None:
            node = Broken(
                NotImplementedError(
                    f"Task not found in registry: {leaf.task_name}. "
                    "This can occur if the module that defines it has not been imported, "
                    "or if the task was renamed or removed."
                )
            )
            self.wire.declare(node, protocol.OP, self._scope_id(scope))
            return node
        parent = scope.job if isinstance(scope, JobEnv) else scope
        execution = parent.execution if parent is not None else self.scheduler.current_execution
        job = Job(
            task,
            leaf,
            id=self.scheduler.next_id(),
            parent_job=parent,
            execution=execution,
            options=self.planner.imposed(parent),
        )
        self.wire.declare(job, protocol.JOB, self._scope_id(scope), task.hash)
        return job

    # -- what a node waits for -------------------------------------------------------------------

    def _link(self, leaf: Any, node: Any, nodes: dict[str, Any]) -> None:
        if isinstance(node, Job):
            self._link_job(leaf, node, nodes)
        elif isinstance(node, Operator):
            node.deps = self._deps(direct_leaves(leaf), nodes)
            self.wait(node, node.deps)
        else:
            self.wait(node, {})

    def _deps(self, found: Iterable[Any], nodes: dict[str, Any]) -> Deps:
        return {id(leaf): self._find(leaf, nodes) for leaf in found if isinstance(leaf, LAZY)}

    def _link_job(self, leaf: TaskExpression, job: Job, nodes: dict[str, Any]) -> None:
        found = direct_leaves(leaf)
        deps = self._deps(found, nodes) if found else {}
        lazy_options = self.planner.lazy_options(job)
        if not lazy_options:
            self._await_arguments(job, deps, nodes)
            return
        options = job.get_raw_options()

        def on_options(evaluated: dict[str, Any]) -> None:
            job.eval_options = evaluated
            self.declare(self._default_leaves(job), self._default_scope(job))
            self._await_arguments(job, deps, nodes)

        def on_error(error: BaseException) -> None:
            broken = Broken(error)  # type: ignore[arg-type]
            self.wire.declare(broken, protocol.OP, -1)
            self.wait(broken, {})
            self.wire.send(protocol.AWAIT, job.node_id, [broken.node_id])

        self.join(options, self._deps(lazy_options, nodes), on_options, on_error)

    def _await_arguments(self, job: Job, deps: Deps, nodes: dict[str, Any]) -> None:
        self.planner.settle_options(job)
        defaults = self._default_leaves(job)
        if defaults:
            scope = self._default_scope(job)
            deps.update(self.declare(defaults, scope))
        if deps:
            job.deps = deps
            self.wait(job, deps)
        else:
            self.wire.send(protocol.AWAIT, job.node_id, [])

    def _default_leaves(self, job: Job) -> list[Any]:
        """Return the leaves of the defaults that a call leaves to be filled in."""
        if self.planner.facts(job.task).plain_defaults:
            return []
        args, kwargs = job.expr.args, job.expr.kwargs
        missing: list[Default] = missing_defaults(job.task, args, kwargs)
        given = len(args)
        missing += [item for item in job.task.positional_defaults if item[0] >= given]
        return [
            leaf
            for item in missing
            if not item.plain
            for leaf in leaves(item.value)
            if isinstance(leaf, LAZY)
        ]

    def _default_scope(self, job: Job) -> Scope:
        """Return the scope of default arguments: the caller's body, with the callee's own context."""
        parent = job.parent_job
        override = job.get_options().get("_context_override")
        if parent is None:
            return None
        if not override:
            return parent
        return JobEnv(parent, merge_dicts([parent.get_context(), override]))
