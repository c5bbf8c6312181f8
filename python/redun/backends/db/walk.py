"""Which records belong to given ones, for the public methods of the backend."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from redun.backends.db import edges
from redun.backends.db.records import BATCH, RecordRows
from redun.backends.records import ID_FIELDS


def _model(name: str) -> Any:
    """The class of a kind of records, or `Task`, which belongs to its value."""
    from redun.backends.db import orm

    return getattr(orm, name)


def child_ids(
    records: RecordRows, model_ids: Iterable[tuple[Any, str]]
) -> Iterator[tuple[str, Any, str]]:
    """
    What some records lead to: (name of the edge, class, id), edge by edge.

    Parameters
    ----------
    model_ids : (class, id) of the records.
    """
    by_model: dict[str, dict[str, None]] = defaultdict(dict)
    for model, record_id in model_ids:
        by_model[model.__name__][record_id] = None
    for name, found in by_model.items():
        ids = list(found)
        followed = list(edges.OWNED.get(name, ()))
        if name == "Tag":
            followed.append(edges.TAG_CHILDREN)
        for edge in [*followed, edges.ENTITY_TAGS]:
            for start in range(0, len(ids), BATCH):
                for _, child in records.rows(edge.statement, ids[start : start + BATCH]):
                    yield edge.name, _model(edge.child), child


def reachable_ids(records: RecordRows, root_ids: Iterable[str]) -> Iterator[str]:
    """The ids of all records that given ones lead to, each once, layer by layer."""
    roots = list(root_ids)
    kinds = records.find(roots)
    tasks = {row[0] for row in records.rows(edges.HELD_TASKS, roots)}
    layer = [(_model(kinds[root]), root) for root in dict.fromkeys(roots) if root in kinds]
    seen = {record_id for _, record_id in layer} | (tasks - set(kinds))
    while layer:
        yield from (record_id for _, record_id in layer)
        following: list[tuple[Any, str]] = []
        for _, model, record_id in child_ids(records, layer):
            if record_id not in seen:
                seen.add(record_id)
                following.append((model, record_id))
        layer = following


def get_records(
    records: RecordRows, ids: list[str], in_order: bool = True
) -> Iterator[dict[str, Any]]:
    """
    The records with these ids.

    Parameters
    ----------
    in_order : in the order of the ids, `BATCH` of them in memory at a time; otherwise by kind.
    """
    if not in_order:
        kinds = records.find(ids)
        for kind in ID_FIELDS:
            yield from records.get(kind, [key for key in kinds if kinds[key] == kind])
        return
    for start in range(0, len(ids), BATCH):
        batch = ids[start : start + BATCH]
        found = {
            record[ID_FIELDS[record["_type"]]]: record
            for record in get_records(records, list(dict.fromkeys(batch)), in_order=False)
        }
        yield from (found[key] for key in batch if key in found)
