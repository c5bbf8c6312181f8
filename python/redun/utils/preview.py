"""Showing pickles whose classes cannot be imported here: stand-in objects instead of errors."""

from __future__ import annotations

import io
import pickle
from typing import Any


class PreviewClass:
    """Stand-in for an instance of a class that cannot be imported.

    Subclasses are named after the missing class. Constructor arguments are reached by index, state by attribute.
    """

    _module = "module"
    _name = "name"
    _preview_args: tuple = ()

    def __new__(cls, *args: Any, **kwargs: Any) -> PreviewClass:
        instance = super().__new__(cls)
        instance._preview_args = args
        instance.__dict__.update(kwargs)
        return instance

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        # The second form is that of classes with __slots__: (dict or None, slots).
        parts = state if isinstance(state, tuple) and len(state) == 2 else (state,)
        for part in parts:
            if part is None:
                continue
            if not isinstance(part, dict):
                raise pickle.UnpicklingError("state is not a dictionary")
            self.__dict__.update(part)

    def __repr__(self) -> str:
        words = [repr(arg) for arg in self._preview_args]
        words += [f"{k}={v!r}" for k, v in self.__dict__.items() if k != "_preview_args"]
        return f"{self._name}({', '.join(words)})"

    def __getitem__(self, index: int) -> Any:
        return self._preview_args[index]

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"{name} not an attribute of {type(self)._name} PreviewClass")


class PreviewUnpicklable:
    """Stand-in for a pickle that cannot be loaded at all."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __repr__(self) -> str:
        return f"Unpicklable('{self.error}')"


class PreviewingUnpickler(pickle.Unpickler):
    """Unpickler that makes up a `PreviewClass` for each name it cannot import."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return super().find_class(module, name)
        except (ImportError, AttributeError):
            return self.stand_in(module, name)

    @staticmethod
    def stand_in(module: str, name: str) -> type[PreviewClass]:
        """A new class to show in place of `module.name`."""
        body = {"__module__": module, "_module": module, "_name": name}
        return type(name, (PreviewClass,), body)


def pickle_preview(
    data: bytes,
    raise_error: bool = False,
    unpickler: type[PreviewingUnpickler] = PreviewingUnpickler,
) -> Any:
    """Unpickle with stand-ins for unknown classes.

    Parameters
    ----------
    raise_error
        Raise on any other failure instead of returning a `PreviewUnpicklable`.
    unpickler
        Decides which names are imported and which are shown as stand-ins.
    """
    try:
        return unpickler(io.BytesIO(data)).load()
    except Exception as error:
        if raise_error:
            raise
        return PreviewUnpicklable(error)
