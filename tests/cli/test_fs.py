"""`redun fs`: the list of file systems, and copies between files, directories and standard streams."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from redun.cli.meter import Meter, format_bytes

REDUN = str(Path(sys.executable).parent / "redun")

pytestmark = pytest.mark.usefixtures("workdir")

HOSTILE = (
    "two words",
    "it's",
    'quo"te',
    "$(touch owned)",
    "a;touch owned;",
    "new\nline",
    "star*",
    "größe",
    "--recursive",
)


def test_file_systems_are_listed(program) -> None:
    outcome = program("fs")
    first, *names = outcome.out.splitlines()
    assert (outcome.code, first) == (0, "Supported filesystems:")
    assert "  local" in names
    assert names == sorted(names)


def test_copy_of_a_file(program) -> None:
    Path("a").write_bytes(b"\x00\xff")
    assert program("fs", "cp", "a", "new/b") == (0, "", "")
    assert Path("new/b").read_bytes() == b"\x00\xff"


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names(program, name: str) -> None:
    Path("a").write_text("x")
    assert program("fs", "cp", "--", "a", name).code == 0
    assert program("fs", "cp", "--", name, "b").code == 0
    assert Path("b").read_text() == "x"
    assert sorted(os.listdir()) == sorted({"a", "b", name})


def test_copy_of_a_directory(program) -> None:
    for name in ("d/a", "d/s/b", "d/.hidden", *(f"d/{name}" for name in HOSTILE)):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(name)
    assert program("fs", "cp", "--recursive", "d", "e") == (0, "", "")
    copied = sorted(str(path) for path in Path("e").rglob("*") if path.is_file())
    assert copied == sorted(["e/a", "e/s/b", *(f"e/{name}" for name in HOSTILE)])
    assert Path("e/s/b").read_text() == "d/s/b"
    Path("empty").mkdir()
    assert program("fs", "cp", "-r", "empty", "f/g").code == 0
    assert Path("f/g").is_dir()


def test_standard_streams(cli) -> None:
    made = cli("fs", "cp", "-", "made", stdin="from stdin\n")
    assert (made.code, made.stdout, made.stderr) == (0, "", "")
    assert Path("made").read_text() == "from stdin\n"
    shown = cli("fs", "cp", "made", "-")
    assert (shown.code, shown.stdout, shown.stderr) == (0, "from stdin\n", "")
    assert cli("fs", "cp", "-", "-", stdin="through").stdout == "through"


def test_killed_copy_leaves_what_was_there() -> None:
    Path("kept").write_text("old")
    for name in ("kept", "new/made"):
        command = [REDUN, "fs", "cp", "-", name]
        with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
            assert process.stdin is not None
            # More than a pipe holds: when it is written, the copy is under way.
            process.stdin.write(b"x" * (4 << 20))
            process.stdin.flush()
            process.kill()
            process.wait()
    assert Path("kept").read_text() == "old"
    assert not Path("new/made").exists()


def test_reader_that_leaves_early() -> None:
    with open("big", "wb") as stream:
        stream.truncate(8 << 20)
    done = subprocess.run(
        f"set -o pipefail; {REDUN} fs cp big - | head -c 3",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"\0\0\0", b"")


def test_full_destination(program) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    Path("a").write_text("x")
    outcome = program("fs", "cp", "a", "/dev/full")
    assert outcome.code == 1
    assert "No space left" in outcome.err
    done = subprocess.run(f"{REDUN} fs cp a - > /dev/full", shell=True, capture_output=True)
    assert done.returncode == 1
    assert b"No space left" in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nope", "x"], "cannot use `nope`: No such file or directory"),
        (["-r", "nope", "x"], "No such file or directory. nope"),
        ([".", "x"], "cannot copy `.` to `x`: one of them is a directory"),
        (["f", "."], "cannot copy `f` to `.`: one of them is a directory"),
        ([".", "-"], "cannot copy `.` to `-`: one of them is a directory"),
        (["-r", "f", "x"], "cannot copy `f` to `x`: not a directory"),
        (["-r", ".", "-"], "--recursive copies directories, not standard input or output"),
        (["nofs://x", "y"], "no file system for protocol 'nofs'"),
        (["f", "f"], "are the same file"),
    ],
)
def test_errors(program, words: list[str], message: str) -> None:
    Path("f").write_text("x")
    outcome = program("fs", "cp", *words)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith("error: ")
    assert message in outcome.err
    assert os.listdir() == ["f"]


def test_wrong_usage(program) -> None:
    assert program("fs", "cp", "a").code == 2
    assert program("fs", "cp", "a", "b", "c").code == 2
    assert "no such option" in program("fs", "cp", "--recur", "a", "b").err


def test_progress_on_a_terminal() -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [REDUN, "fs", "cp", "-", "out"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm"},
    ) as process:
        os.close(theirs)
        assert process.stdin is not None
        process.stdin.write(b"x" * (2 << 20))
        process.stdin.flush()
        shown = b""
        while b"copying 2.1 MB, 0:0" not in shown:
            shown += os.read(ours, 1000)
        process.stdin.close()
        assert process.wait() == 0
    os.close(ours)
    assert Path("out").stat().st_size == 2 << 20


def test_what_the_meter_says() -> None:
    meter = Meter("copying")
    assert str(meter) == "copying, 0:00"
    meter.update(3, 1200, "files")
    assert str(meter) == "copying 3 of 1,200 files, 0:00"
    assert [format_bytes(count) for count in (0, 999, 1500, 2 * 10**9, 10**16)] == [
        "0 bytes",
        "999 bytes",
        "1.5 KB",
        "2.0 GB",
        "10000.0 TB",
    ]
