"""What reruns after which change of a file: every event, for every class of files.

Quick classes (`File`, `Dir`, `FileSet`) see size and modification time, content classes the bytes, immutable
ones only the path. An input that changed reruns the task that takes it; an output that changed reruns the
task that made it, and then those that take it if what was made again is not the same.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from redun import Scheduler, task
from redun.file import (
    ContentDir,
    ContentFile,
    ContentFileSet,
    Dir,
    File,
    FileSet,
    IDir,
    IFile,
    IFileSet,
    RedunFileNotFoundError,
    RedunOSError,
    RedunPermissionError,
)

redun_namespace = "test_reactivity"

pytestmark = pytest.mark.usefixtures("workdir")

PATH = "data/f"
# Each class, and what it is made of to cover that file.
QUICK = {File: PATH, Dir: "data", FileSet: "data/*"}
CONTENT = {ContentFile: PATH, ContentDir: "data", ContentFileSet: "data/*"}
IMMUTABLE = {IFile: PATH, IDir: "data", IFileSet: "data/*"}
PLACES: dict[Any, str] = {**QUICK, **CONTENT, **IMMUTABLE}
OLD, NOW = 1_500_000_000, 1_600_000_000


def put(content: str, time: float, path: str = PATH) -> None:
    """Write a file that was last changed at a time."""
    clear(path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    Path(path).write_text(content)
    os.utime(path, (time, time))


def clear(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.remove(path)


def edited() -> None:
    put("longer than before", NOW + 10)


def edited_in_place() -> None:
    put("CONTENT", NOW + 10)


def touched() -> None:
    os.utime(PATH, (NOW + 10, NOW + 10))


def rewritten() -> None:
    put("content", NOW + 10)


def edited_while_the_clock_was_back() -> None:
    put("CONTENT", OLD)


def edited_with_its_time_put_back() -> None:
    put("CONTENT", os.stat(PATH).st_mtime)


def deleted() -> None:
    os.remove(PATH)


def replaced_by_a_directory() -> None:
    os.remove(PATH)
    os.mkdir(PATH)
    os.utime(PATH, (NOW + 10, NOW + 10))


def replaced_by_a_link_to_a_copy() -> None:
    shutil.copy2(PATH, "copy")
    os.remove(PATH)
    os.symlink("../copy", PATH)


def replaced_by_a_link_to_another() -> None:
    put("something else", NOW + 10, "else/where")
    os.remove(PATH)
    os.symlink("../else/where", PATH)


def replaced_by_a_link_to_a_directory() -> None:
    os.mkdir("nothing")
    os.utime("nothing", (NOW + 10, NOW + 10))
    os.remove(PATH)
    os.symlink("../nothing", PATH)


def replaced_by_a_dangling_link() -> None:
    os.remove(PATH)
    os.symlink("nowhere", PATH)


def replaced_by_a_link_to_itself() -> None:
    os.remove(PATH)
    os.symlink("f", PATH)


def permissions_changed() -> None:
    os.chmod(PATH, 0o640)


def file_added() -> None:
    put("more", NOW, "data/g")


def dotfile_added() -> None:
    put("more", NOW, "data/.g")


def nothing() -> None:
    pass


# Who sees an event: classes with quick hashes, and classes with hashes of content.
SEEN: dict[Callable[[], None], tuple[bool, bool]] = {
    nothing: (False, False),
    edited: (True, True),
    edited_in_place: (True, True),
    touched: (True, False),
    rewritten: (True, False),
    edited_while_the_clock_was_back: (True, True),
    edited_with_its_time_put_back: (False, True),
    deleted: (True, True),
    replaced_by_a_directory: (True, True),
    replaced_by_a_link_to_a_copy: (False, False),
    replaced_by_a_link_to_another: (True, True),
    replaced_by_a_link_to_a_directory: (True, True),
    replaced_by_a_dangling_link: (True, True),
    replaced_by_a_link_to_itself: (True, True),
    permissions_changed: (False, False),
    dotfile_added: (False, False),
}
# A file whose content can't be read has no hash of it: who asks for that fails.
NO_CONTENT = {
    deleted: RedunFileNotFoundError,
    replaced_by_a_dangling_link: RedunFileNotFoundError,
    replaced_by_a_directory: RedunOSError,
    replaced_by_a_link_to_a_directory: RedunOSError,
    replaced_by_a_link_to_itself: RedunOSError,
}


def sees(cls: Any, event: Callable[[], None]) -> bool:
    if cls in IMMUTABLE:
        return False
    if event is file_added:
        return cls not in (File, ContentFile)
    return SEEN[event][cls in CONTENT]


@pytest.fixture
def runs() -> list[str]:
    """The names of the tasks that ran."""
    return []


@pytest.fixture
def tasks(runs: list[str]) -> tuple[Any, Any]:
    """A task that makes the files, and one that uses them."""

    @task()
    def make(cls: str) -> Any:
        runs.append("make")
        put("content", NOW + runs.count("make"))
        chosen = next(known for known in PLACES if known.__name__ == cls)
        return chosen(PLACES[chosen])

    @task()
    def use(files: Any) -> int:
        runs.append("use")
        return runs.count("use")

    return make, use


@pytest.mark.parametrize("event", [*SEEN, file_added], ids=lambda event: event.__name__)
@pytest.mark.parametrize("cls", PLACES, ids=lambda cls: cls.__name__)
def test_input(
    scheduler: Scheduler, runs: list[str], tasks: Any, cls: Any, event: Callable[[], None]
) -> None:
    _, use = tasks
    put("content", NOW)
    scheduler.run(use(cls(PLACES[cls])))
    event()
    if cls is ContentFile and event in NO_CONTENT:
        with pytest.raises(NO_CONTENT[event]) as caught:
            scheduler.run(use(cls(PLACES[cls])))
        assert caught.value.path == PATH
        assert runs == ["use"]
        return
    scheduler.run(use(cls(PLACES[cls])))
    assert runs == (["use", "use"] if sees(cls, event) else ["use"])


@pytest.mark.parametrize("event", [*SEEN, file_added], ids=lambda event: event.__name__)
@pytest.mark.parametrize("cls", PLACES, ids=lambda cls: cls.__name__)
def test_output(
    scheduler: Scheduler, runs: list[str], tasks: Any, cls: Any, event: Callable[[], None]
) -> None:
    make, use = tasks
    scheduler.run(use(make(cls.__name__)))
    assert runs == ["make", "use"]
    event()
    scheduler.run(use(make(cls.__name__)))
    again = ["make"] if sees(cls, event) else []
    # What was made again has another time; and an added file is still there.
    if again and (cls in QUICK or event is file_added):
        again.append("use")
    assert runs == ["make", "use", *again]
    scheduler.run(use(make(cls.__name__)))
    assert runs == ["make", "use", *again]


@pytest.mark.parametrize("cls", [File, ContentFile, IFile, Dir, ContentDir, IDir])
def test_same_content_at_another_path(
    scheduler: Scheduler, runs: list[str], tasks: Any, cls: Any
) -> None:
    _, use = tasks
    put("content", NOW, "a/f")
    put("content", NOW, "b/f")
    name = "f" if issubclass(cls, File) else ""
    for directory in ("a", "b", "./a", "a"):
        scheduler.run(use(cls(os.path.join(directory, name))))
    assert runs == ["use"] * 3


def test_output_that_was_missing_and_appears(
    scheduler: Scheduler, runs: list[str], tasks: Any
) -> None:
    @task()
    def name_it() -> File:
        runs.append("name_it")
        return File(PATH)

    for _ in range(2):
        scheduler.run(name_it())
    assert runs == ["name_it"]
    put("content", NOW)
    for _ in range(2):
        scheduler.run(name_it())
    assert runs == ["name_it"] * 2


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


def test_unreadable(scheduler: Scheduler, runs: list[str], tasks: Any) -> None:
    make, use = tasks
    with unprivileged():
        for cls in (File, ContentFile):
            runs.clear()
            scheduler.run(use(make(cls.__name__)))
            os.chmod(PATH, 0)
            scheduler.run(use(make(cls.__name__)))
            # Quick hashes need no permission to read; content that can't be read is not valid.
            assert runs == (["make", "use"] if cls is File else ["make", "use", "make"])
            os.chmod(PATH, 0)
            if cls is ContentFile:
                with pytest.raises(RedunPermissionError):
                    scheduler.run(use(cls(PATH)))
        # Nobody may look into the directory: the file counts as missing.
        scheduler.run(use(make("File")))
        runs.clear()
        os.chmod("data", 0)
        scheduler.run(use(File(PATH)))
        scheduler.run(use(Dir("data")))
        os.chmod("data", 0o755)
        scheduler.run(use(Dir("data")))
        assert runs == ["use"] * 3
