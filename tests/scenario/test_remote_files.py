"""What is particular of files on web, FTP, Google's and Azure's servers, and of unknown ones."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from redun import Scheduler, task
from redun.clients import azure as azure_client
from redun.clients.azure import get_az_credential
from redun.file import (
    ContentFile,
    Dir,
    File,
    FileSet,
    RedunFileNotFoundError,
    RedunOSError,
    RedunPermissionError,
    get_filesystem,
    get_filesystem_class,
    list_filesystems,
)
from redun.hashing import hash_bytes, hash_struct, set_scheme


def digest(*fields: str) -> str:
    return hash_struct(["File", *fields])


# -- the web -------------------------------------------------------------------------------------


def test_reading_from_the_web(web: Any, tmp_path: Path) -> None:
    data = os.urandom(1 << 20) * 13
    (web.path / "big").write_bytes(data)
    (web.path / "text").write_text("one\ntwo\n")
    file = File(f"{web.url}/big")
    assert file.exists()
    assert file.isfile()
    assert file.size() == len(data)
    with file.open("rb") as stream:
        stream.seek(-5, 2)
        assert stream.read() == data[-5:]
        stream.seek(1000)
        assert stream.read(10) == data[1000:1010]
    assert len([path for method, path in web.requests if method == "GET"]) == 2
    assert file.copy_to(File(str(tmp_path / "copy"))).size() == len(data)
    assert (tmp_path / "copy").read_bytes() == data
    assert File(f"{web.url}/text").read() == "one\ntwo\n"
    assert File(f"{web.url}/text").readlines() == ["one\n", "two\n"]
    assert File(f"{web.url}/text").copy_to(File("memory://web/text")).read() == "one\ntwo\n"
    assert ContentFile(f"{web.url}/text").is_valid()


def test_reading_from_a_server_without_ranges_or_sizes(web: Any) -> None:
    (web.path / "f").write_bytes(b"abc" * 100_000)
    for headers in ({"Content-Length"}, set()):
        web.headers = headers
        assert File(f"{web.url}/f").read("rb") == b"abc" * 100_000


def test_hash_of_what_the_server_tells(web: Any) -> None:
    (web.path / "f").write_text("one")
    url = f"{web.url}/f"
    set_scheme("redun1")
    assert File(url).hash == digest("fsspec", url, "3")
    assert File(url + "none").hash == digest("fsspec", url + "none", "-1")
    set_scheme("blake3")
    seen = []
    for headers in ({"ETag", "Content-Length"}, {"Last-Modified", "Content-Length"}, set()):
        web.headers = headers
        (web.path / "f").write_text("one")
        os.utime(web.path / "f", (1000, 1000))
        file = File(url)
        seen.append(file.hash)
        assert file.is_valid()
        (web.path / "f").write_text("two")
        assert not file.is_valid(), headers
    assert seen[2] == digest("fsspec", url, "None", hash_bytes(b"one"))
    assert len(set(seen)) == 3


def test_errors_of_the_web(web: Any) -> None:
    url = f"{web.url}/none"
    assert not File(url).exists()
    with pytest.raises(RedunFileNotFoundError, match=url):
        File(url).read()
    with pytest.raises(RedunPermissionError, match=r"Access denied.*/denied"):
        File(f"{web.url}/denied").read()
    with pytest.raises(RedunPermissionError):
        assert File(f"{web.url}/denied").hash
    with pytest.raises(NotImplementedError, match="can only be read"):
        File(url).write("x")
    with pytest.raises(NotImplementedError, match="can only be read"):
        File(url).remove()
    with pytest.raises(RedunOSError, match=r"127\.0\.0\.1:1"):
        File("http://127.0.0.1:1/f").read()


def test_directory_of_the_web(web: Any) -> None:
    (web.path / "d/sub").mkdir(parents=True)
    for name in ("d/a.txt", "d/b.txt", "d/sub/c.txt"):
        (web.path / name).write_text(name)
    folder = Dir(f"{web.url}/d")
    names = [f"{web.url}/d/{name}" for name in ("a.txt", "b.txt", "sub/c.txt")]
    assert sorted(file.path for file in folder) == names
    assert sorted(file.path for file in FileSet(f"{web.url}/d/*.txt")) == names[:2]
    first = folder.hash
    assert folder.is_valid()
    (web.path / "d/sub/c.txt").write_text("other!!!!!!")
    assert Dir(folder.path).hash != first


def test_workflow_on_files_of_the_web(web: Any, scheduler: Scheduler) -> None:
    @task(namespace="web")
    def count(file: File) -> int:
        calls.append(file.path)
        return len(file.readlines())

    calls: list[str] = []
    (web.path / "f").write_text("1\n2\n")
    assert scheduler.run(count(File(f"{web.url}/f"))) == 2
    assert scheduler.run(count(File(f"{web.url}/f"))) == 2
    assert len(calls) == 1
    (web.path / "f").write_text("1\n2\n3\n")
    assert scheduler.run(count(File(f"{web.url}/f"))) == 3


# -- FTP -----------------------------------------------------------------------------------------


def test_hash_on_ftp(ftp: Any) -> None:
    url, here = ftp
    (here / "f").write_text("one")
    os.utime(here / "f", (1_600_000_000, 1_600_000_000))
    file = File(f"{url}/f")
    assert file.hash == digest("fsspec", file.path, "3", "20200913122640")
    (here / "f").write_text("two")
    assert not file.is_valid()
    set_scheme("redun1")
    assert file.hash == digest("fsspec", file.path, "3")
    (here / "f").unlink()
    assert File(file.path).hash == digest("fsspec", file.path, "-1")


def test_a_write_on_ftp_appears_whole(ftp: Any) -> None:
    url, here = ftp
    with File(f"{url}/d/f").open("w") as stream:
        stream.write("half")
        stream.flush()
        assert list((here / "d").iterdir()) == []
    assert [path.name for path in (here / "d").iterdir()] == ["f"]


def test_errors_of_ftp(ftp: Any) -> None:
    url, here = ftp
    _, _, host = url.partition("@")
    with pytest.raises(RedunPermissionError, match="Access denied"):
        File(f"ftp://user:wrong@{host}/f").read()
    with pytest.raises(ValueError, match="Expected ftp://<host>/<path>"):
        File("ftp:///f").read()
    with pytest.raises(RedunOSError, match=r"ftp://127\.0\.0\.1:1/f"):
        File("ftp://127.0.0.1:1/f").read()
    (here / "d").mkdir()
    (here / "d/f").write_text("x")
    with pytest.raises(RedunOSError, match=r"not empty.*/d"):
        Dir(f"{url}/d").rmdir()
    Dir(f"{url}/d").rmdir(recursive=True)
    assert list(here.iterdir()) == []


# -- Google and Azure ----------------------------------------------------------------------------

AZ = "az://bucket@account.blob.core.windows.net"


@pytest.fixture(params=["gs", "az"])
def cloud(request: pytest.FixtureRequest) -> Any:
    """The fake of one of both clouds, and the URL of its bucket."""
    name = {"gs": "google", "az": "azure"}[request.param]
    return request.getfixturevalue(name), {"gs": "gs://bucket", "az": AZ}[request.param]


def test_many_objects_are_hashed_with_the_listing(cloud: Any) -> None:
    fake, root = cloud
    blob = type(next(iter(_blobs(fake, root, "x").values())))
    fake.buckets["bucket"].clear()
    fake.buckets["bucket"].update({f"d/{n:04}": blob(b"%d" % n) for n in range(1500)})
    fake.requests.clear()
    folder = Dir(f"{root}/d")
    assert folder.hash
    assert len(fake.requests) == 2
    files = list(folder.iter_subvalues())
    assert len(files) == 1500
    assert len(fake.requests) == 2
    assert files[7].hash == File(files[7].path).hash  # type: ignore[attr-defined]


def _blobs(fake: Any, root: str, *names: str) -> dict[str, Any]:
    for name in names:
        File(f"{root}/{name}").write(name)
    return fake.buckets["bucket"]


def test_hash_on_clouds(cloud: Any) -> None:
    fake, root = cloud
    tag = _blobs(fake, root, "f")["f"].tag
    url = f"{root}/f"
    google = root.startswith("gs:")
    assert File(url).hash == (digest("fsspec", url, "1", tag) if google else digest("az", url, tag))
    set_scheme("redun1")
    assert File(url).hash == (digest("fsspec", url, "1") if google else digest("az", url, tag))
    missing = digest("fsspec", url + "x", "-1") if google else digest("az", url + "x", "")
    assert File(url + "x").hash == missing


def test_markers_and_odd_keys_on_clouds(cloud: Any) -> None:
    fake, root = cloud
    blobs = _blobs(fake, root, "d/f")
    before = Dir(f"{root}/d").hash
    blob = type(blobs["d/f"])
    blobs["d/sub/"] = blob(b"")
    blobs["d/empty"] = blob(b"")
    assert sorted(file.path for file in Dir(f"{root}/d")) == [f"{root}/d/empty", f"{root}/d/f"]
    File(f"{root}/d/empty").remove()
    assert Dir(f"{root}/d").hash == before
    blobs["d//g"] = blob(b"x")
    with pytest.raises(RedunOSError, match=r"cannot handle a key.*d//g.*://bucket.*/d"):
        list(Dir(f"{root}/d"))
    with pytest.raises(RedunOSError, match="cannot handle the key 'd//g'"):
        File(f"{root}/d//g").read()


def test_errors_of_clouds(cloud: Any) -> None:
    _, root = cloud
    denied, missing = root.replace("bucket", "denied"), root.replace("bucket", "nobucket")
    for work in (
        lambda url: File(url).hash,
        lambda url: File(url).read(),
        lambda url: File(url).write("x"),
        lambda url: list(Dir(url)),
    ):
        with pytest.raises(RedunPermissionError, match="Access denied") as caught:
            work(f"{denied}/f")
        assert f"{denied}/f" in str(caught.value)
    assert not File(f"{missing}/f").exists()
    for work in (lambda url: File(url).read(), lambda url: File(url).write("x")):
        with pytest.raises(RedunFileNotFoundError) as caught:
            work(f"{missing}/f")
        assert f"{missing}/f" in str(caught.value)
    with pytest.raises(RedunFileNotFoundError, match="No such bucket"):
        list(Dir(f"{missing}/f"))


def test_large_file_on_clouds(cloud: Any, tmp_path: Path) -> None:
    fake, root = cloud
    data = os.urandom(1 << 20) * 20
    with File(f"{root}/big").open("wb") as stream:
        for start in range(0, len(data), 1 << 20):
            stream.write(data[start : start + (1 << 20)])
        assert fake.buckets["bucket"] == {}
    assert fake.buckets["bucket"]["big"].data == data
    with File(f"{root}/big").open("rb") as stream:
        stream.read(5)
        fake.buckets["bucket"]["big"] = type(fake.buckets["bucket"]["big"])(b"z" * len(data))
        with pytest.raises(RedunOSError, match="Changed while it was read"):
            stream.read()
    File(f"{root}/big").copy_to(File(str(tmp_path / "big")))
    assert (tmp_path / "big").read_bytes() == b"z" * len(data)


def test_requests_that_fail_are_tried_again(cloud: Any) -> None:
    fake, root = cloud
    fake.failures.extend([503, 500])
    File(f"{root}/f").write("x")
    fake.failures.extend([503, 503, 503])
    assert File(f"{root}/f").read() == "x"
    fake.failures.extend([503])
    assert len(list(Dir(root))) == 1
    assert fake.failures == []


def test_urls_of_azure() -> None:
    for url in ("az://container/x", "az://c@host.example.com/x", "az://@a.blob.core.windows.net/x"):
        with pytest.raises(ValueError, match="Expected az://<container>@<account>"):
            File(url).exists()


def test_other_urls_of_azure(azure: Any) -> None:
    _blobs(azure, AZ, "f")
    for url in (
        "abfs://bucket@account.dfs.core.windows.net/f",
        AZ.replace("az", "abfss", 1) + "/f",
    ):
        assert File(url).read() == "f"
        assert [file.path for file in FileSet(url + "*")] == [url]


def test_connection_string_of_azure(azure: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_STORAGE_ENDPOINT")
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_KEY")
    monkeypatch.setenv(
        "AZURE_STORAGE_CONNECTION_STRING",
        f"AccountName=account;AccountKey=c2VjcmV0;BlobEndpoint={azure.endpoint}",
    )
    assert _blobs(azure, AZ, "f")["f"].data == b"f"


def test_credentials_of_azure(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("AZURE", "IDENTITY", "MSI"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(azure_client, "_on_azure", lambda: False)
    with pytest.raises(RedunPermissionError, match="No Azure credentials"):
        File(f"{AZ}/credentials").read()
    import azure.identity

    class Found:
        def __init__(self, **options: Any) -> None:
            self.options = options

        def get_token(self, scope: str) -> None:
            assert scope == "https://storage.azure.com/.default"

    monkeypatch.setattr(azure.identity, "DefaultAzureCredential", Found)
    assert get_az_credential().options == {"exclude_managed_identity_credential": True}
    monkeypatch.setattr(azure_client, "_on_azure", lambda: True)
    monkeypatch.setenv("DEFAULT_IDENTITY_CLIENT_ID", "other")
    assert get_az_credential().options == {"managed_identity_client_id": "other"}
    monkeypatch.setenv("AZURE_CLIENT_ID", "mine")
    assert get_az_credential().options == {"managed_identity_client_id": "mine"}


def test_credentials_of_google(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    with pytest.raises(RedunPermissionError, match="gcloud auth application-default login"):
        File("gs://bucket/f").read()


# -- shell lines ---------------------------------------------------------------------------------

M = "/mnt/disks/b"


@pytest.mark.parametrize(
    ("source", "dest", "recursive", "as_mount", "command"),
    [
        ("gs://b/k", "a b", False, False, "gsutil cp gs://b/k 'a b'"),
        ("a b", "gs://b/k", True, False, "gsutil cp -r 'a b' gs://b/k"),
        ("gs://b/k", "gs://b/l", False, False, "gsutil cp gs://b/k gs://b/l"),
        ("gs://b/k", None, False, False, "gsutil cp gs://b/k -"),
        (None, "gs://b/k", False, False, "gsutil cp - gs://b/k"),
        ("gs://b/k", "s3://b/k", False, False, "redun fs cp gs://b/k s3://b/k"),
        ("gs://b/k", "http://h/k", True, False, "redun fs cp --recursive gs://b/k http://h/k"),
        ("gs://b/d/k", "f", False, True, f"cp {M}/d/k f"),
        ("gs://b/d/k", "f", True, True, f"cp -r {M}/d/k f"),
        ("f", "gs://b/d/k", False, True, f"mkdir -p {M}/d && cp f {M}/d/k"),
        ("f", "gs://b/d/k", True, True, f"mkdir -p {M}/d && cp -r f {M}/d/k"),
        ("gs://b/d/k", None, False, True, f"cat {M}/d/k"),
        (None, "gs://b/d/k", False, True, f"$(mkdir -p {M}/d) cat - > {M}/d/k"),
        ("gs://b/d/k", "gs://b/l", False, True, f"redun fs cp {M}/d/k {M}/l"),
        ("gs://b/d/k", "s3://b/l", False, True, f"redun fs cp {M}/d/k s3://b/l"),
        (
            "s3://b/k",
            "gs://b/l",
            False,
            False,
            "(aws s3 cp --no-progress s3://b/k -) | (gsutil cp - gs://b/l)",
        ),
        (
            "s3://b/k",
            "http://h/l",
            False,
            False,
            "(aws s3 cp --no-progress s3://b/k -) | (redun fs cp - http://h/l)",
        ),
        ("s3://b/k", "gs://b/l", True, False, "redun fs cp --recursive s3://b/k gs://b/l"),
        ("http://h/a?b", "f", False, False, "redun fs cp 'http://h/a?b' f"),
        (f"{AZ}/k", None, False, False, f"redun fs cp {AZ}/k -"),
        (None, f"{AZ}/k", False, False, f"redun fs cp - {AZ}/k"),
        ("f", "ftp://h/k", True, False, "redun fs cp --recursive f ftp://h/k"),
    ],
)
def test_shell_lines(
    source: str | None, dest: str | None, recursive: bool, as_mount: bool, command: str
) -> None:
    filesystem = get_filesystem(url=source or dest)
    assert filesystem.shell_copy(source, dest, recursive, as_mount) == command


def test_shell_lines_need_ends() -> None:
    for name in ("gs", "az", "http", "ftp"):
        with pytest.raises(ValueError, match="recursive is not supported with stdin or stdout"):
            get_filesystem(name).shell_copy(f"{name}://x/y", None, recursive=True)
    with pytest.raises(ValueError, match="At least one path must be given"):
        get_filesystem("gs").shell_copy(None, None, as_mount=True)
    assert get_filesystem("az").shell_copy(None, None) == "redun fs cp - -"


# -- other protocols -----------------------------------------------------------------------------


def test_file_systems_are_listed_in_order() -> None:
    names = [cls.name for cls in list_filesystems()]
    assert names[:7] == ["local", "http", "https", "ftp", "gs", "s3", "az"]
    assert get_filesystem_class("HTTP".lower()).__module__ == "redun.file"


def test_protocols_of_the_library(tmp_path: Path) -> None:
    import zipfile

    (tmp_path / "f").write_text("one")
    url = f"file://{tmp_path}/f"
    assert File(url).read() == "one"
    assert File(url).is_valid()
    assert [file.path for file in Dir(f"file://{tmp_path}")] == [url]
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr("inner/a", "packed")
    packed = File(f"zip://inner/a::{tmp_path}/z.zip")
    assert packed.read() == "packed"
    assert packed.is_valid()


def test_a_protocol_registered_with_the_library(tmp_path: Path) -> None:
    import fsspec
    from fsspec.implementations.local import LocalFileSystem

    class Own(LocalFileSystem):
        protocol = "own"

    fsspec.register_implementation("own", Own, clobber=True)
    file = File("own://" + str(tmp_path / "d/f"))
    file.write("x")
    assert (tmp_path / "d/f").read_text() == "x"
    assert [found.path for found in Dir("own://" + str(tmp_path))] == [file.path]


def test_protocol_whose_library_is_missing() -> None:
    with pytest.raises(ImportError, match="smbprotocol"):
        File("smb://host/share/f").read()


def test_libraries_load_when_first_used(web: Any) -> None:
    (web.path / "f").write_text("x")
    code = (
        "import sys; from redun.file import File\n"
        "for url in (sys.argv[1], 'gs://b/k', 'az://c@a.blob.core.windows.net/k', 'ftp://h/k'):\n"
        "    file = File(url)\n"
        "heavy = {'aiohttp', 'obstore', 'boto3', 'azure', 'google', 'fsspec', 'ftplib'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "assert File(sys.argv[1]).read() == 'x'\n"
        "assert not (heavy - {'aiohttp', 'fsspec'}) & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code, f"{web.url}/f"], check=True, timeout=60)
