"""What changed between two sources of a task: which part of the function, and the diff of the text."""

from __future__ import annotations

import ast
import difflib
import textwrap
from dataclasses import dataclass, field

#: Lines of unchanged text around a change.
CONTEXT = 2


@dataclass(slots=True)
class SourceChange:
    """
    The difference of two sources.

    Parameters
    ----------
    parts : what changed, of `body`, `docstring`, `signature`, `annotations`, `decorators`, `name`,
        `comments`; `source` if a text is no function definition.
    defaults : the parameters whose default is written differently.
    diff : the lines of a unified diff, without its head.
    """

    parts: list[str]
    defaults: list[str] = field(default_factory=list)
    diff: list[str] = field(default_factory=list)


def compare_sources(before: str, after: str) -> SourceChange | None:
    """The difference of two sources, or None if the texts are equal."""
    if before == after:
        return None
    diff = list(
        difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=CONTEXT)
    )[2:]
    old, new = _parse(before), _parse(after)
    if old is None or new is None:
        return SourceChange(["source"], diff=diff)
    parts = [name for name in old if name != "defaults" and old[name] != new[name]]
    defaults = _changed_defaults(old["defaults"], new["defaults"])
    if not parts and not defaults:
        # The hash covers the text, and nothing else of it differs.
        parts = ["comments"]
    return SourceChange(parts, defaults, diff)


def parameter_names(source: str) -> list[str]:
    """Names of the parameters that arguments given by position fill; [] if that can't be read."""
    function = _function(source)
    if function is None:
        return []
    return [arg.arg for arg in (*function.args.posonlyargs, *function.args.args)]


def defaults_from_context(source: str) -> list[str]:
    """Names of the parameters whose default is looked up in the context, with `get_context`."""
    parts = _parse(source)
    defaults = parts["defaults"] if parts is not None else {}
    assert isinstance(defaults, dict)
    return [name for name, value in defaults.items() if "'get_context'" in value]


def _changed_defaults(old: object, new: object) -> list[str]:
    assert isinstance(old, dict)
    assert isinstance(new, dict)
    return [name for name in {**old, **new} if old.get(name) != new.get(name)]


def _function(source: str) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """The function that a text defines. Parsing runs nothing of it."""
    try:
        tree = ast.parse(textwrap.dedent(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            return node
    return None


def _parse(source: str) -> dict[str, object] | None:
    """The parts of a function definition in a form that compares."""
    function = _function(source)
    if function is None:
        return None
    args = function.args
    body = function.body
    docstring = ast.get_docstring(function, clean=False)
    if docstring is not None:
        body = body[1:]
    named = [*args.posonlyargs, *args.args, *args.kwonlyargs]
    every = [*named, *[arg for arg in (args.vararg, args.kwarg) if arg]]
    positional = [*args.posonlyargs, *args.args]
    without = len(positional) - len(args.defaults)
    defaults = dict(zip([arg.arg for arg in positional[without:]], args.defaults, strict=True))
    defaults.update(
        {
            arg.arg: value
            for arg, value in zip(args.kwonlyargs, args.kw_defaults, strict=True)
            if value is not None
        }
    )
    return {
        "name": function.name,
        "decorators": [ast.dump(item) for item in function.decorator_list],
        "signature": [
            type(function).__name__,
            [arg.arg for arg in args.posonlyargs],
            [arg.arg for arg in args.args],
            [arg.arg for arg in args.kwonlyargs],
            args.vararg and args.vararg.arg,
            args.kwarg and args.kwarg.arg,
        ],
        "annotations": [
            [ast.dump(arg.annotation) if arg.annotation else None for arg in every],
            ast.dump(function.returns) if function.returns else None,
        ],
        "docstring": docstring,
        "body": [ast.dump(item) for item in body],
        "defaults": {name: ast.dump(value) for name, value in defaults.items()},
    }
