"""An ordered map with several values a key (tags)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Generic, TypeVar

from redun.utils.text import NULL

Key = TypeVar("Key")
Value = TypeVar("Value")


class MultiMap(Generic[Key, Value]):
    """A map from keys to lists of values, in order of insertion; its length counts pairs.

    Equal to a MultiMap, a dict of lists or an iterable of pairs with the same pairs in any order.
    """

    def __init__(self, items: Iterable[tuple[Key, Value] | list] = ()) -> None:
        self._values: dict[Key, list[Value]] = {}
        for key, value in items:
            self.add(key, value)

    def __repr__(self) -> str:
        return f"MultiMap({list(self.items())!r})"

    def __len__(self) -> int:
        return sum(map(len, self._values.values()))

    def __getitem__(self, key: Key) -> list[Value]:
        return self._values[key]

    def __iter__(self) -> Iterator[tuple[Key, Value]]:
        return self.items()

    def __contains__(self, key: Key) -> bool:
        return key in self._values

    def __eq__(self, other: object) -> bool:
        if isinstance(other, MultiMap):
            return _same_pairs(self._values, other._values)
        if isinstance(other, dict):
            return _same_pairs(self._values, other)
        if isinstance(other, Iterable) and not isinstance(other, (str, bytes)):
            try:
                return _same_pairs(self._values, MultiMap(other)._values)
            except (TypeError, ValueError):
                return False
        return False

    __hash__ = None  # type: ignore[assignment]

    def has_item(self, key: Key, value: Value) -> bool:
        """Whether this key has this value."""
        return value in self._values.get(key, ())

    def get(self, key: Key, default: Any = NULL) -> list[Value]:
        """The values of a key; without any, `default` (an empty list unless given)."""
        return self._values.get(key, [] if default is NULL else default)

    def keys(self) -> Iterator[Key]:
        """The keys, each once."""
        return iter(self._values)

    def values(self) -> Iterator[Value]:
        """All values, key by key."""
        return (value for values in self._values.values() for value in values)

    def items(self) -> Iterator[tuple[Key, Value]]:
        """All (key, value) pairs, key by key."""
        return ((key, value) for key, values in self._values.items() for value in values)

    def as_dict(self) -> dict[Key, list[Value]]:
        """A dict of lists, independent of this map."""
        return {key: list(values) for key, values in self._values.items()}

    def add(self, key: Key, value: Value) -> None:
        """Append a value to the key's list."""
        self._values.setdefault(key, []).append(value)


def _same_pairs(left: dict, right: dict) -> bool:
    # Values may be unhashable (JSON), so multisets are compared by removal.
    if left.keys() != right.keys():
        return False
    for key, values in left.items():
        rest = list(right[key])
        if len(rest) != len(values):
            return False
        for value in values:
            try:
                rest.remove(value)
            except ValueError:
                return False
    return True
