"""`redun export` and `redun import`: the format of the original, files, pipes, and bad input."""

from __future__ import annotations

import gzip
import json
import os
import pty
import select
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parents[1] / "golden" / "records" / "compile.jsonl"

KEYS = {
    "Execution": ["id", "args", "job_id"],
    "Job": [
        "id", "start_time", "end_time", "task_hash", "cached", "status", "call_hash",
        "parent_id", "children", "execution_id",
    ],
    "CallNode": [
        "call_hash", "task_name", "task_hash", "args_hash", "value_hash", "timestamp", "args",
        "children",
    ],
    "Value": ["value_hash", "type", "format", "data", "subvalues", "subtype"],
    "Tag": ["tag_hash", "entity_type", "entity_id", "key", "value", "parents"],
}  # fmt: skip

WORKFLOW = """
@task()
def double(number: int) -> int:
    return 2 * number

@task()
def main(n: int = 3):
    return [double(number) for number in range(n)]
"""


@pytest.fixture
def repo(program, script, workdir: Path) -> Path:
    """A repo with one execution and an empty one, `other`; the value is the directory."""
    assert program("init").code == 0
    assert program("init", "other").code == 0
    script(WORKFLOW)
    assert program("run", "wf.py", "main", "--tag", "team=blue").code == 0
    return workdir


def exported(program, *words: str) -> list[str]:
    code, out, _ = program(*words)
    assert code == 0
    return out.splitlines(keepends=True)


def other_lines(program) -> list[str]:
    return exported(program, "-c", "other/.redun", "export")


def kinds(lines: list[str]) -> Counter[str]:
    return Counter(json.loads(line)["_type"] for line in lines)


def test_format(program, repo: Path) -> None:
    lines = exported(program, "export")
    assert set(kinds(lines)) == set(KEYS)
    for line in lines:
        record = json.loads(line)
        assert list(record) == ["_version", "_type", *KEYS[record["_type"]]]
        assert line == json.dumps(record) + "\n"


def test_lines_of_the_original_come_out_as_they_went_in(program, repo: Path) -> None:
    lines = GOLDEN.read_text().splitlines(keepends=True)
    assert program("-c", "other/.redun", "import", "-f", GOLDEN) == (0, "", "")
    assert sorted(other_lines(program)) == sorted(lines)
    assert "make.py make" in program("-c", "other/.redun", "log").out


def test_lines_of_the_original_in_postgresql(program, repo: Path, postgres_uri: str) -> None:
    config = repo / "pg"
    config.mkdir()
    (config / "redun.ini").write_text(f"[backend]\ndb_uri = {postgres_uri}\n")
    lines = GOLDEN.read_text().splitlines(keepends=True)
    Path("x.jsonl").write_text("".join(lines + exported(program, "export")))
    for _ in range(2):
        assert program("-c", "pg", "import", "-f", "x.jsonl") == (0, "", "")
        found = exported(program, "-c", "pg", "export")
        assert sorted(found) == sorted(Path("x.jsonl").read_text().splitlines(keepends=True))
    records = list(map(json.loads, found))
    [call] = [record for record in records if record.get("task_name") == "demo.main"]
    assert len(call["children"]) == 3


def test_import_is_idempotent(program, repo: Path) -> None:
    assert program("export", "--file", "x.jsonl") == (0, "", "")
    lines = Path("x.jsonl").read_text().splitlines(keepends=True)
    Path("x.jsonl").write_text("".join(lines * 2))
    for _ in range(2):
        assert program("-c", "other/.redun", "import", "--file", "x.jsonl") == (0, "", "")
        assert sorted(other_lines(program)) == sorted(lines)
    assert program("import", "-f", "x.jsonl").code == 0
    assert sorted(exported(program, "export")) == sorted(lines)


def test_any_order_of_lines(program, repo: Path) -> None:
    lines = exported(program, "export")
    for order in (lines[::-1], sorted(lines)):
        Path("x.jsonl").write_text("".join(order))
        program("init", "third")
        assert program("-c", "third/.redun", "import", "-f", "x.jsonl").code == 0
        assert sorted(exported(program, "-c", "third/.redun", "export")) == sorted(lines)
        for path in Path("third/.redun").iterdir():
            path.unlink()


def test_ids_and_prefixes(program, repo: Path) -> None:
    everything = exported(program, "export")
    program("run", "wf.py", "main", "--n", "4")
    assert len(exported(program, "export")) > len(everything)
    first = next(record for record in map(json.loads, everything) if record["_type"] == "Execution")
    assert sorted(exported(program, "export", first["id"])) == sorted(everything)
    assert sorted(exported(program, "export", first["id"][:8])) == sorted(everything)
    assert kinds(exported(program, "export", "-"))["Execution"] == 1
    call = next(record for record in map(json.loads, everything) if record["_type"] == "CallNode")
    some = kinds(exported(program, "export", call["call_hash"]))
    assert some["CallNode"] >= 1
    assert "Execution" not in some


def test_unknown_id(program, repo: Path) -> None:
    code, out, err = program("export", "nosuchid")
    assert (code, out) == (0, "")
    assert err == "hint: nothing recorded matches `nosuchid`\n"


def test_ambiguous_prefix(program, repo: Path) -> None:
    letters = Counter(
        json.loads(line)["value_hash"][0]
        for line in exported(program, "export")
        if json.loads(line)["_type"] == "Value"
    )
    letter, count = letters.most_common(1)[0]
    assert count > 1
    code, out, err = program("export", letter)
    assert (code, out) == (1, "")
    assert f"`{letter}` is the beginning of several ids" in err
    assert "hint: it may mean " in err


@pytest.mark.parametrize("suffix", [".jsonl", ".gz", ".zst"])
def test_files(program, repo: Path, suffix: str) -> None:
    lines = exported(program, "export")
    assert program("export", "-f", f"dir/x{suffix}") == (0, "", "")
    assert program("-c", "other/.redun", "import", "-f", f"dir/x{suffix}") == (0, "", "")
    assert sorted(other_lines(program)) == sorted(lines)


def test_remote_files(program, repo: Path, s3) -> None:
    url = s3.url("share/x.jsonl.gz")
    assert program("export", "-f", url) == (0, "", "")
    body = s3.client.get_object(Bucket=s3.bucket, Key="share/x.jsonl.gz")["Body"].read()
    assert gzip.decompress(body).decode() == "".join(exported(program, "export"))
    assert program("-c", "other/.redun", "import", "-f", url) == (0, "", "")
    assert sorted(other_lines(program)) == sorted(exported(program, "export"))


def test_pipe(cli, program, repo: Path) -> None:
    lines = cli("export").stdout
    done = cli("-c", "other/.redun", "import", stdin=lines)
    assert (done.code, done.stdout, done.stderr) == (0, "", "")
    assert cli("-c", "other/.redun", "import", "--file", "-", stdin="").code == 0
    assert sorted(other_lines(program)) == sorted(lines.splitlines(keepends=True))


def test_reader_that_stops(repo: Path) -> None:
    program = f"{sys.executable} -c 'from redun.cli import main; main()' export"
    done = subprocess.run(
        f"{program} | head -n 1", shell=True, capture_output=True, text=True, env=os.environ
    )
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""


BAD = {
    "cut off": (lambda lines: [*lines[:-1], lines[-1][:-9]], "it is cut off"),
    "unknown type": (
        lambda lines: [*lines, '{"_version": 1, "_type": "Foo"}\n'],
        "unknown record type 'Foo'",
    ),
    "unknown version": (
        lambda lines: [lines[0].replace('"_version": 1', '"_version": 3'), *lines[1:]],
        "unknown record version 3",
    ),
    "wrong hash": (
        lambda lines: [line.replace('"value": "blue"', '"value": "red"') for line in lines],
        "does not match its hash",
    ),
    "long line": (lambda lines: [*lines, "x" * (1 << 20) + "\n"], "it is not"),
    "no JSON": (lambda lines: [*lines[:3], "hello\n", *lines[3:]], "it is not JSON"),
    "wrong field": (
        lambda lines: [line.replace('"cached": false', '"cached": "no"') for line in lines],
        "`cached` is not true or false: 'no'",
    ),
    "NUL": (
        lambda lines: [line.replace('"task_name": "', '"task_name": "\\u0000') for line in lines],
        "`task_name` holds a NUL character",
    ),
    "not UTF-8": (lambda lines: [*lines[:2], "\udcff\n", *lines[2:]], "it is not UTF-8 text"),
    "deep": (lambda lines: [*lines, "[" * 10**5 + "\n"], "it is nested too deeply"),
    "empty line": (lambda lines: [*lines, "\n"], "it is empty"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input(program, repo: Path, name: str) -> None:
    spoil, message = BAD[name]
    program("-c", "other/.redun", "import", "-f", GOLDEN)
    before = other_lines(program)
    lines = exported(program, "export")
    spoilt = spoil(lines)
    text = "".join(spoilt).encode("utf-8", "surrogateescape")
    Path("bad.jsonl").write_bytes(text)
    number = next(
        place for place, line in enumerate(spoilt, 1) if place > len(lines) or line not in lines
    )
    code, out, err = program("-c", "other/.redun", "import", "-f", "bad.jsonl")
    assert (code, out) == (1, "")
    assert err.startswith(f"error: `bad.jsonl`, line {number}: ")
    assert message in err
    assert len(err) < 600
    assert other_lines(program) == before


def test_what_no_execution_leads_to(program, repo: Path) -> None:
    lines = exported(program, "export")
    for kept in (("Value",), ("Value", "CallNode"), ("Value", "CallNode", "Tag")):
        some = [line for line in lines if json.loads(line)["_type"] in kept]
        Path("x.jsonl").write_text("".join(some))
        assert program("-c", "other/.redun", "import", "-f", "x.jsonl") == (0, "", "")
        counts = program("-c", "other/.redun", "log", "--count", "--value", "--call-node").out
        wanted = kinds(some)
        assert counts.split() == [
            word for kind in ("CallNode", "Value") for word in (str(wanted[kind]), kind)
        ]


def test_parts_one_after_the_other(program, repo: Path) -> None:
    lines = exported(program, "export")
    parts = [[line for line in lines if json.loads(line)["_type"] == kind] for kind in KEYS]
    for part in parts[1:] + parts:
        Path("x.jsonl").write_text("".join(part))
        assert program("-c", "other/.redun", "import", "-f", "x.jsonl") == (0, "", "")
    assert sorted(other_lines(program)) == sorted(lines)


def test_calls_of_tasks_without_provenance(program, script, write_config, rows_of) -> None:
    """What they leave behind is verified as far as it goes, and their tasks are not forgotten."""
    directories = (".", "other", "third")
    uris = [write_config(directory=directory) for directory in directories]
    for directory in directories:
        assert program("init", directory).code == 0
    script(
        """
        @task(prov=False)
        def hidden(number: int) -> int:
            return number + 1

        @task()
        def leaf(number: int) -> int:
            return number

        @task()
        def mixed(number: int) -> list:
            return [leaf(number), hidden(number), leaf(number + 5)]

        @task()
        def main() -> list:
            return [mixed(1), hidden.options(prov=True)(7)]
        """
    )
    assert program("run", "wf.py", "main").code == 0
    lines = exported(program, "export")
    marked = [record for record in map(json.loads, lines) if "unrecorded_tasks" in record]
    assert [record["task_name"] for record in marked] == ["demo.mixed"]
    assert program("export", "-f", "x.jsonl").code == 0
    assert program("-c", "other/.redun", "import", "-f", "x.jsonl") == (0, "", "")
    assert sorted(other_lines(program)) == sorted(lines)
    assert program("push", "b.redun").code == 0
    assert program("-c", "third/.redun", "pull", "b.redun").code == 0
    query = "SELECT call_hash, task_hash FROM call_subtree_task"
    here, other, third = (sorted(rows_of(uri, query)) for uri in uris)
    assert here == other == third != []


def test_without_verification(program, repo: Path) -> None:
    lines = exported(program, "export")
    changed = [line.replace('"value": "blue"', '"value": "red"') for line in lines]
    Path("x.jsonl").write_text("".join(changed))
    code, _, err = program("-c", "other/.redun", "import", "-f", "x.jsonl")
    assert code == 1
    assert "hint: `--no-verify` accepts it if you trust where it comes from" in err
    assert program("-c", "other/.redun", "import", "-f", "x.jsonl", "--no-verify").code == 0
    assert sorted(other_lines(program)) == sorted(changed)


def test_missing_file(program, repo: Path) -> None:
    code, out, err = program("import", "-f", "none.jsonl")
    assert (code, out) == (1, "")
    assert "none.jsonl" in err
    assert "Traceback" not in err


def test_database_of_another_version(program, repo: Path) -> None:
    program("db", "downgrade", "3.3")
    for command in ("export", "import"):
        code, _, err = program(command)
        assert code == 1
        assert "redun database is an incompatible version 3.3" in err


def test_export_of_a_bundle(program, repo: Path) -> None:
    from redun.sync.bundle import BundleStore

    lines = exported(program, "export")
    store = BundleStore("x.redun")
    store.put(map(json.loads, lines))
    store.close()
    assert sorted(exported(program, "--repo", "x.redun", "export")) == sorted(lines)
    Path("x.jsonl").write_text("".join(lines))
    assert program("--repo", "new.redun", "import", "-f", "x.jsonl") == (0, "", "")
    assert sorted(exported(program, "--repo", "./new.redun", "export")) == sorted(lines)


def test_log_of_a_bundle(program, repo: Path) -> None:
    program("run", "wf.py", "main", "--n", "5", "--tag", "team=red")
    program("export", "-f", "x.jsonl")
    program("--repo", "x.redun", "import", "-f", "x.jsonl")
    expected = program("log", "--no-pager").out.split("\n\n", 1)[1]
    assert program("--repo", "x.redun", "log") == (0, expected, "")
    assert expected.count("Exec ") == 2
    for words in (["-"], ["--job"], ["--count"], ["--format", "json"]):
        code, out, err = program("--repo", "x.redun", "log", *words)
        assert (code, out) == (2, "")
        assert "hint: `redun pull x.redun`" in err
    assert program("--repo", "none.redun", "log") == (0, "", "")
    assert not Path("none.redun").exists()


def told_until(master: int, wanted: str) -> str:
    """What a terminal shows, up to a text that it must come to show."""
    shown = ""
    while wanted not in shown:
        ready, _, _ = select.select([master], [], [], 60)
        assert ready, f"only {shown!r} was shown"
        shown += os.read(master, 4096).decode()
    return shown


@pytest.mark.parametrize("verb", ["import", "export"])
def test_a_terminal_shows_how_far_it_is(program, repo: Path, verb: str) -> None:
    lines = exported(program, "export")
    # More than a pipe holds, so that an export waits for us.
    tags = [f"k{number}={'v' * 20_000}" for number in range(10)]
    assert program("tag", "add", "-", *tags).code == 0
    config = "other/.redun" if verb == "import" else ".redun"
    master, slave = pty.openpty()
    with subprocess.Popen(
        [Path(sys.executable).parent / "redun", "-c", config, verb],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=slave,
        env={**os.environ, "TERM": "xterm"},
        text=True,
    ) as process:
        os.close(slave)
        assert process.stdin is not None
        assert process.stdout is not None
        if verb == "import":
            process.stdin.write(lines[0])
            process.stdin.flush()
            shown = told_until(master, "checking")
            process.stdin.writelines(lines[1:])
            process.stdin.close()
        else:
            shown = told_until(master, "exporting")
        process.stdout.read()
        assert process.wait(60) == 0
        with suppress(OSError):
            while more := os.read(master, 4096).decode():
                shown += more
    os.close(master)
    assert shown.endswith("\r\x1b[2K"), "the line is gone at the end"
