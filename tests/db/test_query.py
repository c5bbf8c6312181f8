"""Queries over records of all types, what a text means, and reading in bulk."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session

from redun.backends.base import Records
from redun.backends.db import (
    CallNode,
    Execution,
    File,
    Job,
    RedunBackendDb,
    Task,
    Value,
)
from redun.backends.db.query import (
    CallGraphQuery,
    Selection,
    Views,
    find_file,
    find_record,
    infer_id,
)
from redun.backends.db.query.ids import find_entities
from redun.backends.db.serializers import RecordSerializer
from redun.tags import ANY_VALUE

pytestmark = pytest.mark.each_repo

GOLDEN = Path(__file__).parents[1] / "golden" / "log"


@pytest.fixture(scope="module")
def golden_sqlite_uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The repo that the reference wrote."""
    path = tmp_path_factory.mktemp("recorded") / "redun.db"
    connection = sqlite3.connect(path)
    connection.executescript((GOLDEN / "repo.sql").read_text())
    connection.close()
    return f"sqlite:///{path}"


@pytest.fixture
def recorded(repo_kind: str, request: pytest.FixtureRequest) -> Iterator[RedunBackendDb]:
    """The repo that the reference wrote."""
    backend = RedunBackendDb(request.getfixturevalue(f"golden_{repo_kind}_uri"))
    backend.load(migrate=False)
    yield backend
    backend.close()


@pytest.fixture
def query(recorded: RedunBackendDb) -> CallGraphQuery:
    """A query for everything."""
    return CallGraphQuery(recorded.session)


def names(rows: Iterator[Any]) -> list[str]:
    """Sorted task names of jobs, calls and tasks."""
    return sorted(
        row.task_name
        if isinstance(row, CallNode)
        else (row.task if isinstance(row, Job) else row).fullname
        for row in rows
    )


def test_all_gives_every_record_type_after_type(query: CallGraphQuery) -> None:
    rows = list(query.all())
    types = [type(row).__name__ for row in rows]

    assert dict(query.count()) == {name: types.count(name) for name in CallGraphQuery.MODEL_NAMES}
    assert types == sorted(types, key=CallGraphQuery.MODEL_NAMES.index)


def test_filters_do_not_change_the_query_they_are_asked_of(query: CallGraphQuery) -> None:
    before = dict(query.count())
    query.filter_types(["Job"]).filter_job_statuses(["FAILED"])

    assert dict(query.count()) == before


def test_types_are_replaced_and_emptied(query: CallGraphQuery) -> None:
    assert query.filter_types(["Job"]).filter_types(["Task"]).types == ["Task"]
    assert list(query.empty().all()) == []
    assert [statement is not None for statement in query.build().subqueries] == [True] * 5


def test_ids_are_found_in_every_type(query: CallGraphQuery, recorded: RedunBackendDb) -> None:
    wanted = [
        recorded.session.query(Execution).first().id,
        recorded.session.query(Job).first().id,
        recorded.session.query(CallNode).first().call_hash,
    ]

    assert [row[0] for row in query.filter_ids(wanted).select("id")] == wanted


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (["RUNNING"], {"shop.killed", "shop.sleeper"}),
        (["FAILED"], {"shop.half_fail", "shop.boom"}),
        (["FAILED", "RUNNING"], {"shop.killed", "shop.sleeper", "shop.half_fail", "shop.boom"}),
    ],
)
def test_jobs_by_status(query: CallGraphQuery, statuses: list[str], expected: set[str]) -> None:
    found = query.filter_types(["Job"]).filter_job_statuses(statuses)

    assert set(names(found.all())) == expected


def test_every_job_has_exactly_one_of_the_statuses(query: CallGraphQuery) -> None:
    jobs = query.filter_types(["Job"])
    counts = [
        dict(jobs.filter_job_statuses([status]).count())["Job"]
        for status in ("RUNNING", "FAILED", "CACHED", "DONE")
    ]

    assert sum(counts) == dict(jobs.count())["Job"]
    assert all(counts)


def test_statuses_of_rows_and_of_filters_agree(query: CallGraphQuery) -> None:
    for status in ("RUNNING", "FAILED", "CACHED", "DONE"):
        jobs = query.filter_types(["Job"]).filter_job_statuses([status]).all()
        assert {job.status for job in jobs} == {status}
    for status in ("RUNNING", "FAILED", "DONE"):
        executions = query.filter_types(["Execution"]).filter_execution_statuses([status]).all()
        assert {execution.status for execution in executions} == {status}


def test_cached_failure_is_failed_cached_and_not_done(
    file_backend: RedunBackendDb, make_jobs: Callable[..., Records]
) -> None:
    records = make_jobs(1)
    failed = "f" * 40
    call, job = records.call_nodes[0][0], records.job_ends[0][0]
    records.values.append((failed, "redun.ErrorValue", "application/python-pickle", b"\x80\x03N."))
    row = records.call_nodes[0]
    records.call_nodes[0] = (*row[:4], failed, row[5])
    end = records.job_ends[0]
    records.job_ends[0] = (job, end[1], True, call)
    file_backend.record(records)
    file_backend.flush()
    jobs = CallGraphQuery(file_backend.session).filter_types(["Job"]).filter_ids([job])

    counts = {
        status: dict(jobs.filter_job_statuses([status]).count())["Job"]
        for status in ("RUNNING", "FAILED", "CACHED", "DONE")
    }

    assert counts == {"RUNNING": 0, "FAILED": 1, "CACHED": 1, "DONE": 0}


@pytest.mark.parametrize("status", ["BOGUS", "done", ""])
def test_unknown_status_is_refused(query: CallGraphQuery, status: str) -> None:
    with pytest.raises(NotImplementedError):
        query.filter_job_statuses([status])
    with pytest.raises(NotImplementedError):
        query.filter_execution_statuses([status])


def test_no_job_status_is_refused(query: CallGraphQuery) -> None:
    with pytest.raises(AssertionError):
        query.filter_job_statuses([])


def test_task_names_are_found_with_and_without_namespace(query: CallGraphQuery) -> None:
    by_name = query.filter_task_names(["inc"])
    by_full_name = query.filter_task_names(["shop.inc"])

    assert by_name.types == ["Job", "Task"]
    assert names(by_name.all()) == names(by_full_name.all()) == ["shop.inc"] * 5
    assert list(query.filter_task_names(["other.inc"]).all()) == []


def test_values_of_results_and_arguments_are_found_inside_too(
    query: CallGraphQuery, recorded: RedunBackendDb
) -> None:
    file_hash = recorded.session.query(File).filter(File.path == "a.txt").one().value_hash

    assert names(query.filter_results([file_hash]).all()) == ["shop.pair", "shop.write"]
    assert names(query.filter_arguments([file_hash]).all()) == ["shop.copy"]


def test_values_by_type_and_path(query: CallGraphQuery) -> None:
    values = query.filter_types(["Value"])

    assert {row.type for row in values.filter_value_types(["builtins.int"]).all()} == {
        "builtins.int"
    }
    paths = {row.file.path for row in values.filter_file_paths(["?.txt", "in*", "c.txt"]).all()}
    assert paths == {"in.txt", "c.txt"}


def test_all_tags_must_be_there(query: CallGraphQuery) -> None:
    both = query.filter_types(["Job"]).filter_tags([("step", "boom"), ("sizes", [1, 2])])

    assert set(names(both.all())) == {"shop.boom"}
    assert list(query.filter_tags([("step", "boom"), ("sizes", [2])]).all()) == []
    assert dict(query.filter_tags([("step", ANY_VALUE)]).count()) == {
        "Execution": 0,
        "Job": 2,
        "CallNode": 0,
        "Task": 1,
        "Value": 1,
    }


def test_null_tag_is_found_by_its_value(query: CallGraphQuery) -> None:
    assert dict(query.filter_tags([("none", None)]).count())["Value"] == 1


def test_execution_filter_takes_all_that_belongs_to_it(query: CallGraphQuery) -> None:
    (execution,) = query.filter_types(["Execution"]).filter_tags([("a", 1)]).all()

    by_id = query.filter_execution_ids([execution.id])
    by_tag = query.filter_execution_tags([("a", 1)])

    assert dict(by_id.count()) == dict(by_tag.count())
    assert dict(by_id.count())["Job"] == len(execution.jobs)
    assert "shop.main" not in names(by_id.filter_types(["Job", "CallNode", "Task"]).all())


def test_values_of_executions_are_results_arguments_and_what_is_in_them(
    query: CallGraphQuery, recorded: RedunBackendDb
) -> None:
    several_parts = 0
    for execution in recorded.session.query(Execution).all():
        calls = [job.call_node for job in execution.jobs if job.call_node]
        whole = [call.value for call in calls]
        whole += [argument.value for call in calls for argument in call.arguments]
        parts = [part for value in whole for part in value.children]
        several_parts += len(parts) > 1
        found = query.filter_types(["Value"]).filter_execution_ids([execution.id]).all()
        assert set(found) == {*whole, *parts}
    assert several_parts


def test_time_order_is_newest_first(query: CallGraphQuery) -> None:
    ordered = query.order_by("time")
    starts = [job.start_time for job in ordered.filter_types(["Job"]).all()]
    runs = [run.job.start_time for run in ordered.filter_types(["Execution"]).all()]

    assert starts == sorted(starts, reverse=True)
    assert runs == sorted(runs, reverse=True)
    with pytest.raises(NotImplementedError):
        query.order_by("name")


def test_pages_add_up_to_everything(query: CallGraphQuery) -> None:
    everything = list(query.order_by("time").all())
    pages = [list(query.order_by("time").page(number, 25)) for number in range(9)]

    assert [row for page in pages for row in page] == everything
    assert [len(page) for page in pages[:7]] == [25] * 7


def test_limit_counts_over_all_types(query: CallGraphQuery) -> None:
    limited = query.filter_job_statuses(["FAILED"]).limit(9)

    assert [type(row).__name__ for row in limited.all()] == ["Execution"] * 6 + ["Job"] * 3
    assert list(query.limit(0).all()) == []


def test_select_gives_columns(query: CallGraphQuery) -> None:
    tasks = query.filter_types(["Task"]).filter_task_names(["inc"])

    ((task_hash, kind),) = tasks.select("id", "type")

    assert kind == "Task"
    assert list(tasks.select("id", flat=True)) == [task_hash]
    with pytest.raises(ValueError, match=r"Unknown column 'name'\."):
        query.select("name")


def test_one_is_exactly_one(query: CallGraphQuery) -> None:
    tasks = query.filter_types(["Task"])

    assert tasks.filter_task_names(["inc"]).one().name == "inc"
    assert tasks.filter_task_names(["nosuch"]).one_or_none() is None
    assert tasks.filter_task_names(["nosuch"]).first() is None
    with pytest.raises(ValueError, match="not enough values"):
        tasks.filter_task_names(["nosuch"]).one()
    with pytest.raises(ValueError, match="too many values"):
        tasks.one()
    with pytest.raises(ValueError, match="too many values"):
        tasks.one_or_none()


def test_id_is_inferred(recorded: RedunBackendDb, repo_kind: str) -> None:
    session = recorded.session
    call = session.query(CallNode).first()
    newest = session.query(Execution).join(Job, Job.id == Execution.job_id)
    newest = newest.order_by(Job.start_time.desc()).all()

    assert infer_id(session, call.call_hash[:12]) is call
    if repo_kind == "sqlite":
        assert infer_id(session, call.call_hash[:12].upper()) is call
    assert infer_id(session, "-") is newest[0]
    assert infer_id(session, "~2") is newest[1]
    assert infer_id(session, "inc", required=True).fullname == "shop.inc"
    assert infer_id(session, "nosuch") is None


@pytest.mark.parametrize("text", ["~0", "~99", "~1abc"])
def test_execution_number_out_of_range_is_refused(recorded: RedunBackendDb, text: str) -> None:
    with pytest.raises(ValueError):
        infer_id(recorded.session, text)


def test_required_id_must_be_the_only_match(recorded: RedunBackendDb) -> None:
    task_hash = recorded.session.query(Task).first().hash

    with pytest.raises(ValueError, match="too many values"):
        infer_id(recorded.session, task_hash, required=True)
    with pytest.raises(ValueError, match="not enough values"):
        infer_id(recorded.session, "nosuch", required=True)


def test_file_is_found_with_its_latest_job(recorded: RedunBackendDb, workdir: Path) -> None:
    made = find_file(recorded.session, "a.txt")
    taken = find_file(recorded.session, "in.txt")
    (workdir / "a.txt").touch()

    assert made is not None
    assert (made[0].path, made[1].task.name, made[2]) == ("a.txt", "pair", "result")
    assert taken is not None
    assert (taken[0].path, taken[1].task.name, taken[2]) == ("in.txt", "read", "arg")
    assert find_file(recorded.session, "./a.txt") is None
    assert infer_id(recorded.session, "a.txt") == made
    assert infer_id(recorded.session, "a.txt", include_files=False) is None


def test_record_is_found_without_the_orm(recorded: RedunBackendDb) -> None:
    source, session = recorded.source, recorded.session
    call = session.query(CallNode).first()

    assert find_record(source, call.call_hash[:12]) == ("CallNode", call.call_hash)
    assert find_record(source, "-") == ("Execution", infer_id(session, "-").id)
    assert find_record(source, "inc") == ("Task", infer_id(session, "inc").hash)
    assert find_record(source, "nosuch") is None
    assert find_record(source, "") is None
    assert find_entities(source, "", 5) == []
    with pytest.raises(ValueError, match="too high"):
        find_record(source, "~99")


def test_statements_of_a_query_select_its_rows(query: CallGraphQuery, recorded: Any) -> None:
    for narrowed in (
        query,
        query.order_by("time"),
        query.like_id("inc"),
        query.filter_tags([("step", "boom"), ("sizes", [1, 2])]),
        query.filter_execution_statuses(["DONE", "FAILED"]),
        query.filter_file_paths(["*.txt"]).filter_types(["Value"]),
        query.filter_execution_tags([("a", 1)]).filter_value_types(["builtins.int"]),
    ):
        found = [list(recorded.session.scalars(one)) for one in narrowed.subqueries]
        given = list(narrowed.all())
        assert set().union(*found) == set(given)
        if narrowed.types[:2] == ["Execution", "Job"]:
            assert found[:2] == [
                [row for row in given if isinstance(row, model)] for model in (Execution, Job)
            ]


def test_any_session_can_be_asked(recorded: RedunBackendDb) -> None:
    with Session(recorded.create_engine()) as session:
        rows = CallGraphQuery(session).filter_types(["Job"]).filter_task_names(["inc"])
        assert len(list(rows.limit(3).all())) == 3
        assert infer_id(session, "inc", required=True).fullname == "shop.inc"
        assert find_file(session, "a.txt") is not None


def test_ids_may_hold_any_character(query: CallGraphQuery) -> None:
    for text in ("\U0010ffff", "\ud7ff", "\udc80", "a\x00", "'; --", "/"):
        assert sum(count for _name, count in query.like_id(text).count()) == 0


def test_wildcards_in_ids_match_as_in_sql(query: CallGraphQuery) -> None:
    assert dict(query.like_id("%").count()) == dict(query.count())


@pytest.mark.parametrize(
    ("selection", "types"),
    [
        (Selection(), {"Execution"}),
        (Selection(all_types=True), set(CallGraphQuery.MODEL_NAMES)),
        (Selection(files=True, types=frozenset({"Job"})), {"Value"}),
        (Selection(job_statuses=["DONE"]), {"Job"}),
        (Selection(task_names=["inc"], arguments=["f" * 40]), {"Job"}),
        (Selection(value_types=["x"], job_statuses=["DONE"]), {"Job", "Value"}),
        (Selection(types=frozenset({"Task"}), file_paths=["*"]), {"Task", "Value"}),
    ],
)
def test_selection_implies_types(selection: Selection, types: set[str]) -> None:
    assert selection.wanted_types() == types
    assert selection.is_recent == (types == {"Execution"})


def test_views_take_the_same_statements_for_many_as_for_few(
    file_backend: RedunBackendDb, make_jobs: Callable[..., Records]
) -> None:
    file_backend.record(make_jobs(800))
    file_backend.flush()
    session = file_backend.session
    ids = list(CallGraphQuery(session).filter_types(["Job"]).select("id", flat=True))
    statements: list[str] = []
    event.listen(
        file_backend.engine, "before_cursor_execute", lambda *args: statements.append(args[2])
    )

    few = Views(session).jobs(ids[:5])
    count = len(statements)
    many = Views(session).jobs(ids)

    assert len(few) == 5
    assert len(many) == 801
    assert len(statements) == 2 * count <= 10


def test_records_have_the_fields_of_the_format_in_order(recorded: RedunBackendDb) -> None:
    serializer = RecordSerializer()
    call = recorded.session.query(CallNode).filter(CallNode.task_name == "shop.wrap").first()
    record = serializer.serialize(call)

    assert list(record) == [
        "_version", "_type", "call_hash", "task_name", "task_hash", "args_hash", "value_hash",
        "timestamp", "args", "children",
    ]  # fmt: skip
    assert serializer.get_pk(record) == call.call_hash
    assert len(record["args"]["0"]["upstream"]) == 1


def test_record_of_a_task_is_that_of_its_value(recorded: RedunBackendDb) -> None:
    task = recorded.session.query(Task).filter(Task.name == "inc").one()
    record = RecordSerializer().serialize(task)

    assert record["_type"] == "Value"
    assert record["subtype"]["name"] == "inc"
    assert record == RecordSerializer().serialize(recorded.session.get(Value, task.hash))


def test_record_of_an_unknown_type_is_refused(recorded: RedunBackendDb) -> None:
    with pytest.raises(KeyError):
        RecordSerializer().serialize(recorded.session.query(File).first())


def test_record_of_a_job_lists_all_its_children(
    file_backend: RedunBackendDb, make_jobs: Callable[..., Records]
) -> None:
    file_backend.record(make_jobs(700))
    file_backend.flush()
    root = file_backend.session.get(Job, "root-exec")

    record = RecordSerializer().serialize(root)

    assert len(record["children"]) == 700
    assert record["status"] == "RUNNING"
    assert record["end_time"] is None
