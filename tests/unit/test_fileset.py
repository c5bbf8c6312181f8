"""`FileSet` and `Dir`: what belongs to them, hashes, copies."""

import glob
import os
import pickle
from pathlib import Path

import pytest

from redun.file import (
    ContentDir,
    ContentFile,
    ContentFileSet,
    Dir,
    File,
    FileSet,
    IDir,
    IFileSet,
)
from redun.hashing import hash_struct, set_scheme
from redun.utils import pickle_dumps
from redun.value import get_type_registry

pytestmark = pytest.mark.usefixtures("workdir")


def make(*paths: str) -> None:
    for path in paths:
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        Path(path).write_text(path)


def paths_of(files: FileSet) -> list[str]:
    return sorted(file.path for file in files)


def test_dir_walks_like_glob() -> None:
    make("d/a", "d/.hidden", "d/s/b", "d/s/t/c", "d/.dot/x", "d/s/.y", "other/z")
    os.makedirs("d/empty")
    os.symlink("../other", "d/link")
    os.symlink("nowhere", "d/broken")
    os.symlink("a", "d/alias")
    expected = [path for path in glob.glob("d/**", recursive=True) if os.path.isfile(path)]
    assert paths_of(Dir("d")) == sorted(expected)
    assert paths_of(FileSet("d/**")) == sorted(expected)
    assert "d/link/z" in expected


def test_path_and_pattern() -> None:
    directory = Dir("a//")
    assert (directory.path, directory.pattern) == ("a", "a/**")
    assert (Dir("/").path, Dir("/").pattern) == ("/", "/**")
    assert Dir(Path("a/b")).path == "a/b"
    assert directory.file("x").path == "a/x"
    assert directory.rel_path("a/b/c") == "b/c"
    with pytest.raises(AssertionError):
        Dir("")


def test_dir_name_is_literal() -> None:
    make("a[1]/f", "a1/g")
    assert paths_of(Dir("a[1]")) == ["a[1]/f"]
    assert paths_of(Dir("a[1]")) != paths_of(FileSet("a[1]/**"))


def test_links_that_lead_back_are_not_followed() -> None:
    make("d/s/f", "e/g")
    os.symlink("..", "d/s/up")
    os.symlink(".", "d/s/here")
    os.symlink("../../e", "d/s/e")
    os.symlink("../d", "e/d")
    found = paths_of(Dir("d"))
    assert "d/s/f" in found
    assert "d/s/e/g" in found
    assert len(found) < 10


@pytest.mark.parametrize("scheme", ["blake3", "redun1"])
def test_hash_is_of_sorted_file_hashes(scheme: str) -> None:
    set_scheme(scheme)
    make("d/a", "d/s/b")
    hashes = sorted([File("d/a").hash, File("d/s/b").hash])
    assert Dir("d").hash == hash_struct(["Dir", "d", *hashes])
    assert FileSet("d/**").hash == hash_struct(["FileSet", "d/**", *hashes])
    assert FileSet("d/?").hash == hash_struct(["FileSet", "d/?", File("d/a").hash])
    assert list(Dir("d").filesystem.iter_file_hashes("d")) != []


def test_compatibility_vectors() -> None:
    set_scheme("redun1")
    assert Dir("newd").hash == "41d96b4aaaa1e2edbac0f823289f4a86348040d7"
    assert FileSet("nope*").hash == "a6d7e9af81a4e75cd121926db43395522dc1e0d4"
    assert IDir("D").hash == "ff234a8a4d879357f05d459830602f93b1d80e1c"
    os.makedirs("newd/empty")
    assert Dir("newd").hash == "41d96b4aaaa1e2edbac0f823289f4a86348040d7"


def test_reprs() -> None:
    files, directory = FileSet("x*"), Dir("x")
    assert repr(files) == f"FileSet(pattern=x*, hash={files.hash})"
    assert repr(ContentFileSet("x*")).startswith("FileSet(pattern=x*")
    assert repr(directory) == f"Dir(path=x, hash={directory.hash[:8]})"


def test_iteration_is_live_but_subvalues_are_those_hashed() -> None:
    make("d/a")
    directory = Dir("d")
    assert [file.path for file in directory.iter_subvalues()] == ["d/a"]  # type: ignore[attr-defined]
    assert directory.hash
    make("d/b")
    subvalues = list(directory.iter_subvalues())
    assert [file.path for file in subvalues] == ["d/a"]  # type: ignore[attr-defined]
    assert subvalues[0].get_hash() == File("d/a").hash
    assert paths_of(directory) == ["d/a", "d/b"]
    assert not directory.is_valid()
    directory.update_hash()
    assert directory.is_valid()
    assert len(directory.files()) == 2


def test_mkdir_and_rmdir_update_the_hash() -> None:
    directory = Dir("d/e")
    directory.mkdir()
    assert directory.exists()
    make("d/e/f")
    assert not directory.is_valid()
    with pytest.raises(OSError, match="not empty"):
        directory.rmdir()
    directory.rmdir(recursive=True)
    assert not directory.exists()
    assert directory.is_valid()
    directory.rmdir()


def test_copy() -> None:
    make("d/a", "d/s/b", "d/.hidden")
    dest = Dir("e")
    assert dest.hash
    assert Dir("d").copy_to(dest) is dest
    assert paths_of(dest) == ["e/a", "e/s/b"]
    assert dest.is_valid()
    Path("e/a").write_text("kept")
    Dir("d").copy_to(dest, skip_if_exists=True)
    assert Path("e/a").read_text() == "kept"


def test_pickle_layout() -> None:
    directory, files = Dir("d"), FileSet("d*")
    assert list(directory.__getstate__()) == ["path", "hash"]
    assert list(files.__getstate__()) == ["pattern", "hash"]
    loaded = pickle.loads(pickle_dumps(directory))
    assert (loaded.path, loaded.pattern, loaded.hash) == ("d", "d/**", directory.hash)
    loaded = pickle.loads(pickle_dumps(files))
    assert (loaded.pattern, loaded.hash) == ("d*", files.hash)
    assert loaded.is_valid()


def test_type_names() -> None:
    names = get_type_registry().get_type_name
    assert names(Dir) == "redun.Dir"
    assert names(FileSet) == "redun.FileSet"
    assert names(ContentFileSet) == "redun.CnotentFileSet"
    assert names(ContentDir) == "redun.ContentDir"


def test_immutable_sets() -> None:
    files, directory = IFileSet("d/*"), IDir("d")
    assert files.hash == hash_struct(["IFileSet", "d/*"])
    assert directory.hash == hash_struct(["IDir", "d"])
    make("d/a")
    assert files.is_valid()
    assert directory.is_valid()
    assert [type(file).__name__ for file in files] == ["IFile"]


def test_content_sets_ignore_times() -> None:
    make("d/a")
    files, directory = ContentFileSet("d/*"), ContentDir("d")
    assert files.hash == hash_struct(["ContentFileSet", "d/*", ContentFile("d/a").hash])
    assert directory.hash
    os.utime("d/a", (0, 0))
    assert files.is_valid()
    assert directory.is_valid()
    assert next(iter(directory.iter_subvalues())).get_hash() == ContentFile("d/a").hash
    Path("d/a").write_text("other")
    assert not files.is_valid()
    assert not directory.is_valid()


def test_content_dir_of_the_compatibility_scheme_has_quick_hashes() -> None:
    set_scheme("redun1")
    make("d/a")
    directory = ContentDir("d")
    assert directory.hash == hash_struct(["ContentDir", "d", File("d/a").hash])
    assert next(iter(directory.iter_subvalues())).get_hash() == ContentFile("d/a").hash
