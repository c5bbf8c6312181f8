"""Tasks of other projects, called by the names that the configuration gives them.

A section `[federated_tasks.<entrypoint>]` names a task, the module and the configuration directory it
belongs to, and the executor that can run it. Importing this module registers the scheduler tasks.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from redun.errors import RedunError
from redun.expression import SchedulerExpression, TaskExpression
from redun.library.subrun import subrun
from redun.model.ids import new_id
from redun.promise import Promise
from redun.task import scheduler_task
from redun.task.options import CacheScope

if TYPE_CHECKING:
    from redun.config import Config
    from redun.engine.scheduler import Scheduler
    from redun.model.job import Job

__all__ = [
    "InvocationException",
    "RequestError",
    "federated_task",
    "lambda_federated_task",
    "launch_federated_task",
    "rest_federated_task",
]

REQUIRED = ("namespace", "task_name", "load_module", "executor", "config_dir")
DROPPED = (*REQUIRED, "description", "task_signature", "new_execution")
REQUEST_SECONDS = 60.0


class RequestError(RedunError):
    """A proxy did not accept the request to start a federated task."""


class InvocationException(RequestError):
    """A function of AWS Lambda, asked to start a federated task, can't be called or has failed."""


class Entrypoint(NamedTuple):
    """What a section `[federated_tasks.*]` says."""

    fullname: str
    load_module: str
    executor: str
    config_dir: str
    new_execution: bool
    options: dict[str, str]


def read_entrypoint(config: Config, entrypoint: str) -> Entrypoint:
    """Return what the configuration says of an entrypoint.

    Raises `AssertionError` if it is not there, or lacks required keys.
    """
    entries = config.get("federated_tasks") or {}
    assert entrypoint in entries, (
        f"Could not find the entrypoint `{entrypoint}` in the provided federated tasks. "
        f"Found `{list(entries)}`"
    )
    section = dict(entries[entrypoint].items())
    missing = {key for key in REQUIRED if key not in section}
    assert not missing, (
        f"Federated task entry `{entrypoint}` does not have the required keys, missing `{missing}`"
    )
    namespace, name = section["namespace"], section["task_name"]
    return Entrypoint(
        fullname=f"{namespace}.{name}" if namespace else name,
        load_module=section["load_module"],
        executor=section["executor"],
        config_dir=section["config_dir"],
        new_execution=_is_true(section.get("new_execution", "false"), entrypoint),
        options={key: value for key, value in section.items() if key not in DROPPED},
    )


def _is_true(text: str, entrypoint: str) -> bool:
    words = {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False}
    assert text.lower() in words, (
        f"Federated task entry `{entrypoint}` has new_execution `{text}`, neither true nor false"
    )
    return words[text.lower()]


@scheduler_task(namespace="redun")
def federated_task(
    scheduler: Scheduler,
    parent_job: Job,
    sexpr: SchedulerExpression,
    entrypoint: str,
    *args: Any,
    **kwargs: Any,
) -> Promise:
    """Call a task of another project, in a sub-scheduler with the configuration of that project.

    Parameters
    ----------
    entrypoint : name of the section `[federated_tasks.<entrypoint>]`.
    args, kwargs : arguments of the task.
    """
    entry = read_entrypoint(scheduler.config, entrypoint)
    options: dict[str, Any] = {**entry.options}

    def on_call(call: list[Any]) -> Promise:
        below = subrun.options(cache_scope=CacheScope.CSE)(
            TaskExpression(entry.fullname, tuple(call[0]), call[1]),
            executor=entry.executor,
            config_dir=entry.config_dir,
            new_execution=entry.new_execution,
            load_modules=[entry.load_module],
            **options,
        )
        return scheduler.evaluate(below, parent_job=parent_job)

    # The arguments are expressions of this project, whose tasks the other one does not know.
    return scheduler.evaluate([list(args), kwargs], parent_job=parent_job).then(on_call)


@scheduler_task(namespace="redun")
def rest_federated_task(
    scheduler: Scheduler,
    parent_job: Job,
    sexpr: SchedulerExpression,
    config_name: str,
    entrypoint: str,
    url: str,
    scratch_prefix: str,
    dryrun: bool,
    *args: Any,
    cache: bool = True,
    **kwargs: Any,
) -> Promise:
    """Ask a proxy to start a task of another project, and go on without waiting for its result.

    Parameters
    ----------
    config_name : by which the proxy knows the configuration.
    entrypoint : name of the federated task in that configuration.
    url : of the proxy, `http` or `https`.
    scratch_prefix : directory, known to the proxy too, for the arguments.
    dryrun : write the arguments, but send nothing.
    args, kwargs : arguments of the task.
    cache : whether the task may reuse earlier results.

    Returns (id of the new execution, what was sent). Raises `RequestError` if the proxy refuses or
    can't be reached.
    """

    def on_call(call: list[Any]) -> tuple[str, dict[str, Any]]:
        data = make_request(config_name, entrypoint, scratch_prefix, call, cache)
        if not dryrun:
            post_form(url, data)
        return data["execution_id"], data

    return scheduler.evaluate([list(args), kwargs], parent_job=parent_job).then(on_call)


@scheduler_task(namespace="redun")
def lambda_federated_task(
    scheduler: Scheduler,
    parent_job: Job,
    sexpr: SchedulerExpression,
    config_name: str,
    entrypoint: str,
    lambda_function_name: str,
    scratch_prefix: str,
    dryrun: bool,
    *args: Any,
    cache: bool = True,
    **kwargs: Any,
) -> Promise:
    """Ask a function of AWS Lambda to start a task of another project, and do not wait for its result.

    Parameters
    ----------
    config_name : by which the function knows the configuration.
    entrypoint : name of the federated task in that configuration.
    lambda_function_name : name or ARN of the function, in the region `AWS_REGION`.
    scratch_prefix : directory, known to the function too, for the arguments.
    dryrun : write the arguments, but send nothing.
    args, kwargs : arguments of the task.
    cache : whether the task may reuse earlier results.

    Returns (id of the new execution, what was sent). Raises `InvocationException` if the function
    can't be called or fails, `RedunError` if boto3 (extra `aws`) is not installed.
    """

    def on_call(call: list[Any]) -> tuple[str, dict[str, Any]]:
        data = make_request(config_name, entrypoint, scratch_prefix, call, cache)
        if not dryrun:
            invoke_function(lambda_function_name, data)
        return data["execution_id"], data

    return scheduler.evaluate([list(args), kwargs], parent_job=parent_job).then(on_call)


def launch_federated_task(
    federated_config_path: str,
    entrypoint: str,
    task_args: tuple[Any, ...] | None = None,
    task_kwargs: dict[str, Any] | None = None,
    input_path: str | None = None,
    execution_id: str | None = None,
    cache: bool = True,
) -> str:
    """Start a federated task on its executor: what a proxy does when it is asked to.

    The executor runs `redun run`, which records the execution in the repo of the task. Where jobs go on by
    themselves this returns at once, otherwise, as on the local executor, when the task has ended.

    Parameters
    ----------
    federated_config_path : directory of the `redun.ini` that has the entrypoint.
    entrypoint : name of the section `[federated_tasks.<entrypoint>]`.
    task_args, task_kwargs : arguments of the task; needed unless `input_path` is given.
    input_path : file with the arguments, as the federated tasks above write it.
    execution_id : of the new execution; a fresh one by default.
    cache : whether the task may reuse earlier results.

    Returns the id of the execution. Raises `AssertionError` for an entrypoint that is not there or
    incomplete, `RuntimeError` for its executor, `NotImplementedError` if that has no scratch space for
    arguments, and what `launch_script` raises.
    """
    import shlex

    from redun.executors.launch import find_executors, launch_on
    from redun.scheduler_config import read_config_dir

    config = read_config_dir(federated_config_path)
    entry = read_entrypoint(config, entrypoint)
    executors = find_executors(config, entry.executor)
    execution_id = execution_id or new_id()
    if input_path is None:
        assert isinstance(task_args, tuple), "task_args must be a tuple if there is no input_path."
        assert isinstance(task_kwargs, dict), (
            "task_kwargs must be a dict if there is no input_path."
        )
        scratch = executors[entry.executor].scratch_root()
        input_path = write_input(scratch, execution_id, [list(task_args), task_kwargs])
    words = ["redun", "-c", entry.config_dir, "run", "--input", input_path]
    words += ["--execution-id", execution_id, entry.load_module, entry.fullname]
    if not cache:
        words.append("--no-cache")
    launch_on(config, executors, shlex.join(words), entry.options, execution_id)
    return execution_id


def make_request(
    config_name: str, entrypoint: str, scratch_prefix: str, call: list[Any], cache: bool
) -> dict[str, Any]:
    """Write the arguments of a call and return what a proxy is told about it."""
    execution_id = new_id()
    return {
        "config_name": config_name,
        "entrypoint": entrypoint,
        "input_path": write_input(scratch_prefix, execution_id, call),
        "execution_id": execution_id,
        "cache": cache,
    }


def write_input(scratch_prefix: str, execution_id: str, call: list[Any]) -> str:
    """Write the arguments `[args, kwargs]` of a call where `redun run --input` finds them.

    Returns the path.
    """
    from redun.file import File
    from redun.utils.pickling import pickle_dumps

    path = os.path.join(scratch_prefix, "execution", execution_id, "input")
    with File(path).open("wb") as stream:
        stream.write(pickle_dumps(call))
    return path


def post_form(url: str, data: dict[str, Any]) -> None:
    """Send a form. Raises `RequestError` if that fails, or the answer is an error."""
    from urllib.error import HTTPError, URLError
    from urllib.parse import urlencode, urlparse
    from urllib.request import Request, urlopen

    if urlparse(url).scheme not in ("http", "https"):
        raise RequestError(f"{url} is not the URL of a web server.")
    request = Request(url, data=urlencode(data).encode(), method="POST")
    try:
        with urlopen(request, timeout=REQUEST_SECONDS):
            return
    except HTTPError as error:
        raise RequestError(f"{url} answered {error.code}: {error.reason}") from None
    except (URLError, TimeoutError, ConnectionError) as error:
        raise RequestError(f"{url} can't be reached: {getattr(error, 'reason', error)}") from None


def invoke_function(name: str, data: dict[str, Any]) -> None:
    """Call a function of AWS Lambda with a JSON object. Raises `InvocationException` if that fails."""
    import json

    from redun.clients.aws import get_aws_client

    client = get_aws_client("lambda")
    try:
        answer = client.invoke(FunctionName=name, Payload=json.dumps(data).encode())
    except Exception as error:  # of the vendor's library, which is not imported here
        raise InvocationException(f"AWS Lambda function {name} can't be called: {error}") from error
    status = answer["StatusCode"]
    if status != 200 or "FunctionError" in answer:
        text = answer["Payload"].read().decode("utf-8", "replace")
        raise InvocationException(f"AWS Lambda function {name} answered {status}: {text}")
