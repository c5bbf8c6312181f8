"""What files do, the same on every file system."""

from __future__ import annotations

import errno
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from redun.file import (
    ContentDir,
    ContentFile,
    ContentFileSet,
    Dir,
    File,
    FileSet,
    IDir,
    IFile,
    RedunFileNotFoundError,
    StagingDir,
    StagingFile,
    glob_file,
    open_file,
)
from redun.hashing import set_scheme

# Names that some layer of some library takes for something else.
HOSTILE = [
    "a b",
    "a#b",
    "a%b",
    "a%20b",
    "a+b",
    "ü-é-日本",
    "[x]",
    "{y}",
    "~z",
    "'q'",
    "&<>;",
    "-dash",
]


def below(space: Any, paths: list[str]) -> list[str]:
    """The paths relative to the space, sorted; all must be of it."""
    start = f"{space.root}/"
    assert all(path.startswith(start) for path in paths), (paths, start)
    return sorted(path[len(start) :] for path in paths)


def fill(space: Any, *names: str) -> None:
    for name in names:
        File(space.url(name)).write(name)


# -- one file ------------------------------------------------------------------------------------


def test_write_and_read_text_and_bytes(space: Any) -> None:
    file = File(space.url("deep/er/text.txt"))
    assert not file.exists()
    file.write("héllo\nworld\n", encoding="utf-8")
    assert file.read(encoding="utf-8") == "héllo\nworld\n"
    assert file.read("rb") == "héllo\nworld\n".encode()
    assert [line.rstrip() for line in file.readlines("rb")] == ["héllo".encode(), b"world"]
    file.write(b"\x00\xff", mode="wb")
    assert file.read("rb") == b"\x00\xff"
    assert file.size() == 2


def test_what_is_there(space: Any) -> None:
    fill(space, "d/f")
    file, folder, nothing = File(space.url("d/f")), Dir(space.url("d")), File(space.url("none"))
    assert (file.exists(), file.isfile(), file.isdir()) == (True, True, False)
    assert (folder.exists(), File(folder.path).isfile(), File(folder.path).isdir()) == (
        True,
        False,
        True,
    )
    assert (nothing.exists(), nothing.isfile(), nothing.isdir()) == (False, False, False)


def test_modes(space: Any) -> None:
    fill(space, "other")  # mode x makes no directories
    url = space.url("f")
    with open_file(url, "x") as stream:
        stream.write("one\n")
    with pytest.raises(OSError), open_file(url, "x") as stream:
        stream.write("lost")
    with open_file(url, "a") as stream:
        stream.write("two\n")
    assert File(url).read() == "one\ntwo\n"
    with open_file(url, "r+b") as stream:
        assert stream.read(3) == b"one"
        stream.seek(0)
        stream.write(b"ONE")
    assert File(url).read("rb") == b"ONE\ntwo\n"
    with open_file(space.url("new"), "a") as stream:
        stream.write("appended")
    assert File(space.url("new")).read() == "appended"


def test_seeking(space: Any) -> None:
    data = bytes(range(256)) * 5000
    File(space.url("big")).write(data, mode="wb")
    with open_file(space.url("big"), "rb") as stream:
        assert stream.seek(-10, 2) == len(data) - 10
        assert stream.read() == data[-10:]
        stream.seek(700_001)
        assert stream.read(300_000) == data[700_001:1_000_001]
        assert stream.tell() == 1_000_001
        stream.seek(0)
        assert stream.read() == data


def test_empty_file(space: Any) -> None:
    file = File(space.url("empty"))
    file.write("")
    assert (file.exists(), file.isfile(), file.size(), file.read()) == (True, True, 0, "")
    assert file.copy_to(File(space.url("copy"))).read("rb") == b""
    assert below(space, [found.path for found in Dir(space.root)]) == ["copy", "empty"]


def test_missing_file(space: Any) -> None:
    url = space.url("none/such")
    with pytest.raises(RedunFileNotFoundError) as caught:
        File(url).read()
    assert caught.value.path == url
    assert url in str(caught.value)
    with pytest.raises(FileNotFoundError):
        File(url).size()
    with pytest.raises(FileNotFoundError):
        File(url).copy_to(File(space.url("copy")))
    File(url).remove()
    assert not File(space.url("copy")).exists()


def test_remove_and_touch(space: Any) -> None:
    file = File(space.url("f"))
    file.touch()
    assert file.exists()
    assert file.size() == 0
    file.write("kept")
    file.touch()
    assert file.read() == "kept"
    file.remove()
    assert not file.exists()


def test_a_write_that_fails_leaves_what_was_there(space: Any) -> None:
    file = File(space.url("f"))
    file.write("before")
    with suppress(KeyError), file.open("w") as stream:
        stream.write("half")
        raise KeyError
    assert file.read() == "before"
    other = File(space.url("other"))
    with suppress(KeyError), other.open("wb") as stream:
        stream.write(b"half" * 5_000_000)
        raise KeyError
    assert not other.exists()


# -- hashes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["blake3", "redun1"])
def test_hash_follows_the_file(space: Any, scheme: str) -> None:
    set_scheme(scheme)
    file = File(space.url("f"))
    missing = file.hash
    assert file.is_valid()
    file.write("one")
    first = file.hash
    assert first != missing
    assert File(file.path).hash == first
    assert File(file.path).is_valid()
    known = File.with_hash(file.path, first)
    assert known.is_valid()
    File(file.path).write("longer")
    assert not known.is_valid()
    file.remove()
    assert File(file.path).hash == missing


def test_hash_of_a_rewrite_of_the_same_size(space: Any) -> None:
    if space.name == "ftp":
        pytest.skip("servers tell times in seconds; see test_file_fs_ftp")
    file = File(space.url("f"))
    file.write("one")
    first = file.hash
    file.write("two")
    assert file.hash != first


@pytest.mark.parametrize("scheme", ["blake3", "redun1"])
def test_directory_hash_follows_its_files(space: Any, scheme: str) -> None:
    set_scheme(scheme)
    fill(space, "d/a", "d/sub/b", "d2/c")
    first = Dir(space.url("d")).hash
    assert Dir(space.url("d")).hash == first
    File(space.url("d/sub/b")).write("changed, and longer")
    second = Dir(space.url("d")).hash
    assert second != first
    File(space.url("d/sub/b")).remove()
    third = Dir(space.url("d")).hash
    assert third not in (first, second)
    if scheme == "blake3":
        File(space.url("d2/c")).write("the neighbour changes")
        assert Dir(space.url("d")).hash == third


def test_hashes_found_with_the_directory_are_those_of_the_files(space: Any) -> None:
    fill(space, "d/a", "d/sub/b", "d/sub/ü b")
    for group in (Dir(space.url("d")), FileSet(space.url("d/**")), FileSet(space.url("d/sub/*"))):
        group.update_hash()
        seen: dict[str, str] = {file.path: file.hash for file in group.iter_subvalues()}  # type: ignore[attr-defined]
        assert seen == {file.path: file.hash for file in group}
        assert seen


def test_content_hash_is_of_the_content(space: Any) -> None:
    fill(space, "d/a", "d/b")
    values = [
        lambda: ContentFile(space.url("d/a")),
        lambda: ContentDir(space.url("d")),
        lambda: ContentFileSet(space.url("d/*")),
    ]
    before = [make().hash for make in values]
    fill(space, "d/a")
    assert [make().hash for make in values] == before
    File(space.url("d/a")).write("b")
    changed = [make().hash for make in values]
    assert all(old != new for old, new in zip(before, changed, strict=True))
    gone = ContentFile(space.url("d/a"))
    assert gone.hash
    File(gone.path).remove()
    assert not gone.is_valid()


def test_immutable_files_are_known_by_their_path(space: Any) -> None:
    file, folder = IFile(space.url("f")), IDir(space.url("d"))
    before = file.hash, folder.hash
    fill(space, "f", "d/x")
    assert (IFile(file.path).hash, IDir(folder.path).hash) == before
    assert file.is_valid()
    assert folder.is_valid()


# -- directories and patterns --------------------------------------------------------------------


def test_patterns(space: Any) -> None:
    fill(space, "a.txt", "b.txt", "c.csv", "d/e.txt", "d/f/g.txt", "d/f/h.csv", "dd/i.txt")

    def match(pattern: str) -> list[str]:
        return below(space, [file.path for file in FileSet(space.url(pattern))])

    assert match("*.txt") == ["a.txt", "b.txt"]
    assert match("?.csv") == ["c.csv"]
    assert match("[ab].txt") == ["a.txt", "b.txt"]
    assert match("[!a].txt") == ["b.txt"]
    assert match("*/*.txt") == ["d/e.txt", "dd/i.txt"]
    assert match("d/**/*.txt") == ["d/e.txt", "d/f/g.txt"]
    assert match("**/*.csv") == ["c.csv", "d/f/h.csv"]
    assert match("d/**") == ["d/e.txt", "d/f/g.txt", "d/f/h.csv"]
    assert match("a.txt") == ["a.txt"]
    assert match("none*") == []
    assert below(space, glob_file(space.url("d*"))) == ["d", "dd"]


def test_directory(space: Any) -> None:
    fill(space, "d/a", "d/b/c", "da/x")
    folder = Dir(space.url("d"))
    assert below(space, [file.path for file in folder]) == ["d/a", "d/b/c"]
    assert folder.file("b/c").read() == "d/b/c"
    assert folder.rel_path(space.url("d/b/c")) == "b/c"
    assert list(Dir(space.url("nothing"))) == []
    assert list(Dir(space.url("d/a"))) == []
    folder.rmdir(recursive=True)
    assert not folder.exists()
    assert File(space.url("da/x")).exists()
    folder.rmdir(recursive=True)


def test_mkdir_and_rmdir(space: Any) -> None:
    folder = Dir(space.url("new/dir"))
    empty = folder.hash
    folder.mkdir()
    folder.mkdir()
    assert folder.hash == empty
    assert list(folder) == []
    if space.name not in ("gs", "az"):
        assert folder.exists()
        folder.rmdir()
        assert not folder.exists()


def test_hostile_names(space: Any) -> None:
    names = [*HOSTILE, *(["a?b", "back\\slash", 'quote"s'] if space.name != "http" else [])]
    for name in names:
        File(space.url(f"d {name}/{name}")).write(name, encoding="utf-8")
    for name in names:
        file = File(space.url(f"d {name}/{name}"))
        assert file.exists(), name
        assert file.read(encoding="utf-8") == name
        assert [found.path for found in Dir(space.url(f"d {name}"))] == [file.path], name
        copy = File(space.url(f"copy of {name}"))
        assert file.copy_to(copy).read(encoding="utf-8") == name
    expected = sorted(
        [f"d {name}/{name}" for name in names] + [f"copy of {name}" for name in names]
    )
    assert below(space, [file.path for file in Dir(space.root)]) == expected
    for name in names:
        File(space.url(f"d {name}/{name}")).remove()
        assert not File(space.url(f"d {name}/{name}")).exists()


# -- copying -------------------------------------------------------------------------------------


def test_copy_within_and_to_local_and_back(space: Any, tmp_path: Path) -> None:
    data = bytes(range(251)) * 100_000  # 25 MB: several parts
    source = File(space.url("in/source"))
    source.write(data, mode="wb")
    copied = source.copy_to(File(space.url("out/copy")))
    assert copied.read("rb") == data
    assert copied.is_valid()
    local = source.copy_to(File(str(tmp_path / "made/local")))
    assert Path(local.path).read_bytes() == data
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["local"]
    back = local.copy_to(File(space.url("back")))
    assert back.read("rb") == data
    source.write("changed")
    assert source.copy_to(back, skip_if_exists=True) is back
    assert back.size() == len(data)


def test_copy_to_another_file_system(space: Any) -> None:
    fill(space, "f")
    there = File("memory://elsewhere/f")
    File(space.url("f")).copy_to(there)
    assert there.read() == "f"
    assert there.copy_to(File(space.url("again"))).read() == "f"


def test_copy_directory(space: Any, tmp_path: Path) -> None:
    names = [f"d/{name}" for name in ("a", "b/c", "b/ü x")]
    fill(space, *names)
    Dir(space.url("d")).copy_to(Dir(str(tmp_path / "local")))
    there = Dir(str(tmp_path / "local")).copy_to(Dir(space.url("back")))
    assert below(space, [file.path for file in there]) == ["back/a", "back/b/c", "back/b/ü x"]
    within = Dir(space.url("d")).copy_to(Dir(space.url("within")))
    assert {file.read() for file in within} == set(names)
    assert within.is_valid()
    File(space.url("within/a")).write("mine")
    Dir(space.url("d")).copy_to(within, skip_if_exists=True)
    assert within.file("a").read() == "mine"


def test_staging(space: Any, workdir: Path) -> None:
    fill(space, "in/f", "d/x", "d/y/z")
    staged = File(space.url("in/f")).stage()
    assert isinstance(staged, StagingFile)
    assert staged.stage().path == "f"
    assert Path("f").read_text() == "in/f"
    Path("f").write_text("result")
    assert staged.unstage().read() == "result"
    folder = StagingDir("local", space.url("d"))
    folder.stage()
    assert Path("local/y/z").read_text() == "d/y/z"
    Path("local/new").write_text("made")
    folder.unstage()
    assert File(space.url("d/new")).read() == "made"


def test_directory_as_file(space: Any) -> None:
    fill(space, "d/f")
    with pytest.raises(OSError) as caught:
        File(space.url("d")).read()
    assert space.url("d") in str(caught.value)
    if space.keys:
        # Keys may be both: an object, and the start of other keys.
        File(space.url("d")).write("object")
        assert File(space.url("d")).read() == "object"
        assert below(space, [file.path for file in Dir(space.url("d"))]) == ["d/f"]
        assert below(space, [file.path for file in Dir(space.root)]) == ["d", "d/f"]
    else:
        assert caught.value.errno in (errno.EISDIR, errno.ENOENT, errno.EEXIST)
