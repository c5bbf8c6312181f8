"""Launching shell commands on executors, without a scheduler."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from redun.config import Config
from redun.executors.base import Executor, ExecutorError
from redun.executors.launch import find_executors, launch_script
from redun.executors.local import LocalExecutor
from redun.scripting import ScriptError, script_task
from redun.task import hash_args_eval
from redun.value import get_type_registry

CONFIG = {
    "executors.here": {"type": "local", "max_workers": "1"},
    "executors.other": {"type": "alias", "target": "here"},
    "executors.lost": {"type": "alias", "target": "nowhere"},
    "executors.broken": {"type": "no such type"},
}


class FarExecutor(Executor):
    """Takes jobs and lets them go, as one does whose jobs run on other machines."""

    def __init__(self, name: str, fails: bool = False) -> None:
        super().__init__(name)
        self.fails = fails
        self.calls: list[str] = []
        self.jobs: list[Any] = []

    def detaches(self) -> bool:
        return True

    def start(self) -> None:
        self.calls.append("start")

    def submit_script(self, job: Any) -> None:
        self.calls.append("submit")
        self.jobs.append(job)
        if self.fails:
            self._scheduler.reject_job(job, ExecutorError("no room"))

    def stop(self) -> None:
        self.calls.append("stop")


@pytest.mark.parametrize("name", ["default", "process", "here", "other"])
def test_a_local_command_has_ended_when_launching_returns(workdir: Path, name: str) -> None:
    launch_script(Config(CONFIG), "echo one > out; sleep 0.1; echo two >> out", executor_name=name)
    assert (workdir / "out").read_text() == "one\ntwo\n"


def test_a_local_command_that_fails(workdir: Path) -> None:
    with pytest.raises(ScriptError) as caught:
        launch_script(Config(CONFIG), "echo because >&2; exit 3", executor_name="here")
    assert "because" in caught.value.message


def test_executors_are_given_or_found_by_name(workdir: Path) -> None:
    launch_script(Config(), "touch out", executor=LocalExecutor("by hand"))
    assert (workdir / "out").exists()
    assert list(find_executors(Config(CONFIG), "other")) == ["other", "here"]
    for name in ("nowhere", "lost"):
        with pytest.raises(RuntimeError, match=r"Unknown Executor nowhere\."):
            launch_script(Config(CONFIG), "true", executor_name=name)
    with pytest.raises(AssertionError, match="Give either"):
        launch_script(Config(CONFIG), "true")


def test_a_detached_command_is_only_submitted() -> None:
    far = FarExecutor("far")
    launch_script(Config(), "exit 1", far, task_options={"memory": 4}, execution_id="an id")
    assert far.calls == ["start", "submit", "stop"]
    (job,) = far.jobs
    assert (job.task, job.args, job.execution.id) == (script_task, (["exit 1"], {}), "an id")
    assert job.get_options()["memory"] == 4
    hashes = hash_args_eval(get_type_registry(), script_task, ["exit 1"], {})
    assert (job.eval_hash, job.args_hash) == hashes


def test_a_submission_that_fails() -> None:
    far = FarExecutor("far", fails=True)
    with pytest.raises(ExecutorError, match="no room"):
        launch_script(Config(), "true", far)
    assert far.calls == ["start", "submit", "stop"]
    with pytest.raises(ExecutorError, match="does not support submitting script tasks"):
        launch_script(Config(), "true", Executor("plain"))


def test_retries(workdir: Path) -> None:
    command = "echo . >> out; test $(wc -l < out) = 3"
    launch_script(Config(), command, LocalExecutor("here"), task_options={"retries": 2})
    assert (workdir / "out").read_text() == ".\n.\n.\n"
    (workdir / "out").unlink()
    with pytest.raises(ScriptError):
        launch_script(Config(), command, LocalExecutor("here"), task_options={"retries": "1"})


def test_timeout() -> None:
    command = f"{sys.executable} -c 'import time; time.sleep(2)'"
    with pytest.raises(TimeoutError, match=r"took longer than 0\.2 seconds"):
        launch_script(Config(), command, LocalExecutor("here"), task_options={"timeout": 0.2})
