"""Import the user's workflow: a script file or a module."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from contextlib import suppress
from types import ModuleType

from redun.bootstrap.errors import RedunClientError

# Modules that came from a script file: name -> absolute path. A script of the same name in another
# directory replaces them, which one process that runs several workflows depends on.
_loaded_scripts: dict[str, str] = {}


def import_script(filename_or_module: str, add_cwd: bool = True) -> ModuleType:
    """Import a workflow.

    Parameters
    ----------
    filename_or_module
        A path ending in `.py`, whose directory goes to the front of `sys.path` and whose module
        name is the bare file name; or a dotted module name.
    add_cwd
        Whether the working directory goes to the front of `sys.path` to find a module.

    Returns
    -------
    ModuleType
        The imported module.

    Raises
    ------
    RedunClientError
        If there is no such file or module, or the file's name belongs to a module that Python has
        already loaded. Errors inside the script escape unchanged.
    """
    if filename_or_module.endswith(".py"):
        return _import_file(filename_or_module)
    return _import_module(filename_or_module, add_cwd)


def parse_func_path(path: str) -> tuple[str, str]:
    """Split `file_or_module::function`. Raises `ValueError` if `::` or a side of it is missing."""
    file_or_module, _, function = path.rpartition("::")
    if not file_or_module or not function:
        raise ValueError(f"Invalid function specification: '{path}'")
    return file_or_module, function


def _import_file(filename: str) -> ModuleType:
    from redun.utils import add_import_path

    if not os.path.isfile(filename):
        raise _cannot_find(filename, _near_files(filename))
    path = os.path.realpath(filename)
    name = os.path.splitext(os.path.basename(path))[0]
    if "." in name:
        raise RedunClientError(
            f"the script `{path}` cannot be imported: its name holds a dot",
            hints=[f"rename the script, for example to `{name.replace('.', '_')}.py`"],
        )
    _check_not_shadowed(name, path)
    _drop_stale_bytecode(path)
    add_import_path(os.path.dirname(path))
    importlib.invalidate_caches()
    module = importlib.import_module(name)
    _loaded_scripts[name] = path
    return module


def _drop_stale_bytecode(path: str) -> None:
    """
    Remove the bytecode of a script if it is older than the script.

    Python compares sizes and whole seconds only: a script that is edited and run again within one would
    run as it was, and what it gave would be recorded as the result of the new code.
    """
    with suppress(OSError, NotImplementedError):
        cached = importlib.util.cache_from_source(path)
        if os.stat(cached).st_mtime_ns <= os.stat(path).st_mtime_ns:
            os.remove(cached)


def _check_not_shadowed(name: str, path: str) -> None:
    """Make sure that importing `name` will give the file `path`."""
    module = sys.modules.get(name)
    if module is None and name not in sys.builtin_module_names:
        return
    origin = getattr(module, "__file__", None)
    if origin and os.path.realpath(origin) == path:
        return
    if name in _loaded_scripts and origin and os.path.realpath(origin) == _loaded_scripts[name]:
        del sys.modules[name]
        return
    raise RedunClientError(
        f"the script `{path}` has the name of the module `{name}`, "
        f"which Python has already loaded from {origin or 'the interpreter itself'}",
        hints=[f"rename the script, for example to `{name}_workflow.py`"],
    )


def _import_module(name: str, add_cwd: bool) -> ModuleType:
    from redun.utils import add_import_path

    if add_cwd:
        add_import_path(".")
    importlib.invalidate_caches()
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # A module that the workflow itself imports may be missing, too: that is its own error.
        if error.name and (name == error.name or name.startswith(error.name + ".")):
            raise _cannot_find(name, _near_modules(name)) from error
        raise
    except (TypeError, ValueError) as error:
        # Relative (".x") and empty names are refused by the import system itself.
        if name and not name.startswith("."):
            raise
        raise _cannot_find(name, []) from error


def _cannot_find(script: str, near: list[str]) -> RedunClientError:
    hints = [f"did you mean `{near[0]}`?"] if near else []
    hints.append("give the path of a file ending in `.py`, or the dotted name of a module")
    return RedunClientError(f"Cannot find Python script file or module: {script}", hints=hints)


def _near_files(filename: str) -> list[str]:
    from difflib import get_close_matches

    directory, base = os.path.split(filename)
    scripts = [name for name in _listdir(directory or ".") if name.endswith(".py")]
    return [os.path.join(directory, name) for name in get_close_matches(base, scripts, n=1)]


def _near_modules(name: str) -> list[str]:
    from difflib import get_close_matches

    candidates = []
    for entry in _listdir("."):
        stem, extension = os.path.splitext(entry)
        if extension == ".py" or os.path.isfile(os.path.join(entry, "__init__.py")):
            candidates.append(stem)
    return get_close_matches(name, candidates, n=1)


def _listdir(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []
