"""Which tags there are, and on how many records."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from redun.backends.base import TagEntity
from redun.backends.db.query.tables import RECORD_TABLES, TAG
from redun.tags import ANY_VALUE

#: (record type, number of tags on records of this type)
Counts = list[tuple[str, int]]

_ORDER = {name: index for index, name in enumerate(RECORD_TABLES)}


def count_keys(session: Session) -> Iterator[tuple[str, Counts]]:
    """The keys of current tags, sorted, each with its tags by record type."""
    columns = (TAG.c.key, TAG.c.entity_type)
    query = sa.select(*columns, sa.func.count()).where(_is_shown()).group_by(*columns)
    rows = sorted(session.execute(query), key=lambda row: (row[0], _ORDER[row[1].name]))
    for key, group in itertools.groupby(rows, key=lambda row: row[0]):
        yield key, [(row[1].name, row[2]) for row in group]


def count_values(
    session: Session, wanted: Iterable[tuple[str, Any]] = ()
) -> Iterator[tuple[str, Any, Counts]]:
    """
    The keys and values of current tags, sorted as text, each with its tags by record type.

    Parameters
    ----------
    wanted : pairs, of which one must fit; the value `ANY_VALUE` fits all. None at all: everything.
    """
    columns = (TAG.c.key, TAG.c.value, TAG.c.entity_type)
    query = sa.select(*columns, sa.func.count()).where(_is_shown()).group_by(*columns)
    fits = [
        TAG.c.key == key if value is ANY_VALUE else sa.and_(TAG.c.key == key, _equals(value))
        for key, value in wanted
    ]
    if fits:
        query = query.where(sa.or_(*fits))
    rows = sorted(session.execute(query), key=_value_order)
    for (key, _), group in itertools.groupby(rows, key=lambda row: _value_order(row)[:2]):
        same = list(group)
        yield key, same[0][1], [(row[2].name, row[3]) for row in same]


def _is_shown() -> Any:
    """Tags that delete others are current, but say nothing."""
    return sa.and_(TAG.c.is_current, TAG.c.entity_type != TagEntity.Null)


def _equals(value: Any) -> Any:
    return TAG.c.value == sa.literal(value, TAG.c.value.type)


def _value_order(row: Any) -> tuple[str, str, int]:
    from redun.tags import format_tag_value

    return row[0], format_tag_value(row[1]), _ORDER[row[2].name]
