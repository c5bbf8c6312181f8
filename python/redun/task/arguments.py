"""Arguments of a call: which of them are hashed, default values, display."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from redun.expression.render import SCALARS, bounded_repr
from redun.hashing import hash_struct
from redun.task.signature import KEYWORD_ONLY, VAR_POSITIONAL, Default

if TYPE_CHECKING:
    from redun.task.task import Task
    from redun.value import TypeRegistry

__all__ = [
    "MAX_ARG_LENGTH",
    "format_arg",
    "format_task_call",
    "get_arg_defaults",
    "hash_args_eval",
    "hashed_arguments",
    "missing_defaults",
    "set_arg_defaults",
]

MAX_ARG_LENGTH = 200

# What the display of a call shows for a parameter that has no value.
NO_VALUE = "<class 'inspect._empty'>"


def hash_args_eval(
    type_registry: TypeRegistry, task: Task[..., Any], args: Sequence[Any], kwargs: dict[str, Any]
) -> tuple[str, str]:
    """Return the hashes that identify a call: (eval_hash, args_hash).

    Parameters
    ----------
    type_registry : hashes the values.
    task : the registered task.
    args, kwargs : evaluated arguments, defaults included.

    Arguments named in the option `config_args`, and values such as `JobInfo`, do not count.
    """
    args_hash = type_registry.hash_args([hashed_arguments(task, args, kwargs)])[0][0]
    return hash_struct(["Eval", task.hash, args_hash]), args_hash


def hashed_arguments(
    task: Task[..., Any], args: Sequence[Any], kwargs: dict[str, Any]
) -> tuple[Sequence[Any], dict[str, Any]]:
    """Return the arguments that enter the hash of a call; the same objects if all of them do.

    A value whose class has a true attribute `not_hashed_as_argument` is left out. A surplus positional
    argument belongs to the parameter `*args`.
    """
    config_args = task.config_args
    if config_args:
        names = _positional_names(task, len(args))
        args = [arg for arg, name in zip(args, names, strict=True) if name not in config_args]
        kwargs = {key: arg for key, arg in kwargs.items() if key not in config_args}
    if _any_not_hashed(args):
        args = [arg for arg in args if not is_not_hashed(arg)]
    if kwargs and _any_not_hashed(kwargs.values()):
        kwargs = {key: arg for key, arg in kwargs.items() if not is_not_hashed(arg)}
    return args, kwargs


def _positional_names(task: Task[..., Any], count: int) -> list[str]:
    """Return the parameters that take so many positional arguments; "" where there is none."""
    names, kinds = task.parameters
    if VAR_POSITIONAL in kinds:
        first = kinds.index(VAR_POSITIONAL)
        surplus, names = names[first], names[:first]
    else:
        surplus = ""
    return [*names[:count], *[surplus] * (count - len(names))]


def is_not_hashed(value: Any) -> bool:
    """Whether a value does not count in the hash of a call it is an argument of."""
    return getattr(type(value), "not_hashed_as_argument", False)


def _any_not_hashed(values: Collection[Any]) -> bool:
    # Most arguments are scalars, and this runs for each job.
    return not SCALARS.issuperset(map(type, values)) and any(map(is_not_hashed, values))


def missing_defaults(
    task: Task[..., Any], args: Sequence[Any], kwargs: dict[str, Any]
) -> list[Default]:
    """Return the defaults that are to be passed, by keyword, to a call with these arguments.

    A parameter is taken as given if there are enough positional arguments to reach it. That is also
    so for one that comes after `*args`, where Python applies the default itself; only a default that
    has to be evaluated or checked first is passed even then.
    """
    given = len(args)
    kinds = task.parameters.kinds
    return [
        item
        for item in task.defaults
        if item.name not in kwargs
        and (item.position >= given or (kinds[item.position] == KEYWORD_ONLY and not item.plain))
    ]


def get_arg_defaults(
    task: Task[..., Any], args: Sequence[Any], kwargs: dict[str, Any]
) -> dict[str, Any]:
    """Return the defaults that are to be passed to a call with these arguments, by name."""
    return {item.name: item.value for item in missing_defaults(task, args, kwargs)}


def set_arg_defaults(
    task: Task[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return arguments completed by the defaults.

    Defaults are passed by keyword, so that `f(1)` and `f(1, b=<default>)` are one call. Those of
    positional-only parameters are appended to the positional arguments.
    """
    for item in task.positional_defaults:
        if item.position == len(args):
            args = (*args, item.value)
    defaults = get_arg_defaults(task, args, kwargs)
    return args, {**kwargs, **defaults} if defaults else kwargs


def format_arg(arg_name: str, value: Any, max_length: int = MAX_ARG_LENGTH) -> str:
    """Return `name=value` for display, the value cut to a length in characters."""
    return f"{arg_name}={bounded_repr(value, max_length)}"


def format_task_call(task: Task[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> str:
    """Return a call for display, such as `my_task(arg1=10, my_file=File(path=...))`.

    Parameters are shown in the order of the signature, the i-th with the i-th positional argument.
    """
    given = len(args)
    defaults: dict[str, Any] | None = None
    shown = []
    for index, name in enumerate(task.parameters.names):
        if index < given:
            shown.append(format_arg(name, args[index]))
        elif name in kwargs:
            shown.append(format_arg(name, kwargs[name]))
        else:
            if defaults is None:
                defaults = {
                    item.name: item.value for item in (*task.defaults, *task.positional_defaults)
                }
            value = defaults.get(name, NO_VALUE)
            shown.append(f"{name}={NO_VALUE}" if value is NO_VALUE else format_arg(name, value))
    return f"{task.fullname}({', '.join(shown)})"
