"""Data flows one way: ``.importlinter`` says how, and leaves no module out."""

from __future__ import annotations

import configparser
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "python" / "redun"

# In no layer: the extension (everything may stand on it, few may import it), the version, and the
# package's own face.
FREE = {"redun._core", "redun.version", "redun.__main__"}
# Only these translate between the extension and Python.
CORE_USERS = {"engine.wire", "hashing", "bcoding", "errors"}
CORE_IMPORT = re.compile(r"^\s*(?:from redun\._core import|from redun import .*\b_core\b)", re.M)


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
    exist = {
        ".".join(("redun", *path.relative_to(PACKAGE).with_suffix("").parts))
        for path in PACKAGE.rglob("*.py")
    }
    exist |= {name.removesuffix(".__init__") for name in exist}
    assert layered_modules() - exist == set()


def test_only_owners_import_the_extension() -> None:
    users = {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        for path in PACKAGE.rglob("*.py")
        if CORE_IMPORT.search(path.read_text(encoding="utf-8"))
    }
    assert users - CORE_USERS == set()
