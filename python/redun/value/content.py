"""Hash rules of the default scheme for objects that the core does not know: arrays and records.

Arrays (NumPy, Arrow, the buffer protocol) are hashed over element type, shape and raw bytes in C order,
whatever their layout in memory, in chunks of bounded size: equal content gives an equal hash in every
process and under every library version. NumPy and Arrow are used only if the program has imported them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

from redun.hashing import Hash
from redun.utils.nested import expand, field_names

# Bytes handed to the digest at a time.
CHUNK = 1 << 20

# Rows of Arrow data hashed at a time. Part of the format.
ARROW_ROWS = 1 << 16

# Kinds of NumPy element types whose raw bytes are the content: no pointers in them.
_FLAT_KINDS = "biufcmMSUV"

# Types whose length is about their size in bytes, and modules of those that tell it.
_SIZED = frozenset((bytes, str, bytearray))
_SIZED_MODULES = frozenset(("builtins", "numpy", "pyarrow.lib", "array"))

# Containers of more elements than this hold small ones, or more than memory does.
MANY = 10_000

# Buffer exporters whose buffer is all they hold.
_STATELESS = frozenset(
    (
        "builtins.bytearray",
        "builtins.memoryview",
        "array.array",
        "numpy.matrix",
        "numpy.memmap",
        "numpy.ndarray",
        "numpy.recarray",
    )
)


def content_hash(obj: Any, hash_value: Callable[[Any], str]) -> str | None:
    """The hash of an array-like object over its content; None for anything else.

    The format: `["Value.array", class name, element type, shape]` in bencode, the raw bytes, then, for
    classes with attributes of their own, the value hash of these.

    Parameters
    ----------
    hash_value
        Gives the value hash of such attributes.
    """
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(obj, (numpy.ndarray, numpy.generic)):
        return _hash_numpy(numpy, obj, hash_value)
    if type(obj).__module__.partition(".")[0] == "pyarrow":
        return _hash_arrow(obj)
    try:
        view = memoryview(obj)
    except (TypeError, ValueError, BufferError):
        return None
    if view.format in ("O", "P") or (view.format or "B").strip("@=<>!").startswith("T{"):
        return None  # pointers and records: the bytes alone are not the content
    layout = [view.format or "B", *map(str, view.shape or ())]
    return _finish(obj, layout, _view_chunks(view), hash_value)


def buffer_size(value: Any, inner: list) -> int:
    """Bytes in the buffers that make up most of a large value, at most one level down; cheap to ask.

    Parameters
    ----------
    inner
        The leaves of the value that are not plain scalars.
    """
    if type(value) in _SIZED:
        return len(value)
    size = sum(
        getattr(leaf, "nbytes", 0) for leaf in inner if type(leaf).__module__ in _SIZED_MODULES
    )
    if type(value) in (list, tuple, dict) and len(value) <= MANY:
        items = value.values() if type(value) is dict else value
        size += sum(len(item) for item in items if type(item) in _SIZED)
    return size


def _finish(
    obj: Any, layout: list[str], chunks: Iterator[bytes], hash_value: Callable[[Any], str]
) -> str:
    name = _class_name(type(obj))
    digest = _start(["Value.array", name, *layout])
    for chunk in chunks:
        digest.update(chunk)
    if name not in _STATELESS:
        state = getattr(obj, "__dict__", None)
        if state:
            digest.update(hash_value(state).encode())
    return digest.hexdigest()


def _start(header: list[str]) -> Hash:
    from redun.bcoding import bencode

    digest = Hash()
    digest.update(bencode(header))
    return digest


def _class_name(cls: type) -> str:
    # NumPy has moved its classes between modules; their names stay.
    module = "numpy" if cls.__module__.partition(".")[0] == "numpy" else cls.__module__
    return f"{module}.{cls.__name__}"


def _view_chunks(view: memoryview) -> Iterator[bytes]:
    """The bytes of a buffer in C order, a bounded part at a time."""
    if view.nbytes == 0:
        return
    if view.c_contiguous:
        flat = view.cast("B")
        for start in range(0, view.nbytes, CHUNK):
            yield bytes(flat[start : start + CHUNK])
    elif view.ndim == 1:
        step = max(1, CHUNK // view.itemsize)
        for start in range(0, len(view), step):
            yield view[start : start + step].tobytes()
    else:
        yield view.tobytes(order="C")


def _hash_numpy(numpy: Any, obj: Any, hash_value: Callable[[Any], str]) -> str | None:
    array = numpy.asarray(obj)
    dtype = array.dtype
    if dtype.hasobject or dtype.kind not in _FLAT_KINDS:
        return None
    layout = [_dtype_text(numpy, dtype), *map(str, array.shape)]
    return _finish(obj, layout, _array_chunks(numpy, array), hash_value)


def _dtype_text(numpy: Any, dtype: Any) -> str:
    if dtype.isbuiltin == 2:
        # Registered by another library: the code alone says only how many bytes.
        return f"{dtype.str} {type(dtype).__module__}.{dtype.name}"
    if dtype.names is None and dtype.subdtype is None:
        return dtype.str
    return repr(numpy.lib.format.dtype_to_descr(dtype))


def _array_chunks(numpy: Any, array: Any) -> Iterator[bytes]:
    """The elements' bytes in C order, a bounded part at a time."""
    if array.nbytes == 0:
        return
    if array.flags.c_contiguous:
        flat = array.reshape(-1).view(numpy.uint8)
        for start in range(0, flat.size, CHUNK):
            yield flat[start : start + CHUNK].tobytes()
        return
    parts = numpy.nditer(
        array,
        flags=["external_loop", "buffered", "zerosize_ok"],
        order="C",
        buffersize=max(1, CHUNK // array.itemsize),
    )
    for part in parts:
        yield part.tobytes()


class _HashSink:
    """A binary stream that feeds a digest: what Arrow's writers write into."""

    closed = False

    def __init__(self, digest: Any) -> None:
        self._digest = digest

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        for start in range(0, len(view), CHUNK):
            self._digest.update(bytes(view[start : start + CHUNK]))
        return len(view)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        self.closed = True

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False


def _hash_arrow(obj: Any) -> str | None:
    """Hash Arrow data over its IPC stream, in batches of a fixed number of rows.

    The stream is specified, starts at the first row of a slice, and does not show how the data was chunked.
    """
    arrow: Any = sys.modules["pyarrow"]
    if isinstance(obj, arrow.Buffer):
        digest = _start(["Value.arrow", "Buffer"])
        for chunk in _view_chunks(memoryview(obj)):
            digest.update(chunk)
        return digest.hexdigest()
    if isinstance(obj, (arrow.Array, arrow.ChunkedArray)):
        table = arrow.Table.from_arrays([obj], names=[""])
    elif isinstance(obj, arrow.RecordBatch):
        table = arrow.Table.from_batches([obj])
    elif isinstance(obj, arrow.Table):
        table = obj
    else:
        return None
    digest = _start(["Value.arrow", type(obj).__name__])
    sink = arrow.PythonFile(_HashSink(digest), mode="w")
    with arrow.ipc.new_stream(sink, table.schema) as writer:
        for start in range(0, table.num_rows, ARROW_ROWS):
            rows = table.slice(start, ARROW_ROWS)
            # Joined with nothing, a slice is copied, and with it go stray bits of its neighbours.
            copied = arrow.concat_tables([rows, rows.slice(0, 0)]).combine_chunks()
            writer.write_table(copied)
    return digest.hexdigest()


def structure(obj: Any) -> tuple[str, list] | None:
    """(class name, children) of a namedtuple or dataclass instance; None for anything else.

    Classes that say themselves what is pickled of them are left to the default rule.
    """
    children = expand(obj)
    if children is None or _pickles_itself(type(obj)):
        return None
    cls = type(obj)
    name = f"{cls.__module__}.{cls.__qualname__}"
    if isinstance(obj, tuple):
        return name, children
    state = dict(zip(field_names(obj), children, strict=True))
    extra = {k: v for k, v in getattr(obj, "__dict__", {}).items() if k not in state}
    return name, [state, extra]


def _pickles_itself(cls: type) -> bool:
    if cls.__reduce_ex__ is not object.__reduce_ex__ or cls.__reduce__ is not object.__reduce__:
        return True
    getstate = getattr(cls, "__getstate__", None)
    if getstate is getattr(object, "__getstate__", None):
        return False
    # Frozen dataclasses with slots get one that lists the fields.
    return getattr(getstate, "__module__", None) != "dataclasses"
