"""What a run leaves in the repo."""

import json

import pytest

from redun import File, Scheduler, apply_tags, task
from redun.backends.db import (
    Argument,
    CallEdge,
    CallNode,
    CallSubtreeTask,
    Evaluation,
    Execution,
    Job,
    Tag,
    Task,
    Value,
)
from redun.hashing import hash_call_node
from redun.scheduler import JobInfo
from redun.utils import utcnow

pytestmark = pytest.mark.each_repo

redun_namespace = "test_recording"


@task()
def leaf(x, y=10):
    return x + y


@task()
def main(n):
    return [leaf(i) for i in range(n)] + [leaf(leaf(0), y=1)]


def test_rows_of_a_run(scheduler: Scheduler) -> None:
    scheduler.run(main(2), exec_argv=["redun", "run", "wf.py", "main"])
    session = scheduler.backend.session
    execution = session.query(Execution).one()
    assert json.loads(execution.args) == ["redun", "run", "wf.py", "main"]
    assert execution.job.task.fullname == "test_recording.main"
    assert session.query(Job).count() == 4 + 1 - 1  # leaf(0) is one call
    assert {job.status for job in session.query(Job)} == {"DONE"}
    assert all(job.end_time >= job.start_time for job in session.query(Job))
    assert session.query(Evaluation).count() == 4
    assert {task.name for task in session.query(Task)} == {"main", "leaf"}
    node = execution.call_node
    assert node.value_parsed == [10, 11, 11]
    assert [child.value_parsed for child in node.children] == [10, 11, 11]


def test_call_hash_is_that_of_its_parts(scheduler: Scheduler) -> None:
    scheduler.run(main(3))
    node = scheduler.backend.session.query(Execution).one().call_node
    children = [child.call_hash for child in node.children]
    assert node.call_hash == hash_call_node(
        node.task_hash, node.args_hash, node.value_hash, children
    )


def test_arguments_and_their_upstream(scheduler: Scheduler) -> None:
    scheduler.run(main(1))
    session = scheduler.backend.session
    arguments = {
        (arg.arg_position, arg.arg_key, arg.value_parsed): arg
        for arg in session.query(Argument).join(CallNode).filter_by(task_name="test_recording.leaf")
    }
    assert set(arguments) == {
        (0, None, 0),
        (None, "y", 10),
        (0, None, 10),
        (None, "y", 1),
    }
    (upstream,) = arguments[0, None, 10].upstream
    assert upstream.value_parsed == 10
    assert arguments[0, None, 0].upstream == []


def test_upstream_is_seen_through_operators(scheduler: Scheduler) -> None:
    @task()
    def combine():
        return leaf(leaf(1) + leaf(2) * 2)

    assert scheduler.run(combine()) == 45
    (argument,) = [
        arg for arg in scheduler.backend.session.query(Argument) if arg.value_parsed == 35
    ]
    assert sorted(node.value_parsed for node in argument.upstream) == [11, 12]


def test_subtree_tasks(scheduler: Scheduler) -> None:
    scheduler.run(main(2))
    session = scheduler.backend.session
    rows = session.query(CallSubtreeTask).join(CallNode).filter_by(task_name="test_recording.main")
    assert {row.task.name for row in rows} == {"main", "leaf"}


@pytest.mark.sqlite  # PostgreSQL checks references itself
def test_nothing_refers_to_a_missing_row(scheduler: Scheduler) -> None:
    scheduler.run([main(2), main(3)])
    connection = scheduler.backend.session.connection().connection.cursor()
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def test_cached_run_adds_jobs_only(scheduler: Scheduler) -> None:
    scheduler.run(main(2))
    session = scheduler.backend.session
    before = {
        model: session.query(model).count() for model in (CallNode, Value, CallEdge, Argument)
    }
    scheduler.run(main(2))
    after = {model: session.query(model).count() for model in (CallNode, Value, CallEdge, Argument)}
    assert after == before
    assert session.query(Job).count() == 8
    assert session.query(Job).filter_by(cached=True).count() == 4


def test_provenance_off_leaves_nothing(scheduler: Scheduler) -> None:
    @task(prov=False)
    def hidden(x):
        return leaf(x)

    @task()
    def visible(x):
        return hidden(x)

    assert scheduler.run(visible(1)) == 11
    session = scheduler.backend.session
    assert [job.task.name for job in session.query(Job)] == ["visible"]
    assert scheduler.run(hidden.options(prov=False)(2)) == 12
    assert session.query(Execution).count() == 1


def test_tags(scheduler: Scheduler) -> None:
    @task(tags=[("kind", "demo")])
    def tagged(x):
        return apply_tags(x, tags=[("v", 1)], job_tags=[("j", 2)], execution_tags=[("e", [3])])

    scheduler.run(tagged(5), tags=[("project", "test")])
    tags = {
        (tag.entity_type.name, tag.key, json.dumps(tag.value))
        for tag in scheduler.backend.session.query(Tag)
    }
    assert tags == {
        ("Task", "kind", '"demo"'),
        ("Job", "kind", '"demo"'),
        ("Value", "v", "1"),
        ("Job", "j", "2"),
        ("Execution", "e", "[3]"),
        ("Execution", "project", '"test"'),
    }


def test_files_are_recorded_with_their_containers(scheduler: Scheduler, workdir) -> None:
    from redun.backends.db import File as FileRow

    @task()
    def make():
        files = [File("a.txt"), File("b.txt")]
        for file in files:
            file.write(file.path)
        return {"files": files}

    scheduler.run(make())
    rows = {row.path: row for row in scheduler.backend.session.query(FileRow)}
    assert set(rows) == {"a.txt", "b.txt"}
    parents = [value.type for value in rows["a.txt"].parent_values]
    assert parents == ["builtins.dict"]


def test_job_info(scheduler: Scheduler) -> None:
    @task()
    def who(x, info: JobInfo = JobInfo()):
        return info.job_id, info.execution_id, info.eval_hash

    job_id, execution_id, eval_hash = scheduler.run(who(1))
    job = scheduler.backend.session.query(Job).one()
    assert (job.id, job.execution_id) == (job_id, execution_id)
    assert scheduler.backend.session.get(Evaluation, eval_hash) is not None


def test_execution_id_can_be_given(scheduler: Scheduler) -> None:
    scheduler.run(leaf(1), execution_id="my-run")
    assert scheduler.backend.session.query(Execution).one().id == "my-run"


def test_too_large_value_fails_the_job(scheduler: Scheduler) -> None:
    scheduler.backend.max_value_size = 1_000

    @task()
    def big():
        return "x" * 5_000

    with pytest.raises(Exception, match="too large"):
        scheduler.run(big())


def test_an_execution_shows_signs_of_life_from_its_start(scheduler: Scheduler) -> None:
    @task()
    def alive():
        return 1

    before = utcnow()
    scheduler.run(alive())
    execution = scheduler.backend.session.query(Execution).one()
    assert before <= execution.updated_time <= utcnow()
