"""The program with what lies on S3: arguments, configuration, copies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

WORKFLOW = """\
from redun import Dir, File, task
from redun.file import ContentFile, FileSet, IFile

redun_namespace = "remote"

@task
def count(file: File, other: ContentFile, folder: Dir, files: FileSet, fixed: IFile) -> str:
    kinds = [type(value).__name__ for value in (file, other, folder, files, fixed)]
    sizes = [len(file.read()), len(other.read()), len(list(folder)), len(list(files))]
    return f"{kinds} {sizes} {fixed.path}"

@task
def make(out: File) -> File:
    out.write("made")
    return out
"""


@pytest.fixture
def workflow(s3: Any, workdir: Path) -> Any:
    (workdir / "wf.py").write_text(WORKFLOW)
    for key in ("in/a", "in/b c", "in/sub/d"):
        s3.client.put_object(Bucket=s3.bucket, Key=key, Body=key.encode())
    return s3


def test_arguments(workflow: Any, cli: Any) -> None:
    url = workflow.url
    done = cli(
        "run",
        *("wf.py", "count", "--file", url("in/a"), "--other", url("in/b c"), "--folder", url("in")),
        *("--files", url("in/*"), "--fixed", url("anything")),
    )
    assert done.code == 0, done.stderr
    for told in ("['File', 'ContentFile'", "[4, 6, 3, 2]", url("anything")):
        assert told in done.stdout.replace("\\'", "'")


def test_configuration(workflow: Any, cli: Any, workdir: Path) -> None:
    config = f"[backend]\ndb_uri = sqlite:///{workdir}/own.db\n"
    workflow.client.put_object(Bucket=workflow.bucket, Key="cfg/redun.ini", Body=config.encode())
    done = cli("-c", workflow.url("cfg"), "run", "wf.py", "make", "--out", workflow.url("out"))
    assert done.code == 0, done.stderr
    assert (workdir / "own.db").exists()


def test_errors_name_the_url(workflow: Any, cli: Any) -> None:
    done = cli("fs", "cp", "s3://no-such-bucket-here/x", "copy")
    assert done.code == 1
    assert "s3://no-such-bucket-here/x" in done.stderr
    assert "Traceback" not in done.stderr


def test_copying(workflow: Any, cli: Any, workdir: Path) -> None:
    assert cli("fs", "cp", "--recursive", workflow.url("in"), "here").code == 0
    assert (workdir / "here/sub/d").read_text() == "in/sub/d"
    assert cli("fs", "cp", workflow.url("in/a"), "-").stdout == "in/a"
