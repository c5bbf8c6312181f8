"""`File`: hashes, opening, copying, pickling."""

import gc
import os
import pickle
import pickletools
from pathlib import Path
from typing import Any

import pytest

from redun.file import (
    ContentFile,
    File,
    IFile,
    RedunFileNotFoundError,
    RedunOSError,
    StagingFile,
    UnknownProtocolError,
    copy_file,
    glob_file,
    open_file,
)
from redun.hashing import hash_bytes, hash_struct, set_scheme
from redun.utils import pickle_dumps
from redun.value import get_type_registry

pytestmark = pytest.mark.usefixtures("workdir")

registry = get_type_registry()


def stat_hash(path: str) -> str:
    stat = os.stat(path)
    return hash_struct(["File", "local", path, stat.st_size, str(stat.st_mtime)])


def test_making_a_file_does_no_io() -> None:
    file = File("./no/such//file")
    assert file.path == "./no/such//file"
    assert file._hash is None
    assert not file.exists()


def test_paths() -> None:
    assert File(Path("a") / "b").path == "a/b"
    assert File(b"a/b").path == "a/b"  # type: ignore[arg-type]
    assert File("a/b/").basename() == ""
    assert File("a/b").basename() == "b"
    assert File("a/b").dirname() == "a"
    for path in ("", None):
        with pytest.raises(AssertionError, match="Must give url or proto as argument"):
            File(path)  # type: ignore[arg-type]


@pytest.mark.parametrize("url", ["C:\\x", "nosuch:x", "nosuch://bucket/key"])
def test_unknown_protocol(url: str) -> None:
    with pytest.raises(UnknownProtocolError) as error:
        File(url)
    proto = url.partition(":")[0].lower()
    assert f"no file system for protocol '{proto}'" in str(error.value)
    assert isinstance(error.value, KeyError)
    assert error.value.args == (proto,)
    assert error.value.hints


def test_hash_is_of_path_size_and_mtime() -> None:
    file = File("f")
    assert file.hash == hash_struct(["File", "local", "f", -1, "-1"])
    file.write("hello")
    assert file.hash == stat_hash("f")
    file.touch((0, 1600000000))
    assert file._hash != stat_hash("f")
    file.update_hash()
    assert file.hash == hash_struct(["File", "local", "f", 5, "1600000000.0"])
    assert repr(file) == f"File(path=f, hash={file.hash[:8]})"
    assert File("./f").hash != file.hash


def test_compatibility_vectors() -> None:
    set_scheme("redun1")
    Path("f").write_text("hello")
    os.utime("f", (0, 1600000000))
    vectors = {
        File("nope"): "5cfbd15152898c0b71dd538a5c148af8ed0a10c4",
        File("f"): "bc8e505b8a3fc3c52d79bb5e8cd0901afb8a78d8",
        ContentFile("f"): "681d3be64426658be011bd0e9090e29bfa0a096f",
        IFile("nope"): "5a1ce9571f0f6ce4440d20f8e4da63556d16c4a2",
    }
    for file, expected in vectors.items():
        assert file.hash == expected
        assert registry.get_hash(file) == expected
    assert registry.get_hash(StagingFile("l", "r")) == "ace464d3f259174a19f3331ef8fd82e48f933cfc"


def test_memoised_hash_remembers_its_scheme() -> None:
    file = File("nope")
    before = file.hash
    set_scheme("redun1")
    assert file.hash == "5cfbd15152898c0b71dd538a5c148af8ed0a10c4"
    assert file.is_valid()
    set_scheme("blake3")
    assert file.hash == before


def test_validity() -> None:
    file = File("f")
    assert file.is_valid()
    assert file.is_valid()
    Path("f").write_text("now")
    assert not file.is_valid()
    file.update_hash()
    assert file.is_valid()
    file.remove()
    file.remove()
    assert not file.is_valid()


def test_pickle_layout() -> None:
    file = File("nope")
    data = pickle_dumps(file)
    assert data.startswith(b"\x80\x03credun.file\nFile\n")
    state = file.__getstate__()
    assert list(state) == ["path", "hash"]
    assert state["path"] is file.path
    assert file.__getstate__()["hash"] is state["hash"]
    opcodes = [op.name for op, _, _ in pickletools.genops(data)]
    assert opcodes[1:6] == ["GLOBAL", "BINPUT", "EMPTY_TUPLE", "NEWOBJ", "BINPUT"]
    loaded = pickle.loads(data)
    assert (loaded.path, loaded.hash) == (file.path, file.hash)
    empty = File.__new__(File)
    empty.__setstate__({"path": "x", "hash": None})
    assert empty.hash == File("x").hash
    with pytest.raises(KeyError):
        empty.__setstate__({"path": "x"})


def test_redun1_pickle_bytes() -> None:
    set_scheme("redun1")
    expected = (
        b"\x80\x03credun.file\nFile\nq\x00)\x81q\x01}q\x02(X\x04\x00\x00\x00pathq\x03"
        b"X\x04\x00\x00\x00nopeq\x04X\x04\x00\x00\x00hashq\x05"
        b"X(\x00\x00\x005cfbd15152898c0b71dd538a5c148af8ed0a10c4q\x06ub."
    )
    assert registry.serialize(File("nope")) == expected
    path = "nope"
    assert registry.get_hash([path, File(path)]) != registry.get_hash(
        [path, File("".join(["no", "pe"]))]
    )


@pytest.mark.parametrize("mode", ["w", "a", "wb", "x", "w+"])
def test_closing_a_written_stream_updates_the_hash(mode: str) -> None:
    file = File("dir/f") if "x" not in mode else File("f")
    before = file.hash
    stream = file.open(mode)
    stream.write(b"abc" if "b" in mode else "abc")
    assert file._hash == before
    stream.close()
    assert file._hash == stat_hash(file.path)
    Path(file.path).write_text("longer than before")
    stream.close()
    assert not file.is_valid()


def test_reading_leaves_the_hash() -> None:
    file = File("f")
    file.write("one\ntwo\n")
    known = file.hash
    Path("f").write_text("changed\n")
    assert file.read() == "changed\n"
    assert file.read("rb") == b"changed\n"
    assert file.readlines() == ["changed\n"]
    assert file._hash == known


def test_stream_closed_by_an_exception_or_by_being_dropped() -> None:
    file = File("f")
    with pytest.raises(TypeError), file.open("a") as stream:
        stream.writelines(["abc", 5])  # type: ignore[list-item]
    assert file.hash == stat_hash("f")
    with pytest.raises(TypeError), file.open("w") as stream:
        stream.writelines(["def", 5])  # type: ignore[list-item]
    assert file.hash == stat_hash("f")
    assert file.read() == "abc"
    gc.disable()
    try:
        other = File("g")
        missing = other.hash
        stream = other.open("w")
        stream.write("text in the buffer")
        del stream
        assert Path("g").read_text() == "text in the buffer"
        assert other._hash == stat_hash("g") != missing
    finally:
        gc.enable()


def test_encoding() -> None:
    file = File("f")
    file.write("é", encoding="utf-16")
    assert Path("f").read_bytes() == "é".encode("utf-16")
    assert file.read(encoding="utf-16") == "é"
    assert file.hash == stat_hash("f")
    message = "Binary mode 'b' cannot be used with encoding"
    with pytest.raises(ValueError, match=message):
        file.open("wb", encoding="utf-8")


def test_errors_of_opening(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(RedunFileNotFoundError) as missing:
        File("nope").read()
    assert str(missing.value) == "[Errno 2] No such file or directory. nope"
    assert missing.value.path == "nope"
    assert missing.value.filename is None
    assert isinstance(missing.value.__cause__, FileNotFoundError)
    with pytest.raises(RedunFileNotFoundError):
        File("no/f").open("x")
    with pytest.raises(RedunOSError):
        File(".").read()
    with pytest.raises(ValueError):
        File("f").open("zz")
    assert "[redun] File.open error: f\n" in capsys.readouterr().err


def test_copy() -> None:
    source = File("a")
    source.write("abc")
    dest = File("sub/b")
    assert source.copy_to(dest) is dest
    assert dest.read() == "abc"
    assert dest._hash == stat_hash("sub/b")
    dest.write("kept")
    assert source.copy_to(dest, skip_if_exists=True).read() == "kept"
    with pytest.raises(FileNotFoundError) as missing:
        File("nope").copy_to(File("c"))
    assert not isinstance(missing.value, RedunFileNotFoundError)
    with pytest.raises(OSError, match="are the same file"):
        source.copy_to(File("a"))
    with pytest.raises(FileNotFoundError):
        File("nope").size()
    assert source.size() == 3


def test_copying_to_and_from_standard_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("a").write_bytes(b"\x00data")

    class Streams:
        def __init__(self, buffer: Any) -> None:
            self.buffer = buffer

    monkeypatch.setattr("sys.stdin", Streams(open("a", "rb")))
    copy_file(None, "b/c")
    assert Path("b/c").read_bytes() == b"\x00data"
    monkeypatch.setattr("sys.stdout", Streams(open("d", "wb")))
    copy_file("a", None)
    assert Path("d").read_bytes() == b"\x00data"


def test_functions_over_paths() -> None:
    with open_file("x/y", "w") as stream:
        stream.write("hi")
    copy_file("x/y", "z/y")
    copy_file("x", "w", recursive=True)
    assert glob_file("*/y") == glob_file("?/y")
    assert sorted(glob_file("*/y")) == ["w/y", "x/y", "z/y"]
    with pytest.raises(ValueError, match=r"recursive is not supported with stdin or stdout\."):
        copy_file(None, "x", recursive=True)


def test_type_names() -> None:
    assert registry.get_type_name(File) == "redun.File"
    assert registry.get_type_name(ContentFile) == "redun.ConentFile"

    class MyFile(File):
        pass

    try:
        assert MyFile.type_name == f"{__name__}.MyFile"
        assert repr(MyFile("nope")).startswith("File(path=nope")
        assert MyFile("nope").hash == File("nope").hash
    finally:
        del registry._by_name[MyFile.type_name]


def test_immutable_file() -> None:
    file = IFile("f")
    assert file.hash == hash_struct(["IFile", "f"])
    assert file.is_valid()
    file.write("x")
    assert file.hash == hash_struct(["IFile", "f"])
    assert file.is_valid()


def test_content_file() -> None:
    file = ContentFile("f")
    with pytest.raises(RedunFileNotFoundError):
        _ = file.hash
    assert repr(file) == "ContentFile(path=f, missing)"
    assert not file.is_valid()
    file.write("hello")
    assert file.hash == hash_struct(["ContentFile", "f", hash_bytes(b"hello")])
    file.touch((0, 0))
    assert file.is_valid()
    loaded = pickle.loads(pickle_dumps(file))
    assert loaded.is_valid()
    file.write("other")
    assert not loaded.is_valid()
    file.remove()
    assert not loaded.is_valid()


def test_path_that_is_not_utf8() -> None:
    path = os.fsdecode(b"caf\xe9")
    Path(path).write_text("x")
    file = File(path)
    assert len(file.hash) == 40
    assert file.is_valid()
    assert file.filesystem.get_hashes([path]) == [file.hash]
