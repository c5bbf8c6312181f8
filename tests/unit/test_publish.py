"""Local files appear whole or not at all, and stay the kind of file they were."""

import errno
import io
import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import pytest

from redun.file import File, RedunFileNotFoundError, RedunOSError, RedunPermissionError, open_file

pytestmark = pytest.mark.usefixtures("workdir")

MODES = [("w", "new"), ("wb", b"new"), ("w+", "new"), ("wb+", b"new"), ("wt", "new")]


def parts() -> list[str]:
    """Leave no drafts: the hidden files below the current directory."""
    return [str(path) for path in Path().rglob(".redun-*")]


@contextmanager
def unprivileged() -> Iterator[None]:
    """Be a user whom permissions hold for, in a directory open to all."""
    where = os.getcwd()
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o777)
        os.chdir(directory)
        root = os.geteuid() == 0
        if root:
            os.seteuid(65534)
        try:
            yield
        finally:
            if root:
                os.seteuid(0)
            os.chdir(where)


def leave_by_exception(stream: IO, data: str | bytes) -> IO:
    """Write to a stream in a `with` block that an exception ends."""
    with suppress(KeyError), stream:
        stream.write(data)
        raise KeyError
    return stream


@pytest.mark.parametrize(("mode", "data"), MODES)
def test_new_content_appears_at_close(mode: str, data: str | bytes) -> None:
    Path("f").write_text("old")
    stream = open_file("f", mode)
    stream.write(data)
    stream.flush()
    assert Path("f").read_text() == "old"
    assert stream.name == "f"
    stream.close()
    stream.close()
    assert Path("f").read_text() == "new"
    assert parts() == []


@pytest.mark.parametrize(("mode", "data"), MODES)
@pytest.mark.parametrize("before", [None, "old"])
def test_exception_leaves_what_was_there(mode: str, data: str | bytes, before: str | None) -> None:
    if before is not None:
        Path("f").write_text(before)
    file = File("f")
    known = file.hash
    stream = leave_by_exception(file.open(mode), data)
    assert stream.closed
    assert (Path("f").read_text() if before else Path("f").exists()) == (before or False)
    assert file.hash == known == File("f").hash
    assert parts() == []


def test_unbuffered_and_line_buffered_streams() -> None:
    with open_file("f", "wb", buffering=0) as stream:
        assert isinstance(stream, io.RawIOBase)
        stream.write(b"abc")
    with open_file("g", "w", buffering=1) as stream:
        assert stream.line_buffering
        stream.write("abc\n")
    assert (Path("f").read_bytes(), Path("g").read_text()) == (b"abc", "abc\n")
    leave_by_exception(open_file("f", "wb", buffering=0), b"half")
    assert Path("f").read_bytes() == b"abc"


def test_options_of_text() -> None:
    with open_file("f", "w", encoding="latin-1", newline="\r\n", errors="replace") as stream:
        assert (stream.mode, stream.encoding) == ("w", "latin-1")
        stream.write("é\n€")
    assert Path("f").read_bytes() == b"\xe9\r\n?"
    with open_file("f", "w+b") as stream:
        stream.write(b"abc")
        stream.seek(0)
        assert stream.read() == b"abc"
    for mode, options in (
        ("w", {"buffering": 0}),
        ("wb", {"newline": ""}),
        ("wbt", {}),
        ("ww", {}),
        ("w", {"newline": "x"}),
    ):
        with pytest.raises(ValueError):
            open_file("f", mode, **options)
    with pytest.raises(LookupError):
        open_file("f", "w", encoding="no-such-code")
    assert Path("f").read_bytes() == b"abc"
    assert parts() == []


WRITER = """
import sys
from redun.file import File
stream = File("f").open("w")
stream.write("half" * 100_000)
stream.flush()
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("before", [None, "old"])
def test_killed_writer_leaves_what_was_there(before: str | None) -> None:
    if before is not None:
        Path("f").write_text(before)
    command = [sys.executable, "-c", WRITER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    assert (Path("f").read_text() if before else Path("f").exists()) == (before or False)
    from redun.file import Dir

    assert [file.path for file in Dir(".")] == (["./f"] if before else [])


FULL = """
import resource
from redun.file import File
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
for action in (lambda: File("f").write("x" * 200_000), lambda: File("big").copy_to(File("f"))):
    try:
        action()
    except OSError as error:
        print(error.errno)
try:
    stream = File("f").open("wb", buffering=1 << 20)
    stream.write(b"x" * 200_000)
    stream.close()
except OSError as error:
    print(error.errno)
"""


def test_full_disk_leaves_what_was_there() -> None:
    Path("f").write_text("old")
    Path("big").write_text("y" * 200_000)
    done = subprocess.run([sys.executable, "-c", FULL], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(errno.EFBIG)] * 3
    assert Path("f").read_text() == "old"
    assert parts() == []


def test_permissions() -> None:
    before = os.umask(0o027)
    try:
        File("new").write("x")
        Path("old").write_text("x")
        os.chmod("old", 0o751)
        File("old").write("y")
        File("new").copy_to(File("old"))
        File("old").copy_to(File("copy"))
    finally:
        os.umask(before)
    modes = {name: stat.S_IMODE(os.stat(name).st_mode) for name in ("new", "old", "copy")}
    assert modes == {"new": 0o640, "old": 0o751, "copy": 0o640}


def test_extended_attributes() -> None:
    Path("f").write_text("old")
    try:
        os.setxattr("f", "user.note", b"kept")
    except OSError:
        pytest.skip("the file system has no extended attributes")
    File("f").write("new")
    assert (os.getxattr("f", "user.note"), Path("f").read_text()) == (b"kept", "new")


def test_owner() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    Path("f").write_text("old")
    os.chown("f", 1234, 4321)
    File("f").write("new")
    about = os.stat("f")
    assert (about.st_uid, about.st_gid, Path("f").read_text()) == (1234, 4321, "new")


def test_links_stay_links() -> None:
    os.makedirs("there")
    Path("there/file").write_text("old")
    os.symlink("there/file", "link")
    os.symlink("link", "again")
    os.symlink("there/made", "dangling")
    os.symlink("loop", "loop")
    File("again").write("new")
    File("dangling").write("made")
    assert os.readlink("again") == "link"
    assert Path("there/file").read_text() == "new"
    assert Path("there/made").read_text() == "made"
    with pytest.raises(RedunOSError) as error:
        File("loop").write("x")
    assert error.value.errno == errno.ELOOP
    assert parts() == []


def test_hard_links_stay_one_file() -> None:
    Path("a").write_text("old")
    os.link("a", "b")
    File("a").write("new")
    assert Path("b").read_text() == "new"
    assert os.path.samefile("a", "b")


def test_devices_and_pipes_are_written_to() -> None:
    File("/dev/null").write("x")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    os.symlink("/dev/stdout", "out")
    code = (
        "from redun.file import File; File('out').write('said'); File('/dev/stdout').write('more')"
    )
    with open("output", "ab") as output:
        subprocess.run([sys.executable, "-c", code], stdout=output, check=True)
        assert os.path.samestat(os.fstat(output.fileno()), os.stat("output"))
    assert Path("output").read_text() == "more"
    os.mkfifo("pipe")
    reader = subprocess.Popen(["cat", "pipe"], stdout=subprocess.PIPE)
    File("pipe").write("through")
    assert reader.communicate()[0] == b"through"
    with pytest.raises(RedunOSError) as error:
        File(".").write("x")
    assert error.value.errno == errno.EISDIR


def test_what_may_not_be_written_is_not_replaced() -> None:
    with unprivileged():
        Path("f").write_text("old")
        os.chmod("f", 0o444)
        with pytest.raises(RedunPermissionError):
            File("f").write("new")
        assert Path("f").read_text() == "old"
        os.mkdir("closed")
        Path("closed/f").write_text("old")
        os.chmod("closed", 0o555)
        File("closed/f").write("new")
        assert Path("closed/f").read_text() == "new"
        with pytest.raises(RedunPermissionError):
            File("closed/g").write("new")
        os.chmod("closed", 0o755)
        assert parts() == []


def test_file_that_cannot_be_renamed_over_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: str, target: str) -> None:
        raise OSError(errno.EBUSY, "a mount point", source, None, target)

    Path("f").write_text("old")
    monkeypatch.setattr(os, "replace", refuse)
    File("f").write("new")
    assert Path("f").read_text() == "new"
    assert parts() == []


def test_directory_that_is_gone_at_close() -> None:
    stream = File("d/f").open("w")
    os.rename("d", "e")
    with pytest.raises(RedunFileNotFoundError) as error:
        stream.close()
    assert error.value.path == "d/f"


def test_directory_may_change_meanwhile() -> None:
    os.mkdir("elsewhere")
    stream = open_file("f", "w")
    os.chdir("elsewhere")
    stream.write("x")
    stream.close()
    assert Path("../f").read_text() == "x"


def test_longest_name() -> None:
    name = "n" * 255
    File(name).write("x")
    assert Path(name).read_text() == "x"


def test_last_of_two_writers_counts() -> None:
    first, second = open_file("f", "w"), open_file("f", "w")
    first.write("first" * 1000)
    second.write("second")
    second.close()
    assert Path("f").read_text() == "second"
    first.close()
    assert Path("f").read_text() == "first" * 1000


def test_forked_process_does_not_publish() -> None:
    Path("f").write_text("old")
    code = """
import os
from redun.file import open_file
stream = open_file("f", "w")
if os.fork() == 0:
    stream.close()
    os._exit(0)
assert os.wait()[1] == 0
print(open("f").read())
stream.write("new")
stream.close()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "old\n"
    assert Path("f").read_text() == "new"


def test_copy_over_itself_and_of_a_missing_file() -> None:
    import shutil

    Path("a").write_text("x")
    os.symlink("a", "b")
    with pytest.raises(shutil.SameFileError):
        File("a").copy_to(File("b"))
    with pytest.raises(FileNotFoundError):
        File("nope").copy_to(File("a"))
    with pytest.raises(IsADirectoryError):
        File("a").copy_to(File("."))
    with pytest.raises(IsADirectoryError):
        File(".").copy_to(File("c"))
    assert Path("a").read_text() == "x"
    assert sorted(os.listdir()) == ["a", "b"]
