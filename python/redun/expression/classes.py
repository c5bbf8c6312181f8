"""The classes of lazy expressions."""

from __future__ import annotations

import copyreg
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar, cast

from redun.current import get_current_job
from redun.expression.graph import reduce_graph, uses_original_layout
from redun.expression.hashing import hash_expressions
from redun.expression.node import HashedArguments, Node, direct_leaves
from redun.expression.operations import operation_symbol
from redun.expression.render import Pieces, bounded_repr, render_call
from redun.hashing import get_scheme, hash_struct
from redun.utils import pickle_loads
from redun.value import Value, get_type_registry

__all__ = [
    "ApplyExpression",
    "Expression",
    "QuotedExpression",
    "SchedulerExpression",
    "SimpleExpression",
    "TaskExpression",
    "ValueExpression",
    "derive_expression",
    "quote",
    "set_task_lookup",
]

Result = TypeVar("Result")

MAX_REPR_LENGTH = 10_000
MAX_REPR_IN_ERROR = 100

# What to do instead, for errors.
ARGUMENT_CURE = "Do that in a task that takes it as an argument."
LENGTH_CURE = (
    "Use redun.functools.map_(), or a task that takes it as an argument; "
    "for a result of fixed length set @task(nout=...)."
)

_lookup_task: Callable[[str], Any] | None = None


def set_task_lookup(lookup: Callable[[str], Any]) -> None:
    """Say how a task is found by its full name (None: no such task).

    Expressions name tasks, but stand below them in the order of layers.
    """
    global _lookup_task
    _lookup_task = lookup


def _operator(name: str) -> Callable[[Any, Any], Any]:
    """Return a method that makes the lazy form of a binary operation."""

    def lazy(self: Any, other: Any) -> SimpleExpression[Any]:
        return SimpleExpression(name, (self, other))

    return lazy


def _not_known_yet(expr: Any, problem: str, cure: str) -> TypeError:
    """Return the error for a use of an expression that needs its value at once."""
    shown = bounded_repr(expr, MAX_REPR_IN_ERROR)
    return TypeError(f"{problem} The value of {shown} is not known yet. {cure}")


class Expression(Node, Value, Generic[Result]):
    """A value that is not known yet.

    Operators, attribute access, indexing and calls on an expression give further expressions. What
    needs the value at once (truth, iteration of unknown length) raises `TypeError`.
    """

    __module__ = "redun.expression"
    __slots__ = ("_derived_from", "_length")

    def __init__(self) -> None:
        # Every slot is set: a missing attribute would become a lazy `getattr`.
        self._hash = None
        self._hash_scheme = None
        self._leaves = None
        self._length: int | None = None
        self._derived_from: list[Any] | None = None

    @property
    def _upstreams(self) -> list[Any]:
        """The expressions and values this one is computed from, for the data flow."""
        derived = self._derived_from
        return self._own_upstreams() if derived is None else derived

    @_upstreams.setter
    def _upstreams(self, upstreams: list[Any]) -> None:
        self._derived_from = upstreams

    def _own_upstreams(self) -> list[Any]:
        return []

    def get_hash(self, data: bytes | None = None) -> str:
        """Return the hash of the expression, 40 hexadecimal digits (see `redun.hashing`)."""
        if self._hash is None or self._hash_scheme != get_scheme():
            hash_expressions([self])
        return cast(str, self._hash)

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def __setstate__(self, state: Any) -> None:
        Expression.__init__(self)

    def __reduce_ex__(self, protocol: Any) -> Any:
        if uses_original_layout([self]):
            return copyreg.__newobj__, (type(self),), self.__getstate__()  # type: ignore[attr-defined]
        return reduce_graph(self, [self])

    def __repr__(self) -> str:
        return bounded_repr(self, MAX_REPR_LENGTH)

    def _repr_pieces(self) -> Pieces:
        yield True, f"{type(self).__name__}()"

    __eq__ = _operator("eq")
    __ne__ = _operator("ne")
    __lt__ = _operator("lt")
    __le__ = _operator("le")
    __gt__ = _operator("gt")
    __ge__ = _operator("ge")
    __add__ = _operator("add")
    __radd__ = _operator("radd")
    __sub__ = _operator("sub")
    __rsub__ = _operator("rsub")
    __mul__ = _operator("mul")
    __rmul__ = _operator("rmul")
    __truediv__ = _operator("div")
    __rtruediv__ = _operator("rdiv")
    __and__ = _operator("and")
    __rand__ = _operator("rand")
    __or__ = _operator("or")
    __ror__ = _operator("ror")

    # Identity, because == is lazy.
    __hash__ = object.__hash__

    def __call__(self, *args: Any, **kwargs: Any) -> SimpleExpression:
        return SimpleExpression("call", (self, args, kwargs))

    def __getattr__(self, name: str) -> SimpleExpression:
        return SimpleExpression("getattr", (self, name))

    def __getitem__(self, key: Any) -> Any:
        if type(key) is slice:
            if key.stop is None:
                raise _not_known_yet(
                    self,
                    "Slices of expressions need a stop.",
                    "Write e[a:b], or slice in a task that takes it as an argument.",
                )
            items = range(key.start or 0, key.stop, key.step or 1)
            return [SimpleExpression("getitem", (self, index)) for index in items]
        return SimpleExpression("getitem", (self, key))

    def __bool__(self) -> bool:
        raise _not_known_yet(
            self,
            "Expressions cannot be coerced to bool.",
            "Choose with cond(), combine with & and |, or decide in a task that takes it as an argument.",
        )

    def __len__(self) -> int:
        if self._length is not None:
            return self._length
        raise _not_known_yet(self, "Expressions of unknown length have no len().", LENGTH_CURE)

    def __contains__(self, item: Any) -> bool:
        raise _not_known_yet(self, "Expressions cannot be searched with `in`.", ARGUMENT_CURE)

    def __int__(self) -> int:
        raise _not_known_yet(self, "Expressions cannot be converted to int.", ARGUMENT_CURE)

    def __float__(self) -> float:
        raise _not_known_yet(self, "Expressions cannot be converted to float.", ARGUMENT_CURE)

    def __index__(self) -> int:
        raise _not_known_yet(
            self, "Expressions cannot be used as an index or a number of items.", ARGUMENT_CURE
        )

    def __iter__(self) -> Iterator[SimpleExpression]:
        if self._length is None:
            raise _not_known_yet(
                self, "Expressions of unknown length cannot be iterated.", LENGTH_CURE
            )
        return iter([SimpleExpression("getitem", (self, index)) for index in range(self._length)])

    def __await__(self) -> Iterator[Any]:
        """Evaluate within the running asynchronous task. Raises `LookupError` elsewhere."""
        scheduler, job = get_current_job()
        return scheduler.evaluate_async(self, job).__await__()


class ValueExpression(Expression[Result]):
    """A known value in the place of an expression.

    Parameters
    ----------
    value : anything but an expression.
    """

    __module__ = "redun.expression"
    __slots__ = ("value",)

    def __init__(self, value: Result) -> None:
        assert not isinstance(value, Expression)
        super().__init__()
        self.value = value

    def _repr_pieces(self) -> Pieces:
        return render_call("ValueExpression", (self.value,), {})

    def _arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return (self.value,), {}

    def _preimage(self, hashed: HashedArguments, options_hashes: dict[int, str]) -> list[str]:
        return ["ValueExpression", hashed[1][0]]

    def __getstate__(self) -> dict[str, Any]:
        registry = get_type_registry()
        return {
            "value_type": registry.get_type_name(type(self.value)),
            "value": registry.serialize(self.value),
        }

    def _graph_state(self) -> tuple[Any, ...]:
        if any(isinstance(leaf, Node) for leaf in direct_leaves(self)):
            return None, self.value
        return tuple(self.__getstate__().values())

    def __setstate__(self, state: Any) -> None:
        Expression.__init__(self)
        if isinstance(state, dict):
            state = state["value_type"], state["value"]
        type_name, value = state
        if type_name is not None:
            value = get_type_registry().deserialize(type_name, value)
        self.value = value


class ApplyExpression(Expression[Result]):
    """Something applied to arguments.

    Parameters
    ----------
    args, kwargs : the arguments; they may hold expressions, also within containers.
    """

    __module__ = "redun.expression"
    __slots__ = ("_arg_hashes", "_args_hash", "_plain", "args", "kwargs")

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.args = args
        self.kwargs = kwargs
        self._hash = None
        self._hash_scheme = None
        self._leaves = None
        self._length = None
        self._derived_from = None
        self._args_hash: str | None = None
        self._arg_hashes: tuple[tuple[str, ...], tuple[str, ...]] | None = None
        self._plain: bool | None = None

    def _own_upstreams(self) -> list[Any]:
        return [self.args, self.kwargs]

    def _arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return self.args, self.kwargs

    def _memoise(self, hashed: HashedArguments) -> str:
        """Keep what is known once the arguments are hashed; return the hash of all of them."""
        self._args_hash, positional, keyword, plain = hashed
        self._plain = plain
        if plain or not any(isinstance(leaf, Node) for leaf in direct_leaves(self)):
            self._arg_hashes = positional, keyword
        return self._args_hash

    def forget_arguments(self) -> None:
        """Let go of the hashes of the arguments; they are computed again when next needed."""
        self._args_hash = None
        self._arg_hashes = None

    def _load_arguments(self, args: Any, kwargs: Any) -> None:
        ApplyExpression.__init__(
            self,
            pickle_loads(args) if isinstance(args, bytes) else args,
            pickle_loads(kwargs) if isinstance(kwargs, bytes) else kwargs,
        )


class TaskExpression(ApplyExpression[Result]):
    """The lazy call of a task.

    Parameters
    ----------
    task_name : full name of the task; whichever task has it at evaluation runs.
    args, kwargs : the arguments.
    task_options : options given at the call.
    export_options : names of the options that the call hands to the calls below it.
    length : number of items of the result, if known: such an expression can be iterated.
    """

    __module__ = "redun.expression"
    __slots__ = ("_export_options", "_options", "call_hash", "task_name")

    def __init__(
        self,
        task_name: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        task_options: dict[str, Any] | None = None,
        export_options: set[str] | None = None,
        length: int | None = None,
    ) -> None:
        # Written out, without calls: a workflow makes one of these for each of its jobs.
        self.task_name = task_name
        self.args = args
        self.kwargs = kwargs
        self.call_hash: str | None = None
        self._options: dict[str, Any] = {} if task_options is None else task_options
        self._export_options: set[str] = set() if export_options is None else export_options
        self._length = length
        self._derived_from = None
        self._hash = None
        self._hash_scheme = None
        self._leaves = None
        self._args_hash = None
        self._arg_hashes = None
        self._plain = None

    def _repr_pieces(self) -> Pieces:
        return render_call(self.task_name, self.args, self.kwargs)

    def _hashed_options(self) -> dict[str, Any] | None:
        return self._options

    def _preimage(self, hashed: HashedArguments, options_hashes: dict[int, str]) -> list[str]:
        options = self._options
        options_hash = options_hashes[id(options) if options else 0]
        preimage = ["TaskExpression", self.task_name, self._memoise(hashed), options_hash]
        if self._export_options:
            preimage.append(hash_struct(sorted(self._export_options)))
        return preimage

    def __getstate__(self) -> dict[str, Any]:
        registry = get_type_registry()
        return {
            "task_name": self.task_name,
            "args": registry.serialize(self.args),
            "kwargs": registry.serialize(self.kwargs),
            "task_options": self._options,
            "export_options": self._export_options,
            "length": self._length,
        }

    def _graph_state(self) -> tuple[Any, ...]:
        return (
            self.task_name,
            self.args,
            self.kwargs,
            self._options,
            self._export_options,
            self._length,
        )

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict):
            args, kwargs = state["args"], state["kwargs"]
            self.task_name = state["task_name"]
            options = state.get("task_options", {})
            exported = state.get("export_options", set())
            length = state.get("length")
        else:
            self.task_name, args, kwargs, options, exported, length = state
        self._load_arguments(args, kwargs)
        self._options = options
        self._export_options = exported
        self._length = length
        self.call_hash = None

    def is_valid(self, seen: set[int] | None = None) -> bool:
        """Whether the task, and those of the calls it takes as arguments, exist and values are valid.

        Operations on expressions are not looked into.

        Parameters
        ----------
        seen : ids of calls and values that are valid; what is found to be is added.
        """
        assert _lookup_task is not None
        registry = get_type_registry()
        seen = set() if seen is None else seen
        seen.add(id(self))
        stack: list[TaskExpression[Any]] = [self]
        while stack:
            expr = stack.pop()
            if _lookup_task(expr.task_name) is None:
                return False
            for leaf in direct_leaves(expr):
                if id(leaf) in seen:
                    continue
                if isinstance(leaf, TaskExpression):
                    stack.append(leaf)
                elif not registry.is_valid(leaf):
                    return False
                seen.add(id(leaf))
        return True


class SchedulerExpression(TaskExpression[Result]):
    """The lazy call of a scheduler task, which takes its arguments unevaluated."""

    __module__ = "redun.expression"
    __slots__ = ()

    def _hashed_options(self) -> dict[str, Any] | None:
        return None

    def _preimage(self, hashed: HashedArguments, options_hashes: dict[int, str]) -> list[str]:
        return ["SchedulerExpression", self.task_name, self._memoise(hashed)]


class SimpleExpression(ApplyExpression[Result]):
    """An operation on expressions, such as `a + b` or `a[0]`, done by the scheduler itself.

    Parameters
    ----------
    func_name : name of the operation (see `get_lazy_operation`).
    args, kwargs : its operands.
    """

    __module__ = "redun.expression"
    __slots__ = ("func_name",)

    def __init__(
        self, func_name: str, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> None:
        self.func_name = func_name
        ApplyExpression.__init__(self, args, {} if kwargs is None else kwargs)

    def _repr_pieces(self) -> Pieces:
        name, args = self.func_name, self.args
        infix = operation_symbol(name)
        if infix and len(args) == 2:
            symbol, swap = infix
            left, right = reversed(args) if swap else args
            return iter(
                ((True, "("), (False, left), (True, f" {symbol} "), (False, right), (True, ")"))
            )
        if name == "getattr" and len(args) == 2:
            return iter(((False, args[0]), (True, f".{args[1]}")))
        if name == "getitem" and len(args) == 2:
            return iter(((False, args[0]), (True, "["), (False, args[1]), (True, "]")))
        if name == "call" and [type(arg) for arg in args[1:]] == [tuple, dict]:
            return _call_pieces(*args)
        fields = ((False, name), (True, ", "), (False, args), (True, ", "), (False, self.kwargs))
        return iter(((True, "SimpleExpression("), *fields, (True, ")")))

    def _preimage(self, hashed: HashedArguments, options_hashes: dict[int, str]) -> list[str]:
        return ["SimpleExpression", self.func_name, self._memoise(hashed)]

    def __getstate__(self) -> dict[str, Any]:
        registry = get_type_registry()
        return {
            "func_name": self.func_name,
            "args": registry.serialize(self.args),
            "kwargs": registry.serialize(self.kwargs),
        }

    def _graph_state(self) -> tuple[Any, ...]:
        return self.func_name, self.args, self.kwargs

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict):
            state = state["func_name"], state["args"], state["kwargs"]
        self.func_name, args, kwargs = state
        self._load_arguments(args, kwargs)


def _call_pieces(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Pieces:
    yield False, func
    yield from render_call("", args, kwargs)


class QuotedExpression(Generic[Result]):
    """An expression held back from evaluation: nested-value recursion does not enter it.

    Parameters
    ----------
    expr : the expression, or any value.
    """

    __module__ = "redun.expression"

    def __init__(self, expr: Result) -> None:
        self._expr = expr

    def __repr__(self) -> str:
        return bounded_repr(self, MAX_REPR_LENGTH)

    def _repr_pieces(self) -> Pieces:
        return render_call("QuotedExpression", (self._expr,), {})

    def eval(self) -> Result:
        """Return the expression, which is then subject to evaluation."""
        return self._expr


def quote(expr: Result) -> QuotedExpression[Result]:
    """Hold an expression back from evaluation."""
    return QuotedExpression(expr)


def derive_expression(orig_expr: Expression[Any], derived_value: Any) -> Expression[Any]:
    """Return a value as an expression whose data flow comes from another expression.

    Parameters
    ----------
    orig_expr : what the value was computed from.
    derived_value : an expression, or a value to be wrapped in a `ValueExpression`.
    """
    if isinstance(derived_value, Expression):
        derived = derived_value
    else:
        derived = ValueExpression(derived_value)
    derived._upstreams = [orig_expr]
    return derived
