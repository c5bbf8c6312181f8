"""Tasks of other projects: `redun.federated_tasks`."""

from __future__ import annotations

import importlib
import pickle
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from redun import Scheduler, task
from redun.backends.db import Execution
from redun.config import Config
from redun.federated_tasks import RequestError, federated_task, rest_federated_task
from redun.task import get_task_registry

redun_namespace = "test_federated_tasks"

MODULE = """
from redun import task

redun_namespace = "other"


@task()
def add(x, y=0):
    return x + y


@task()
def fail():
    raise ValueError("of the other project")
"""


@task()
def double(x: int) -> int:
    return 2 * x


@pytest.fixture
def other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Another project: a module of tasks that is not imported here, and its configuration."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "other_project.py").write_text(MODULE)
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "redun.ini").write_text("[backend]\ndb_uri = sqlite:///other.db\n")
    importlib.invalidate_caches()
    yield tmp_path
    sys.modules.pop("other_project", None)


def entry(other: Path, name: str = "add", **changes: Any) -> dict[str, str]:
    section = {
        "namespace": "other",
        "task_name": name,
        "load_module": "other_project",
        "executor": "process",
        "config_dir": str(other / "config"),
        "description": "a task of another project",
        "new_execution": "true",
        "memory": "4",
        **changes,
    }
    return {key: value for key, value in section.items() if value is not None}


def run(expr: Any, **entries: dict[str, str]) -> Any:
    """Run an expression by a scheduler that knows the entrypoints."""
    scheduler = Scheduler(
        config=Config({f"federated_tasks.{name}": section for name, section in entries.items()})
    )
    try:
        return scheduler.run(expr)
    finally:
        scheduler.backend.close()


def test_a_task_of_another_project_runs_with_its_configuration(other: Path) -> None:
    assert get_task_registry().get("other.add") is None
    assert run(federated_task("sum", double(1), y=5), sum=entry(other)) == 7
    assert get_task_registry().get("other.add") is None  # it ran in a process of its own
    scheduler = Scheduler(
        config=Config({"backend": {"db_uri": f"sqlite:///{other}/config/other.db"}})
    )
    scheduler.load()
    (execution,) = scheduler.backend.session.query(Execution).all()
    assert execution.job.task.fullname == "other.add"
    scheduler.backend.close()


def test_errors_come_back(other: Path) -> None:
    with pytest.raises(ValueError, match="of the other project"):
        run(federated_task("bad"), bad=entry(other, "fail"))


def test_an_entrypoint_that_is_not_there(other: Path) -> None:
    with pytest.raises(AssertionError) as caught:
        run(federated_task("nowhere"), sum=entry(other))
    assert str(caught.value) == (
        "Could not find the entrypoint `nowhere` in the provided federated tasks. Found `['sum']`"
    )
    with pytest.raises(AssertionError, match=r"Found `\[\]`"):
        run(federated_task("nowhere"))


def test_an_entry_without_required_keys(other: Path) -> None:
    with pytest.raises(AssertionError) as caught:
        run(federated_task("sum"), sum=entry(other, executor=None))
    assert str(caught.value) == (
        "Federated task entry `sum` does not have the required keys, missing `{'executor'}`"
    )
    with pytest.raises(AssertionError, match="neither true nor false"):
        run(federated_task("sum"), sum=entry(other, new_execution="perhaps"))


# -- a proxy ---------------------------------------------------------------------------------------------


class Proxy:
    """A web server on this machine that keeps the forms it is sent."""

    def __init__(self, status: int = 200) -> None:
        forms: list[dict[str, list[str]]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                forms.append(parse_qs(self.rfile.read(length).decode()))
                self.send_response(status)
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        self.forms = forms
        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/launch"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    proxy = Proxy()
    yield proxy
    proxy.close()


def test_the_proxy_is_told_what_to_run(scheduler: Scheduler, proxy: Proxy, tmp_path: Path) -> None:
    call = rest_federated_task("conf", "sum", proxy.url, str(tmp_path), False, double(4), y=1)
    execution_id, data = scheduler.run(call)
    path = tmp_path / "execution" / execution_id / "input"
    assert data == {
        "config_name": "conf",
        "entrypoint": "sum",
        "input_path": str(path),
        "execution_id": execution_id,
        "cache": True,
    }
    assert proxy.forms == [{key: [str(value)] for key, value in data.items()}]
    assert pickle.loads(path.read_bytes()) == [[8], {"y": 1}]


def test_what_is_written_can_be_run_by_the_program(
    scheduler: Scheduler, proxy: Proxy, other: Path, cli: Any
) -> None:
    call = rest_federated_task("conf", "sum", proxy.url, str(other), False, 3, y=4)
    execution_id, data = scheduler.run(call)
    words = ["--input", data["input_path"], "--execution-id", execution_id]
    done = cli("-c", "config", "run", *words, "other_project.py", "other.add", cwd=other)
    assert (done.code, done.stdout) == (0, "7\n"), done.stderr


def test_a_dry_run_sends_nothing(scheduler: Scheduler, proxy: Proxy, tmp_path: Path) -> None:
    call = rest_federated_task("conf", "sum", proxy.url, str(tmp_path), True, cache=False)
    execution_id, data = scheduler.run(call)
    assert data["cache"] is False
    assert (tmp_path / "execution" / execution_id / "input").exists()
    assert proxy.forms == []


def test_refusals_and_silence_fail(scheduler: Scheduler, tmp_path: Path) -> None:
    proxy = Proxy(status=503)
    call = rest_federated_task("conf", "sum", proxy.url, str(tmp_path), False)
    with pytest.raises(RequestError, match="answered 503"):
        scheduler.run(call)
    proxy.close()
    with pytest.raises(RequestError, match="can't be reached"):
        scheduler.run(call)
    with pytest.raises(RequestError, match="not the URL of a web server"):
        scheduler.run(rest_federated_task("c", "e", "file:///etc/hosts", str(tmp_path), False))
