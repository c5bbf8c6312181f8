"""Tasks for everyday steps: copies, templates, the debugger."""

import importlib.util
import pdb
from pathlib import Path

import pytest

from redun import Dir, File, Scheduler, task
from redun.file import IFile
from redun.tools import copy_dir, copy_file, copy_files, debug_task, render_template

redun_namespace = "test_tools"


def test_copy_file(scheduler: Scheduler, workdir: Path) -> None:
    File("a").write("1")
    assert scheduler.run(copy_file(File("a"), "b")).read() == "1"
    into = scheduler.run(copy_file(IFile("a"), "dir/"))
    assert (type(into), into.path, into.read()) == (IFile, "dir/a", "1")


def test_existing_file_is_skipped(scheduler: Scheduler, workdir: Path) -> None:
    File("a").write("1")
    File("b").write("old")
    assert scheduler.run(copy_file(File("a"), "b", skip_if_exists=True)).read() == "old"
    File("b").write("older")
    assert scheduler.run(copy_file(File("a"), "b")).read() == "1"


def test_copy_is_made_again_when_it_is_gone(scheduler: Scheduler, workdir: Path) -> None:
    File("a").write("1")
    scheduler.run(copy_file(File("a"), "b"))
    File("b").remove()
    assert scheduler.run(copy_file(File("a"), "b")).exists()


def test_copy_files(scheduler: Scheduler, workdir: Path) -> None:
    for name in "abc":
        File(name).write(name)
    sources = [File(name) for name in "abc"]
    copies = scheduler.run(copy_files(sources, ["x/", "y"], copy_options={"memory": 1}))
    assert [(file.path, file.read()) for file in copies] == [("x/a", "a"), ("y", "b")]


def test_copy_dir(scheduler: Scheduler, workdir: Path) -> None:
    File("src/a").write("a")
    File("src/sub/b").write("b")
    copied = scheduler.run(copy_dir(Dir("src"), "dest/"))
    assert sorted(file.path for file in copied) == ["dest/a", "dest/sub/b"]
    assert copied.is_valid()
    File("dest/sub/b").remove()
    assert not copied.is_valid()
    again = scheduler.run(copy_dir(Dir("src"), "dest/"))
    assert File("dest/sub/b").read() == "b"
    assert again.is_valid()


def test_debug_task(scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch) -> None:
    stops = []
    monkeypatch.setattr(pdb, "set_trace", lambda: stops.append(1))

    @task()
    def main():
        return debug_task([1, 2])

    assert scheduler.run(main()) == [1, 2]
    assert stops == [1]


@pytest.mark.skipif(importlib.util.find_spec("jinja2") is not None, reason="jinja2 is there")
def test_template_without_jinja2(scheduler: Scheduler, workdir: Path) -> None:
    File("t").write("x")
    with pytest.raises(ImportError, match="jinja2 must be installed to use render_template"):
        scheduler.run(render_template("out", File("t"), {}))


def test_template(scheduler: Scheduler, workdir: Path) -> None:
    pytest.importorskip("jinja2")
    File("dir/t").write("{% include 'part' %} {{ name }}")
    File("dir/part").write("Hello")
    out = scheduler.run(render_template("out", File("dir/t"), {"name": "you"}))
    assert out.read() == "Hello you"
