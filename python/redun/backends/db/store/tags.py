"""Tags: a graph of edits whose leaves are current."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from redun.backends.base import KeyValue, TagEntity, TagMap, TagRow
from redun.backends.db.codec import json_text
from redun.backends.db.errors import RedunDatabaseError
from redun.backends.db.repo import Repo
from redun.backends.db.source import Source, Transaction
from redun.backends.db.text import plain_text
from redun.hashing import hash_structs, hash_tag
from redun.utils import MultiMap

#: (tag_hash, entity_id, key, value) of a current tag.
CurrentTag: TypeAlias = tuple[str, str, str, Any]

# How many generations of a tag that replaces itself are looked up at once.
GENERATIONS = 50

CURRENT_TAGS = (
    "SELECT tag_hash, entity_id, key, value FROM tag WHERE is_current AND entity_id {in_ids}"
)
STATES = "SELECT tag_hash, is_current FROM tag WHERE tag_hash {in_ids}"
INSERT_TAG = (
    "INSERT INTO tag (tag_hash, entity_type, entity_id, key, value, is_current) "
    "VALUES (?, ?, ?, ?, ?, TRUE)"
)
INSERT_EDIT = "INSERT INTO tag_edit (parent_id, child_id) VALUES (?, ?)"
REPLACE = "UPDATE tag SET is_current = FALSE WHERE tag_hash {in_ids}"


def tag_rows(tags: Sequence[tuple[str, str, str, Any]]) -> list[tuple[Any, ...]]:
    """
    The rows of tags that replace nothing, from (entity_type, entity_id, key, value).

    Raises `TypeError` for a value without JSON form.
    """
    unique: dict[tuple[str, str, str], tuple[str, str, str, str]] = {}
    for entity_type, entity_id, key, value in tags:
        entity_id, key, text = plain_text(entity_id), plain_text(key), json_text(value)
        unique[entity_id, key, text] = (entity_type, entity_id, key, text)
    hashes = hash_structs([["Tag", *key, []] for key in unique])
    return [(tag_hash, *row, True) for tag_hash, row in zip(hashes, unique.values(), strict=True)]


class TagRows:
    """The tables `tag` and `tag_edit`."""

    def __init__(self, repo: Repo) -> None:
        self._repo = repo

    def record(
        self,
        entity_type: TagEntity,
        entity_id: str,
        tags: Iterable[KeyValue],
        parents: Iterable[str] = (),
        update: bool = False,
        new: bool = False,
    ) -> list[TagRow]:
        """
        Adds tags to an entity.

        Parameters
        ----------
        parents : hashes of the tags that the new ones replace.
        update : also replace the current tags with the same keys.
        new : let tags that were replaced come back, as successors of themselves.
        """
        pairs = [(plain_text(key), value) for key, value in tags]
        entity_id = plain_text(entity_id)

        def write(transaction: Transaction) -> list[TagRow]:
            replaced = set(parents)
            if update:
                keys = {key for key, _ in pairs}
                current = _current_tags(transaction, [entity_id])
                replaced.update(tag[0] for tag in current if tag[2] in keys)
            return _write(transaction, entity_type, entity_id, pairs, replaced, new or update)

        return self._transact(write) if pairs else []

    def update(
        self,
        entity_type: TagEntity,
        entity_id: str,
        old_keys: Iterable[str],
        new_tags: Iterable[KeyValue],
    ) -> list[TagRow]:
        """Replaces the current tags that have one of the old keys by the new tags."""
        keys = set(map(plain_text, old_keys))
        pairs = [(plain_text(key), value) for key, value in new_tags]
        entity_id = plain_text(entity_id)

        def write(transaction: Transaction) -> list[TagRow]:
            current = _current_tags(transaction, [entity_id])
            replaced = {tag[0] for tag in current if tag[2] in keys}
            return _write(transaction, entity_type, entity_id, pairs, replaced, new=True)

        return self._transact(write) if pairs else []

    def delete(
        self, entity_id: str, tags: Iterable[KeyValue], keys: Iterable[str] = ()
    ) -> list[TagRow]:
        """Deletes the current tags of an entity that equal one of the pairs or have a key."""
        pairs = {(plain_text(key), json_text(value)) for key, value in tags}
        wanted = set(map(plain_text, keys))
        entity_id = plain_text(entity_id)

        def write(transaction: Transaction) -> list[TagRow]:
            replaced = {
                tag_hash
                for tag_hash, _, key, value in _current_tags(transaction, [entity_id])
                if key in wanted or (key, json_text(value)) in pairs
            }
            return _write(transaction, TagEntity.Null, "", [("", None)], replaced, new=False)

        return self._transact(write) if pairs or wanted else []

    def get(self, entity_ids: Sequence[str]) -> dict[str, TagMap]:
        """Current tags by entity id."""
        found: dict[str, TagMap] = {}
        with self._repo.reading() as source:
            for _, entity_id, key, value in _current_tags(source, entity_ids):
                found.setdefault(entity_id, MultiMap()).add(key, value)
        return found

    def _transact(self, write: Any) -> list[TagRow]:
        with self._repo.hashing():
            return self._repo.recorder.transact(write)


def _current_tags(source: Source, entity_ids: Sequence[str]) -> list[CurrentTag]:
    return [
        (tag_hash, entity_id, key, source.document(value))
        for tag_hash, entity_id, key, value in source.rows_among(CURRENT_TAGS, entity_ids)
    ]


def _states(source: Source, tag_hashes: Sequence[str]) -> dict[str, bool]:
    """Whether tags are current; unknown ones are left out."""
    return {row[0]: bool(row[1]) for row in source.rows_among(STATES, tag_hashes)}


def _write(
    transaction: Transaction,
    entity_type: TagEntity,
    entity_id: str,
    pairs: list[KeyValue],
    parents: set[str],
    new: bool,
) -> list[TagRow]:
    """Writes tags that replace `parents`; the result has one entry for each pair."""
    ordered = sorted(parents)
    known_parents = _states(transaction, ordered)
    unknown = [parent for parent in ordered if parent not in known_parents]
    if unknown:
        raise RedunDatabaseError(f"Unknown parent tags: {', '.join(unknown)}")
    written = [
        (hash_tag(entity_id, key, value, ordered), entity_id, key, value) for key, value in pairs
    ]
    states = _states(transaction, [row[0] for row in written])
    fresh = {row[0]: row for row in written if row[0] not in states}
    _insert(transaction, entity_type, [(row, ordered) for row in fresh.values()])
    if new:
        replaced = {row[0]: row for row in written if states.get(row[0]) is False}
        for row in replaced.values():
            _revive(transaction, entity_type, row)
    return written


def _insert(
    transaction: Transaction,
    entity_type: TagEntity,
    rows: list[tuple[CurrentTag, list[str]]],
) -> None:
    """Inserts tags, each with the tags it replaces, which stop being current."""
    for (tag_hash, entity_id, key, value), parents in rows:
        document = transaction.document_parameter(value)
        transaction.execute(INSERT_TAG, (tag_hash, entity_type.name, entity_id, key, document))
        for parent in parents:
            transaction.execute(INSERT_EDIT, (parent, tag_hash))
        if parents:
            transaction.execute(REPLACE, (parents,))


def _revive(transaction: Transaction, entity_type: TagEntity, row: CurrentTag) -> None:
    """
    Lets a replaced tag come back: as its own successor, or the newest of those.

    The hash of a generation follows from the one before, so many are looked up in one statement.
    """
    tag_hash, entity_id, key, value = row
    while True:
        generations = []
        for _ in range(GENERATIONS):
            parent, tag_hash = tag_hash, hash_tag(entity_id, key, value, [tag_hash])
            generations.append((parent, tag_hash))
        states = _states(transaction, [successor for _, successor in generations])
        for parent, successor in generations:
            state = states.get(successor)
            if state is None:
                _insert(transaction, entity_type, [((successor, entity_id, key, value), [parent])])
            if state is not False:
                return
