"""Sub-schedulers: `Scheduler.extend_run` and `subrun`."""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from redun import Scheduler, get_context, task
from redun.backends.db import CallEdge, Execution
from redun.backends.db import Job as JobRow
from redun.config import Config
from redun.scheduler import SchedulerError, catch, subrun
from redun.task import CacheScope

redun_namespace = "test_subrun"

MODULE = """
from redun import get_context, task
from redun.scheduler import JobInfo

redun_namespace = "subbed"


@task(version="{version}")
def leaf(x):
    with open({calls!r}, "a") as stream:
        stream.write("leaf\\n")
    return x + {version}


@task(version="1")
def flow(x):
    return [leaf(x), leaf(x + 1)]


@task(version="1")
def broken():
    raise ValueError("broken below")


@task(version="1")
def context():
    return get_context("colour")


@task(version="1")
def memory(info: JobInfo = JobInfo()):
    return info.options.get("memory")
"""


class Project:
    """A module of tasks in a directory of its own, and a repo in a file."""

    def __init__(self, directory: Path, uri: str) -> None:
        self.directory = directory
        self.calls = directory / "calls"
        self.config = {
            "backend": {"db_uri": uri},
            "scheduler": {"context": '{"colour": "red"}'},
        }
        self.define("1")

    def define(self, version: str) -> None:
        """Write the module and import it (again)."""
        path = self.directory / "subbed.py"
        path.write_text(MODULE.format(version=version, calls=str(self.calls)))
        importlib.invalidate_caches()
        for cached in self.directory.glob("__pycache__/*"):
            cached.unlink()
        sys.modules.pop("subbed", None)
        self.tasks: Any = importlib.import_module("subbed")

    def scheduler(self) -> Scheduler:
        """Return a scheduler on the repo."""
        scheduler = Scheduler(config=Config(self.config))
        scheduler.load(migrate=True)
        return scheduler

    def taken(self) -> int:
        """Return how often `leaf` has run since the last call of this."""
        count = len(self.calls.read_text().split()) if self.calls.exists() else 0
        self.calls.write_text("")
        return count


@pytest.fixture
def project(
    tmp_path: Path, new_repo: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Project]:
    monkeypatch.syspath_prepend(str(tmp_path))
    yield Project(tmp_path, new_repo("repo.db"))
    sys.modules.pop("subbed", None)


@pytest.fixture
def repo(project: Project) -> Iterator[Scheduler]:
    scheduler = project.scheduler()
    yield scheduler
    scheduler.backend.close()


@task(version="1")
def recover(error: Exception) -> str:
    return f"recovered: {error}"


@task(version="1")
def below(expr: Any, executor: str = "default", options: Any = None, number: int = 0) -> Any:
    return subrun(expr.eval(), executor=executor, load_modules=["subbed"], **(options or {}))


def quoted(expr: Any) -> Any:
    from redun.expression import quote

    return quote(expr)


@pytest.mark.parametrize("executor", ["default", "process"])
def test_jobs_of_a_subrun_are_recorded_below_its_job(
    project: Project, repo: Scheduler, executor: str
) -> None:
    assert repo.run(below(quoted(project.tasks.flow(1)), executor)) == [2, 3]
    session = repo.backend.session
    assert session.query(Execution).count() == 1
    names = {job.id: job.task.fullname for job in session.query(JobRow)}
    tree = {(names.get(job.parent_id), job.task.fullname) for job in session.query(JobRow)}
    assert tree == {
        (None, "test_subrun.below"),
        ("test_subrun.below", "redun.subrun_root_task"),
        ("redun.subrun_root_task", "subbed.flow"),
        ("subbed.flow", "subbed.leaf"),
    }
    calls = {job.task.fullname: job.call_hash for job in session.query(JobRow)}
    edge = session.query(CallEdge).filter_by(parent_id=calls["redun.subrun_root_task"]).one()
    assert edge.child_id == calls["subbed.flow"]
    assert session.query(JobRow).filter(JobRow.end_time.is_(None)).count() == 0


@pytest.mark.parametrize("executor", ["default", "process"])
def test_a_new_execution_stands_on_its_own(
    project: Project, repo: Scheduler, executor: str
) -> None:
    expr = quoted(project.tasks.flow(1))
    assert repo.run(below(expr, executor, {"new_execution": True})) == [2, 3]
    roots = [execution.job.task.fullname for execution in repo.backend.session.query(Execution)]
    assert sorted(roots) == ["subbed.flow", "test_subrun.below"]


def test_a_known_subrun_needs_no_executor(project: Project, repo: Scheduler) -> None:
    expr = quoted(project.tasks.flow(1))
    repo.run(below(expr, number=1))
    assert project.taken() == 2
    assert repo.run(below(expr, "no such executor", number=2)) == [2, 3]
    assert project.taken() == 0


def test_code_below_a_subrun_counts(project: Project, repo: Scheduler) -> None:
    @task(version="1", check_valid="shallow")
    def outer() -> Any:
        return below(quoted(project.tasks.flow(1)))

    assert repo.run(outer()) == [2, 3]
    assert repo.run(outer()) == [2, 3]
    assert project.taken() == 2
    project.define("5")
    assert repo.run(outer()) == [6, 7]
    assert project.taken() == 2


def test_errors_come_back_and_are_not_reused(project: Project, repo: Scheduler) -> None:
    from redun.backends.db import CallNode

    for number in range(2):
        expr = quoted(project.tasks.broken())
        with pytest.raises(ValueError, match="broken below"):
            repo.run(below(expr, number=number))
    ran = repo.backend.session.query(JobRow).join(CallNode, JobRow.call_hash == CallNode.call_hash)
    assert ran.filter(CallNode.task_name == "subbed.broken").count() == 2
    expr = quoted(project.tasks.broken())
    assert repo.run(catch(below(expr, number=9), ValueError, recover)) == "recovered: broken below"


def test_an_error_of_a_new_execution_fails_its_job(project: Project, repo: Scheduler) -> None:
    with pytest.raises(ValueError, match="broken below"):
        repo.run(below(quoted(project.tasks.broken()), "default", {"new_execution": True}))
    failed = [
        job.task.fullname for job in repo.backend.session.query(JobRow) if job.status == "FAILED"
    ]
    assert "redun.subrun_root_task" in failed


def test_context_and_exported_options_reach_the_subrun(project: Project, repo: Scheduler) -> None:
    assert repo.run(below(quoted(project.tasks.context()))) == "red"
    blue = below.update_context(colour="blue")
    assert repo.run(blue(quoted(project.tasks.context()), number=1)) == "blue"
    exporting = below.export_options(memory=7)
    assert repo.run(exporting(quoted(project.tasks.memory()))) == 7


def test_without_provenance_a_subrun_leaves_nothing(project: Project, repo: Scheduler) -> None:
    assert repo.run(below.options(prov=False)(quoted(project.tasks.flow(1)))) == [2, 3]
    assert repo.backend.session.query(Execution).count() == 0
    assert repo.backend.session.query(JobRow).count() == 0


def test_the_configuration_and_modules_of_the_program_are_the_default(
    workdir: Path, cli: Any
) -> None:
    (workdir / "wf.py").write_text(
        "from redun import task\n"
        "from redun.scheduler import subrun\n"
        "redun_namespace = 'wf'\n"
        "@task()\n"
        "def add(x):\n"
        "    return x + 1\n"
        "@task()\n"
        "def main():\n"
        "    return [subrun(add(1), executor='process'), subrun(add(5), executor='default')]\n"
    )
    done = cli("run", "wf.py", "main")
    assert done.code == 0, done.stderr
    assert done.stdout == "[2, 6]\n"
    assert not (workdir / "redun.db").exists()  # all is in the repo of the program


def test_the_report_is_logged_also_from_the_cache(
    project: Project, repo: Scheduler, caplog: pytest.LogCaptureFixture
) -> None:
    repo.logger = logging.getLogger("test_subrun")
    caplog.set_level(logging.INFO, logger="test_subrun")
    for number in range(2):
        caplog.clear()
        repo.run(below(quoted(project.tasks.flow(1)), number=number))
        title = "Sub-scheduler report (executor='default'), subbed.flow(1)"
        assert caplog.messages.count(f"BEGIN: {title}") == 1
        assert caplog.messages.count("END: Sub-scheduler report") == 1
        assert caplog.messages.count("-" * 79) == 4
        assert any(message.startswith("| subbed.leaf") for message in caplog.messages)


def test_scope_of_a_subrun_can_be_chosen(project: Project, repo: Scheduler) -> None:
    @task(version="1")
    def fresh(number: int) -> Any:
        again = subrun.options(cache_scope=CacheScope.CSE)
        return again(project.tasks.flow(1), executor="default", load_modules=["subbed"])

    repo.run(fresh(1))
    before = repo.backend.session.query(JobRow).count()
    repo.run(fresh(2))
    assert repo.backend.session.query(JobRow).count() == before + 5  # the scheduler ran again
    assert project.taken() == 2  # and found the calls in the repo


def test_passwords_are_not_shown(project: Project) -> None:
    from redun.library.subrun import PASSWORD

    assert PASSWORD.sub(r"\1:***@", "postgresql://ann:secret@host/db") == (
        "postgresql://ann:***@host/db"
    )
    assert PASSWORD.sub(r"\1:***@", "sqlite:////tmp/a.db") == "sqlite:////tmp/a.db"


def test_config_and_config_dir_exclude_each_other(scheduler: Scheduler) -> None:
    with pytest.raises(AssertionError, match="Only one of config and config_dir can be used"):
        scheduler.run(subrun(recover("x"), executor="default", config={}, config_dir="."))


def test_config_can_be_read_from_a_directory(project: Project, repo: Scheduler) -> None:
    uri = project.config["backend"]["db_uri"]
    (project.directory / "redun.ini").write_text(f"[backend]\ndb_uri = {uri}\n")
    options = {"config_dir": str(project.directory)}
    assert repo.run(below(quoted(project.tasks.flow(1)), "process", options)) == [2, 3]


# -- extend_run ------------------------------------------------------------------------------------------


@task(version="1")
def colour() -> Any:
    return get_context("colour")


def test_extend_run_adds_to_an_execution(repo: Scheduler, project: Project) -> None:
    repo.run(colour())
    session = repo.backend.session
    (parent,) = session.query(JobRow).all()
    extended = repo.extend_run(project.tasks.flow(1), parent.id)
    session.expire_all()
    job = session.get(JobRow, extended["job_id"])
    assert extended == {"result": [2, 3], "job_id": job.id, "call_hash": job.call_hash}
    assert job.parent_id == parent.id
    assert job.execution_id == parent.execution_id
    assert session.query(Execution).count() == 1


def test_extend_run_returns_errors_and_stopped_dry_runs(repo: Scheduler, project: Project) -> None:
    repo.run(colour())
    (parent,) = repo.backend.session.query(JobRow).all()
    failed = repo.extend_run(project.tasks.broken(), parent.id)
    assert isinstance(failed["error"], ValueError)
    assert failed["call_hash"]
    dry = repo.extend_run(project.tasks.flow(8), parent.id, dryrun=True)
    assert dry["dryrun"] is True
    assert "result" not in dry


def test_extend_run_has_the_context_it_is_given(repo: Scheduler) -> None:
    repo.run(colour())
    (parent,) = repo.backend.session.query(JobRow).all()
    given = repo.extend_run(colour(), parent.id, cache=False, context={"colour": "green"})
    assert given["result"] == "green"
    assert repo.extend_run(colour(), parent.id, cache=False)["result"] is None


def test_extend_run_of_an_unknown_job(scheduler: Scheduler) -> None:
    with pytest.raises(ValueError, match="Unknown parent_job_id: nowhere"):
        scheduler.extend_run(colour(), "nowhere")


def test_subrun_from_a_repo_in_memory(project: Project, scheduler: Scheduler) -> None:
    assert scheduler.run(below(quoted(project.tasks.flow(1)))) == [2, 3]


def test_subrun_on_another_repo_says_what_to_do(
    project: Project, repo: Scheduler, new_repo: Callable[[str], str]
) -> None:
    other = {"backend": {"db_uri": new_repo("other.db")}}
    expr = quoted(project.tasks.flow(1))
    with pytest.raises(SchedulerError, match="another repo") as caught:
        repo.run(below(expr, options={"config": other}))
    assert "new_execution=True" in caught.value.hints[0]
    assert repo.run(below(expr, options={"config": other, "new_execution": True})) == [2, 3]
