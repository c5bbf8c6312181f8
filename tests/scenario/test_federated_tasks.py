"""Tasks of other projects: `redun.federated_tasks`."""

from __future__ import annotations

import base64
import importlib
import json
import os
import pickle
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from urllib.request import Request, urlopen

import pytest

from redun import Scheduler, task
from redun.backends.db import Execution
from redun.config import Config
from redun.errors import RedunError
from redun.federated_tasks import (
    InvocationException,
    RequestError,
    federated_task,
    lambda_federated_task,
    launch_federated_task,
    rest_federated_task,
)
from redun.scripting import ScriptError
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
def other_uri(new_repo: Callable[[str], str]) -> str:
    """The URI of the repo of the other project."""
    return new_repo("config/other.db")


@pytest.fixture
def other(tmp_path: Path, other_uri: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Another project: a module of tasks that is not imported here, and its configuration."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "other_project.py").write_text(MODULE)
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "redun.ini").write_text(f"[backend]\ndb_uri = {other_uri}\n")
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


Run = Callable[..., Any]


@pytest.fixture
def run(make_scheduler: Callable[..., Scheduler]) -> Run:
    """Run an expression by a scheduler that knows the entrypoints."""

    def run(expr: Any, **entries: dict[str, str]) -> Any:
        sections = {f"federated_tasks.{name}": section for name, section in entries.items()}
        return make_scheduler(sections).run(expr)

    return run


def test_a_task_of_another_project_runs_with_its_configuration(
    other: Path, other_uri: str, run: Run
) -> None:
    assert get_task_registry().get("other.add") is None
    assert run(federated_task("sum", double(1), y=5), sum=entry(other)) == 7
    assert get_task_registry().get("other.add") is None  # it ran in a process of its own
    scheduler = Scheduler(config=Config({"backend": {"db_uri": other_uri}}))
    scheduler.load()
    (execution,) = scheduler.backend.session.query(Execution).all()
    assert execution.job.task.fullname == "other.add"
    scheduler.backend.close()


def test_errors_come_back(other: Path, run: Run) -> None:
    with pytest.raises(ValueError, match="of the other project"):
        run(federated_task("bad"), bad=entry(other, "fail"))


def test_an_entrypoint_that_is_not_there(other: Path, run: Run) -> None:
    with pytest.raises(AssertionError) as caught:
        run(federated_task("nowhere"), sum=entry(other))
    assert str(caught.value) == (
        "Could not find the entrypoint `nowhere` in the provided federated tasks. Found `['sum']`"
    )
    with pytest.raises(AssertionError, match=r"Found `\[\]`"):
        run(federated_task("nowhere"))


def test_an_entry_without_required_keys(other: Path, run: Run) -> None:
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


# -- AWS Lambda ------------------------------------------------------------------------------------------


class Cloud:
    """Amazon's services, as moto's server plays them, with one function of AWS Lambda."""

    FUNCTION = "start-task"

    def __init__(self) -> None:
        from moto.server import ThreadedMotoServer

        self.server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self.server.start()
        self.url = "http://{}:{}".format(*self.server.get_host_and_port())

    def ask(self, path: str, data: Any = None) -> str:
        body = None if data is None else json.dumps(data).encode()
        with urlopen(Request(f"{self.url}/moto-api/{path}", data=body), timeout=30) as answer:
            return str(answer.read().decode())

    def define_function(self) -> None:
        import boto3

        self.ask("config", {"lambda": {"use_docker": False}})
        role = boto3.client("iam").create_role(RoleName="role", AssumeRolePolicyDocument="{}")
        boto3.client("lambda").create_function(
            FunctionName=self.FUNCTION,
            Runtime="python3.12",
            Role=role["Role"]["Arn"],
            Handler="proxy.handle",
            Code={"ZipFile": b"not run by this server"},
        )

    def sent(self) -> list[Any]:
        """Return the JSON bodies of the requests since the recording began."""
        requests = map(json.loads, self.ask("recorder/download-recording").splitlines())
        return [json.loads(base64.b64decode(request["body"])) for request in requests]


@pytest.fixture
def cloud(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    cloud = Cloud()
    for name, value in (
        ("AWS_ENDPOINT_URL", cloud.url),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_DEFAULT_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ):
        monkeypatch.setenv(name, value)
    cloud.define_function()
    yield cloud
    cloud.ask("recorder/stop-recording", {})
    cloud.server.stop()


def test_a_lambda_function_is_told_what_to_run(
    scheduler: Scheduler, cloud: Cloud, workdir: Path
) -> None:
    cloud.ask("recorder/start-recording", {})
    call = lambda_federated_task("conf", "sum", cloud.FUNCTION, "scratch", False, double(4), y=1)
    execution_id, data = scheduler.run(call)
    dry = lambda_federated_task("conf", "sum", "no-such-function", "scratch", True, cache=False)
    _, dry_data = scheduler.run(dry)
    assert data == {
        "config_name": "conf",
        "entrypoint": "sum",
        "input_path": f"scratch/execution/{execution_id}/input",
        "execution_id": execution_id,
        "cache": True,
    }
    assert dry_data["cache"] is False
    assert cloud.sent() == [data]  # nothing of the dry run
    assert pickle.loads((workdir / data["input_path"]).read_bytes()) == [[8], {"y": 1}]


def test_a_lambda_function_that_refuses_or_is_silent(
    scheduler: Scheduler, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = lambda_federated_task("conf", "sum", "start-task", "scratch", False)
    proxy = Proxy(status=202)
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(InvocationException, match="start-task answered 202"):
        scheduler.run(call)
    proxy.close()
    with pytest.raises(InvocationException, match="start-task can't be called"):
        scheduler.run(call)


def test_what_aws_needs_is_named(
    scheduler: Scheduler, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = lambda_federated_task("conf", "sum", "start-task", "scratch", False)
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(workdir / "no-config"))
    with pytest.raises(RedunError, match="needs a region") as region:
        scheduler.run(call)
    assert region.value.hints == ("set the environment variable AWS_REGION",)
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(RedunError, match="needs the package boto3") as package:
        scheduler.run(call)
    assert package.value.hints == ("pip install 'redun[aws]'",)


# -- launching -------------------------------------------------------------------------------------------


@pytest.fixture
def site(other: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The configuration of a proxy: entrypoints, and the executors to start them on."""
    directory = other / "proxy"
    directory.mkdir()
    sections = {
        "sum": entry(other, executor="here", memory="4"),
        "bad": entry(other, "fail", executor="here"),
        "far": entry(other, executor="cloud"),
    }
    lines = ["[executors.here]", "type = local", f"scratch = {other / 'scratch'}"]
    for name, section in sections.items():
        lines += [f"[federated_tasks.{name}]", *(f"{k} = {v}" for k, v in section.items())]
    (directory / "redun.ini").write_text("\n".join(lines))
    monkeypatch.chdir(other)
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(other), *sys.path]))
    return str(directory)


def executions(uri: str) -> dict[str, Any]:
    """Return the executions that the other project has recorded: id -> result of the root job."""
    scheduler = Scheduler(config=Config({"backend": {"db_uri": uri}}))
    scheduler.load()
    rows = scheduler.backend.session.query(Execution).all()
    found = {row.id: row.job.call_node.value.value_parsed for row in rows}
    scheduler.backend.close()
    return found


def test_launching_records_an_execution_of_the_other_project(
    site: str, other: Path, other_uri: str
) -> None:
    first = launch_federated_task(site, "sum", (3,), {"y": 4})
    assert executions(other_uri) == {first: 7}
    assert (other / "scratch" / "execution" / first / "input").exists()

    given = "00000000-0000-4000-8000-000000000001"
    path = other / "arguments"
    path.write_bytes(pickle.dumps([[5], {}]))
    assert launch_federated_task(site, "sum", input_path=str(path), execution_id=given) == given
    assert executions(other_uri)[given] == 5


def test_launching_without_the_cache(site: str, other: Path) -> None:
    path = other / "other_project.py"
    text = path.read_text().replace(
        "def add(x, y=0):", "def add(x, y=0):\n    open('ran', 'a').write('.')"
    )
    path.write_text(text)
    launch_federated_task(site, "sum", (1,), {})
    launch_federated_task(site, "sum", (1,), {}, cache=False)
    assert (other / "ran").read_text() == ".."


def test_a_launched_task_that_fails_where_one_waits_for_it(site: str) -> None:
    with pytest.raises(ScriptError) as caught:
        launch_federated_task(site, "bad", (), {})
    assert "ValueError: of the other project" in str(caught.value.message)


def test_what_can_not_be_launched(site: str, other: Path) -> None:
    with pytest.raises(AssertionError, match="Could not find the entrypoint `nowhere`"):
        launch_federated_task(site, "nowhere", (), {})
    with pytest.raises(RuntimeError, match="Unknown Executor cloud"):
        launch_federated_task(site, "far", (), {})
    with pytest.raises(AssertionError, match="task_args must be a tuple"):
        launch_federated_task(site, "sum")
    with pytest.raises(AssertionError, match="task_kwargs must be a dict"):
        launch_federated_task(site, "sum", ())
    with pytest.raises(FileNotFoundError):
        launch_federated_task(str(other / "nowhere"), "sum", (), {})
