"""Which tags there are, and on how many records."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

from redun.backends.db.query.conditions import Condition, any_of
from redun.backends.db.query.records import RECORD_TYPES
from redun.backends.db.source import Source
from redun.tags import ANY_VALUE, format_tag_value

#: (record type, number of tags on records of this type)
Counts = list[tuple[str, int]]

_ORDER = {name: index for index, name in enumerate(RECORD_TYPES)}

# Tags that delete others are current, but say nothing.
_IS_SHOWN = "tag.is_current AND tag.entity_type <> 'Null'"

_COUNT_KEYS = f"""SELECT tag.key, tag.entity_type, count(*) FROM tag WHERE {_IS_SHOWN}
GROUP BY tag.key, tag.entity_type"""

_COUNT_VALUES = f"""SELECT tag.key, tag.value, tag.entity_type, count(*) FROM tag
WHERE {_IS_SHOWN} AND {{}} GROUP BY tag.key, tag.value, tag.entity_type"""


def count_keys(source: Source) -> Iterator[tuple[str, Counts]]:
    """The keys of current tags, sorted, each with its tags by record type."""
    rows = sorted(source.rows(_COUNT_KEYS), key=lambda row: (row[0], _ORDER[row[1]]))
    for key, group in itertools.groupby(rows, key=lambda row: row[0]):
        yield key, [(row[1], row[2]) for row in group]


def count_values(
    source: Source, wanted: Iterable[tuple[str, Any]] = ()
) -> Iterator[tuple[str, Any, Counts]]:
    """
    The keys and values of current tags, sorted as text, each with its tags by record type.

    Parameters
    ----------
    wanted : pairs, of which one must fit; the value `ANY_VALUE` fits all. None at all: everything.
    """
    fits = [_fits(key, value, source) for key, value in wanted]
    query = (any_of(fits) if fits else Condition("1 = 1")).within(_COUNT_VALUES)
    rows = [
        (key, source.document(value), entity_type, number)
        for key, value, entity_type, number in source.rows(query.text, query.parameters)
    ]
    rows.sort(key=_value_order)
    for (key, _), group in itertools.groupby(rows, key=lambda row: _value_order(row)[:2]):
        same = list(group)
        yield key, same[0][1], [(row[2], row[3]) for row in same]


def _fits(key: str, value: Any, source: Source) -> Condition:
    if value is ANY_VALUE:
        return Condition("tag.key = ?", (key,))
    return Condition("(tag.key = ? AND tag.value = ?)", (key, source.document_parameter(value)))


def _value_order(row: Any) -> tuple[str, str, int]:
    return row[0], format_tag_value(row[1]), _ORDER[row[2]]
