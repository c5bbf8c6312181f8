"""The Sphinx extension, in real builds of a small site."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

MODULE = '''
from __future__ import annotations

from redun import task
from redun.promise import Promise
from redun.scheduler import Scheduler, scheduler_task

redun_namespace = "site"


@task()
def greet(name: str, times: int = 2) -> list[str]:
    """Greet somebody."""
    return [name] * times


@task(memory=2)
def quiet(x):
    return x


@task(cache=False)
async def fetch(url: str) -> bytes:
    """Fetch something."""
    return b""


def _hidden_helper() -> None:
    """A function that stays out."""


@task()
def _hidden(x: int) -> int:
    return x


@task()
def excluded(x: int) -> int:
    """Left out by name."""
    return x


@scheduler_task()
def repeat(
    scheduler: Scheduler, parent_job: Nowhere, sexpr: Nowhere, value: int, times: int = 3
) -> Promise[list[int]]:
    """Repeat a value."""
    return Promise()


class Holder:
    """Holds a task."""

    @task()
    def held(x: int) -> int:
        """A task in a class."""
        return x
'''

PAGE = """
Site
====

.. automodule:: site_tasks
   :members:
   :exclude-members: excluded

.. py:task:: by_hand(x)

   Described by hand.

See :py:task:`site_tasks.greet` and :py:func:`site_tasks.repeat`, and also :any:`site_tasks.quiet`.
"""

ALONE = """
Alone
=====

.. autotask:: site_tasks.excluded

.. autoscheduler_task:: site_tasks.repeat
   :no-index:
"""


class Site(NamedTuple):
    """The text of the two pages."""

    index: str
    alone: str


def build(directory: Path, settings: str = "") -> Site:
    source = directory / "source"
    source.mkdir()
    (directory / "site_tasks.py").write_text(MODULE)
    (source / "conf.py").write_text(f'extensions = ["redun.sphinx"]\n{settings}\n')
    (source / "index.rst").write_text(f"{PAGE}\n.. toctree::\n\n   alone\n")
    (source / "alone.rst").write_text(ALONE)
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "text", "source", "out"],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(directory), *sys.path])},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return Site(*((directory / "out" / f"{name}.txt").read_text() for name in Site._fields))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return build(tmp_path_factory.mktemp("site"))


def test_tasks_show_the_signature_and_docstring_of_their_functions(site: Site) -> None:
    assert (
        "(task) site_tasks.greet(name: str, times: int = 2) -> list[str]\n\n   Greet somebody."
        in site.index
    )


def test_tasks_without_a_docstring_are_members_too(site: Site) -> None:
    assert "(task) site_tasks.quiet(x)\n" in site.index
    assert "A function of a workflow" not in site.index  # the docstring of the class Task


def test_private_and_excluded_tasks_stay_out(site: Site) -> None:
    assert "_hidden" not in site.index
    assert "Left out by name" not in site.index


def test_scheduler_tasks_show_what_callers_pass_and_get(site: Site) -> None:
    expected = "(scheduler_task) site_tasks.repeat(value: int, times: int = 3) -> list[int]\n"
    assert expected in site.index
    assert expected in site.alone


def test_async_tasks_say_so(site: Site) -> None:
    assert "(task) async site_tasks.fetch(url: str) -> bytes" in site.index


def test_tasks_in_classes_are_members(site: Site) -> None:
    assert "(task) held(x: int) -> int" in site.index


def test_single_tasks_and_tasks_described_by_hand(site: Site) -> None:
    assert "(task) site_tasks.excluded(x: int) -> int\n\n   Left out by name." in site.alone
    assert "(task) site_tasks.by_hand(x)\n\n   Described by hand." in site.index


def test_settings_choose_the_prefix(tmp_path: Path) -> None:
    site = build(tmp_path, 'redun_task_prefix = "job"\nredun_scheduler_task_prefix = ""')
    assert "\njob site_tasks.greet(name: str" in site.index
    assert "\nsite_tasks.repeat(value: int" in site.index


def test_importing_redun_needs_no_sphinx() -> None:
    code = "import sys; sys.modules['sphinx'] = None; import redun, redun.scheduler"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
