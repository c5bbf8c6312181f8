"""What executions have to do with each other, read from either database in few statements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from redun import File, Scheduler, task
from redun.backends.db.source import Source
from redun.lookback.critical import ASKED_SINGLY, critical_path
from redun.lookback.diff import Diff
from redun.lookback.trees import JobTree, computing_jobs, earlier_jobs, finished_jobs, get_jobs
from redun.lookback.why import Why
from redun.report.data import read_report

pytestmark = pytest.mark.each_repo

redun_namespace = "back"


@task()
def leaf(number: int) -> int:
    return number + 100


@task()
def write(path: str, number: int) -> File:
    file = File(path)
    file.write(str(number))
    return file


@task()
def read(files: list) -> str:
    return "".join(str(file.read()) for file in files)


@task()
def fail(number: int) -> int:
    raise ValueError(f"no {number}")


@task()
def step(number: int) -> int:
    return number + 1


@task()
def main(count: int, text: int = 0) -> list:
    files = [write("a.txt", text), File("given.txt")]
    return [[leaf(number) for number in range(count)], read(files)]


@task()
def broken(count: int) -> list:
    return [fail(1), leaf(count)]


@task()
def chain(count: int) -> int:
    number = 0
    for _ in range(count):
        number = step(number)
    return number


class Counted(Source):
    """Reads as another does, and keeps the statements."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.statements: list[str] = []

    dialect = property(lambda self: self._source.dialect)
    type_registry = property(lambda self: self._source.type_registry)
    value_store = property(lambda self: self._source.value_store)

    def batches(
        self, statement: str, parameters: Sequence[Any] = (), size: int = 200
    ) -> Iterator[list[tuple[Any, ...]]]:
        self.statements.append(statement)
        return self._source.batches(statement, parameters, size)


class Repo:
    """A repo in which workflows run."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self.source = Counted(scheduler.backend.source)  # type: ignore[attr-defined]
        self.backend: Any = SimpleNamespace(
            source=self.source,
            session=scheduler.backend.session,  # type: ignore[attr-defined]
            hash_scheme=scheduler.backend.hash_scheme,  # type: ignore[attr-defined]
        )

    def run(self, expression: Any) -> str:
        """Runs a workflow, which may fail; returns the id of the execution."""
        try:
            self._scheduler.run(expression)
        except ValueError:
            pass
        self._scheduler.backend.flush()
        query = "SELECT execution_id FROM job ORDER BY start_time DESC LIMIT 1"
        execution_id: str = self.source.cell(query)
        return execution_id


@pytest.fixture
def repo(scheduler: Scheduler, workdir: Any) -> Repo:
    (workdir / "given.txt").write_text("given")
    return Repo(scheduler)


def of_task(tree: JobTree, name: str) -> list[Any]:
    return [job for job in tree.jobs.values() if job.task_name == f"back.{name}"]


def test_jobs_are_told_from_each_other(repo: Repo) -> None:
    first, second = repo.run(broken(1)), repo.run(broken(1))
    tree = JobTree(repo.source, second)

    assert {job.task_name: job.status for job in tree.jobs.values()} == {
        "back.broken": "FAILED",
        "back.fail": "FAILED",
        "back.leaf": "CACHED",
    }
    assert {job.execution_id for job in tree.jobs.values()} == {second}
    assert get_jobs(repo.source, list(tree.jobs)) == tree.jobs
    (job,) = of_task(tree, "leaf")
    (before,) = of_task(JobTree(repo.source, first), "leaf")
    assert before.start < before.end < job.start
    assert job.args_hash == before.args_hash


def test_jobs_of_a_task_come_latest_first(repo: Repo) -> None:
    executions = [repo.run(main(count)) for count in (1, 3, 4)]
    last = JobTree(repo.source, executions[2])

    found = earlier_jobs(repo.source, "back.leaf", last.children[None][0].start, 3)

    assert [job.execution_id for job in found] == [executions[1]] * 3
    assert [job.start for job in found] == sorted((job.start for job in found), reverse=True)
    assert len(earlier_jobs(repo.source, "back.leaf", last.children[None][0].start, 9)) == 4
    assert len(finished_jobs(repo.source, "back.leaf", 9)) == 8
    assert earlier_jobs(repo.source, "leaf", last.children[None][0].start, 9) == []


def test_a_result_was_computed_by_the_latest_job_before_that_ran(repo: Repo) -> None:
    first = repo.run(main(2))
    repo.run(main(1))
    third = repo.run(main(3))
    tree = JobTree(repo.source, third)

    found = computing_jobs(repo.source, of_task(tree, "leaf"))

    ran = {job.args_hash: job.id for job in of_task(JobTree(repo.source, first), "leaf")}
    reused = {tree.jobs[key].args_hash: job for key, job in found.items()}
    assert {key: reused[key].id for key in ran} == ran
    # The third was computed by itself.
    (new,) = [job for job in of_task(tree, "leaf") if not job.cached]
    assert found[new.id] == new
    assert computing_jobs(repo.source, []) == {}


def test_new_calls_of_a_known_task_are_told_in_few_statements(repo: Repo) -> None:
    repo.run(main(2))
    counts = []
    for count in (5, 25):
        why = Why(repo.backend, repo.run(main(count)))
        repo.source.statements.clear()
        answers = list(why.answers(why.tree.jobs.values()))
        counts.append(len(repo.source.statements))
        kinds = [answer.causes[0].kind for answer in answers if answer.causes]
        assert kinds.count("new call") >= 3
        assert all(answer.reused for answer in answers if answer.job.cached)

    assert counts[0] == counts[1]


def test_executions_differ_by_arguments_results_and_files(repo: Repo) -> None:
    diff = Diff(repo.backend, repo.run(main(2, 1)), repo.run(main(3, 2)))

    jobs = {job.after.task_name: job for job in diff.jobs() if job.after and job.before}
    new = [job.after.task_name for job in diff.jobs() if job.after and not job.before]

    assert new == ["back.leaf"]
    assert jobs["back.leaf"].change == "same"
    assert [cause.text for cause in jobs["back.write"].arguments] == [
        "argument `number` changed: 1 -> 2"
    ]
    assert jobs["back.write"].files == [("a.txt", "changed")]
    assert jobs["back.read"].result == ("'1given'", "'2given'")


def test_report_tells_files_and_errors(repo: Repo) -> None:
    report = read_report(repo.backend, repo.run(main(2)))

    assert [(file.path, file.tasks) for file in report.files_in] == [("given.txt", ["back.read"])]
    assert [(file.path, file.tasks) for file in report.files_out] == [("a.txt", ["back.write"])]
    assert report.failures == []
    failures = read_report(repo.backend, repo.run(broken(1))).failures
    assert [(failure.error, failure.job.task_name) for failure in failures] == [
        ("ValueError('no 1')", "back.fail")
    ]
    assert "raise ValueError" in "".join(failures[0].lines)


def test_long_critical_path_takes_few_statements(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("redun.lookback.critical.ASKED_SINGLY", 5)
    tree = JobTree(repo.source, repo.run(chain(30)))
    repo.source.statements.clear()

    path = critical_path(repo.source, tree)

    assert ASKED_SINGLY > 5
    assert [job.task_name for job in path] == ["back.step"] * 30
    assert [job.start for job in path] == sorted(job.start for job in path)
    assert len(repo.source.statements) == 6
