"""Pickling as values and hashes use it: protocol 3, and loading that can fall back to previews."""

from __future__ import annotations

import io
import pickle
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from redun.utils.preview import PreviewingUnpickler, pickle_preview

# Stored bytes and compatibility hashes depend on the protocol; it never changes.
PICKLE_PROTOCOL = 3

# For what the other one can't express, or not without a copy: objects of more than 4 GiB, buffers.
LARGE_PROTOCOL = 5


class _PreviewMode(threading.local):
    depth = 0
    raise_error = False
    unpickler = PreviewingUnpickler


_mode = _PreviewMode()


def pickle_dump(obj: Any, file: IO) -> None:
    """Pickle `obj` into a binary stream."""
    file.write(pickle_dumps(obj))


def pickle_dumps(obj: Any) -> bytes:
    """Pickle `obj`; containers nested deeper than the interpreter's stack allows work too."""
    try:
        return pickle.dumps(obj, protocol=PICKLE_PROTOCOL)
    except RecursionError:
        return _dump_deep(obj)
    except OverflowError:  # a string or bytes of more than 4 GiB
        return pickle.dumps(obj, protocol=LARGE_PROTOCOL)


def pickle_stream(obj: Any, stream: IO[bytes]) -> None:
    """Pickle an object with large buffers into a binary stream, without a copy of the buffers."""
    pickle.Pickler(stream, protocol=LARGE_PROTOCOL).dump(obj)


def pickle_loads(data: bytes) -> Any:
    """Unpickle; within `with_pickle_preview` unknown classes become stand-ins."""
    if _mode.depth:
        return pickle_preview(data, _mode.raise_error, _mode.unpickler)
    return pickle.loads(data)


class NotPlainError(ValueError):
    """A pickle that holds more than plain data, or is none."""

    __module__ = "redun.utils"


class _PlainUnpickler(pickle._Unpickler):
    """Reads built-in scalars and containers, whatever the bytes, and calls nothing else.

    It is the unpickler in Python: the one in C lets a few bytes claim gigabytes of memo.
    """

    def find_class(self, module: str, name: str) -> Any:
        if module == "builtins" and name in ("set", "frozenset"):
            return {"set": set, "frozenset": frozenset}[name]
        raise NotPlainError(f"it holds a {module}.{name}")


def pickle_loads_plain(data: bytes) -> Any:
    """Unpickle plain data from anywhere. Raises `NotPlainError` if it is something else."""
    try:
        return _PlainUnpickler(io.BytesIO(data)).load()
    except NotPlainError:
        raise
    except Exception as error:
        raise NotPlainError(f"it can't be unpickled: {error}") from error


def is_previewing() -> bool:
    """Whether this thread is within `with_pickle_preview`: nothing may be imported to load a value."""
    return _mode.depth > 0


@contextmanager
def with_pickle_preview(
    raise_error: bool = False, unpickler: type[PreviewingUnpickler] = PreviewingUnpickler
) -> Iterator[None]:
    """Make `pickle_loads` of this thread return stand-ins for what cannot be imported. Nests.

    Parameters
    ----------
    raise_error
        Raise on other failures to load instead of returning a `PreviewUnpicklable`.
    unpickler
        Decides which names are imported and which are shown as stand-ins.
    """
    before = _mode.depth, _mode.raise_error, _mode.unpickler
    _mode.depth += 1
    _mode.raise_error = raise_error
    _mode.unpickler = unpickler
    try:
        yield
    finally:
        _mode.depth, _mode.raise_error, _mode.unpickler = before


def _dump_deep(root: Any) -> bytes:
    """Pickle nested built-in containers with an explicit stack.

    The pickle format itself is flat; only the pickler recurses. Each leaf is pickled on its own
    and its opcodes are copied in: a leaf stores into the memo before it reads from it, so memo
    numbers used twice do no harm. Objects that occur more than once are written more than once.
    """
    out = [b"\x80", bytes([PICKLE_PROTOCOL])]
    on_path: set[int] = set()
    # Entries: (iterator over children, opcodes that close the container, id of the container).
    stack: list[tuple[Iterator[Any], bytes, int]] = [(iter((root,)), b"", 0)]
    while stack:
        children, closing, ident = stack[-1]
        for child in children:
            opening = _OPENING.get(type(child))
            if opening is None:
                out.append(pickle.dumps(child, protocol=PICKLE_PROTOCOL)[2:-1])
                continue
            if id(child) in on_path:
                raise ValueError("Cannot pickle a deeply nested container that contains itself.")
            on_path.add(id(child))
            out.append(opening)
            items = _dict_items(child) if type(child) is dict else iter(child)
            stack.append((items, _CLOSING[type(child)], id(child)))
            break
        else:
            out.append(closing)
            on_path.discard(ident)
            stack.pop()
    out.append(b".")
    return b"".join(out)


def _dict_items(items: dict) -> Iterator[Any]:
    for key, value in items.items():
        yield key
        yield value


# EMPTY_LIST MARK .. APPENDS; MARK .. TUPLE; EMPTY_DICT MARK .. SETITEMS; set([..]) by REDUCE,
# which is how protocol 3 writes sets.
_OPENING: dict[type, bytes] = {
    list: b"](",
    tuple: b"(",
    dict: b"}(",
    set: b"cbuiltins\nset\n](",
}
_CLOSING: dict[type, bytes] = {list: b"e", tuple: b"t", dict: b"u", set: b"e\x85R"}
