"""What is public is described, and a description names the parameters there are."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "python" / "redun"
# Migrations are scripts for Alembic: each has an `upgrade` and a `downgrade`, and its docstring says what of.
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent.name != "versions")
Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef

# A numpydoc section header: a title and a line of dashes below it, then its body up to the next header.
PARAMETERS = re.compile(
    r"^Parameters\n-{3,}\n(?P<body>.*?)(?=^\w[^\n]*\n-{3,}\n|\Z)", re.MULTILINE | re.DOTALL
)
# A line of that body that starts a parameter: "name", "name : type", "a, b : type", "*args".
ENTRY = re.compile(r"^(?P<names>\*{0,2}\w+(?:, \*{0,2}\w+)*)(?: ?:.*)?$", re.MULTILINE)


def documented_parameters(docstring: str) -> list[str]:
    """Return the names that the section ``Parameters`` describes, in its order."""
    section = PARAMETERS.search(docstring)
    if section is None:
        return []
    entries = ENTRY.finditer(section.group("body"))
    return [name.lstrip("*") for entry in entries for name in entry.group("names").split(", ")]


def parameters(function: Function) -> list[str]:
    """Return the names of a function's parameters, ``self`` and ``cls`` left out."""
    args = function.args
    every = [*args.posonlyargs, *args.args, args.vararg, *args.kwonlyargs]
    names = [arg.arg for arg in every if arg]
    return [name for name in names if name not in ("self", "cls")]


def definitions(tree: ast.Module) -> Iterator[tuple[str, Definition]]:
    """Yield dotted name and node of each class and function of a module and of each method."""
    for node in tree.body:
        if isinstance(node, Definition):
            yield node.name, node
        if isinstance(node, ast.ClassDef):
            for member in node.body:
                if isinstance(member, Function):
                    yield f"{node.name}.{member.name}", member


def accepted(node: Definition) -> list[str] | None:
    """Return what a call of this function or class may be given, None for any keyword at all."""
    if isinstance(node, Function):
        return None if node.args.kwarg else parameters(node)
    for member in node.body:
        if isinstance(member, Function) and member.name == "__init__":
            return accepted(member)
    fields = [member for member in node.body if isinstance(member, ast.AnnAssign)]
    return [field.target.id for field in fields if isinstance(field.target, ast.Name)]


def is_overload(node: Definition) -> bool:
    """Whether this is only one of several signatures; the definition that follows is described."""
    return any(getattr(decorator, "id", "") == "overload" for decorator in node.decorator_list)


def is_public(name: str) -> bool:
    return not any(part.startswith("_") for part in name.split("."))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_documented_parameters_are_those_of_the_signature(path: Path) -> None:
    wrong = []
    for name, node in definitions(ast.parse(path.read_text(encoding="utf-8"))):
        told, taken = documented_parameters(ast.get_docstring(node) or ""), accepted(node)
        if taken is not None and not set(told) <= set(taken):
            wrong.append(f"{name} describes {told}, takes {taken}")
    assert wrong == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_what_is_public_is_described(path: Path) -> None:
    """Methods are left out: one that overrides another is described where that is declared."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    named = [(name, node) for name, node in definitions(tree) if is_public(name)]
    bare = [
        name
        for name, node in named
        if "." not in name and not ast.get_docstring(node) and not is_overload(node)
    ]
    if tree.body and not ast.get_docstring(tree):
        bare.append("the module itself")
    assert bare == []


def test_documented_parameters_are_found() -> None:
    docstring = (
        "Do.\n\nParameters\n----------\nsource : File\n    What\n    to: read\n"
        "a, b : int\n*args\n\nReturns\n-------\nint : x"
    )
    assert documented_parameters(docstring) == ["source", "a", "b", "args"]
