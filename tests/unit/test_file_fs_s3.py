"""Files on S3, beyond what every file system does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from redun.clients import extras
from redun.clients.extras import MissingExtraError
from redun.file import (
    ContentDir,
    Dir,
    File,
    FileSet,
    RedunFileNotFoundError,
    RedunOSError,
    RedunPermissionError,
    get_filesystem,
    glob_file,
)
from redun.file.fs.s3 import S3FileSystem
from redun.hashing import hash_struct, set_scheme

# Keys that are no paths; clients that take keys for paths rewrite or refuse them.
ODD_KEYS = ["a//b", "/lead", "x/./y", "x/../z", "tab\t", "."]


def put(s3: Any, *keys: str) -> None:
    for key in keys:
        s3.client.put_object(Bucket=s3.bucket, Key=key, Body=key.encode())
    s3.requests.clear()


def keys_of(s3: Any, files: Any) -> list[str]:
    return sorted(file.path.removeprefix(f"s3://{s3.bucket}/") for file in files)


def test_many_objects_are_hashed_with_the_listing(s3: Any) -> None:
    from moto.s3.models import s3_backends

    for number in range(1100):  # at the server itself: requests take long
        s3_backends["123456789012"]["aws"].put_object(s3.bucket, f"d/{number:04}", b"%d" % number)
    s3.requests.clear()
    folder = Dir(s3.url("d"))
    assert folder.hash
    asked = [query for method, path, query in s3.requests if path.rstrip("/") == f"/{s3.bucket}"]
    assert len(asked) == len(s3.requests) == 2  # pages of a thousand
    files = list(folder.iter_subvalues())
    assert len({file.hash for file in files}) == 1100  # type: ignore[attr-defined]
    assert len(s3.requests) == 2
    s3.requests.clear()
    assert len(list(folder)) == 1100
    assert len(FileSet(s3.url("d/*0")).files()) == 110
    assert len(s3.requests) == 4


def test_a_small_file_is_read_with_one_request(s3: Any) -> None:
    put(s3, "f")
    assert File(s3.url("f")).read() == "f"
    assert [method for method, *_ in s3.requests] == ["GET"]
    s3.requests.clear()
    File(s3.url("f")).write("new")
    assert [method for method, *_ in s3.requests] == ["PUT", "HEAD"]


def test_a_pattern_lists_no_more_than_its_level(s3: Any) -> None:
    put(s3, "top", *(f"deep/{number}" for number in range(50)))
    assert keys_of(s3, FileSet(s3.url("t*"))) == ["top"]
    assert all("delimiter=%2F" in query for _, _, query in s3.requests)
    assert len(s3.requests) == 1


def test_hash_is_of_path_and_tag(s3: Any) -> None:
    put(s3, "f", "d/x")
    for scheme in ("blake3", "redun1"):
        set_scheme(scheme)
        tag = s3.client.head_object(Bucket=s3.bucket, Key="f")["ETag"]
        assert tag.startswith('"')
        assert File(s3.url("f")).hash == hash_struct(["File", "s3", s3.url("f"), tag])
        assert File(s3.url("none")).hash == hash_struct(["File", "s3", s3.url("none"), ""])
        tag = s3.client.head_object(Bucket=s3.bucket, Key="d/x")["ETag"]
        inner = hash_struct(["File", "s3", s3.url("d/x"), tag])
        assert Dir(s3.url("d")).hash == hash_struct(["Dir", s3.url("d"), inner])


def test_compatible_directory_hash_covers_the_prefix(s3: Any) -> None:
    put(s3, "k/x", "k2/x", "kz", "other")
    tags = {
        entry["Key"]: entry["ETag"]
        for entry in s3.client.list_objects_v2(Bucket=s3.bucket)["Contents"]
    }
    set_scheme("redun1")
    inner = [hash_struct(["File", "s3", s3.url(key), tags[key]]) for key in ("k/x", "k2/x", "kz")]
    folder = Dir(s3.url("k"))
    assert folder.hash == hash_struct(["Dir", s3.url("k"), *sorted(inner)])
    assert keys_of(s3, folder) == keys_of(s3, folder.iter_subvalues()) == ["k/x"]


@pytest.mark.parametrize("key", ODD_KEYS)
def test_keys_that_are_no_paths(s3: Any, key: str, tmp_path: Path) -> None:
    file = File(s3.url(key))
    file.write("content")
    assert [entry["Key"] for entry in s3.client.list_objects_v2(Bucket=s3.bucket)["Contents"]] == [
        key
    ]
    assert file.exists()
    assert file.is_valid()
    assert file.read() == "content"
    assert file.copy_to(File(str(tmp_path / "copy"))).read() == "content"
    assert File(s3.url("plain")).write("p") is None
    assert keys_of(s3, Dir(f"s3://{s3.bucket}")) == sorted([key, "plain"])
    assert File(s3.url("plain")).copy_to(file).read() == "p"
    file.remove()
    assert keys_of(s3, Dir(f"s3://{s3.bucket}")) == ["plain"]


def test_one_odd_key_does_not_hide_others(s3: Any) -> None:
    put(s3, "d/a", "d//b", "d/c/../d", "d/e/")
    assert keys_of(s3, Dir(s3.url("d"))) == ["d//b", "d/a", "d/c/../d"]
    assert len({file.hash for file in Dir(s3.url("d"))}) == 3
    assert ContentDir(s3.url("d")).is_valid()


def test_markers_of_directories_are_no_files(s3: Any) -> None:
    put(s3, "d/f")
    before = Dir(s3.url("d")).hash
    s3.client.put_object(Bucket=s3.bucket, Key="d/", Body=b"")
    s3.client.put_object(Bucket=s3.bucket, Key="d/sub/", Body=b"")
    s3.client.put_object(Bucket=s3.bucket, Key="d/empty", Body=b"")
    assert keys_of(s3, Dir(s3.url("d"))) == ["d/empty", "d/f"]
    File(s3.url("d/empty")).remove()
    assert Dir(s3.url("d")).hash == before
    assert File(s3.url("d/sub")).isdir()
    assert not File(s3.url("d/sub/")).isfile()
    assert glob_file(s3.url("d/*")) == [s3.url("d/sub"), s3.url("d/f")]
    with pytest.raises(RedunOSError, match="Is a directory"):
        File(s3.url("d/sub/")).read()


def test_bucket_as_directory(s3: Any) -> None:
    root = Dir(f"s3://{s3.bucket}/")
    assert root.exists()
    assert list(root) == []
    root.mkdir()
    put(s3, "a", "b/c")
    assert keys_of(s3, root) == ["a", "b/c"]
    assert glob_file(f"s3://{s3.bucket}/*") == [s3.url("b"), s3.url("a")]
    root.rmdir(recursive=True)
    assert list(root) == []


def test_large_file(s3: Any, tmp_path: Path) -> None:
    data = os.urandom(1 << 20) * 20
    with File(s3.url("big")).open("wb") as stream:
        for start in range(0, len(data), 1 << 20):
            stream.write(data[start : start + (1 << 20)])
        assert not File(s3.url("big")).exists()
    assert s3.client.head_object(Bucket=s3.bucket, Key="big")["ETag"].endswith('-3"')
    with File(s3.url("big")).open("rb") as stream:
        assert stream.read(10) == data[:10]
        assert stream.read() == data[10:]
    File(s3.url("big")).copy_to(File(str(tmp_path / "big")))
    assert (tmp_path / "big").read_bytes() == data


def test_file_replaced_while_it_is_read(s3: Any) -> None:
    File(s3.url("f")).write(b"a" * (3 << 20), mode="wb")
    with File(s3.url("f")).open("rb") as stream:
        stream.read(10)
        File(s3.url("f")).write(b"b" * (3 << 20), mode="wb")
        with pytest.raises(RedunOSError, match=r"Changed while it was read.*/f"):
            stream.read()


def test_a_copy_that_fails_leaves_what_was_there(
    s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    File(s3.url("big")).write(b"x" * (20 << 20), mode="wb")
    (tmp_path / "old").write_text("before")

    def fail(*args: Any) -> bytes:
        raise ConnectionResetError(104, "Connection reset by peer")

    monkeypatch.setattr("redun.clients.s3.S3Bucket.read", fail)
    for name in ("old", "new"):
        with pytest.raises(RedunOSError, match=r"Connection reset by peer.*/big"):
            File(s3.url("big")).copy_to(File(str(tmp_path / name)))
        with pytest.raises(RedunOSError, match="/big"):
            File(s3.url("big")).copy_to(File(f"memory://failed/{name}"))
        assert not File(f"memory://failed/{name}").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
    assert (tmp_path / "old").read_text() == "before"


def test_copies_stay_on_the_server(s3: Any) -> None:
    put(s3, "f")
    s3.client.create_bucket(Bucket=f"{s3.bucket}-2")
    s3.requests.clear()
    there = File(s3.url("f")).copy_to(File(s3.url("g")))
    other = File(s3.url("f")).copy_to(File(f"s3://{s3.bucket}-2/f"))
    assert "GET" not in {method for method, *_ in s3.requests}
    assert (there.read(), other.read()) == ("f", "f")
    with pytest.raises(OSError, match="is both source and destination"):
        there.copy_to(there)
    with pytest.raises(RedunFileNotFoundError, match="nothing"):
        File(s3.url("nothing")).copy_to(there)
    assert there.read() == "f"


def test_missing_bucket(s3: Any) -> None:
    url = "s3://no-such-bucket-here/d"
    assert not File(url).exists()
    assert not Dir(url).exists()
    assert File(url).hash == hash_struct(["File", "s3", url, ""])
    for work in (
        lambda: File(url).write("x"),
        lambda: list(Dir(url)),
        lambda: glob_file(f"{url}/*"),
        lambda: File(url).read(),
    ):
        with pytest.raises(RedunFileNotFoundError) as caught:
            work()
        assert url in str(caught.value)
    with pytest.raises(RedunFileNotFoundError, match="No such bucket"):
        list(Dir(url))
    for wrong in ("s3:", "s3://", "s3:///key"):
        with pytest.raises(ValueError, match="Expected s3://<bucket>/<key>"):
            File(wrong).exists()


def test_access_denied(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from moto.core import authorization

    put(s3, "f")
    monkeypatch.setattr(authorization.settings, "INITIAL_NO_AUTH_ACTION_COUNT", 0)
    url = s3.url("f")
    for work in (
        lambda: File(url).hash,
        lambda: File(url).exists(),
        lambda: File(url).read(),
        lambda: File(url).write("x"),
        lambda: File(url).remove(),
        lambda: Dir(url).hash,
        lambda: FileSet(url + "*").files(),
        lambda: File(url).copy_to(File(s3.url("g"))),
    ):
        with pytest.raises(RedunPermissionError) as caught:
            work()
        assert "Access denied" in str(caught.value)
        assert url in str(caught.value)


def test_no_credentials(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    put(s3, "f")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(RedunPermissionError, match=r"No AWS credentials.*AWS_PROFILE"):
        File(s3.url("f")).read()
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    s3.client.put_object_acl(Bucket=s3.bucket, Key="f", ACL="public-read")
    assert File(s3.url("f")).read() == "f"
    assert File(s3.url("f")).hash


def test_profile_and_assumed_role(s3: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    put(s3, "f")
    config = tmp_path / "config"
    config.write_text(
        "[profile base]\naws_access_key_id = a\naws_secret_access_key = b\n"
        f"[profile role]\nregion = us-west-2\nendpoint_url = {s3.endpoint}\n"
        "role_arn = arn:aws:iam::123456789012:role/reader\nsource_profile = base\n"
    )
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "DEFAULT_REGION"):
        monkeypatch.delenv(f"AWS_{name}")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_PROFILE", "role")
    assert File(s3.url("f")).read() == "f"
    assert ("POST", "/", "") in s3.requests  # the role is assumed at the same server


@pytest.mark.parametrize("module", ["obstore", "boto3"])
def test_missing_library_names_the_extra(
    s3: Any, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    import importlib

    def pretend(name: str) -> Any:
        if name.split(".")[0] == module:
            raise ModuleNotFoundError(f"No module named '{module}'", name=module)
        return importlib.import_module(name)

    from redun.clients.aws import session_of
    from redun.clients.s3 import _bucket

    session_of.cache_clear()
    _bucket.cache_clear()
    monkeypatch.setattr(extras, "importlib", type("", (), {"import_module": pretend}))
    with pytest.raises(MissingExtraError, match=r"pip install 'redun\[s3\]'") as caught:
        File(s3.url("f")).read()
    assert isinstance(caught.value, ImportError)
    assert module in str(caught.value)
    assert caught.value.hints


def test_libraries_load_when_first_used(s3: Any) -> None:
    code = (
        "import sys; from redun.file import File; file = File(sys.argv[1])\n"
        "assert not {'boto3', 'obstore', 'fsspec'} & set(sys.modules)\n"
        "assert file.read() == 'f'\n"
        "assert {'boto3', 'obstore'} <= set(sys.modules)\n"
        "assert 'fsspec' not in sys.modules\n"
    )
    put(s3, "f")
    subprocess.run([sys.executable, "-c", code, s3.url("f")], check=True, timeout=60)


def test_files_work_in_a_forked_process(s3: Any) -> None:
    code = (
        "import os, sys; from redun.file import File, Dir; file = File(sys.argv[1])\n"
        "assert file.read() == 'f'\n"
        "if os.fork() == 0:\n"
        "    file.write('forked')\n"
        "    assert file.read() == 'forked'\n"
        "    assert len(list(Dir(file.dirname()))) == 1\n"
        "    os._exit(7)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.wait()[1]) != 7)\n"
    )
    put(s3, "d/f")
    s3.client.put_object(Bucket=s3.bucket, Key="d/f", Body=b"f")
    subprocess.run([sys.executable, "-c", code, s3.url("d/f")], check=True, timeout=60)


L, S = "a b", "s3://b/k"


@pytest.mark.parametrize(
    ("source", "dest", "recursive", "command"),
    [
        (S, L, False, "aws s3 cp --no-progress s3://b/k 'a b'"),
        (L, S, False, "aws s3 cp --no-progress 'a b' s3://b/k"),
        (S, S, False, "aws s3 cp --no-progress s3://b/k s3://b/k"),
        (S, L, True, "aws s3 cp --no-progress --recursive s3://b/k 'a b'"),
        (L, S, True, "aws s3 cp --no-progress --recursive 'a b' s3://b/k"),
        (S, None, False, "aws s3 cp --no-progress s3://b/k -"),
        (None, S, False, "aws s3 cp --no-progress - s3://b/k"),
        (S, "memory://y", True, "redun fs cp --recursive s3://b/k memory://y"),
        (
            S,
            "memory://y",
            False,
            "(aws s3 cp --no-progress s3://b/k -) | (redun fs cp - memory://y)",
        ),
    ],
)
def test_shell_lines(source: str | None, dest: str | None, recursive: bool, command: str) -> None:
    url = source if source and "://" in source else dest
    filesystem = get_filesystem(url=url)
    assert isinstance(filesystem, S3FileSystem)
    for as_mount in (False, True):
        assert filesystem.shell_copy(source, dest, recursive, as_mount) == command
    if recursive:
        with pytest.raises(ValueError, match="recursive is not supported with stdin or stdout"):
            filesystem.shell_copy(source, None, recursive=True)


def test_shell_lines_need_an_end() -> None:
    with pytest.raises(ValueError, match="At least one path must be defined"):
        get_filesystem("s3").shell_copy(None, None)
    with pytest.raises(ValueError, match="recursive is not supported"):
        get_filesystem("s3").shell_copy(None, "s3://b/k", recursive=True)
