from __future__ import annotations

import dataclasses
import datetime as dt
import os
import pickle
import sys
import types
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import NoResultFound, StatementError

from redun.backends.base import Records, TagEntity
from redun.backends.db import (
    JSON,
    MAX_VALUE_SIZE_PREVIEW,
    Argument,
    CallNode,
    CallSubtreeTask,
    DateTimeUTC,
    Evaluation,
    Execution,
    File,
    Handle,
    Job,
    PreviewValue,
    RedunBackendDb,
    Tag,
    Task,
    Value,
)
from redun.backends.value_store import ValueStore
from redun.file import File as BaseFile
from redun.scheduler import ErrorValue

pytestmark = pytest.mark.each_repo

PICKLE = "application/python-pickle"
TASK = "t" * 40


@dataclasses.dataclass
class Point:
    x: int
    y: int


class Trap:
    """Its pickle calls a function when it is loaded."""

    def __reduce__(self):
        return (os.mkdir, ("trapped",))


def add_value(backend: RedunBackendDb, value_hash: str, data: bytes, kind: str = "m.Kind") -> Value:
    backend.record(Records(values=[(value_hash, kind, PICKLE, data)]))
    backend.flush()
    return backend.session.get(Value, value_hash)


@pytest.fixture
def graph(backend: RedunBackendDb) -> RedunBackendDb:
    """`main(n, *, rate)` calls `leaf` twice with the same arguments, then `bad`, which fails."""
    values = {
        "n": 3,
        "rate": "high",
        "out": [1, 2],
        "error": ErrorValue(ValueError("boom")),
        "file": BaseFile("out/a.txt"),
        "long": "x" * 300,
    }
    hashes = {name: backend.record_value(value) for name, value in values.items()}
    main, leaf, bad = "a" * 40, "b" * 40, "c" * 40
    args = "g" * 40
    records = Records(
        values=[(TASK, "redun.Task", PICKLE, b"?")],
        tasks=[(TASK, "main", "demo", "def main(n): ...")],
        call_nodes=[
            (main, "demo.main", TASK, args, hashes["error"], 1e9),
            (leaf, "demo.leaf", TASK, args, hashes["out"], 1e9),
            (bad, "bad", TASK, args, hashes["error"], 1e9),
        ],
        call_edges=[(main, leaf, 2), (main, bad, 1), (main, leaf, 0)],
        subtree_tasks=[(main, TASK)],
        arguments=[
            ("1" * 40, main, hashes["rate"], None, "rate"),
            ("2" * 40, main, hashes["file"], 1, None),
            ("3" * 40, main, hashes["n"], 0, None),
            ("4" * 40, leaf, hashes["long"], 0, None),
        ],
        argument_results=[("4" * 40, bad)],
        evaluations=[("e" * 40, TASK, args, hashes["out"])],
        executions=[("exec-0001-long", '["redun", "run"]', "job-main-long")],
        job_starts=[
            ("job-main-long", 1e9, TASK, None, "exec-0001-long"),
            ("job-later", 1e9 + 5, TASK, "job-main-long", "exec-0001-long"),
            ("job-first", 1e9 + 1, TASK, "job-main-long", "exec-0001-long"),
            ("job-running", 1e9 + 7, TASK, "job-main-long", "exec-0001-long"),
        ],
        job_ends=[
            ("job-main-long", 1e9 + 9, True, main),
            ("job-later", 1e9 + 6, True, leaf),
            ("job-first", 1e9 + 4.5, False, leaf),
        ],
    )
    backend.record(records)
    backend.flush()
    return backend


def test_call_graph_is_walked_both_ways(graph: RedunBackendDb) -> None:
    session = graph.session
    main, leaf, bad = (session.get(CallNode, letter * 40) for letter in "abc")
    assert main.children == [leaf, bad, leaf]
    assert leaf.parents == [main, main]
    assert bad.children == []
    assert [edge.call_order for edge in main.child_edges] == [0, 1, 2]
    assert bad.downstream == leaf.arguments
    assert leaf.arguments[0].upstream == [bad]
    assert [row.result_call_node for row in leaf.arguments[0].arg_results] == [bad]
    assert main.task.call_nodes == [leaf, bad, main] or len(main.task.call_nodes) == 3
    assert main.task.evals[0].value_parsed == [1, 2]
    assert main.value.results == [main, bad] or len(main.value.results) == 2
    assert [row.task for row in main.task_set] == [main.task]
    assert isinstance(session.query(CallSubtreeTask).one().call_node, CallNode)
    assert leaf.value_parsed == [1, 2]
    assert leaf.value.evals == session.query(Evaluation).all()
    assert {job.id for job in leaf.jobs} == {"job-later", "job-first"}


def test_values_files_and_their_containers(backend: RedunBackendDb) -> None:
    inner = BaseFile("a.txt")
    whole = backend.record_value([inner, inner])
    session = backend.session
    value = session.get(Value, whole)
    (child,) = value.children
    assert child.parents == [value]
    assert value.subfiles == [child.file]
    assert (value.file, child.file.path) == (None, "a.txt")
    assert child.file.values == [child, value]
    assert child.file.parent_values == [value]
    assert [(edge.child, edge.parent) for edge in value.child_edges] == [(child, value)]
    assert value.child_edges == child.parent_edges
    assert (value.handle, value.subhandles, value.task) == (None, [], None)


def test_reprs(graph: RedunBackendDb) -> None:
    session = graph.session
    main = session.get(CallNode, "a" * 40)
    file = session.query(File).one()
    assert repr(main) == (
        f"CallNode(hash='aaaaaaaa', task_name='demo.main', "
        f"args=[3, File(path=out/a.txt, hash={file.value_hash[:8]}), 'high'])"
    )
    assert repr(file) == f"File(hash='{file.value_hash[:8]}', path='out/a.txt')"
    assert repr(session.get(Task, TASK)) == "Task(hash='tttttttt', name='demo.main')"
    arguments = {row.arg_hash[0]: repr(row) for row in session.query(Argument)}
    assert arguments["1"] == "Argument(task_name='demo.main', pos=rate, value=high)"
    assert arguments["3"] == "Argument(task_name='demo.main', pos=0, value=3)"
    assert arguments["4"].endswith("pos=0, value=" + "x" * 197 + "...)")
    execution = session.query(Execution).one()
    assert repr(execution) == (
        "Execution(id='exec-000', task_name='demo.main', args=[\"redun\", \"run\"])"
    )
    local = dt.datetime.fromtimestamp(1e9).strftime("%Y-%m-%d %H:%M:%S")
    assert repr(execution.job) == (
        f"Job(id='job-main', start_time='{local}', task_name='demo.main')"
    )
    value = session.get(CallNode, "b" * 40).value
    assert repr(value) == f"Value(hash='{value.value_hash[:8]}', value=[1, 2])"
    tag = Tag(tag_hash="4c9f183a00", entity_id="e4", key="k", value={"b": 1, "a": "v"})
    assert repr(tag) == 'Tag(tag_hash=4c9f183a, entity_id=e4, key=k, value={"a": "v", "b": 1})'
    handle = Handle(hash="4307f82700", fullname="db")
    assert repr(handle) == "Handle(hash='4307f827', name='db')"


def test_args_display_is_cut(graph: RedunBackendDb) -> None:
    shown = graph.session.get(CallNode, "b" * 40).args_display
    assert len(shown) == 100
    assert shown == "['" + "x" * 94 + "...]"


def test_args_display_takes_two_statements(graph: RedunBackendDb) -> None:
    main = graph.session.get(CallNode, "a" * 40)
    statements = []
    sa.event.listen(graph.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    assert main.args_display.startswith("[3, File")
    assert len(statements) == 2


def test_jobs_and_executions(graph: RedunBackendDb, capsys) -> None:
    session = graph.session
    execution = session.query(Execution).one()
    job = execution.job
    assert [child.id for child in job.child_jobs] == ["job-first", "job-later", "job-running"]
    assert {child.id for child in execution.jobs} == {child.id for child in job.child_jobs} | {
        job.id
    }
    first, later, running = job.child_jobs
    assert (first.parent_job, first.execution, first.task.fullname) == (job, execution, "demo.main")
    assert first.duration == dt.timedelta(seconds=3.5)
    assert running.duration is None
    assert first.start_time == dt.datetime.fromtimestamp(1e9 + 1, dt.timezone.utc)
    statuses = [child.status for child in (job, first, later, running)]
    assert statuses == ["FAILED", "DONE", "CACHED", "RUNNING"]
    assert [job.status_display, running.status_display] == ["FAILED", "RUN "]
    assert execution.status == execution.status_display == "FAILED"
    assert execution.call_node.call_hash == "a" * 40
    assert execution.task.hash == TASK
    assert job.context == {}
    job.task.show_source()
    assert capsys.readouterr().out == "def main(n): ...\n"


def test_status_from_a_result_type() -> None:
    ended = dt.datetime.now(dt.timezone.utc)
    job = Job(id="j", end_time=ended, cached=True)
    assert job.calc_status("redun.ErrorValue") == job.status == "FAILED"
    assert job.calc_status(None) == job.status == "CACHED"
    assert Job(id="j", cached=True).calc_status(None) == "RUNNING"
    assert Job(id="j", end_time=ended, cached=False).calc_status("x") == "DONE"
    assert Execution(id="e", job=job).calc_status(None) == "DONE"
    assert Execution(id="e", job=None).status == "FAILED"


def test_context_of_a_job(graph: RedunBackendDb) -> None:
    graph.record_call_node_context("b" * 40, None, {"a": 1})
    assert graph.session.get(Job, "job-first").context == {"a": 1}


def test_tags_of_entities(graph: RedunBackendDb) -> None:
    ids = {
        TagEntity.Execution: "exec-0001-long",
        TagEntity.Job: "job-first",
        TagEntity.CallNode: "a" * 40,
        TagEntity.Task: TASK,
    }
    for entity, entity_id in ids.items():
        graph.record_tags(entity, entity_id, [("project.kind", entity.name)])
    session = graph.session
    entities = {tag.value: tag.entity for tag in session.query(Tag)}
    assert entities["Job"].tags[0].jobs == [entities["Job"]]
    assert entities["Execution"].tags[0].executions == [entities["Execution"]]
    assert entities["CallNode"].tags[0].call_nodes == [entities["CallNode"]]
    assert entities["Task"].tags == session.get(Value, TASK).tags
    assert entities["Task"].tags[0].values == [session.get(Value, TASK)]
    tag = entities["Task"].tags[0]
    assert (tag.tasks, tag.namespace, tag.base_key) == ([entities["Task"]], "project", "kind")
    assert tag.value_parsed is None


def test_tag_that_names_a_value(backend: RedunBackendDb) -> None:
    value_hash = backend.record_value("meant")
    backend.record_tags(TagEntity.Job, "missing", [("doc", value_hash)])
    tag = backend.session.query(Tag).one()
    assert tag.value_parsed.value_parsed == "meant"
    assert (tag.base_key, tag.namespace) == ("doc", "")
    with pytest.raises(NoResultFound):
        tag.entity  # noqa: B018
    deleting = Tag.get_delete_tag()
    assert (deleting.entity_id, deleting.key, deleting.value) == ("", "", None)
    with pytest.raises(AssertionError):
        deleting.entity  # noqa: B018


def test_superseded_tags_are_linked_and_hidden(backend: RedunBackendDb) -> None:
    backend.record_tags(TagEntity.Execution, "e", [("k", 1)])
    backend.record_tags(TagEntity.Execution, "e", [("k", 2)], update=True)
    old, new = backend.session.query(Tag).order_by(Tag.value)
    assert (old.children, new.parents) == ([new], [old])
    assert (old.child_edits, new.child_edits) == (new.parent_edits, [])
    assert (old.child_edits[0].parent, old.child_edits[0].child) == (old, new)
    assert (old.is_current, new.is_current) == (False, True)


# What a value looks like without running anything.


def test_data_is_loaded(backend: RedunBackendDb) -> None:
    values = [
        {"a": [1, 2.5, None, True, b"x", {1, 2}, frozenset({3}), complex(1, 2)]},
        dt.datetime(2020, 1, 2, tzinfo=dt.timezone.utc),
        Path("a/b"),
        Point(1, 2),
        BaseFile("a.txt"),
        ValueError("boom"),
    ]
    for number, value in enumerate(values):
        row = add_value(backend, f"{number:040x}", pickle.dumps(value, protocol=3))
        assert repr(row.value_parsed) == repr(value)
        assert repr(row.preview) == repr(value)


def test_numpy_arrays_are_loaded(backend: RedunBackendDb) -> None:
    numpy = pytest.importorskip("numpy")
    row = add_value(backend, "1" * 40, pickle.dumps(numpy.arange(3), protocol=3))
    assert row.value_parsed.tolist() == [0, 1, 2]


def test_looking_calls_nothing(backend: RedunBackendDb, workdir: Path) -> None:
    row = add_value(backend, "1" * 40, pickle.dumps([1, Trap()], protocol=3))
    assert repr(row) == "Value(hash='11111111', value=[1, mkdir('trapped')])"
    assert not (workdir / "trapped").exists()
    attack = b"cposix\nsystem\n(X\x0d\x00\x00\x00touch trappedtR."
    row = add_value(backend, "2" * 40, attack)
    assert repr(row.value_parsed) == "system('touch trapped')"
    assert not (workdir / "trapped").exists()


def test_looking_imports_nothing(backend: RedunBackendDb, workdir: Path, monkeypatch) -> None:
    (workdir / "lookmodule.py").write_text(
        "from pathlib import Path\nPath('imported').touch()\nclass Foo: pass\n"
    )
    monkeypatch.syspath_prepend(str(workdir))
    data = b"\x80\x03clookmodule\nFoo\n)\x81}(X\x01\x00\x00\x00aK\x01X\x01\x00\x00\x00bX\x01\x00\x00\x00xub."
    row = add_value(backend, "1" * 40, data, "lookmodule.Foo")
    assert repr(row) == "Value(hash='11111111', value=Foo(a=1, b='x'))"
    backend.record(Records(values=[("2" * 40, "lookmodule.Foo", "text/plain", b"hello")]))
    backend.flush()
    assert repr(backend.session.get(Value, "2" * 40).preview) == (
        "lookmodule.Foo(hash=22222222, size=5)"
    )
    assert not (workdir / "imported").exists()
    assert "lookmodule" not in sys.modules


def test_pickles_within_pickles_are_held_to_the_same(backend: RedunBackendDb, workdir) -> None:
    inner = pickle.dumps((Trap(),), protocol=3)
    data = pickle.dumps(
        {
            "task_name": "demo.f",
            "args": inner,
            "kwargs": pickle.dumps({}, protocol=3),
            "task_options": {},
        },
        protocol=3,
    )[2:-1]
    expression = b"\x80\x03credun.expression\nTaskExpression\n)\x81" + data + b"b."
    row = add_value(backend, "1" * 40, expression, "redun.expression.TaskExpression")
    assert repr(row.value_parsed) == "demo.f(mkdir('trapped'))"
    assert not (workdir / "trapped").exists()


def test_value_whose_repr_fails_is_shown(backend: RedunBackendDb) -> None:
    deep: list = []
    for _ in range(50_000):
        deep = [deep]
    row = backend.session.get(Value, backend.record_value(deep))
    assert "value=Unpicklable('maximum recursion depth exceeded" in repr(row)


def test_class_that_is_gone_is_shown(backend: RedunBackendDb) -> None:
    module = types.ModuleType("gone_module")
    gone = type("Gone", (), {"__module__": "gone_module", "__init__": lambda self: None})
    module.Gone = gone
    sys.modules["gone_module"] = module
    try:
        thing = gone()
        thing.a, thing.b = 1, "x"
        data = pickle.dumps(thing, protocol=3)
    finally:
        del sys.modules["gone_module"]
    row = add_value(backend, "1" * 40, data, "gone_module.Gone")
    assert repr(row) == "Value(hash='11111111', value=Gone(a=1, b='x'))"


def test_damaged_pickle_is_shown(backend: RedunBackendDb) -> None:
    row = add_value(backend, "1" * 40, b"\x80\x03}q")
    assert repr(row).startswith("Value(hash='11111111', value=Unpicklable('")
    assert backend.get_value(backend.record_value(Point(1, 2))) == (Point(1, 2), True)


def test_large_value_is_described_without_loading_it(backend: RedunBackendDb) -> None:
    big = "x" * (MAX_VALUE_SIZE_PREVIEW + 1)
    value_hash = backend.record_value(big)
    backend.session.expunge_all()
    row = backend.session.get(Value, value_hash)
    assert isinstance(row.preview, PreviewValue)
    assert repr(row.preview).startswith(f"builtins.str(hash={value_hash[:8]}, size=10000")
    assert "value" not in row.__dict__
    assert row.value_parsed == big
    assert len(repr(row)) < 250


def test_value_stored_elsewhere(backend: RedunBackendDb, tmp_path: Path) -> None:
    row = add_value(backend, "1" * 40, b"", "builtins.int")
    assert row.in_value_store
    for store in (None, ValueStore(str(tmp_path))):
        backend.value_store = store
        assert row.value_parsed is None
        assert repr(row) == "Value(hash='11111111', value=None)"
        with pytest.warns(UserWarning, match="Value data is missing from the value store"):
            assert repr(row.preview) == "builtins.int(hash=11111111, size=-1)"
    store.put("1" * 40, pickle.dumps(7))
    assert (row.value_parsed, row.preview) == (7, 7)
    assert not add_value(backend, "2" * 40, pickle.dumps(1)).in_value_store


# Column types.


def test_moments_are_kept_in_utc() -> None:
    kind, dialect = DateTimeUTC(), sa.create_engine("sqlite://").dialect
    tokyo = dt.timezone(dt.timedelta(hours=9))
    stored = kind.process_bind_param(dt.datetime(2020, 1, 1, 9, tzinfo=tokyo), dialect)
    assert stored.isoformat() == "2020-01-01T00:00:00+00:00"
    naive = dt.datetime(2020, 1, 1)
    assert kind.process_result_value(naive, dialect) == stored
    assert kind.process_result_value(None, dialect) is None
    with pytest.raises(ValueError, match="timezone naive datetimes are not allowed"):
        kind.process_bind_param(naive, dialect)


def test_naive_moment_is_refused(backend: RedunBackendDb) -> None:
    backend.session.add(Execution(id="e", args="[]", job_id="j", updated_time=dt.datetime.now()))
    with pytest.raises(StatementError, match="timezone naive datetimes are not allowed"):
        backend.session.flush()
    backend.session.rollback()


def test_moments_with_and_without_fraction_are_read(graph: RedunBackendDb) -> None:
    graph.session.execute(sa.text("UPDATE job SET start_time = '2022-01-02 03:04:05'"))
    graph.session.commit()
    assert {job.start_time.isoformat() for job in graph.session.query(Job)} == {
        "2022-01-02T03:04:05+00:00"
    }


@pytest.mark.sqlite
def test_json_is_compact_sorted_ascii(backend: RedunBackendDb) -> None:
    backend.record_tags(TagEntity.Job, "j", [("k", {"b": [1, None], "a": "é"})])
    backend.record_tags(TagEntity.Job, "j", [("none", None)])
    rows = backend.session.execute(sa.text("SELECT value FROM tag ORDER BY key")).scalars()
    assert list(rows) == ['{"a":"\\u00e9","b":[1,null]}', "null"]
    found = backend.session.query(Tag).filter(Tag.value == {"a": "é", "b": [1, None]}).one()
    assert found.value == {"a": "é", "b": [1, None]}
    with pytest.raises(TypeError):
        JSON().process_bind_param(object(), backend.engine.dialect)
