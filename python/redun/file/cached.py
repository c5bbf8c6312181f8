"""`FileCache`: values whose stored form is a file beside the repo."""

from __future__ import annotations

import os
import re
from typing import Any

from redun.file.file import File
from redun.hashing import hash_bytes
from redun.value.base import ProxyValue
from redun.value.registry import InvalidValueError

_DIGEST = re.compile(r"[0-9a-f]{40}\Z").match


class FileCache(ProxyValue):
    """Stores values of a type as files named by content; the repo holds the path.

    Subclasses set `type` and `base_path`, and may override `_serialize` and `_deserialize`.

    Attributes
    ----------
    base_path
        Directory or URL in which the files are kept.
    """

    # Public place of the class; `redun.value` looks it up here when asked.
    __module__ = "redun.value"

    base_path = "."

    def _serialize(self) -> bytes:
        """The bytes of the value."""
        return ProxyValue.serialize(self)

    @classmethod
    def _deserialize(cls, data: bytes) -> Any:
        """The value of its bytes."""
        return ProxyValue.deserialize(cls.type, data)

    def serialize(self) -> bytes:
        """Write the bytes to `{base_path}/{digest}` and return that path."""
        data = self._serialize()
        file = File(os.path.join(self.base_path, hash_bytes(data)))
        file.write(data, mode="wb")
        return file.path.encode()

    @classmethod
    def deserialize(cls, raw_type: Any, data: bytes) -> Any:
        """Read the value from the file at the stored path.

        Raises
        ------
        InvalidValueError
            The file is gone, or does not hold what its name says.
        """
        file = File(data.decode())
        try:
            content = file.read(mode="rb")
        except FileNotFoundError as error:
            raise InvalidValueError() from error
        name = file.basename()
        # A subclass may name its files otherwise.
        if _DIGEST(name) and name != hash_bytes(content):
            raise InvalidValueError(f"{file.path} was changed or damaged")
        return cls._deserialize(content)
