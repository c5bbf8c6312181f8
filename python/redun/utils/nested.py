"""Walking nested values: what counts as a container, its leaves, and rebuilding it.

Containers are exact `list`, `tuple`, `set` and `dict`, namedtuples and instances of dataclasses.
All else is a leaf: subclasses of the built-in containers, frozensets, ordinary objects. A class with a
true `__nested_leaf__` is a leaf even if it is a dataclass (values with behaviour of their own).
Nothing here recurses; a container that contains itself raises `ValueError`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from redun._core import nested_leaves, nested_map

_BUILTIN = frozenset((list, tuple, set, dict))

# A cycle never ends, so it is enough to look for one now and then while going down.
_CYCLE_CHECK = 1000


def expand(obj: Any) -> list | None:
    """The children of a namedtuple or dataclass instance in order; None for anything else."""
    cls = type(obj)
    if isinstance(obj, tuple):
        if cls is not tuple and hasattr(cls, "_fields"):
            return list(obj)
        return None
    if hasattr(cls, "__dataclass_fields__") and not getattr(cls, "__nested_leaf__", False):
        return [getattr(obj, name) for name in field_names(obj)]
    return None


def is_leaf(obj: Any) -> bool:
    """Whether nested-value recursion does not enter `obj`."""
    return type(obj) not in _BUILTIN and expand(obj) is None


def rebuild(obj: Any, children: list) -> Any:
    """A container like `obj`, which `expand` has opened, with these children instead.

    Dataclasses are built by their constructor from the `init` fields; then the other fields are set
    and attributes that are not fields are copied.
    """
    cls = type(obj)
    if isinstance(obj, tuple):
        return cls(*children)
    state = dict(zip(field_names(obj), children, strict=True))
    fields = cls.__dataclass_fields__
    late = {name: state[name] for name in state if not fields[name].init}
    copy = cls(**{name: state[name] for name in state if fields[name].init})
    for name, child in late.items():
        object.__setattr__(copy, name, child)
    for name, child in getattr(obj, "__dict__", {}).items():
        if name not in state:
            object.__setattr__(copy, name, child)
    return copy


def field_names(obj: Any) -> list[str]:
    """Names of the fields, in order, that this dataclass instance has a value for."""
    from dataclasses import fields

    return [field.name for field in fields(obj) if hasattr(obj, field.name)]


def leaves(value: Any) -> list:
    """The leaves of `value` that are not plain scalars, in document order; [] if it is plain data."""
    return nested_leaves(value, expand)


def substitute(value: Any, mapping: dict[int, Any]) -> Any:
    """A copy of `value` in which each leaf whose `id` is a key of `mapping` is replaced."""
    return nested_map(value, mapping, expand, rebuild)


def _children(value: Any) -> list | tuple | set | None:
    """Children in the order of iteration: of a dict all keys, then all values."""
    cls = type(value)
    if cls in _BUILTIN:
        return [*value.keys(), *value.values()] if cls is dict else value
    return expand(value)


def iter_nested_value_children(value: Any) -> Iterable[tuple[bool, Any]]:
    """`(False, child)` for each child of a container; `(True, value)` for a leaf."""
    children = _children(value)
    if children is None:
        yield True, value
    else:
        for child in children:
            yield False, child


def iter_nested_value(value: Any) -> Iterator[Any]:
    """All leaves, scalars included, depth first and in *reverse* order: the last comes first."""
    children = _children(value)
    if children is None:
        yield value
        return
    path = [value]
    stack = [reversed([*children])]
    while stack:
        for child in stack[-1]:
            children = _children(child)
            if children is None:
                yield child
                continue
            path.append(child)
            stack.append(reversed([*children]))
            _check_cycle(path)
            break
        else:
            stack.pop()
            path.pop()


def map_nested_value(func: Callable[[Any], Any], value: Any) -> Any:
    """A copy of `value` with `func` applied to each leaf, scalars and dict keys included."""
    children = _ordered_children(value)
    if children is None:
        return func(value)
    path = [value]
    stack: list[tuple[Iterator[Any], list]] = [(iter(children), [])]
    while True:
        pending, done = stack[-1]
        for child in pending:
            children = _ordered_children(child)
            if children is None:
                done.append(func(child))
                continue
            path.append(child)
            stack.append((iter(children), []))
            _check_cycle(path)
            break
        else:
            stack.pop()
            built = _build(path.pop(), done)
            if not stack:
                return built
            stack[-1][1].append(built)


def _ordered_children(value: Any) -> list | tuple | set | None:
    """Children in the order of mapping: of a dict each key with its value."""
    if type(value) is dict:
        return [part for item in value.items() for part in item]
    return _children(value)


def _build(container: Any, children: list) -> Any:
    cls = type(container)
    if cls is list:
        return children
    if cls is dict:
        return dict(zip(children[::2], children[1::2], strict=True))
    if cls in _BUILTIN:
        return cls(children)
    return rebuild(container, children)


def _check_cycle(path: list) -> None:
    if len(path) % _CYCLE_CHECK == 0 and len({id(item) for item in path}) < len(path):
        raise ValueError("A container contains itself.")
