"""Calls that belong in one place only, or nowhere."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "python" / "redun"

# Where pickling is pinned: protocol, preview of missing classes. A migration stays as it was written, so it
# depends on nothing that may change.
PICKLING = frozenset(
    {
        "utils/pickling.py",
        "backends/db/alembic/versions/30ffbaee18cd_backfill_companion_values_for_tasks.py",
    }
)
# The CLI's one printer, and the ORM's `Task.show_source`, which exists to print.
PRINTER = frozenset({"cli/ui.py", "backends/db/orm/calls.py"})
# `eval_` is the task that evaluates the text of a user's workflow.
EVALUATOR = frozenset({"functools.py"})
# The console's REPL evaluates what its user types.
PROMPT = frozenset({"console/evaluate.py"})
# `debug_task` is the task that stops in the debugger.
DEBUGGER = frozenset({"tools.py"})
NOBODY: frozenset[str] = frozenset()

# Groups of calls: what is called, which files may, and what the others do instead.
GROUPS = (
    (
        tuple(
            f"pickle.{name}" for name in ("dump", "dumps", "load", "loads", "Pickler", "Unpickler")
        ),
        PICKLING,
        "use redun.utils.pickling, which pins protocol and preview",
    ),
    (
        ("print", "click.echo", "sys.stdout.write", "sys.stderr.write"),
        PRINTER,
        "the CLI has one printer: redun.cli.ui",
    ),
    (("time.sleep",), NOBODY, "wait for a condition: an event, a queue, a condition variable"),
    (("eval",), EVALUATOR | PROMPT, "never execute text"),
    (("exec",), PROMPT, "never execute text"),
    (("os.system",), NOBODY, "use subprocess with a list of arguments"),
    (("breakpoint", "pdb.set_trace"), DEBUGGER, "left over from debugging"),
)
BANNED = {name: (files, instead) for names, files, instead in GROUPS for name in names}


def imported_names(tree: ast.AST) -> dict[str, str]:
    """Map each name that an import binds to the full name of what it means."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.asname:
                    names[alias.asname] = alias.name
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def dotted_name(node: ast.expr) -> str | None:
    """Return ``a.b.c`` for such an expression, None for any other."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        owner = dotted_name(node.value)
        return owner and f"{owner}.{node.attr}"
    return None


def calls(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and full name of each call, seen through ``import x as y`` and ``from x import y``."""
    tree = ast.parse(source)
    names = imported_names(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (name := dotted_name(node.func)):
            first, dot, rest = name.partition(".")
            yield node.lineno, names.get(first, first).removeprefix("builtins.") + dot + rest


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_module_makes_no_banned_call(path: Path) -> None:
    name = path.relative_to(PACKAGE).as_posix()
    found = [
        f"line {line}: {call}: {BANNED[call][1]}"
        for line, call in calls(path.read_text(encoding="utf-8"))
        if call in BANNED and name not in BANNED[call][0]
    ]
    assert found == []


def test_exemptions_name_files_that_exist() -> None:
    exempt = {name for files, _ in BANNED.values() for name in files}
    assert {name for name in exempt if not (PACKAGE / name).exists()} == set()


def test_calls_are_seen_through_imports() -> None:
    source = "import pickle as p\nfrom time import sleep\np.loads(b'')\nsleep(1)\nx.eval()\nprint()"
    found = [name for _, name in calls(source)]
    assert found == ["pickle.loads", "time.sleep", "x.eval", "print"]
