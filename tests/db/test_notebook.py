"""How records look in a notebook."""

from __future__ import annotations

import pytest

from redun import File, Scheduler, task
from redun.backends.db import Execution, Job, Task, Value
from redun.backends.db.dataflow import Dataflow

redun_namespace = "nb"


@pytest.fixture
def ran(scheduler: Scheduler, workdir) -> Scheduler:
    @task(tags=[("kind", "<b>leaf</b>")])
    def leaf(x):
        return f"<i>{x}</i>"

    @task()
    def write(text):
        file = File("out.txt")
        file.write(text)
        return file

    @task()
    def main(x: int):
        return write(leaf(x))

    scheduler.run(main(1), exec_argv=["redun", "run", "<script>", "main"])
    return scheduler


def job_of(scheduler: Scheduler, name: str) -> Job:
    return scheduler.backend.session.query(Job).join(Job.task).filter(Task.name == name).one()


def test_an_execution(ran: Scheduler) -> None:
    html = ran.backend.session.query(Execution).one()._repr_html_()
    assert "DONE" in html
    assert "run &lt;script&gt; main" in html
    assert ">3<" in html  # jobs


def test_a_job_and_its_call(ran: Scheduler) -> None:
    job = job_of(ran, "leaf")
    html = job._repr_html_()
    assert "nb.leaf" in html
    assert "&lt;i&gt;1&lt;/i&gt;" in html
    assert "kind=" in html
    assert "<b>leaf" not in html
    assert "&lt;i&gt;1" in job.call_node._repr_html_()


def test_a_task_shows_its_source(ran: Scheduler) -> None:
    html = job_of(ran, "leaf").task._repr_html_()
    assert "def leaf(x):" in html
    assert "&lt;i&gt;" in html


def test_a_value_and_a_file(ran: Scheduler) -> None:
    value = job_of(ran, "write").call_node.value
    html = value._repr_html_()
    assert "out.txt" in html
    assert "redun.File" in html


def test_a_job_that_has_not_ended(ran: Scheduler) -> None:
    session = ran.backend.session
    job = job_of(ran, "leaf")
    session.add(Job(id="unfinished", task_hash=job.task_hash, execution_id=job.execution_id))
    session.flush()
    html = session.get(Job, "unfinished")._repr_html_()
    assert "RUNNING" in html
    assert "result" not in html
    session.rollback()


def test_dataflow(ran: Scheduler) -> None:
    flow = Dataflow(job_of(ran, "main").call_node, name="file")
    assert repr(flow).startswith("file <-- <")
    assert "write(text)" in repr(flow)
    assert "&lt;-- &lt;" in flow._repr_html_()
    assert len(flow.sections) >= 2


def test_every_value_is_shown(ran: Scheduler) -> None:
    for value in ran.backend.session.query(Value):
        assert value.value_hash in value._repr_html_()
