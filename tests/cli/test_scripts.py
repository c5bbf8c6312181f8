"""Importing a workflow and finding its tasks."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import pytest

from redun.cli import RedunClientError, import_script, parse_func_path
from redun.utils import get_import_paths


@pytest.fixture(autouse=True)
def _restore_interpreter(workdir: Path):
    """Put back what imports leave in the interpreter."""
    path, modules, recorded = list(sys.path), set(sys.modules), list(get_import_paths())
    yield
    sys.path[:] = path
    get_import_paths()[:] = recorded
    # Only modules of the test: a library that is imported twice is not the same.
    for name in set(sys.modules) - modules:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(workdir)):
            del sys.modules[name]


def test_file_is_imported_by_its_bare_name(workdir: Path) -> None:
    (workdir / "sub").mkdir()
    (workdir / "sub" / "some_flow.py").write_text("import some_helper\nvalue = 1\n")
    (workdir / "sub" / "some_helper.py").write_text("")
    module = import_script("sub/some_flow.py")
    assert (module.__name__, module.value) == ("some_flow", 1)
    assert sys.path[0] == str(workdir / "sub")
    assert get_import_paths()[0] == str(workdir / "sub")


def test_an_edit_within_the_second_counts(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    script, second = workdir / "some_flow.py", 1_700_000_000_000_000_000
    script.write_text("value = 1\n")
    os.utime(script, ns=(second, second))
    assert import_script("some_flow.py").value == 1
    bytecode = importlib.util.cache_from_source(str(script))
    os.utime(bytecode, ns=(second + 1, second + 1))
    script.write_text("value = 2\n")
    os.utime(script, ns=(second + 2, second + 2))
    del sys.modules["some_flow"]
    assert import_script("some_flow.py").value == 2


def test_dotted_module_is_found_from_the_working_directory(workdir: Path) -> None:
    (workdir / "some_pkg").mkdir()
    (workdir / "some_pkg" / "__init__.py").write_text("")
    (workdir / "some_pkg" / "flow.py").write_text("from . import other\n")
    (workdir / "some_pkg" / "other.py").write_text("")
    assert import_script("some_pkg.flow").__name__ == "some_pkg.flow"
    assert get_import_paths()[0] == "."


def test_module_alone_without_the_working_directory() -> None:
    assert import_script("colorsys", add_cwd=False).__name__ == "colorsys"
    assert get_import_paths()[:1] != ["."]


def test_scripts_of_one_name_in_two_directories(workdir: Path) -> None:
    for name in ("one", "two"):
        (workdir / name).mkdir()
        (workdir / name / "twin_flow.py").write_text(f"value = {name!r}\n")
    assert import_script("one/twin_flow.py").value == "one"
    assert import_script("two/twin_flow.py").value == "two"
    assert import_script("two/twin_flow.py") is sys.modules["twin_flow"]


@pytest.mark.parametrize("name", ["random", "json", "sys"])
def test_script_named_like_a_loaded_module(workdir: Path, name: str) -> None:
    before = sys.modules.get(name)
    (workdir / f"{name}.py").write_text("value = 1\n")
    if before is None:
        __import__(name)
    with pytest.raises(RedunClientError, match=f"has the name of the module `{name}`") as caught:
        import_script(f"{name}.py")
    assert caught.value.hints == (f"rename the script, for example to `{name}_workflow.py`",)
    assert not hasattr(sys.modules[name], "value")


@pytest.mark.parametrize(
    ("script", "near"),
    [
        ("workfow_one.py", "did you mean `workflow_one.py`?"),
        ("sub/flw.py", "did you mean `sub/flow.py`?"),
        ("workflow_on", "did you mean `workflow_one`?"),
        ("zzz.py", "give the path of a file ending in `.py`"),
        ("no.such.module", "give the path of a file ending in `.py`"),
        (".relative", "give the path of a file ending in `.py`"),
        ("", "give the path of a file ending in `.py`"),
    ],
)
def test_missing_script_and_near_names(workdir: Path, script: str, near: str) -> None:
    (workdir / "workflow_one.py").write_text("")
    (workdir / "sub").mkdir()
    (workdir / "sub" / "flow.py").write_text("")
    with pytest.raises(RedunClientError) as caught:
        import_script(script)
    assert str(caught.value) == f"Cannot find Python script file or module: {script}"
    assert any(near in hint for hint in caught.value.hints)


def test_a_dot_in_the_file_name(workdir: Path) -> None:
    (workdir / "flow.v2.py").write_text("")
    with pytest.raises(RedunClientError, match="its name holds a dot") as caught:
        import_script("flow.v2.py")
    assert "flow_v2.py" in caught.value.hints[0]


def test_errors_inside_the_script_escape(workdir: Path) -> None:
    (workdir / "broken_flow.py").write_text("import no_such_library\n")
    with pytest.raises(ModuleNotFoundError, match="no_such_library"):
        import_script("broken_flow.py")
    with pytest.raises(ModuleNotFoundError, match="no_such_library"):
        import_script("broken_flow")


def test_parse_func_path() -> None:
    assert parse_func_path("dir/wf.py::make") == ("dir/wf.py", "make")
    assert parse_func_path("pkg.mod::make") == ("pkg.mod", "make")
    for path in ("wf.py:make", "wf.py::", "::make", "make"):
        with pytest.raises(ValueError, match="Invalid function specification"):
            parse_func_path(path)


TASKS = """
@task()
def main():
    return 1

@task(namespace="other")
def second():
    return 2

@task(namespace="")
def bare():
    return 3
"""


@pytest.mark.parametrize(
    ("name", "result"),
    [("main", "1\n"), ("demo.main", "1\n"), ("other.second", "2\n"), ("bare", "3\n")],
)
def test_task_names(program, script, name: str, result: str) -> None:
    script(TASKS)
    assert program("run", "wf.py", name).out == result


def test_help_lists_the_tasks(program, script) -> None:
    script(TASKS)
    out = program("run", "wf.py", "help").out.splitlines()
    assert out[0] == "Tasks available:"
    names = [line for line in out[1:] if line.strip() in ("demo.main", "other.second", "bare")]
    assert names == ["   bare", "   demo.main", "   other.second"]
    assert not any(line.startswith("   redun.") for line in out)


@pytest.mark.parametrize(
    ("name", "full_name", "near"),
    [
        ("mian", "demo.mian", "hint: did you mean `demo.main`?"),
        ("second", "demo.second", "hint: did you mean `other.second`?"),
        ("qqqqqqqq", "demo.qqqqqqqq", "hint: `redun run wf.py help` lists the tasks"),
    ],
)
def test_unknown_task_and_near_names(program, script, name, full_name, near) -> None:
    script(TASKS)
    code, out, err = program("run", "wf.py", name)
    assert (code, out) == (1, "")
    assert f'error: Unknown task "{full_name}"' in err
    assert near in err
