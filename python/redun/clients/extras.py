"""Optional libraries: loaded when first used; a missing one says which extra brings it."""

from __future__ import annotations

import importlib
from typing import Any

from redun.errors import RedunError


class MissingExtraError(RedunError, ImportError):
    """A library that an optional part of this package needs is not installed.

    Parameters
    ----------
    need
        What needs it, in the plural: `files on S3`.
    module
        The module that could not be imported.
    extra
        The extra of this package that installs it.
    """

    def __init__(self, need: str, module: str, extra: str) -> None:
        hint = f"Install it with: pip install 'redun[{extra}]'"
        super().__init__(need, module, extra, hints=(hint,))

    def __str__(self) -> str:
        need, module, extra = self.args
        library = module.split(".")[0]
        return f"{need} need the library '{library}': pip install 'redun[{extra}]'"


def load(module: str, need: str, extra: str) -> Any:
    """Import a module of an optional library.

    Raises
    ------
    MissingExtraError
        It is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != module.split(".")[0]:
            raise
        raise MissingExtraError(need, module, extra) from error
