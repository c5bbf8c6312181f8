"""`Task`: a function of a workflow."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, cast

from redun.expression.classes import (
    MAX_REPR_LENGTH,
    Expression,
    SchedulerExpression,
    TaskExpression,
)
from redun.expression.render import Pieces, bounded_repr
from redun.hashing import get_scheme, hash_struct
from redun.namespace import compute_namespace
from redun.task.options import (
    CONTEXT_OPTION,
    CacheCheckValid,
    CacheScope,
    merge_context,
    normalize_options,
)
from redun.task.registry import format_fullname, get_task_registry
from redun.task.signature import (
    POSITIONAL_ONLY,
    Default,
    Parameters,
    Source,
    find_defaults,
    get_return_length,
    is_coroutine_function,
)
from redun.utils.nested import leaves
from redun.value import Value, get_type_registry

if TYPE_CHECKING:
    import inspect

__all__ = ["PartialTask", "SchedulerTask", "Task", "undefined_task"]

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

_NAME = re.compile(r"^[A-Za-z_][A-Za-z_0-9]*$")
_NAMESPACE = re.compile(r"^[A-Za-z_][A-Za-z_0-9.]*$")


def undefined_task(fullname: str, *args: Any, **kwargs: Any) -> Any:
    """Stand in for the function of a task that is not defined. Raises `ValueError`."""
    raise ValueError(f"Task {fullname} is undefined.")


class Task(Value, Generic[P, R]):
    """A function of a workflow. Calling it gives a lazy expression.

    Tasks are usually made by the decorator `task`, which also registers them; the constructor does not.

    Parameters
    ----------
    func : the plain function.
    name : name of the task; that of the function by default.
    namespace : prefix of the full name; see `redun.namespace` for the default.
    version : if given, stands for the source text in the hash.
    compat : if not empty, its first item is the hash of the task.
    script : the function returns a shell script, which is run.
    task_options_base : options given at the definition.
    task_options_override : options given at the call, by `options()`.
    export_options : names of options that calls of the task hand to the calls below them.
    hash_includes : further values that enter the hash, in any order.
    source : source text; extracted from the function by default.

    Raises `ValueError` or `TypeError` for invalid names or options, `OSError` if the source is needed
    and cannot be found.
    """

    __module__ = "redun.task"
    type_name = "redun.Task"

    func: Callable[..., Any]

    def __init__(
        self,
        func: Callable[P, R],
        name: str | None = None,
        namespace: str | None = None,
        version: str | None = None,
        compat: list[str] | None = None,
        script: bool = False,
        task_options_base: dict[str, Any] | None = None,
        task_options_override: dict[str, Any] | None = None,
        export_options: set[str] | None = None,
        hash_includes: list[Any] | None = None,
        source: str | None = None,
    ) -> None:
        self.name = name or func.__name__
        self.namespace = compute_namespace(func, namespace)
        self.func = func
        self.version = version
        self.compat = compat or []
        self.script = script
        self._task_options_base = task_options_base or {}
        self._task_options_override = task_options_override or {}
        self._export_options = export_options or set()
        self._hash_includes = hash_includes
        self._source = None if source is None else Source(source)
        if source is None and version is None:
            self._source = Source.of(func)
        self._set_fullname()
        self._hashed_name = self._fullname
        self._forget()
        self._validate()
        self.recompute_hash()

    # -- names ----------------------------------------------------------------------------------

    @property
    def fullname(self) -> str:
        """Namespace and name, joined with a dot."""
        return self._fullname

    def _set_fullname(self) -> None:
        self._fullname = format_fullname(self.namespace, self.name)

    def _rename(self, namespace: str, name: str) -> None:
        """Take another name. The hash keeps the name under which the task was defined."""
        self.namespace, self.name = namespace, name
        self._set_fullname()

    def __repr__(self) -> str:
        return f"Task(fullname={self.fullname}, hash={self.hash[:8]})"

    # -- validation -----------------------------------------------------------------------------

    def _validate(self) -> None:
        if self.config_args:
            names = self.parameters.names
            invalid = [arg for arg in self.config_args if arg not in names]
            if invalid:
                raise ValueError(
                    f"Invalid config args: {', '.join(invalid)}. Expected all config_args to be one "
                    f"of the function args/kwargs: {', '.join(names)}"
                )
        if self.namespace and not _NAMESPACE.match(self.namespace):
            raise ValueError(
                "Task namespace must use only alphanumeric characters, underscore '_', and dot '.', "
                f"and may not start with a dot: {self.namespace}"
            )
        if not _NAME.match(self.name):
            raise ValueError(
                f"Task name must use only alphanumeric characters and underscore '_': {self.name}"
            )
        if self.nout is not None:
            if not isinstance(self.nout, int):
                raise TypeError("nout must be an int")
            if self.nout < 0:
                raise TypeError("nout must be non-negative")
        self._task_options_base = normalize_options(self._task_options_base)
        self._task_options_override = normalize_options(self._task_options_override)
        if self.has_task_option("prov"):
            self._export_options = {*self._export_options, "prov"}
        if self.is_async():
            self._validate_async()

    def _validate_async(self) -> None:
        scope = self.get_task_option("cache_scope")
        check_valid = self.get_task_option("check_valid")
        if scope is None or (
            scope is CacheScope.BACKEND and check_valid is not CacheCheckValid.SHALLOW
        ):
            raise ValueError(
                f"Due to current limitations, async tasks like '{self.fullname}' must explicitly set "
                'their cache option. If caching is turned on, the option `check_valid="shallow"` '
                "must be enabled as well. Therefore, please set either:  "
                '`@task(cache=True, check_valid="shallow")` or `@task(cache=False)`.'
            )

    # -- facts about the function, each found out once ------------------------------------------

    def _forget(self) -> None:
        """Drop what is derived from the function and the options."""
        self._nout = (
            self.get_task_option("nout")
            if self.has_task_option("nout")
            else get_return_length(self.func)
        )
        self._config_args: tuple[str, ...] = tuple(self.get_task_option("config_args") or ())
        self._is_async = is_coroutine_function(self.func)
        self._signature: inspect.Signature | None = None
        self._parameters: Parameters | None = None
        self._defaults: tuple[Default, ...] | None = None
        self._positional_defaults: tuple[Default, ...] = ()
        self._plain_options: bool | None = None

    @property
    def nout(self) -> int | None:
        """The number of items of the result, if known: then calls can be iterated."""
        return self._nout

    @property
    def source(self) -> str:
        """The source text of the function; empty if there is none."""
        if self._source is None:  # with a version the text is only shown, so it can wait
            try:
                self._source = Source.of(self.func)
            except OSError:
                self._source = Source("")
        return self._source.text

    @source.setter
    def source(self, source: str) -> None:
        self._source = Source(source)

    @property
    def signature(self) -> inspect.Signature:
        """The signature of the function; of a wrapper, that of the innermost wrapped task."""
        if self._signature is None:
            import inspect

            task = self if self.get_task_option("use_wrapper_signature") else self.inner_task
            self._signature = inspect.signature(task.func)
        return self._signature

    @property
    def parameters(self) -> Parameters:
        """Names and kinds of the parameters."""
        if self._parameters is None:
            self._parameters = Parameters.of(self.signature)
        return self._parameters

    @property
    def defaults(self) -> tuple[Default, ...]:
        """The parameters with a default that can be passed by keyword."""
        if self._defaults is None:
            kinds = self.parameters.kinds
            found = find_defaults(self.signature)
            self._positional_defaults = tuple(
                item for item in found if kinds[item.position] == POSITIONAL_ONLY
            )
            self._defaults = tuple(
                item for item in found if kinds[item.position] != POSITIONAL_ONLY
            )
        return self._defaults

    @property
    def positional_defaults(self) -> tuple[Default, ...]:
        """The positional-only parameters with a default."""
        return self._positional_defaults if self.defaults is not None else ()

    @property
    def config_args(self) -> tuple[str, ...]:
        """The parameters that do not count in the hash of a call."""
        return self._config_args

    @property
    def plain_options(self) -> bool:
        """Whether no expression is among the options given at the definition."""
        if self._plain_options is None:
            inner = leaves(self._task_options_base)
            self._plain_options = not any(isinstance(leaf, Expression) for leaf in inner)
        return self._plain_options

    @property
    def load_module(self) -> str:
        """The module to import for the task to be defined."""
        return self.get_task_option("load_module") or self.func.__module__

    def is_async(self) -> bool:
        """Whether the function is an `async def`."""
        return self._is_async

    @property
    def wrapped_task(self) -> Task[..., Any] | None:
        """The task that this one directly wraps, if any."""
        name = self.get_task_option("wrapped_task")
        return get_task_registry().get(name) if name else None

    @property
    def inner_task(self) -> Task[..., Any]:
        """The innermost wrapped task; the task itself if it wraps none."""
        task: Task[..., Any] = self
        while (wrapped := task.wrapped_task) is not None:
            task = wrapped
        return task

    # -- options --------------------------------------------------------------------------------

    def has_task_option(self, option_name: str) -> bool:
        """Whether an option is set."""
        return option_name in self._task_options_override or option_name in self._task_options_base

    def get_task_option(self, option_name: str, default: T | None = None) -> Any:
        """Return an option; those given at the call win."""
        if option_name in self._task_options_override:
            return self._task_options_override[option_name]
        return self._task_options_base.get(option_name, default)

    def get_task_options(self) -> dict[str, Any]:
        """Return all options; those given at the call win."""
        return {**self._task_options_base, **self._task_options_override}

    def options(self, **task_options_update: Any) -> Task[P, R]:
        """Return the task with further options for its calls. Raises `ValueError` if one is invalid."""
        return self._derive(task_options_update, self._export_options)

    def export_options(self, **task_options_update: Any) -> Task[P, R]:
        """Return the task with further options that also hold for all calls below its own."""
        return self._derive(
            task_options_update, self._export_options | exported_names(task_options_update)
        )

    def update_context(self, context: dict[str, Any] = {}, **kwargs: Any) -> Task[P, R]:
        """Return the task with a context for its calls, merged deeply with those given before."""
        merged = merge_context(self._task_options_override, context, kwargs)
        return self.options(**{CONTEXT_OPTION: merged})

    def _derive(self, options: dict[str, Any], export_options: set[str]) -> Task[P, R]:
        derived = object.__new__(type(self))
        derived.__dict__.update(self.__dict__)
        derived._task_options_override = {**self._task_options_override, **options}
        derived._export_options = export_options
        if "nout" in options:
            derived._nout = options["nout"]
        if "config_args" in options:
            derived._config_args = tuple(options["config_args"] or ())
        derived._validate()
        derived.recompute_hash()
        return derived

    # -- calls ----------------------------------------------------------------------------------

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Return the lazy call. The signature is not checked before the call runs."""
        return cast(
            R,
            TaskExpression(
                self._fullname,
                args,
                kwargs,
                self._task_options_override,
                self._export_options,
                self._nout,
            ),
        )

    def partial(self, /, *args: Any, **kwargs: Any) -> PartialTask[..., R]:
        """Return the task with some arguments already given."""
        return PartialTask(self, args, kwargs)

    # -- hash, storage --------------------------------------------------------------------------

    @property
    def hash(self) -> str:
        """The hash of the task, 40 hexadecimal digits unless `compat` says otherwise."""
        if self._hash_scheme != get_scheme():
            self.recompute_hash()
        return self._hash

    @hash.setter
    def hash(self, hash: str) -> None:
        self._hash = hash
        self._hash_scheme = get_scheme()

    def recompute_hash(self) -> None:
        """Compute the hash again."""
        self.hash = self._calc_hash()

    def _calc_hash(self) -> str:
        if self.compat:
            return self.compat[0]
        registry = get_type_registry()
        extras = sorted(digest for digest, _ in registry.hash_many(self._hash_includes or ()))
        if self._task_options_override:
            extras.append(registry.get_hash(self._task_options_override))
        if self.version is not None:
            identity: list[Any] = ["version", self.version]
        else:
            identity = ["source", self.source]
        return hash_struct(["Task", self._hashed_name, *identity, *extras])

    def get_hash(self, data: bytes | None = None) -> str:
        """Return the hash of the task."""
        return self.hash

    def is_valid(self) -> bool:
        """Whether the task is still the one that is defined."""
        return self.hash == self._calc_hash()

    def __getstate__(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "namespace": self.namespace,
            "version": self.version,
            "hash": self.hash,
            "compat": self.compat,
            "script": self.script,
            "task_options": self._task_options_override,
            "export_options": self._export_options,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.name = state["name"]
        self.namespace = state["namespace"]
        self.version = state["version"]
        self.compat = state.get("compat", [])
        self.script = state.get("script", False)
        self._task_options_override = state.get("task_options", {})
        self._export_options = state.get("export_options", set())
        self._set_fullname()
        self._bind(get_task_registry().get(self._fullname))
        self._forget()
        self._validate()
        self.hash = state["hash"]

    def _bind(self, registered: Task[..., Any] | None) -> None:
        """Take from the registered task what is not stored."""
        if registered is not None:
            self.func = registered.func
            self._task_options_base = registered._task_options_base
            self._source = registered._source
            self._hash_includes = registered._hash_includes
            self._hashed_name = registered._hashed_name
            return
        fullname = self._fullname

        def undefined(*args: Any, **kwargs: Any) -> Any:
            return undefined_task(fullname, *args, **kwargs)

        undefined.__module__ = Task.__module__
        self.func = undefined
        self._task_options_base = {}
        self._source = Source("")
        self._hash_includes = None
        self._hashed_name = fullname


def exported_names(options: dict[str, Any]) -> set[str]:
    """Return the names to export for options: their own, and what `cache` becomes."""
    return {*options, "cache_scope"} if "cache" in options else set(options)


class SchedulerTask(Task[P, R]):
    """A task that runs in the scheduler and takes its arguments unevaluated.

    Its function has the form `func(scheduler, parent_job, sexpr, *args, **kwargs)` and returns a
    promise. No job is made for a call, and nothing of it is cached.
    """

    __module__ = "redun.task"

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Return the lazy call."""
        return cast(
            R,
            SchedulerExpression(
                self._fullname, args, kwargs, self._task_options_override, length=self._nout
            ),
        )


class PartialTask(Task[P, R]):
    """A task with some arguments already given. Calling it calls the task.

    Parameters
    ----------
    task : the underlying task.
    args : positional arguments, before those of the call.
    kwargs : keyword arguments; those of the call win.

    The arguments stay unevaluated while the partial task is passed round.
    """

    __module__ = "redun.task"
    type_name = "redun.PartialTask"

    def __init__(self, task: Task[..., R], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.task = task
        self.args = args
        self.kwargs = kwargs
        super().__init__(task.func, name=task.name, namespace=task.namespace, source=task.source)

    def __repr__(self) -> str:
        return bounded_repr(self, MAX_REPR_LENGTH)

    def _repr_pieces(self) -> Pieces:
        yield True, f"PartialTask(fullname={self.fullname}, hash={self.hash[:8]}, args="
        yield False, self.args
        yield True, ", kwargs="
        yield False, self.kwargs
        yield True, ")"

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Return the lazy call of the underlying task."""
        return self.task(*self.args, *args, **{**self.kwargs, **kwargs})

    @property
    def signature(self) -> inspect.Signature:
        """The signature of the underlying task, with the parameters already given."""
        return self.task.signature

    def has_task_option(self, option_name: str) -> bool:
        """Whether the underlying task has an option."""
        return self.task.has_task_option(option_name)

    def get_task_option(self, option_name: str, default: T | None = None) -> Any:
        """Return an option of the underlying task."""
        return self.task.get_task_option(option_name, default)

    def get_task_options(self) -> dict[str, Any]:
        """Return all options of the underlying task."""
        return self.task.get_task_options()

    def options(self, **task_options_update: Any) -> PartialTask[P, R]:
        """Return the partial task with further options for its calls."""
        return PartialTask(self.task.options(**task_options_update), self.args, self.kwargs)

    def export_options(self, **task_options_update: Any) -> PartialTask[P, R]:
        """Return the partial task with further options that also hold for all calls below its own."""
        task = self.task.export_options(**task_options_update)
        return PartialTask(task, self.args, self.kwargs)

    def update_context(self, context: dict[str, Any] = {}, **kwargs: Any) -> PartialTask[P, R]:
        """Return the partial task with a context for its calls, merged with those given before."""
        task = self.task.update_context(context, **kwargs)
        return PartialTask(task, self.args, self.kwargs)

    def partial(self, /, *args: Any, **kwargs: Any) -> PartialTask[..., R]:
        """Return the underlying task with these arguments in addition."""
        return PartialTask(self.task, self.args + args, {**self.kwargs, **kwargs})

    def _calc_hash(self) -> str:
        args_hash = get_type_registry().hash_args([(self.args, self.kwargs)])[0][0]
        return hash_struct(["PartialTask", self.task._calc_hash(), args_hash])

    def is_valid(self) -> bool:
        """Whether the underlying task is still the one that is defined."""
        return self.task.is_valid()

    def __getstate__(self) -> dict[str, Any]:
        return {
            **super().__getstate__(),
            "task": self.task.__getstate__(),
            "args": self.args,
            "kwargs": self.kwargs,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        inner = state["task"]
        registered = get_task_registry().get(format_fullname(inner["namespace"], inner["name"]))
        task: Task[..., R] = object.__new__(type(registered) if registered else Task)
        task.__setstate__(inner)
        self.task = task
        self.args = state["args"]
        self.kwargs = state["kwargs"]
        super().__setstate__(state)
