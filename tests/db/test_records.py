"""Records of repos in databases: copied between them, read, written, and what follows from them."""

from __future__ import annotations

import pickle
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from redun.backends.base import Records, TagEntity
from redun.backends.db import RedunBackendDb, edges, orm
from redun.backends.db.serializers import RecordSerializer
from redun.backends.db.source import render
from redun.backends.records import RecordError
from redun.sync.store import Part
from redun.sync.transfer import transfer

KINDS = ("Execution", "Job", "CallNode", "Value", "Tag")
TASK = "t" * 40
OTHER_TASK = "u" * 40
START = 1_700_000_000.0


@pytest.fixture
def source(tmp_path: Path) -> Iterator[RedunBackendDb]:
    """The repo that records come from, on SQLite."""
    backend = RedunBackendDb(f"sqlite:///{tmp_path / 'source.db'}")
    backend.load()
    yield backend
    backend.close()


@pytest.fixture
def third(tmp_path: Path) -> Iterator[RedunBackendDb]:
    """One more repo on SQLite."""
    backend = RedunBackendDb(f"sqlite:///{tmp_path / 'third.db'}")
    backend.load()
    yield backend
    backend.close()


@pytest.fixture
def fill(make_hash: Callable[[], str]) -> Callable[..., None]:
    """Records an execution whose root job calls others, one of them twice, with tags and a file."""

    def record(backend: RedunBackendDb, name: str = "e", ended: bool = True) -> None:
        records = Records()
        data = pickle.dumps([1])
        value, inner, args = make_hash(), make_hash(), make_hash()
        first, second, root = make_hash(), make_hash(), make_hash()
        for key, kind in ((value, "builtins.list"), (inner, "redun.File")):
            records.values.append((key, kind, "application/python-pickle", data))
        for task in (TASK, OTHER_TASK):
            records.values.append((task, "redun.Task", "application/python-pickle", b"task"))
            records.tasks.append((task, f"task_{task[0]}", "ns", "def f(): ..."))
        records.subvalues.append((inner, value))
        records.files.append((inner, f"data/{name}.txt"))
        for call, task in ((first, OTHER_TASK), (second, TASK), (root, TASK)):
            records.call_nodes.append((call, "ns.f", task, args, value, START + 1))
        for call in (first, second):
            task = OTHER_TASK if call == first else TASK
            records.subtree_tasks.append((call, task))
        records.subtree_tasks += [(root, TASK), (root, OTHER_TASK)]
        records.call_edges += [(root, second, 0), (root, first, 1), (root, second, 3)]
        argument = make_hash()
        records.arguments.append((argument, second, value, None, "key"))
        records.arguments.append((make_hash(), second, inner, 0, None))
        records.argument_results.append((argument, first))
        records.executions.append((name, '["redun", "run"]', f"{name}-root"))
        records.job_starts.append((f"{name}-root", START, TASK, None, name))
        for number, call in enumerate((second, first, second)):
            job = f"{name}-{number}"
            records.job_starts.append((job, START + number, TASK, f"{name}-root", name))
            records.job_ends.append((job, START + 5.5, number == 2, call))
        if ended:
            records.job_ends.append((f"{name}-root", START + 9, False, root))
        backend.record(records)
        backend.flush()
        for kind, entity in (
            (TagEntity.Execution, name),
            (TagEntity.Job, f"{name}-root"),
            (TagEntity.Task, TASK),
            (TagEntity.Value, inner),
        ):
            backend.record_tags(kind, entity, [("k", {"deep": [1, None]})])
        backend.record_tags(TagEntity.Execution, name, [("k", 2)], update=True)
        backend.record_tags(TagEntity.Execution, name, [("gone", 1)])
        backend.delete_tags(name, [], keys=["gone"])

    return record


def contents(backend: RedunBackendDb) -> dict[str, Any]:
    """All records by kind and id, and the rows that no record shows."""
    store = backend.records
    found: dict[str, Any] = {}
    ids = {
        "Execution": "SELECT id FROM execution",
        "Job": "SELECT id FROM job",
        "CallNode": "SELECT call_hash FROM call_node",
        "Value": "SELECT value_hash FROM value",
        "Tag": "SELECT tag_hash FROM tag",
    }
    with backend.create_engine().connect() as connection:
        for kind, query in ids.items():
            keys = sorted(row[0] for row in connection.exec_driver_sql(query))
            found[kind] = list(store.get(kind, keys))
            assert len(found[kind]) == len(keys)
        for name, query in (
            ("subtree", "SELECT call_hash, task_hash FROM call_subtree_task"),
            ("edges", "SELECT parent_id, child_id, call_order FROM call_edge"),
            ("current", "SELECT tag_hash FROM tag WHERE is_current"),
        ):
            found[name] = sorted(map(tuple, connection.exec_driver_sql(query)))
    return found


def test_everything_arrives_and_comes_back(
    source: RedunBackendDb, backend: RedunBackendDb, third: RedunBackendDb, fill: Any
) -> None:
    for name in ("e1", "e2"):
        fill(source, name)
    counts = transfer(source.records, backend.records, verify=False)
    whole = contents(source)
    assert contents(backend) == whole
    assert counts.by_kind == {kind: len(whole[kind]) for kind in KINDS}
    assert transfer(source.records, backend.records, verify=False).total == 0
    transfer(backend.records, third.records, verify=False)
    assert contents(third) == whole


def test_records_carry_what_rows_do_but_gaps(
    source: RedunBackendDb, backend: RedunBackendDb, fill: Any
) -> None:
    fill(source)
    whole = contents(source)
    for kind in ("Value", "CallNode", "Execution", "Job", "Tag"):
        with backend.records.receiver(source.records, verify=False) as receive:
            assert receive is not None
            assert receive([Part(kind, [])]) == {}
    records = [record for kind in ("Value", "CallNode") for record in whole[kind]]
    records.sort(key=lambda record: len(record.get("children", ())))
    jobs = sorted(whole["Job"], key=lambda job: job["parent_id"] is not None)
    counts = backend.records.put(
        [*records, *whole["Execution"], *jobs, *whole["Tag"]], verify=False
    )
    assert counts == {kind: len(whole[kind]) for kind in KINDS}
    found = contents(backend)
    orders = [order for _, _, order in found.pop("edges")]
    assert sorted(orders) == [0, 1, 2], "positions of children in the record"
    del whole["edges"]
    assert found == whole, "also the tasks below calls, from the call graph"


def test_records_are_those_that_log_shows(source: RedunBackendDb, fill: Any) -> None:
    fill(source, ended=False)
    serializer = RecordSerializer()
    for kind, records in contents(source).items():
        if kind in KINDS:
            keys = [serializer.get_pk(record) for record in records]
            shown = list(serializer.serialize_ids(source.session, kind, keys))
            assert records == shown
            assert [list(record) for record in records] == [list(record) for record in shown]


def test_a_job_that_ended_later_is_updated(
    source: RedunBackendDb, backend: RedunBackendDb, fill: Any
) -> None:
    fill(source, ended=False)
    transfer(source.records, backend.records, verify=False)
    (job,) = backend.records.get("Job", ["e-root"])
    assert (job["status"], job["end_time"]) == ("RUNNING", None)
    records = Records()
    (call,) = (row[0] for row in source.session.query(orm.CallEdge.parent_id).distinct())
    records.job_ends.append(("e-root", START + 9, False, call))
    source.record(records)
    source.flush()
    counts = transfer(source.records, backend.records, verify=False)
    assert counts.by_kind == {"CallNode": 1, "Job": 1} or counts.by_kind == {"Job": 1}
    assert contents(backend) == contents(source)


def test_a_tag_replaced_on_both_sides_stays_forked(
    source: RedunBackendDb, backend: RedunBackendDb, fill: Any
) -> None:
    fill(source)
    transfer(source.records, backend.records, verify=False)
    source.record_tags(TagEntity.Execution, "e", [("k", "here")], update=True)
    backend.record_tags(TagEntity.Execution, "e", [("k", "there")], update=True)
    assert transfer(source.records, backend.records, verify=False).by_kind == {"Tag": 1}
    assert transfer(backend.records, source.records, verify=False).by_kind == {"Tag": 1}
    for repo in (source, backend):
        assert sorted(repo.get_tags(["e"])["e"].items()) == [("k", "here"), ("k", "there")]
    fill(source, "later")
    assert transfer(source.records, backend.records, verify=False).total > 0
    assert contents(backend) == contents(source)


def test_a_refused_record_leaves_nothing_behind(
    source: RedunBackendDb, backend: RedunBackendDb, fill: Any
) -> None:
    fill(source)
    before = contents(backend)
    values = contents(source)["Value"]
    bad = {**values[0], "data": "!"}
    with pytest.raises(RecordError) as caught:
        backend.records.put([*values, bad], verify=False)
    assert caught.value.index == len(values)
    made_up = {**values[0], "value_hash": "0" * 40, "type": "builtins.list"}
    with pytest.raises(RecordError, match="does not match its hash"):
        backend.records.put([*values[1:], made_up])
    assert contents(backend) == before


def test_rows_whose_content_does_not_match_are_refused_on_request(
    source: RedunBackendDb, backend: RedunBackendDb, fill: Any
) -> None:
    fill(source)
    with pytest.raises(RecordError, match="does not match its hash"):
        transfer(source.records, backend.records, verify=True)


def test_hostile_pickles_are_carried_and_never_loaded(
    source: RedunBackendDb, backend: RedunBackendDb, tmp_path: Path, fill: Any
) -> None:
    trap = tmp_path / "sprung"

    class Bomb:
        def __reduce__(self) -> Any:
            return (open, (str(trap), "w"))

    fill(source)
    data = pickle.dumps(Bomb())
    records = Records()
    records.values.append(("b" * 40, "builtins.list", "application/python-pickle", data))
    records.call_nodes.append(("c" * 40, "ns.f", TASK, "a" * 40, "b" * 40, START))
    source.record(records)
    source.flush()
    roots = [("CallNode", "c" * 40)]
    transfer(source.records, backend.records, roots, verify=False)
    (record,) = backend.records.get("Value", ["b" * 40])
    assert record["type"] == "builtins.list"
    assert backend.records.put([{**record, "value_hash": "d" * 40}]) == {"Value": 1}
    assert not trap.exists()


def test_payloads_of_value_stores_are_carried(tmp_path: Path, fill: Any) -> None:
    def open_repo(name: str, store: bool) -> RedunBackendDb:
        config = {"value_store_path": str(tmp_path / f"{name}-values"), "value_store_min_size": "0"}
        uri = f"sqlite:///{tmp_path / name}.db"
        backend = RedunBackendDb(uri, config=config if store else {})
        backend.load()
        return backend

    plain, stored = open_repo("plain", False), open_repo("stored", True)
    back = open_repo("back", False)
    fill(plain)
    whole = contents(plain)
    transfer(plain.records, stored.records, verify=False)
    connection = sqlite3.connect(tmp_path / "stored.db")
    assert connection.execute("SELECT max(length(value)) FROM value").fetchone() == (0,)
    connection.close()
    assert contents(stored) == whole
    assert all(not value["data"] for value in stored.records.get("Value", [TASK], payloads=False))
    transfer(stored.records, back.records, verify=False)
    assert contents(back) == whole
    for repo in (plain, stored, back):
        repo.close()


def test_given_roots_bring_their_ancestors_along(
    source: RedunBackendDb, backend: RedunBackendDb, fill: Any
) -> None:
    fill(source)
    transfer(source.records, backend.records, [("Job", "e-1")], verify=False)
    states = backend.records.job_states(["e-root", "e-0", "e-1"])
    assert {job: state.ended for job, state in states.items()} == {"e-root": False, "e-1": True}
    transfer(source.records, backend.records, verify=False)
    assert contents(backend) == contents(source)


def test_public_methods_speak_of_ids(source: RedunBackendDb, third: Any, fill: Any) -> None:
    fill(source)
    whole = contents(source)
    ids = list(source.iter_record_ids(["e", "nothing"]))
    assert ids[:3] == ["e", "e-root", *[i for i in ids if i in ids[2:3]]]
    assert len(ids) == len(set(ids))
    kinds = source.records.find(ids)
    assert {kind: list(kinds.values()).count(kind) for kind in KINDS} == {
        **{kind: len(whole[kind]) for kind in KINDS},
        "Tag": len(whole["Tag"]),
    }
    edges = list(source.get_child_record_ids([(orm.Job, "e-root")]))
    assert [edge[0] for edge in edges] == [
        "Job.task",
        "Job.call_hash",
        *["Job.child_job"] * 3,
        "Entity.tag",
    ]
    assert edges[0][1:] == (orm.Task, TASK)
    records = list(source.get_records(["e-0", "e", "nothing", "e-0"]))
    assert [record["id"] for record in records] == ["e-0", "e", "e-0"]
    unsorted = list(source.get_records(["e-0", "e"], sorted=False))
    assert [record["id"] for record in unsorted] == ["e", "e-0"]
    assert source.has_records(["x", "e", "e"]) == ["e", "e"]
    values = list(source.get_records([TASK, TASK]))
    assert third.put_records(values) == 1
    assert third.put_records(values) == 0
    assert third.session.get(orm.Task, TASK).fullname == "ns.task_t"


def test_ids_are_resolved_by_prefix_and_newest(source: RedunBackendDb, fill: Any) -> None:
    assert source.records.resolve("-") == []
    fill(source)
    assert source.records.resolve("-") == [("Execution", "e")]
    assert source.records.resolve("tttt") == [("Value", TASK)]
    assert source.records.resolve("e-") == [("Job", f"e-{n}") for n in ("0", "1", "2", "root")]
    assert source.records.resolve("%") == source.records.resolve("") == []


def test_a_transfer_with_nothing_new_reads_executions_only(
    source: RedunBackendDb, third: RedunBackendDb, make_jobs: Any
) -> None:
    def steps(jobs: int, execution: str) -> int:
        """Instructions of SQLite, in hundreds, that a transfer with nothing new takes."""
        source.record(make_jobs(jobs, execution=execution))
        source.flush()
        ends = Records()
        ends.job_ends.append((f"root-{execution}", START + 5, False, None))
        source.record(ends)
        source.flush()
        transfer(source.records, third.records, verify=False)
        count = 0

        def tick() -> int:
            nonlocal count
            count += 1
            return 0

        for backend in (source, third):
            database: Any = backend.repo.database
            backend.records.has("Execution", [execution])  # Both of its connections are there.
            for connection in (*database._idle, backend.repo.reader._connection):
                connection.set_progress_handler(tick, 100)
        assert transfer(source.records, third.records, verify=False).total == 0
        return count

    few = steps(20, "a")
    many = steps(4000, "b")
    assert many < few + 20


def test_a_target_that_holds_nothing_is_not_asked_for_it(
    source: RedunBackendDb, third: RedunBackendDb, make_jobs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.record(make_jobs(20, execution="a"))
    source.flush()
    asked: list[str] = []
    has = third.records.has

    def spy(kind: str, ids: Any) -> set[str]:
        asked.append(kind)
        return has(kind, ids)

    monkeypatch.setattr(third.records, "has", spy)
    assert third.records.is_empty()
    transfer(source.records, third.records, verify=False)
    assert asked == ["Execution"]
    assert not third.records.is_empty()
    # From now on it is.
    source.record(make_jobs(20, execution="b"))
    source.flush()
    transfer(source.records, third.records, verify=False)
    assert {"Job", "Execution"} <= set(asked[1:])


def test_large_payloads_go_in_transactions_of_their_own(
    source: RedunBackendDb, backend: RedunBackendDb, fill: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(source)
    sizes = {f"{number}" * 40: number * 1000 for number in range(10)}
    records = Records()
    records.values += [(key, "bytes", "", b"\0" * size) for key, size in sizes.items()]
    for number, key in enumerate(sizes):
        call = f"{number}" * 39 + "c"
        records.call_nodes.append((call, "ns.f", TASK, "a" * 40, key, START))
        records.call_edges.append(("f" * 40, call, number))
    records.call_nodes.append(("f" * 40, "ns.f", TASK, "a" * 40, TASK, START))
    records.subtree_tasks += [(row[0], TASK) for row in records.call_nodes]
    source.record(records)
    source.flush()
    monkeypatch.setattr("redun.backends.records.MAX_PAYLOAD", 10_000)
    whole = contents(source)
    told: list[dict[str, int]] = []
    put = backend.records._transact

    def noted(*args: Any, **kwargs: Any) -> dict[str, int]:
        told.append(put(*args, **kwargs))
        return told[-1]

    monkeypatch.setattr(backend.records, "_transact", noted)
    roots = [("CallNode", "f" * 40), ("Execution", "e")]
    counts = transfer(source.records, backend.records, roots, verify=False)
    assert contents(backend) == whole
    assert counts.by_kind == {kind: len(whole[kind]) for kind in KINDS}
    if told:
        # 45,000 bytes of payload, and a value of 9,000 leaves room for that of 1,000 at most.
        assert 5 <= len(told) <= 9
        assert sum(one.get("Value", 0) for one in told) == len(whole["Value"])


def test_questions_about_ids_never_read_a_whole_table(
    source: RedunBackendDb, tmp_path: Path
) -> None:
    statements = [statement for pairs in edges.PAIRED.values() for statement, _ in pairs]
    statements += [edge.statement for owned in edges.UNPAIRED.values() for edge in owned]
    statements += [*edges.HELD.values(), edges.HELD_TASKS, edges.JOB_STATES, edges.TAG_OWNERS]
    connection = sqlite3.connect(tmp_path / "source.db")
    scanned = set()
    for statement in statements:
        plan = connection.execute(f"EXPLAIN QUERY PLAN {render(statement, 'sqlite')}", ("[]",))
        # Older versions of SQLite say `SCAN TABLE`.
        steps = [row[3].replace(" TABLE", "", 1).split() for row in plan]
        scanned |= {step[1] for step in steps if step[0] == "SCAN"}
    connection.close()
    # The list itself, and a table that has no index: once for a question, not for each of its ids.
    assert scanned == {"json_each", "tag_edit"}
    assert "{asked}" not in edges.OWNED["Tag"][0].statement
