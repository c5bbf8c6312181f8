"""What a function tells about itself: parameters, defaults, source, length of its result."""

from __future__ import annotations

import re
import typing
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from redun.hashing import get_scheme
from redun.utils import get_func_source
from redun.utils.nested import leaves

if TYPE_CHECKING:
    import inspect

__all__ = ["Default", "Parameters", "Source", "get_tuple_type_length", "is_coroutine_function"]

# Values of `inspect._ParameterKind`.
POSITIONAL_ONLY = 0
VAR_POSITIONAL = 2
KEYWORD_ONLY = 3
VAR_KEYWORD = 4

CO_COROUTINE = 0x80  # flag of code objects, see `inspect`

_async_def = re.compile(r"^ *async def ")


class Default(NamedTuple):
    """A parameter with a default value.

    Fields: position among the parameters, name, value, whether the value is plain data (holds no
    expression, file or other value with behaviour of its own).
    """

    position: int
    name: str
    value: Any
    plain: bool


class Parameters(NamedTuple):
    """Names and kinds of the parameters of a function.

    The kinds are numbers as in `inspect`: 0 positional-only, 1 positional or keyword, 2 `*args`,
    3 keyword-only, 4 `**kwargs`.
    """

    names: tuple[str, ...]
    kinds: tuple[int, ...]

    @classmethod
    def of(cls, signature: inspect.Signature) -> Parameters:
        """Return those of a signature."""
        items = signature.parameters.values()
        return cls(tuple(item.name for item in items), tuple(int(item.kind) for item in items))


def find_defaults(signature: inspect.Signature) -> list[Default]:
    """Return the parameters of a signature that have a default."""
    return [
        Default(index, item.name, item.default, not leaves(item.default))
        for index, item in enumerate(signature.parameters.values())
        if item.default is not item.empty
    ]


def is_coroutine_function(func: Any) -> bool:
    """Whether a function is an `async def`."""
    code = getattr(func, "__code__", None)
    return code is not None and bool(code.co_flags & CO_COROUTINE)


def get_return_length(func: Any) -> int | None:
    """Return the number of items that a function returns according to its annotation, or None."""
    try:
        annotations = getattr(func, "__annotations__", None) or {}
    except NameError:  # an annotation evaluated late names something that does not exist
        return None
    return get_tuple_type_length(annotations.get("return"))


def get_tuple_type_length(tuple_type: Any) -> int | None:
    """Return the length of a tuple type; None if it varies or the type is not one of tuples.

    Parameters
    ----------
    tuple_type : such as `tuple[int, str]` or a class made by `NamedTuple`.
    """
    if typing.get_origin(tuple_type) is tuple:
        args = typing.get_args(tuple_type)
        if args == ((),):  # Tuple[()] of Python 3.10
            return 0
        if Ellipsis in args or tuple_type is typing.Tuple:  # noqa: UP006
            return None
        return len(args)
    if isinstance(tuple_type, type) and issubclass(tuple_type, tuple):
        fields = getattr(tuple_type, "_fields", None)
        return None if fields is None else len(fields)
    return None


class Source:
    """The source text of a function, under each hash scheme.

    The original takes the text from the first line that begins with `def`. For an `async def` that is
    a line of the body, or the decorators stay in; so only `redun1` does it, otherwise the text of an
    asynchronous function begins at its `async def`.
    """

    __slots__ = ("_original", "_text")

    def __init__(self, original: str, text: str | None = None) -> None:
        self._original = original
        self._text = original if text is None else text

    @classmethod
    def of(cls, func: Callable[..., Any]) -> Source:
        """Extract the text. Raises `OSError` if the source cannot be found."""
        original = get_func_source(func)
        if not is_coroutine_function(func):
            return cls(original)
        import inspect

        lines = inspect.getsource(func).split("\n")
        start = next((i for i, line in enumerate(lines) if _async_def.match(line)), 0)
        return cls(original, "\n".join(lines[start:]))

    @property
    def text(self) -> str:
        """The text under the active hash scheme."""
        return self._original if get_scheme() == "redun1" else self._text
