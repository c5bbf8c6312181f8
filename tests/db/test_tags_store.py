from __future__ import annotations

from typing import Any

import pytest

from redun.backends.base import Records, TagEntity
from redun.backends.db import RedunBackendDb, RedunDatabaseError, Tag
from redun.hashing import hash_tag

pytestmark = pytest.mark.each_repo

JOB = TagEntity.Job


def current(backend: RedunBackendDb, entity_id: str = "e") -> list[tuple[str, Any]]:
    tags = backend.get_tags([entity_id]).get(entity_id, [])
    return sorted(tags, key=str)


def count(backend: RedunBackendDb) -> int:
    return backend.session.query(Tag).count()


def test_tags_are_added(backend: RedunBackendDb) -> None:
    pairs = [("k", 1), ("k", "v"), ("doc", {"a": [1]}), ("none", None)]
    rows = backend.record_tags(JOB, "e", pairs)
    assert rows == [(hash_tag("e", key, value, []), "e", key, value) for key, value in pairs]
    assert current(backend) == sorted(pairs, key=str)
    assert backend.record_tags(JOB, "e", iter(pairs)) == rows
    assert count(backend) == 4
    assert backend.record_tags(JOB, "e", []) == []
    tags = backend.get_tags(["e", "missing"])
    assert list(tags) == ["e"]
    assert tags["e"]["k"] == [1, "v"] or tags["e"]["k"] == ["v", 1]


def test_same_tag_twice_in_one_call_is_one_tag(backend: RedunBackendDb) -> None:
    rows = backend.record_tags(JOB, "e", [("k", 1), ("k", 1)])
    assert len(rows) == 2
    assert current(backend) == [("k", 1)]


def test_tag_without_json_form_is_refused(backend: RedunBackendDb) -> None:
    with pytest.raises(TypeError):
        backend.record_tags(JOB, "e", [("k", object())])
    assert count(backend) == 0


def test_tags_replace_their_parents(backend: RedunBackendDb) -> None:
    ((old, *_),) = backend.record_tags(JOB, "e", [("k", 1)])
    ((new, *_),) = backend.record_tags(JOB, "e", [("k", 2)], parents=[old])
    assert new == hash_tag("e", "k", 2, [old])
    assert current(backend) == [("k", 2)]
    with pytest.raises(RedunDatabaseError, match=f"Unknown parent tags: {'f' * 40}"):
        backend.record_tags(JOB, "e", [("k", 3)], parents=["f" * 40])
    assert current(backend) == [("k", 2)]


def test_update_replaces_all_tags_with_the_keys(backend: RedunBackendDb) -> None:
    backend.record_tags(JOB, "e", [("k", 1), ("k", 2), ("other", 1)])
    backend.record_tags(JOB, "e", iter([("k", 3), ("k", 4)]), update=True)
    assert current(backend) == [("k", 3), ("k", 4), ("other", 1)]
    before = count(backend)
    backend.record_tags(JOB, "e", [("other", 1)], update=True)
    assert current(backend) == [("k", 3), ("k", 4), ("other", 1)]
    assert count(backend) == before + 1


def test_replaced_tag_comes_back_only_if_new(backend: RedunBackendDb) -> None:
    backend.record_tags(JOB, "e", [("k", 1)])
    backend.delete_tags("e", [("k", 1)])
    backend.record_tags(JOB, "e", [("k", 1)])
    assert current(backend) == []
    for _ in range(3):
        backend.record_tags(JOB, "e", [("k", 1)], new=True)
        assert current(backend) == [("k", 1)]
        before = count(backend)
        backend.record_tags(JOB, "e", [("k", 1)], new=True)
        assert count(backend) == before
        backend.delete_tags("e", [("k", 1)])
        assert current(backend) == []


def test_tag_comes_back_after_a_long_history(backend: RedunBackendDb) -> None:
    ((tag_hash, *_),) = backend.record_tags(JOB, "e", [("k", 1)])
    for _ in range(120):
        backend.record_tags(JOB, "e", [("k", 1)], parents=[tag_hash])
        tag_hash = hash_tag("e", "k", 1, [tag_hash])
    backend.delete_tags("e", [], keys=["k"])
    backend.record_tags(JOB, "e", [("k", 1)], new=True)
    (tag,) = backend.session.query(Tag).filter(Tag.is_current, Tag.entity_id == "e")
    assert tag.tag_hash == hash_tag("e", "k", 1, [tag_hash])


def test_update_tags_renames(backend: RedunBackendDb) -> None:
    backend.record_tags(JOB, "e", [("old", 1), ("older", 2), ("kept", 3)])
    rows = backend.update_tags(JOB, "e", ["old", "older"], [("new", 4)])
    assert [row[1:] for row in rows] == [("e", "new", 4)]
    assert current(backend) == [("kept", 3), ("new", 4)]


def test_delete_by_pair_and_by_key(backend: RedunBackendDb) -> None:
    backend.record_tags(JOB, "e", [("k", 1), ("k", 2), ("none", None), ("x", 1), ("y", 1)])
    backend.record_tags(JOB, "other", [("k", 1)])
    ((deleted, *rest),) = backend.delete_tags("e", [("k", 1), ("none", None)], keys=["x"])
    assert rest == ["", "", None]
    assert current(backend) == [("k", 2), ("y", 1)]
    assert current(backend, "other") == [("k", 1)]
    row = backend.session.get(Tag, deleted)
    assert (row.entity_type, row.entity_id, row.key, row.value) == (TagEntity.Null, "", "", None)
    assert (len(row.parents), row.is_current) == (3, True)


def test_deleting_nothing_deletes_nothing(backend: RedunBackendDb) -> None:
    backend.record_tags(JOB, "e", [("k", 1)])
    assert backend.delete_tags("e", []) == []
    for _ in range(2):
        backend.delete_tags("e", [("k", 5)])
    assert current(backend) == [("k", 1)]
    assert count(backend) == 2


def test_values_of_tags_are_told_apart_by_their_text(backend: RedunBackendDb) -> None:
    backend.record_tags(JOB, "e", [("k", 1), ("k", 1.0), ("k", True), ("k", "1")])
    backend.delete_tags("e", [("k", 1.0)])
    assert current(backend) == sorted([("k", 1), ("k", True), ("k", "1")], key=str)


def test_tags_of_many_entities(backend: RedunBackendDb) -> None:
    tags = [("Job", f"e{number}", "k", number) for number in range(2500)]
    backend.record(Records(tags=[*tags, *tags]))
    found = backend.get_tags([f"e{number}" for number in range(3000)])
    assert len(found) == 2500
    assert found["e7"]["k"] == [7]


def test_tags_are_hashed_as_in_the_original() -> None:
    backend = RedunBackendDb("sqlite:///:memory:", config={"hash_scheme": "redun1"})
    backend.load()
    backend.record(Records(tags=[("Job", "e", "k", {"b": 1, "a": [1, 2]})]))
    ((parent, *_),) = backend.record_tags(JOB, "e", [("k", {"b": 1, "a": [1, 2]})])
    ((deleted, *_),) = backend.delete_tags("nothing", [("k", 1)])
    assert deleted.startswith("6c2c1b62")
    assert backend.session.get(Tag, parent).value == {"b": 1, "a": [1, 2]}
    assert count(backend) == 2
    backend.close()
