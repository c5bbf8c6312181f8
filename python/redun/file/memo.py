"""A hash computed once and kept with the scheme it was made under."""

from __future__ import annotations

from redun.hashing import get_scheme


class HashMemo:
    """Mixin of values whose hash needs the file system.

    Attributes
    ----------
    _hash
        The hash when last computed or loaded; None if not yet.
    _hash_scheme
        The scheme it belongs to; under another one it counts as not computed.
    """

    _hash: str | None
    _hash_scheme: str | None

    def _calc_hash(self) -> str:
        """Compute the hash from what is there now."""
        raise NotImplementedError()

    def _set_hash(self, value: str | None) -> None:
        self._hash = value
        self._hash_scheme = get_scheme()

    def _known_hash(self) -> str | None:
        return self._hash if self._hash_scheme == get_scheme() else None

    @property
    def hash(self) -> str:
        """The hash, computed when first asked for."""
        if self._known_hash() is None:
            self.update_hash()
        assert self._hash is not None
        return self._hash

    def get_hash(self, data: bytes | None = None) -> str:
        """The hash; `data` does not matter."""
        return self.hash

    def update_hash(self) -> None:
        """Compute the hash anew and keep it."""
        self._set_hash(self._calc_hash())

    def is_valid(self) -> bool:
        """Whether what is there now still has the hash that was kept."""
        known = self._known_hash()
        if known is None:
            self.update_hash()
            return True
        return known == self._calc_hash()
