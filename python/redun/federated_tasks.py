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

__all__ = ["RequestError", "federated_task", "rest_federated_task"]

REQUIRED = ("namespace", "task_name", "load_module", "executor", "config_dir")
DROPPED = (*REQUIRED, "description", "task_signature", "new_execution")
REQUEST_SECONDS = 60.0


class RequestError(RedunError):
    """A proxy did not accept the request to start a federated task."""


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
        execution_id = new_id()
        data = {
            "config_name": config_name,
            "entrypoint": entrypoint,
            "input_path": write_input(scratch_prefix, execution_id, call),
            "execution_id": execution_id,
            "cache": cache,
        }
        if not dryrun:
            post_form(url, data)
        return execution_id, data

    return scheduler.evaluate([list(args), kwargs], parent_job=parent_job).then(on_call)


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
