"""Identifiers are valid random UUIDs, also when made in batches."""

import uuid

from redun.model.ids import new_id, new_ids


def test_ids_are_uuid4() -> None:
    ids = [new_id(), *new_ids(200)]
    assert len(set(ids)) == 201
    for text in ids:
        parsed = uuid.UUID(text)
        assert str(parsed) == text
        assert parsed.version == 4
        assert parsed.variant == uuid.RFC_4122


def test_empty_batch() -> None:
    assert new_ids(0) == []
