"""Staging pairs and the families of file classes."""

import pickle
from pathlib import Path

import pytest

from redun import file as file_module
from redun.file import (
    ContentFile,
    ContentStagingFile,
    Dir,
    File,
    IFile,
    IStagingDir,
    IStagingFile,
    StagingDir,
    StagingFile,
)
from redun.hashing import hash_struct
from redun.utils import pickle_dumps
from redun.value import get_type_registry

pytestmark = pytest.mark.usefixtures("workdir")


def test_families() -> None:
    for prefix in ("", "I", "Content"):
        for name in ("File", "FileSet", "Dir", "StagingFile", "StagingDir"):
            cls = getattr(file_module, prefix + name)
            for other in ("File", "FileSet", "Dir", "StagingFile", "StagingDir"):
                assert getattr(cls.classes, other) is getattr(file_module, prefix + other)
            assert cls.type_basename == prefix + name
            assert cls.__module__ == "redun.file"
    with pytest.raises(AttributeError, match="Nope"):
        _ = File.classes.Nope


def test_text_is_wrapped_in_the_family() -> None:
    staging = IStagingFile("l", "r")
    assert type(staging.local) is IFile
    assert type(ContentStagingFile("l", "r").remote) is ContentFile
    local = File("l")
    assert StagingFile(local, "r").local is local
    assert repr(StagingDir("l", "r")) == f"StagingDir(local={Dir('l')!r}, remote={Dir('r')!r})"


def test_stage_and_unstage() -> None:
    Path("remote").write_text("abc")
    staging = StagingFile("local", "remote")
    assert staging.stage() is staging.local
    assert staging.local.read() == "abc"
    staging.local.write("new")
    assert staging.unstage() is staging.remote
    assert staging.remote.read() == "new"
    assert StagingFile("same", "same").stage().path == "same"
    assert StagingFile("same", "same").unstage().path == "same"


def test_stage_defaults() -> None:
    assert File("a/b").stage().local.path == "b"
    assert File("a/b").stage("q/").local.path == "q/b"
    assert File("a/b").stage("q").local.path == "q"
    assert Dir("a/b").stage().local.path == "b"
    assert type(IFile("a").stage()) is IStagingFile


def test_rendering() -> None:
    staging = StagingFile("a b", "c")
    assert staging.render_stage() == "cp c 'a b'"
    assert staging.render_unstage() == "cp 'a b' c"
    assert StagingDir("a", "b").render_stage() == "cp -r b a"
    assert StagingDir("a", "b").render_unstage(as_mount=True) == "cp -r a b"
    assert StagingFile("a", "a").render_stage() == ""
    assert StagingDir("a", "a").render_unstage() == ""
    # No command takes these for options or for standard input.
    assert StagingFile("-a", "-b").render_stage() == "cp ./-b ./-a"
    assert StagingFile("-a", "b").render_unstage() == "cp ./-a b"
    assert StagingDir("-", "b").render_unstage() == "cp -r ./- b"


def test_hash_is_of_the_paths() -> None:
    get_hash = get_type_registry().get_hash
    assert get_hash(StagingFile("l", "r")) == hash_struct(["redun.StagingFile", "l", "r"])
    assert get_hash(IStagingDir("l", "r")) == hash_struct(["redun.IStagingDir", "l", "r"])
    assert StagingFile("l", "r").is_valid()
    assert list(StagingFile("l", "r").iter_subvalues()) == []


def test_pickle_layout() -> None:
    staging = StagingFile("l", "r")
    assert list(staging.__getstate__()) == ["local", "remote"]
    loaded = pickle.loads(pickle_dumps(staging))
    assert (loaded.local.path, loaded.remote.path) == ("l", "r")


def test_not_for_the_command_line() -> None:
    with pytest.raises(NotImplementedError):
        StagingFile.parse_arg(StagingFile, "x")
