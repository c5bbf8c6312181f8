"""The local file system and the registry of protocols."""

import io
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from redun.file import (
    Dir,
    File,
    FileSystem,
    LocalFileSystem,
    RedunFileNotFoundError,
    UnknownProtocolError,
    get_filesystem,
    get_filesystem_class,
    get_proto,
    list_filesystems,
    register_filesystem,
)
from redun.file.fs import base as registry_module
from redun.hashing import hash_bytes, hash_struct

pytestmark = pytest.mark.usefixtures("workdir")


class MemoryFileSystem(FileSystem):
    """A file system of another protocol, as a user may register one."""

    name = "mem"
    files: dict[str, bytes] = {}

    def _open(self, path: str, mode: str, **kwargs: Any) -> IO:
        if "r" in mode:
            if path not in self.files:
                raise FileNotFoundError(2, "No such file or directory")
            data = io.BytesIO(self.files[path])
            return data if "b" in mode else io.TextIOWrapper(data)
        files = self.files

        class Writer(io.BytesIO):
            def close(self) -> None:
                if not self.closed:
                    files[path] = self.getvalue()
                super().close()

        return Writer() if "b" in mode else io.TextIOWrapper(Writer())

    def exists(self, path: str) -> bool:
        return path in self.files

    def remove(self, path: str) -> None:
        self.files.pop(path, None)

    def mkdir(self, path: str) -> None:
        pass

    def rmdir(self, path: str, recursive: bool = False) -> None:
        pass

    def get_hash(self, path: str) -> str:
        return hash_bytes(path.encode() + self.files.get(path, b"-1"))

    def glob(self, pattern: str) -> list[str]:
        prefix = pattern.removesuffix("**")
        return [path for path in self.files if path.startswith(prefix)]

    def isfile(self, path: str) -> bool:
        return path in self.files

    def isdir(self, path: str) -> bool:
        return False

    def filesize(self, path: str) -> int:
        return len(self.files[path])


@pytest.fixture
def memory() -> Iterator[type[FileSystem]]:
    MemoryFileSystem.files = {}
    yield register_filesystem(MemoryFileSystem)
    del registry_module._classes["mem"]


@pytest.fixture
def local() -> FileSystem:
    return get_filesystem("local")


@pytest.mark.parametrize(
    ("url", "proto"),
    [
        (None, "local"),
        ("", "local"),
        ("a/b", "local"),
        ("./a:b", "local"),
        (":x", "local"),
        ("1a:b", "local"),
        ("é:x", "local"),
        ("a:b/c", "a"),
        ("C:\\x", "c"),
        ("HTTP://x", "http"),
        ("a+b-.c:x", "a+b-.c"),
        ("file:///x", "file"),
    ],
)
def test_get_proto(url: str | None, proto: str) -> None:
    assert get_proto(url) == proto


def test_registry(memory: type[FileSystem]) -> None:
    assert list_filesystems()[0] is LocalFileSystem
    assert memory in list_filesystems()
    assert get_filesystem_class("mem") is memory
    assert get_filesystem_class(url="mem://x") is memory
    assert get_filesystem(url="a") is get_filesystem("local")
    with pytest.raises(AssertionError):
        get_filesystem_class()
    with pytest.raises(UnknownProtocolError, match=r"supported: local, .*mem"):
        get_filesystem("nosuch")


def test_other_protocol(memory: type[FileSystem]) -> None:
    Path("a").write_text("abc")
    remote = File("mem://x/a")
    File("a").copy_to(remote)
    assert remote.read() == "abc"
    assert remote.is_valid()
    remote.copy_to(File("b"))
    assert Path("b").read_text() == "abc"
    remote.write("more")
    assert remote.hash == remote.filesystem.get_hash(remote.path)
    assert [file.path for file in Dir("mem://x")] == ["mem://x/a"]
    assert Dir("mem://x").is_valid()
    assert remote.filesystem.content_hashes([remote.path]) == [hash_bytes(b"more")]
    with pytest.raises(RedunFileNotFoundError) as error:
        File("mem://x/b").read()
    assert error.value.path == "mem://x/b"
    with pytest.raises(AssertionError, match="time is not supported"):
        remote.touch((0, 0))


def test_shell_copy_to_another_protocol(memory: type[FileSystem], local: FileSystem) -> None:
    assert local.shell_copy("a", "mem://b c") == "redun fs cp a 'mem://b c'"
    remote = get_filesystem("mem")
    assert remote.shell_copy("mem://a", None) == "redun fs cp mem://a -"
    assert remote.shell_copy("mem://a", "b", recursive=True) == "redun fs cp --recursive mem://a b"


@pytest.mark.parametrize(
    ("source", "dest", "recursive", "command"),
    [
        ("a", "b", False, "cp a b"),
        ("a b", "c", False, "cp 'a b' c"),
        ("a", "b", True, "cp -r a b"),
        ("a", None, False, "cat a"),
        (None, "b", False, "cat > b"),
    ],
)
def test_shell_copy(
    local: FileSystem, source: str | None, dest: str | None, recursive: bool, command: str
) -> None:
    assert local.shell_copy(source, dest, recursive=recursive) == command


def test_shell_copy_errors(local: FileSystem) -> None:
    message = r"recursive is not supported with stdin or stdout\."
    with pytest.raises(ValueError, match=message):
        local.shell_copy("a", None, recursive=True)
    with pytest.raises(ValueError, match=r"At least one path must be defined\."):
        local.shell_copy(None, None)
    with pytest.raises(UnknownProtocolError):
        local.shell_copy("a", "nosuch://b/c")


def test_touch(local: FileSystem) -> None:
    local.touch("sub/f", (1, 1))
    assert os.stat("sub/f").st_size == 0
    assert os.stat("sub/f").st_mtime > 1
    local.touch("sub/f", (1, 2))
    assert os.stat("sub/f").st_mtime == 2


def test_remove_and_rmdir(local: FileSystem) -> None:
    os.makedirs("d/e")
    Path("d/f").write_text("x")
    with pytest.raises(IsADirectoryError):
        local.remove("d")
    with pytest.raises(OSError, match="not empty"):
        local.rmdir("d")
    local.rmdir("d", recursive=True)
    assert not local.exists("d")
    local.rmdir("d")
    local.remove("d")


def test_hash_of_many(local: FileSystem) -> None:
    Path("a").write_text("x")
    assert local.get_hashes(["a", "nope"]) == [local.get_hash("a"), local.get_hash("nope")]
    assert local.content_hashes(["a"]) == [hash_bytes(b"x")]
    with pytest.raises(RedunFileNotFoundError) as error:
        local.content_hashes(["a", "nope"])
    assert error.value.path == "nope"


@pytest.mark.parametrize("nanoseconds", [0, 1, -1, -1500000000, 10**5, 16 * 10**17, 2**62])
def test_text_of_the_mtime(local: FileSystem, nanoseconds: int) -> None:
    Path("f").write_text("")
    os.utime("f", ns=(0, nanoseconds))
    text = str(os.stat("f").st_mtime)
    assert local.get_hash("f") == hash_struct(["File", "local", "f", 0, text])


def test_text_of_any_mtime(local: FileSystem) -> None:
    Path("f").write_text("")
    for nanoseconds in random.Random(5).sample(range(-(10**18), 4 * 10**18), 2000):
        os.utime("f", ns=(0, nanoseconds))
        text = str(os.stat("f").st_mtime)
        assert local.get_hash("f") == hash_struct(["File", "local", "f", 0, text]), nanoseconds


def test_hash_of_a_name_that_is_not_utf8(local: FileSystem) -> None:
    path = os.fsdecode(b"caf\xe9")
    Path(path).write_text("abc")
    record = ["File", "local", b"caf\xe9", 3, str(os.stat(path).st_mtime)]
    assert local.get_hash(path) == hash_struct(record)
    assert local.get_hashes(["nul\0byte"]) == [
        hash_struct(["File", "local", "nul\0byte", -1, "-1"])
    ]
    assert local.tree_files(".") == [f"./{path}"]


def test_directories_and_sizes(local: FileSystem) -> None:
    os.makedirs("d")
    Path("f").write_text("abc")
    assert (local.isdir("d"), local.isfile("d")) == (True, False)
    assert (local.isdir("f"), local.isfile("f")) == (False, True)
    assert local.filesize("f") == 3
    assert local.glob_files("*") == ["f"]
    assert sorted(local.glob("*")) == ["d", "f"]
    assert local.tree_files("f") == []
