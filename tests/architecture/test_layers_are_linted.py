"""Data flows one way: ``.importlinter`` says how, and leaves no module out."""

from __future__ import annotations

import ast
import configparser
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "python" / "redun"
MODULES = sorted(PACKAGE.rglob("*.py"))

# In no layer: the package's version, and the commands that start it.
FREE = {"redun.version", "redun.__main__"}
# Only these translate between the extension and Python; all others go through them.
CORE_USERS = {
    "backends.db.text",
    "bcoding",
    "engine.wire",
    "errors",
    "hashing",
    "sync.transfer",
    "utils.nested",
    "value.registry",
}


def layered_modules() -> set[str]:
    """Return the modules that the layers contract names."""
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter")
    layers = contracts["importlinter:contract:layers"]["layers"]
    return set(re.findall(r"[\w.]+", layers))


def modules_in(package: Path) -> set[str]:
    """Return the dotted names of the modules and packages directly below a package."""
    below = {path.stem for path in package.glob("*.py") if path.stem != "__init__"}
    below |= {path.parent.name for path in package.glob("*/__init__.py")}
    return {".".join(("redun", *package.relative_to(PACKAGE).parts, name)) for name in below}


def test_import_linter_finds_nothing() -> None:
    program = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("package", [".", "backends", "executors"])
def test_each_module_has_its_layer(package: str) -> None:
    layered = layered_modules()
    split = {name.rpartition(".")[0] for name in layered} - {"redun"}
    assert modules_in(PACKAGE / package) - layered - split - FREE == set()


def test_layers_name_only_modules_that_exist() -> None:
    exist = {f"redun.{module_name(path)}" for path in MODULES}
    exist |= {name.removesuffix(".__init__") for name in exist}
    assert layered_modules() - exist == set()


def imports_from_top(path: Path) -> set[str]:
    """Return what a module imports from ``redun`` itself, where the linter looks away."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "redun":
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "redun._core":
            names.add("_core")
    return names


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def test_only_owners_import_the_extension() -> None:
    users = {module_name(path) for path in MODULES if "_core" in imports_from_top(path)}
    assert users - CORE_USERS == set()


def test_nothing_inside_imports_the_package_face() -> None:
    modules = {path.stem for path in PACKAGE.iterdir()} | {"_core"}
    faced = {module_name(path) for path in MODULES if imports_from_top(path) - modules}
    assert faced == set()
