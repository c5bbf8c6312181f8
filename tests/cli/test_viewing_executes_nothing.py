"""Looking at a repo, and carrying its records elsewhere, runs nothing out of it, whatever its rows hold.

The commands run in a process of their own with an audit hook, which notes every program that is started,
every file that is written and every import of the bait.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from redun.backends.base import Records
from redun.backends.db import RedunBackendDb

PICKLE = "application/python-pickle"

GUARD = """
import sys
notes = open(sys.argv.pop(1), "a")

def watch(event, args):
    started = event in ("os.system", "os.exec", "os.spawn", "os.posix_spawn", "subprocess.Popen")
    imported = event == "import" and args[0].startswith("bait")
    # Source that is parsed only has no file name.
    compiled = event == "compile" and args[1] != "<unknown>" and "bait" in repr(args[0])
    written = event == "open" and "bait" in str(args[0])
    if started or imported or compiled or written:
        import traceback
        notes.write(f"{event} {args}\\n" + "".join(traceback.format_stack(limit=12)))
        notes.flush()

sys.addaudithook(watch)
"""

VIEW = """
from redun.cli import main
main()
"""

LOOK = """
import warnings
from redun.backends.db import Base, RedunBackendDb
import redun.scheduler
warnings.simplefilter("ignore")
backend = RedunBackendDb(sys.argv[1], config={"value_store_path": sys.argv[2]})
backend.load()
count = 0
for mapper in Base.registry.mappers:
    for row in backend.session.query(mapper.class_):
        count += 1
        repr(row)
        for name in dir(type(row)):
            if name.startswith("_") or name in ("metadata", "registry", "get_delete_tag", "show_source"):
                continue
            if not isinstance(getattr(type(row), name), property) and name != "preview":
                continue
            try:
                shown = getattr(row, name)
                repr(shown), str(shown)
            except Exception:
                continue  # forged states may have no text; what matters is what has run
from redun.backends.db.dataflow import display_dataflow, make_dataflow_dom, walk_dataflow
from redun.backends.db import Value
for value in backend.session.query(Value):
    list(display_dataflow(make_dataflow_dom(walk_dataflow(backend, value))))
print(count)
"""


class Call:
    """Pickles as a call."""

    def __init__(self, function, *args):
        self.reduced = (function, args)

    def __reduce__(self):
        return self.reduced


def dumps(value: object) -> bytes:
    return pickle.dumps(value, protocol=3)


def state_of(module: str, name: str, state: dict) -> bytes:
    """The pickle of an instance of a class, with a state of our own making."""
    head = b"\x80\x03c" + f"{module}\n{name}\n".encode() + b")\x81"
    return head + dumps(state)[2:-1] + b"b."


def payloads() -> dict[str, tuple[str, str, bytes]]:
    """Rows by name: (type, format, payload), each of which wants to run something."""
    system = Call(os.system, "touch bait-system")
    code = Call(exec, "open('bait-exec', 'w')")
    bait = b"\x80\x03cbait_module\nboom\n(tR."
    hidden = dumps(system)
    expression = {"task_name": "x.y", "args": hidden, "kwargs": hidden, "task_options": system}
    rows = {
        "system": ("builtins.int", PICKLE, hidden),
        "exec": ("builtins.str", PICKLE, dumps(code)),
        "module": ("bait_module.Thing", PICKLE, bait),
        "type": ("bait_module.Thing", "text/plain", b"text"),
        "nested": ("builtins.list", PICKLE, dumps([1, {"a": (system, code)}])),
        "error": ("redun.ErrorValue", PICKLE, state_of("redun.scheduler", "ErrorValue",
                                                       {"error": system, "traceback": code})),
        "task expression": ("redun.expression.TaskExpression", PICKLE,
                            state_of("redun.expression", "TaskExpression", expression)),
        "simple expression": ("redun.expression.SimpleExpression", PICKLE,
                              state_of("redun.expression", "SimpleExpression",
                                       {"func_name": "add", "args": hidden, "kwargs": hidden})),
        "value expression": ("redun.expression.ValueExpression", PICKLE,
                             state_of("redun.expression", "ValueExpression",
                                      {"value_type": "bait_module.Thing", "value": hidden})),
        "function": ("builtins.function", PICKLE,
                     state_of("redun.value", "Function",
                              {"hash": "0" * 40, "module": "bait_module", "name": "boom"})),
        "task": ("redun.Task", PICKLE,
                 state_of("redun.task", "Task", {"name": system, "namespace": code, "version": system,
                                                 "hash": system, "task_options": system})),
        "handle": ("bait_module.Handle", PICKLE,
                   state_of("bait_module", "Handle", {"name": "h", "args": system})),
        "subclass": ("redun.Handle", PICKLE,
                     state_of("redun.handle", "Handle",
                              {"name": "n", "namespace": "", "args": (system,), "kwargs": {},
                               "class_name": "bait_module.Handle", "call_hash": "", "key": "",
                               "hash": "0" * 40})),
        "file": ("redun.File", PICKLE, state_of("redun.file", "File", {"path": system, "hash": code})),
        "getattr": ("builtins.int", PICKLE, dumps(Call(getattr, os, "system"))
                    if False else b"\x80\x03cbuiltins\ngetattr\n(cos\nsystem\nX\x03\x00\x00\x00runtR."),
        "cut": ("builtins.int", PICKLE, hidden[:-5]),
        "noise": ("builtins.int", PICKLE, b"\xff\xfe\x00"),
    }  # fmt: skip
    return rows


@pytest.fixture
def repo(workdir: Path, write_config: Callable[..., str]) -> Path:
    """A repo in which every call takes and gives the rows above, and the bait beside it."""
    config = workdir / ".redun"
    uri = write_config("value_store_path = values\n")
    (workdir / "bait_module.py").write_text("open('bait-import', 'w')\nclass Thing: ...\n")
    backend = RedunBackendDb(uri, config={"value_store_path": f"{config}/values"})
    backend.load()
    records = Records()
    task = "a" * 40
    records.values.append((task, "redun.Task", PICKLE, payloads()["task"][2]))
    records.tasks.append((task, "main", "demo", "def main(system): exec('bait')"))
    records.executions.append(("exec", "[\"__import__('bait_module')\"]", "job-0"))
    records.executions.append(("exec-2", "[\"__import__('bait_module')\"]", "again-0"))
    for index, (kind, format_name, data) in enumerate(payloads().values()):
        value, stored, call = (
            f"{number:040x}" for number in (index + 256, index + 512, index + 768)
        )
        records.values += [(value, kind, format_name, data), (stored, kind, format_name, b"")]
        backend.value_store.put(stored, data)
        records.subvalues.append((value, stored))
        records.files.append((value, f"$(touch bait-path-{index})"))
        records.call_nodes.append((call, "demo.main", task, "b" * 40, value, 1.7e9))
        records.subtree_tasks.append((call, task))
        records.arguments.append((f"{index + 1024:040x}", call, value, 0, None))
        records.arguments.append((f"{index + 1280:040x}", call, stored, None, "key"))
        records.evaluations.append((f"{index + 1536:040x}", task, "b" * 40, value))
        parent = None if index == 0 else "job-0"
        records.job_starts.append((f"job-{index}", 1.7e9, task, parent, "exec"))
        records.job_ends.append((f"job-{index}", 1.7e9 + 1, False, call))
        # Again, of which `why` and `diff` want to know what is new.
        records.job_starts.append((f"again-{index}", 1.8e9, task, parent and "again-0", "exec-2"))
        records.job_ends.append(
            (f"again-{index}", 1.8e9 + 1, False, f"{(index + 1) % 9 + 768:040x}")
        )
        records.tags.append(("CallNode", call, "redun.context", value))
        records.tags.append(("Job", f"job-{index}", "key", {"run": "os.system('touch bait')"}))
    backend.record(records)
    backend.close()
    return workdir


def guarded(repo: Path, program: str, *words: object, code: int = 0) -> str:
    """Runs a program under the hook; what it prints. It ends with `code`, and nothing may be noted."""
    notes = repo / "notes.txt"
    notes.touch()
    done = subprocess.run(
        [sys.executable, "-c", GUARD + program, notes, *map(str, words)],
        cwd=repo,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, str(repo)])},
    )
    assert done.returncode == code, done.stdout[-500:] + done.stderr[-2000:]
    assert notes.read_text() == ""
    assert not [name for name in os.listdir(repo) if name.startswith("bait-")]
    return done.stdout


def test_the_hook_notices(repo: Path) -> None:
    """Else the tests below would show nothing."""
    program = "import pickle; pickle.loads(bytes.fromhex(sys.argv[1]))"
    with pytest.raises(AssertionError):
        guarded(repo, program, payloads()["system"][2].hex())
    with pytest.raises(AssertionError):
        guarded(repo, "import bait_module")


@pytest.mark.parametrize(
    "words",
    [
        ["log", "--all", "--detail"],
        ["log", "--all", "--format", "json"],
        ["log", "--file", "--detail"],
        ["log", "exec"],
        ["log", "~1"],
        ["log", "again-"],
        ["tag", "list", "--values"],
        ["why", "exec-2", "--all"],
        ["why", "exec-2", "--all", "--format", "json"],
        ["why", "again-3"],
        ["diff", "~2", "~1"],
        ["diff", "~2", "~1", "--format", "json"],
        ["report", "exec-2", "-o", "page.html"],
    ],
    ids=" ".join,
)
def test_commands(repo: Path, words: list[str]) -> None:
    assert guarded(repo, VIEW, *words)


def test_plan_that_goes_on_with_recorded_calls(repo: Path) -> None:
    """The code of the script is new; below it the rows tell what is likely."""
    (repo / "wf.py").write_text(
        "from redun import task\nredun_namespace = 'demo'\n@task()\ndef main(): return 1\n"
    )
    assert "likely" in guarded(repo, VIEW, "plan", "--all", "wf.py", "main")


def test_each_record_alone(repo: Path) -> None:
    lines = guarded(repo, VIEW, "log", "--all", "--format", "json").splitlines()
    keys = ("id", "call_hash", "value_hash")
    ids = {record[key] for record in map(json.loads, lines) for key in keys if record.get(key)}
    assert len(ids) > 60
    assert guarded(repo, VIEW, "log", *sorted(ids))


def test_rows_in_python(repo: Path, programs_repo: str) -> None:
    assert int(guarded(repo, LOOK, programs_repo, repo / ".redun" / "values")) > 200


@pytest.fixture
def make_config(repo: Path, write_config: Callable[..., str]) -> Callable[..., Path]:
    """Makes a directory with a new repo; the value is its configuration directory."""

    def make(directory: str, text: str = "") -> Path:
        backend = RedunBackendDb(write_config(text, directory))
        backend.load(migrate=True)
        backend.close()
        return repo / directory / ".redun"

    return make


@pytest.fixture
def count_rows(rows_of: Any, new_repo: Callable[..., str]) -> Callable[[str], dict[str, int]]:
    """Counts the rows of the repo of a directory, by table."""

    def count(directory: str) -> dict[str, int]:
        uri = new_repo(str(Path(directory, ".redun", "redun.db")))
        tables = ("job", "call_node", "argument", "value")
        return {table: rows_of(uri, f"SELECT count(*) FROM {table}")[0][0] for table in tables}

    return count


@pytest.mark.parametrize("other", ["there", "shared.redun"])
def test_push_and_pull(repo: Path, make_config: Any, count_rows: Any, other: str) -> None:
    """To a repo with a value store of its own, or a bundle, and on to a third."""
    there = make_config("there", "value_store_path = values\n")
    known = f"[repos.there]\nconfig_dir = {there}\n"
    third = make_config("third", known)
    config = repo / ".redun" / "redun.ini"
    config.write_text(config.read_text() + known)
    assert "Pushed" in guarded(repo, VIEW, "push", other)
    assert "Pulled" in guarded(repo, VIEW, "--config", third, "pull", other, "--no-verify")
    assert count_rows("third")["job"] == count_rows(".")["job"] > 0


def test_export_and_import(repo: Path, make_config: Any, count_rows: Any) -> None:
    """Hashes are those of bytes, never of what these would become."""
    guarded(repo, VIEW, "export", "--file", "all.jsonl.gz")
    fresh = make_config("fresh")
    words = ("--config", fresh, "import", "--file", "all.jsonl.gz")
    guarded(repo, VIEW, *words, code=1)
    assert count_rows("fresh")["call_node"] == 0
    guarded(repo, VIEW, *words, "--no-verify")
    assert count_rows("fresh")["job"] == count_rows(".")["job"] > 0
