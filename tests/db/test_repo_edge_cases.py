"""Edge cases of repos that have bitten: each is a point of the specification's list."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace

import pytest
from sqlalchemy.exc import StatementError

from redun import File, task
from redun.backends.base import TagEntity
from redun.backends.db import (
    CallEdge,
    CallNode,
    Execution,
    Job,
    RedunBackendDb,
    Tag,
    TagEdit,
    Value,
)
from redun.backends.db import File as FileRow

redun_namespace = "edge_cases"

JOB, EXECUTION = TagEntity.Job, TagEntity.Execution


@task()
def leaf(x):
    return x


def tags_of(backend: RedunBackendDb, entity_id: str) -> list[tuple[str, object]]:
    tags = backend.get_tags([entity_id]).get(entity_id)
    return sorted(tags.items(), key=str) if tags else []


def make_call(backend: RedunBackendDb, x: object, children: list[str]) -> str:
    result = backend.record_value(x)
    args_hash = backend.record_value([x, "args"])
    return backend.record_call_node(
        "edge_cases.leaf", leaf.hash, args_hash, ((x,), {}), ((x,), {}), result, children, [leaf]
    )


def test_tags_of_an_execution_whose_root_job_never_started(backend: RedunBackendDb) -> None:
    backend.record_execution("never", ["redun", "run"])
    backend.record_tags(EXECUTION, "never", [("user", "ann")])
    assert backend.session.query(Execution).count() == 0
    assert tags_of(backend, "never") == [("user", "ann")]


def test_execution_without_a_root_job_has_failed() -> None:
    execution = Execution(id="x" * 36, args="[]", job_id="gone")
    assert (execution.status, execution.call_node, execution.task) == ("FAILED", None, None)
    assert repr(execution) == "Execution(id='xxxxxxxx', task_name='None', args=[])"


def test_running_job(backend: RedunBackendDb) -> None:
    execution = SimpleNamespace(id="exec")
    job = SimpleNamespace(
        id="job", task=leaf, execution=execution, parent_job=None, was_cached=False, call_hash=None
    )
    backend.record_execution("exec", ["redun", "run"])
    backend.record_job_start(job)
    row = backend.session.get(Job, "job")
    assert (row.status, row.status_display, row.duration, row.context) == (
        "RUNNING",
        "RUN ",
        None,
        {},
    )
    execution_row = backend.session.get(Execution, "exec")
    assert (execution_row.status, execution_row.task) == ("RUNNING", None)
    assert (
        repr(execution_row) == "Execution(id='exec', task_name='None', args=[\"redun\", \"run\"])"
    )


def test_end_recorded_twice_counts_the_second_time(backend: RedunBackendDb) -> None:
    job = SimpleNamespace(
        id="job",
        task=leaf,
        execution=SimpleNamespace(id="exec"),
        parent_job=None,
        was_cached=False,
        call_hash=None,
    )
    backend.record_execution("exec", [])
    start = dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc)
    backend.record_job_start(job, start)
    for hours in (1, 30):
        backend.record_job_end(job, start + dt.timedelta(hours=hours))
    row = backend.session.get(Job, "job")
    assert (row.status, row.duration) == ("DONE", dt.timedelta(hours=30))
    with pytest.raises((StatementError, ValueError), match="timezone naive"):
        backend.record_job_end(job, dt.datetime(2026, 1, 3))
    assert backend.session.get(Job, "job").duration == dt.timedelta(hours=30)


def test_update_to_the_same_value_is_a_new_tag(backend: RedunBackendDb) -> None:
    backend.record_tags(JOB, "j", [("k", 1)])
    for count in (2, 3):
        backend.record_tags(JOB, "j", [("k", 1)], update=True)
        assert tags_of(backend, "j") == [("k", 1)]
        assert backend.session.query(Tag).count() == count


def test_tags_from_a_generator_can_update(backend: RedunBackendDb) -> None:
    backend.record_tags(JOB, "j", [("k", 1)])
    backend.record_tags(JOB, "j", ((key, 2) for key in ("k",)), update=True)
    assert tags_of(backend, "j") == [("k", 2)]


def test_divergent_histories_leave_both_ends_current(backend: RedunBackendDb) -> None:
    ((root, *_),) = backend.record_tags(JOB, "j", [("k", 1)])
    backend.record_tags(JOB, "j", [("k", "ours")], parents=[root])
    backend.record_tags(JOB, "j", [("k", "theirs")], parents=[root])
    assert tags_of(backend, "j") == [("k", "ours"), ("k", "theirs")]
    # The next update replaces both, and every edge is kept.
    backend.record_tags(JOB, "j", [("k", "merged")], update=True)
    assert tags_of(backend, "j") == [("k", "merged")]
    assert backend.session.query(TagEdit).count() == 4
    backend.delete_tags("j", [], keys=["k"])
    assert tags_of(backend, "j") == []


@pytest.mark.parametrize("entity", [item for item in TagEntity if item is not TagEntity.Null])
def test_every_kind_of_record_has_tags(backend: RedunBackendDb, entity: TagEntity) -> None:
    for number in range(2):
        backend.record_tags(entity, "entity", [("a.b.key", number), ("a.b.key", number)])
    assert tags_of(backend, "entity") == [("a.b.key", 0), ("a.b.key", 1)]
    tag = backend.session.query(Tag).filter_by(entity_type=entity).first()
    assert (tag.namespace, tag.base_key) == ("a.b", "key")


def test_deleting_what_is_not_there(backend: RedunBackendDb) -> None:
    backend.record_tags(JOB, "j", [("k", 1)])
    backend.delete_tags("j", [("k", 2), ("absent", None)])
    backend.delete_tags("j", [("k", 2)])
    backend.delete_tags("j", [])
    assert tags_of(backend, "j") == [("k", 1)]
    backend.record_tags(JOB, "j", [("n", None)])
    backend.delete_tags("j", [("n", None)])
    assert tags_of(backend, "j") == [("k", 1)]


def test_a_call_made_twice_has_two_edges(backend: RedunBackendDb) -> None:
    child = make_call(backend, 1, [])
    parent = make_call(backend, 2, [child, child])
    rows = backend.session.query(CallEdge).order_by(CallEdge.call_order).all()
    assert [(row.child_id, row.call_order) for row in rows] == [(child, 0), (child, 1)]
    assert [node.call_hash for node in backend.session.get(CallNode, parent).children] == [
        child
    ] * 2
    assert [node.call_hash for node in backend.session.get(CallNode, child).parents] == [parent] * 2


def test_a_call_shared_by_two_parents_is_one_row(backend: RedunBackendDb) -> None:
    child = make_call(backend, 1, [])
    first = backend.session.get(CallNode, child).timestamp
    parents = {make_call(backend, x, [make_call(backend, 1, [])]) for x in (2, 3)}
    node = backend.session.get(CallNode, child)
    assert {parent.call_hash for parent in node.parents} == parents
    assert (node.timestamp, len(node.arguments)) == (first, 1)


def test_text_is_kept_byte_for_byte(backend: RedunBackendDb, repo_kind: str) -> None:
    # The same word, composed and decomposed: no form is turned into the other.
    paths = [
        "caf\u00e9.txt",
        "cafe\u0301.txt",
        "\u6587\u4ef6",
        "x" * (2000 if repo_kind == "sqlite" else 1024),
    ]
    for path in paths:
        backend.record_value(File(path))
    found = backend.session.query(FileRow).all()
    assert sorted(row.path for row in found) == sorted(paths)
    assert len(backend.session.query(FileRow).filter_by(path=paths[0]).all()) == 1
    backend.record_tags(JOB, "j", [("sch\u00f6n", "\u00fc")])
    assert tags_of(backend, "j") == [("sch\u00f6n", "\u00fc")]


def test_value_that_cannot_be_unpickled_is_shown(backend: RedunBackendDb) -> None:
    from redun.backends.base import Records

    kind = "application/python-pickle"
    backend.record(Records(values=[("1" * 40, "x.Y", kind, b"\x80\x03cx\nY\n)\x81K\x01b.")]))
    backend.flush()
    row = backend.session.get(Value, "1" * 40)
    assert "Unpicklable(" in repr(row)
    assert "Unpicklable(" in repr(row.preview)
    # Showing it leaves no trace: what is loaded afterwards is the real thing.
    assert backend.get_value(backend.record_value(dt.date(2026, 1, 1))) == (
        dt.date(2026, 1, 1),
        True,
    )
