"""From an annotated signature to command-line options.

Every parameter becomes one option `--name`; its annotation says how the text is read. The table of
annotations is that of the `redun run` command; annotations that argparse knows nothing about
(dictionaries, unions, literals, tuples, nested lists) are read as JSON or tried in turn.
"""

from __future__ import annotations

import enum
import json
import types
import typing
from argparse import Action, ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import Parameter
from typing import Any

_SEQUENCES: dict[Any, Callable[[list[Any]], Any]] = {
    list: list,
    set: set,
    frozenset: frozenset,
    tuple: tuple,
}


@dataclass(frozen=True)
class Reader:
    """How the words of one option become a value.

    Parameters
    ----------
    name
        Name of the type in messages.
    read
        Reads one word; raises any exception if it cannot.
    nargs
        Words of the option as argparse counts them: `None` is exactly one, `"+"` one or more, an
        integer that many.
    collect
        Makes the value from the list of read words, if `nargs` is not `None`.
    metavar
        What usage shows for a word; `None` for the option's name.
    """

    name: str
    read: Callable[[str], Any]
    nargs: int | str | None = None
    collect: Callable[[list[Any]], Any] | None = None
    metavar: str | None = None


def reader_for(annotation: Any) -> Reader:
    """The reader for a parameter's annotation (`Parameter.empty` reads as `str`)."""
    annotation = _strip(annotation)
    origin = typing.get_origin(annotation) or annotation
    arguments = typing.get_args(annotation)
    if origin in _SEQUENCES:
        return _sequence_reader(annotation, origin, arguments)
    if origin in (typing.Union, types.UnionType):
        return _union_reader(annotation, arguments)
    if origin is dict or _is_subclass(origin, Mapping):
        return Reader(type_name(annotation), lambda text: _from_json(annotation, json.loads(text)))
    if origin is typing.Literal:
        choices = "{" + ",".join(map(str, arguments)) + "}"
        return Reader("Literal", lambda text: _read_literal(arguments, text), metavar=choices)
    if _is_subclass(annotation, enum.Enum):
        choices = "{" + ",".join(map(str, annotation)) + "}"
        return Reader(
            type_name(annotation), lambda text: _read_enum(annotation, text), metavar=choices
        )
    return Reader(type_name(annotation), _word_reader(annotation, origin))


def _word_reader(annotation: Any, origin: Any) -> Callable[[str], Any]:
    """Reader of one word for everything that is not a container or a choice."""
    from datetime import datetime

    if annotation in (Parameter.empty, Any, object, str):
        return str
    if annotation is bytes:
        return lambda text: text.encode()
    if annotation is type(None):
        return _read_none
    if annotation is datetime:
        return _read_datetime
    if origin is Callable:
        return _read_function
    if not isinstance(annotation, type):
        return lambda text: _refuse(annotation)

    from redun.value import get_type_registry

    return lambda text: get_type_registry().parse_arg(annotation, text)


def _refuse(annotation: Any) -> Any:
    raise ValueError(f"annotation {annotation!r} cannot be given on the command line")


def _sequence_reader(annotation: Any, origin: Any, arguments: tuple[Any, ...]) -> Reader:
    name = type_name(annotation)
    build = _SEQUENCES[origin]
    if origin is tuple and arguments and arguments[-1] is not Ellipsis:
        # A heterogeneous tuple: as many words, each of its own type.
        readers = [_nested_reader(argument) for argument in arguments]

        def collect_tuple(words: list[Any]) -> Any:
            return tuple(reader.read(word) for reader, word in zip(readers, words, strict=True))

        return Reader(name, str, len(arguments), collect_tuple)
    item = _nested_reader(arguments[0] if arguments else str)
    return Reader(item.name, item.read, "+", build, item.metavar)


def _nested_reader(annotation: Any) -> Reader:
    """A reader that takes one word: containers inside containers are written as JSON."""
    reader = reader_for(annotation)
    if reader.nargs is None:
        return reader
    return Reader(reader.name, lambda text: _from_json(annotation, json.loads(text)))


def _union_reader(annotation: Any, arguments: tuple[Any, ...]) -> Reader:
    members = [argument for argument in arguments if argument is not type(None)]
    optional = len(members) < len(arguments)
    if len(members) == 1:
        reader = reader_for(members[0])
        # "None" is a fine string, but never an integer.
        if not optional or reader.nargs is not None or reader.read is str:
            return reader
        return Reader(
            reader.name, lambda text: _read_optional(reader, text), metavar=reader.metavar
        )
    # str reads everything, so it has the last word.
    ordered = sorted(members, key=lambda member: member is str)
    readers = [_nested_reader(member) for member in ordered]
    return Reader(type_name(annotation), lambda text: _read_first(readers, optional, text))


def _read_first(readers: Sequence[Reader], optional: bool, text: str) -> Any:
    reasons = []
    for reader in readers:
        try:
            return reader.read(text)
        except Exception as error:
            reasons.append(f"{reader.name}: {error}")
    if optional and text == "None":
        return None
    raise ValueError("; ".join(reasons))


def _read_optional(reader: Reader, text: str) -> Any:
    try:
        return reader.read(text)
    except Exception:
        if text == "None":
            return None
        raise


def _read_none(text: str) -> None:
    if text != "None":
        raise ValueError("expected None")


def _read_literal(choices: tuple[Any, ...], text: str) -> Any:
    for choice in choices:
        if (choice.decode() if isinstance(choice, bytes) else str(choice)) == text:
            return choice
    raise ValueError("choose from " + ", ".join(map(repr, choices)))


def _read_enum(enum_type: type[enum.Enum], text: str) -> enum.Enum:
    name = text.removeprefix(f"{enum_type.__name__}.")
    try:
        return enum_type[name]
    except KeyError:
        names = ", ".join(enum_type.__members__)
        raise ValueError(f"choose from {names}") from None


def _read_datetime(text: str) -> Any:
    from dateutil.parser import parse

    return parse(text)


def _read_function(text: str) -> Any:
    from importlib import import_module

    module, _, name = text.rpartition(".")
    if not module:
        raise ValueError("expected `module.function`")
    return getattr(import_module(module), name)


def _from_json(annotation: Any, data: Any) -> Any:
    """Give decoded JSON the types an annotation asks for.

    Its depth is that of the annotation, so recursion is bounded by the source code.
    """
    annotation = _strip(annotation)
    origin = typing.get_origin(annotation) or annotation
    arguments = typing.get_args(annotation)
    if origin is dict or _is_subclass(origin, Mapping):
        if not isinstance(data, dict):
            raise ValueError('expected a JSON object such as {"key": 1}')
        key_type, value_type = arguments or (str, Any)
        return {_from_json(key_type, k): _from_json(value_type, v) for k, v in data.items()}
    if origin in _SEQUENCES:
        return _sequence_from_json(origin, arguments, data)
    if origin in (typing.Union, types.UnionType):
        return _union_from_json(arguments, data)
    if annotation in (Any, object, Parameter.empty):
        return data
    if isinstance(annotation, type) and type(data) is annotation:
        return data
    return reader_for(annotation).read(data if isinstance(data, str) else json.dumps(data))


def _union_from_json(members: Sequence[Any], data: Any) -> Any:
    if data is None and type(None) in members:
        return None
    reasons = []
    for member in sorted(members, key=lambda member: member is str):
        try:
            return _from_json(member, data)
        except Exception as error:
            reasons.append(f"{type_name(member)}: {error}")
    raise ValueError("; ".join(reasons))


def _sequence_from_json(origin: Any, arguments: tuple[Any, ...], data: Any) -> Any:
    if not isinstance(data, list):
        raise ValueError("expected a JSON list such as [1, 2]")
    if origin is tuple and arguments and arguments[-1] is not Ellipsis:
        if len(data) != len(arguments):
            raise ValueError(f"expected a JSON list of {len(arguments)} items")
        return tuple(map(_from_json, arguments, data))
    item_type = arguments[0] if arguments else Any
    return _SEQUENCES[origin]([_from_json(item_type, item) for item in data])


def _strip(annotation: Any) -> Any:
    """Remove what says nothing about reading: `Annotated`, `NewType`, bound type variables."""
    while True:
        if typing.get_origin(annotation) is typing.Annotated:
            annotation = typing.get_args(annotation)[0]
        elif isinstance(annotation, typing.NewType):
            annotation = annotation.__supertype__
        elif isinstance(annotation, typing.TypeVar):
            annotation = annotation.__bound__ or Any
        else:
            return annotation


def _is_subclass(annotation: Any, base: type) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, base)


def type_name(annotation: Any) -> str:
    """Name of an annotation in messages: `int`, `List[int]`, `Color`."""
    if annotation is Parameter.empty:
        return "str"
    if isinstance(annotation, type) and not typing.get_args(annotation):
        return annotation.__name__
    return str(annotation).replace("typing.", "")


def arg_name2cli_name(arg_name: str) -> str:
    """The option of a parameter: `my_Arg` becomes `--my-arg`."""
    return "--" + arg_name.lower().replace("_", "-")


def resolve_annotations(
    func: Callable[..., Any], parameters: Sequence[Parameter]
) -> dict[str, Any]:
    """Annotations by parameter name, texts (`from __future__ import annotations`) evaluated."""
    annotations = {parameter.name: parameter.annotation for parameter in parameters}
    if not any(isinstance(annotation, str) for annotation in annotations.values()):
        return annotations
    try:
        hints = typing.get_type_hints(func, include_extras=True)
    except Exception:
        return annotations  # A name that exists for type checkers only.
    return {name: hints.get(name, annotation) for name, annotation in annotations.items()}


class ReadWords(Action):
    """argparse action that stores what a `Reader` makes of the words of its option."""

    def __init__(self, option_strings: Sequence[str], dest: str, reader: Reader, **kwargs: Any):
        super().__init__(option_strings, dest, nargs=reader.nargs, type=_typed(reader), **kwargs)
        self.reader = reader

    def __call__(
        self, parser: ArgumentParser, namespace: Any, values: Any, option_string: str | None = None
    ) -> None:
        """Called by argparse with the words that `Reader.read` has read already."""
        if self.reader.collect is not None:
            try:
                values = self.reader.collect(values)
            except Exception as error:
                from argparse import ArgumentError

                raise ArgumentError(self, _invalid(self.reader, values, error)) from error
        setattr(namespace, self.dest, values)


def _typed(reader: Reader) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        try:
            return reader.read(text)
        except Exception as error:
            raise ArgumentTypeError(_invalid(reader, text, error)) from error

    return read


def _invalid(reader: Reader, text: Any, error: Exception) -> str:
    return f"invalid {reader.name} value: {text!r} ({error})"


def add_options(
    parser: ArgumentParser,
    func: Callable[..., Any],
    parameters: Sequence[Parameter],
    default: Callable[[Parameter], Any],
    describe: Callable[[Parameter], str | None],
) -> dict[str, str]:
    """Add one option for each parameter.

    Parameters
    ----------
    parser
        Where to add them; its conflict handler should be `resolve`, so that a parameter called
        `help` wins over the parser's own option.
    func
        The function the parameters belong to; its module gives string annotations their meaning.
    parameters
        The parameters, in order.
    default
        What the parsed namespace holds for an option that is not given.
    describe
        Help text of an option.

    Returns
    -------
    dict[str, str]
        Name in the parsed namespace -> parameter name.
    """
    annotations = resolve_annotations(func, parameters)
    names: dict[str, str] = {}
    options = [arg_name2cli_name(parameter.name) for parameter in parameters]
    for parameter, option in zip(parameters, options, strict=True):
        if options.count(option) > 1:
            # Parameters whose names differ in case only keep their case.
            option = "--" + parameter.name.replace("_", "-")
        dest = option.removeprefix("--").replace("-", "_")
        reader = _parameter_reader(parameter, annotations[parameter.name])
        parser.add_argument(
            option,
            dest=dest,
            action=ReadWords,
            reader=reader,
            metavar=reader.metavar,
            default=default(parameter),
            help=describe(parameter),
        )
        names[dest] = parameter.name
    return names


def _parameter_reader(parameter: Parameter, annotation: Any) -> Reader:
    if parameter.kind is Parameter.VAR_POSITIONAL:
        return _sequence_reader(list[annotation], list, (annotation,))
    if parameter.kind is Parameter.VAR_KEYWORD:
        item = _nested_reader(annotation)
        return Reader(item.name, str, "+", lambda words: _read_pairs(item, words), "KEY=VALUE")
    return reader_for(annotation)


def _read_pairs(item: Reader, words: Sequence[str]) -> dict[str, Any]:
    pairs = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not key or not equals:
            raise ValueError(f"expected key=value, got {word!r}")
        pairs[key] = item.read(text)
    return pairs
