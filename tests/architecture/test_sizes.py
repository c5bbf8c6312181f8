"""No file over 600 lines, no function over 80: a file or function that grows wants a split."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAX_FILE_LINES = 600
MAX_FUNCTION_LINES = 80

PYTHON = [*(ROOT / "python").rglob("*.py"), *(ROOT / "python").rglob("*.pyi")]
PYTHON += [
    path for part in ("tests", "benches", "examples", ".ci") for path in (ROOT / part).rglob("*.py")
]
RUST = [path for part in ("src", "tests", "benches") for path in (ROOT / part).rglob("*.rs")]
OTHERS = [ROOT / "Makefile", *(ROOT / "examples").rglob("*.sh"), *(ROOT / "docs").rglob("*.md")]


# What can hide a brace or a keyword from a reader that looks at characters: comments, strings, characters.
RUST_OPAQUE = re.compile(
    r"""//[^\n]*
      | /\*.*?\*/
      | b?r(?P<hashes>\#*)".*?"(?P=hashes)
      | b?"(?:\\.|[^"\\])*"
      | b?'(?:\\[^\n]{1,10}?|[^'\\\n])'
    """,
    re.VERBOSE | re.DOTALL,
)


def python_functions(source: str) -> Iterator[tuple[str, int, int]]:
    """Yield name, line and number of lines of each function, decorators not counted."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert node.end_lineno is not None
            yield node.name, node.lineno, node.end_lineno - node.lineno + 1


def rust_functions(source: str) -> Iterator[tuple[str, int, int]]:
    """Yield name, line and number of lines of each function that has a body."""
    code = RUST_OPAQUE.sub(lambda found: re.sub(r"[^\n]", " ", found.group()), source)
    for found in re.finditer(r"\bfn\s+(\w+)", code):
        start = re.compile(r"[{;]").search(code, found.end())
        if start is None or start.group() == ";":
            continue  # a declaration in a trait
        end = matching_brace(code, start.start())
        line = code.count("\n", 0, found.start()) + 1
        yield found.group(1), line, code.count("\n", found.start(), end) + 1


def matching_brace(code: str, opening: int) -> int:
    """Return the position of the brace that closes the one at ``opening``."""
    depth = 0
    for found in re.compile(r"[{}]").finditer(code, opening):
        depth += 1 if found.group() == "{" else -1
        if depth == 0:
            return found.start()
    raise ValueError("unbalanced braces")


@pytest.mark.parametrize(
    "path", [*PYTHON, *RUST, *OTHERS], ids=lambda path: str(path.relative_to(ROOT))
)
def test_file_is_of_readable_size(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= MAX_FILE_LINES, f"{path}: {lines} lines"


@pytest.mark.parametrize("path", [*PYTHON, *RUST], ids=lambda path: str(path.relative_to(ROOT)))
def test_functions_are_of_readable_size(path: Path) -> None:
    find = rust_functions if path.suffix == ".rs" else python_functions
    found = find(path.read_text(encoding="utf-8"))
    long = [f"{name} (line {line}): {n} lines" for name, line, n in found if n > MAX_FUNCTION_LINES]
    assert long == []


def test_rust_functions_are_found_whole() -> None:
    source = """
trait Ready { fn declared(&self) -> bool; }
fn one<'a>(text: &'a str) -> char {
    // a brace in a comment: }
    let brace = '}'; let quote = '\\''; let text = "}\\"}"; let raw = r#"}"}"#;
    if true { 'x' } else { '{' }
}
fn two() { /* } */ }
"""
    assert list(rust_functions(source)) == [("one", 3, 5), ("two", 8, 1)]


def test_python_functions_are_found_whole() -> None:
    source = "@decorated\ndef one():\n    def two():\n        pass\n    return two\n"
    assert list(python_functions(source)) == [("one", 2, 4), ("two", 3, 2)]
