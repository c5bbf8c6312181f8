"""File systems to run workflows and file operations on: real servers, and fakes of the clouds' APIs."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import partial
from http.server import (
    BaseHTTPRequestHandler,
    SimpleHTTPRequestHandler,
    ThreadingHTTPServer,
)
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import pytest


@dataclass(frozen=True)
class Space:
    """Room for files on one file system.

    ``root`` is the URL of an empty directory there, without a slash at the end. ``keys`` says whether the
    file system has keys, any text, instead of directories.
    """

    name: str
    root: str
    keys: bool = False

    def url(self, name: str) -> str:
        return f"{self.root}/{name}"


# -- fakes of Google's and Azure's servers -------------------------------------------------------


@dataclass
class Blob:
    data: bytes
    tag: str = ""
    time: str = field(default_factory=lambda: formatdate(usegmt=True))

    def __post_init__(self) -> None:
        self.tag = f'"{hashlib.md5(self.data).hexdigest()}"'


class FakeCloud(BaseHTTPRequestHandler):
    """What the XML API of Cloud Storage and that of Blob Storage have in common: objects in buckets.

    The bucket ``denied`` may not be accessed.
    """

    protocol_version = "HTTP/1.1"
    buckets: dict[str, dict[str, Blob]]
    requests: list[tuple[str, str]]
    failures: list[int]
    parts: dict[str, dict[str, bytes]] = {}
    page = 1000

    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._serve()

    do_HEAD = do_PUT = do_POST = do_DELETE = do_GET

    def _serve(self) -> None:
        self.requests.append((self.command, self.path))
        url = urlsplit(self.path)
        bucket, _, key = url.path.lstrip("/").partition("/")
        self.key = unquote(key)
        self.query = {name: values[0] for name, values in parse_qs(url.query, True).items()}
        self.body = self._body()
        if self.failures:
            self._error(self.failures.pop(), "SlowDown")
        elif bucket == "denied":
            self._error(403, "AccessDenied")
        elif bucket not in self.buckets:
            self._error(404, "NoSuchBucket")
        else:
            self.blobs = self.buckets[bucket]
            self._answer()

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _answer(self) -> None:
        raise NotImplementedError

    def _send(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _error(self, status: int, code: str) -> None:
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>"
        self._send(status, body.encode())

    def _store(self, data: bytes) -> None:
        blob = self.blobs[self.key] = Blob(data)
        self._send(201, ETag=blob.tag, Last_Modified=blob.time)

    def _object(self) -> None:
        """GET, HEAD and DELETE of an object."""
        blob = self.blobs.get(self.key)
        if blob is None:
            self._error(404, "NoSuchKey")
        elif self.command == "DELETE":
            del self.blobs[self.key]
            self._send(204)
        elif self.headers.get("If-Match", blob.tag) != blob.tag:
            self._error(412, "ConditionNotMet")
        else:
            self._content(blob)

    def _content(self, blob: Blob) -> None:
        data, size, status = blob.data, len(blob.data), 200
        headers = {"ETag": blob.tag, "Last_Modified": blob.time}
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if asked:
            start, end = int(asked[1]), min(int(asked[2]) + 1, size)
            if start >= size:
                self._error(416, "InvalidRange")
                return
            data, status = data[start:end], 206
            headers["Content_Range"] = f"bytes {start}-{end - 1}/{size}"
        if self.command == "HEAD":
            headers["Content_Length"] = str(size)
        self._send(status, data, **headers)

    def _page(self, start: str) -> tuple[list[str], list[str], str]:
        """Keys and common prefixes after `start`, and where the next page starts."""
        prefix, delimiter = self.query.get("prefix", ""), self.query.get("delimiter", "")
        keys: list[str] = []
        prefixes: list[str] = []
        last = ""
        for key in sorted(self.blobs):
            if not key.startswith(prefix) or (start and key <= start):
                continue
            if len(keys) + len(prefixes) == self.page:
                return keys, prefixes, last
            cut = key.find(delimiter, len(prefix)) if delimiter else -1
            if cut < 0:
                keys.append(key)
            elif key[: cut + 1] not in prefixes:
                prefixes.append(key[: cut + 1])
            last = key
        return keys, prefixes, ""


class FakeGoogle(FakeCloud):
    """The XML API of Cloud Storage, as far as files need it."""

    def _answer(self) -> None:
        if not self.key:
            self._list()
        elif "uploads" in self.query or "uploadId" in self.query:
            self._multipart()
        elif self.command != "PUT":
            self._object()
        elif self.headers.get("x-goog-copy-source"):
            self._copy()
        elif self.headers.get("x-goog-if-generation-match") == "0" and self.key in self.blobs:
            self._error(412, "PreconditionFailed")
        else:
            self._store(self.body)

    def _copy(self) -> None:
        source = unquote(self.headers["x-goog-copy-source"]).lstrip("/")
        bucket, _, key = source.partition("/")
        if key in self.buckets[bucket]:
            self._store(self.buckets[bucket][key].data)
        else:
            self._error(404, "NoSuchKey")

    def _multipart(self) -> None:
        if "uploads" in self.query:
            upload = uuid.uuid4().hex
            self.parts[upload] = {}
            body = f"<InitiateMultipartUploadResult><UploadId>{upload}</UploadId>"
            self._send(200, f"{body}</InitiateMultipartUploadResult>".encode())
            return
        parts = self.parts[self.query["uploadId"]]
        if self.command == "PUT":
            parts[self.query["partNumber"].zfill(5)] = self.body
            self._send(200, ETag=Blob(self.body).tag)
        elif self.command == "DELETE":
            self._send(204)
        else:
            blob = self.blobs[self.key] = Blob(b"".join(parts[name] for name in sorted(parts)))
            body = f"<CompleteMultipartUploadResult><ETag>{escape(blob.tag)}</ETag>"
            self._send(200, f"{body}</CompleteMultipartUploadResult>".encode())

    def _list(self) -> None:
        keys, prefixes, following = self._page(self.query.get("continuation-token", ""))
        body = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(self.blobs[key].data)}</Size>"
            "<LastModified>2026-01-01T00:00:00.000Z</LastModified>"
            f"<ETag>{escape(self.blobs[key].tag)}</ETag></Contents>"
            for key in keys
        )
        body += "".join(
            f"<CommonPrefixes><Prefix>{escape(prefix)}</Prefix></CommonPrefixes>"
            for prefix in prefixes
        )
        if following:
            body += f"<NextContinuationToken>{escape(following)}</NextContinuationToken>"
        self._send(200, f"<ListBucketResult>{body}</ListBucketResult>".encode())


class FakeAzure(FakeCloud):
    """The API of Blob Storage, as far as files need it."""

    def _error(self, status: int, code: str) -> None:
        names = {"NoSuchBucket": "ContainerNotFound", "NoSuchKey": "BlobNotFound"}
        super()._error(status, names.get(code, code))

    def _answer(self) -> None:
        comp = self.query.get("comp")
        if comp == "list":
            self._list()
        elif comp == "batch":
            self._batch()
        elif comp == "block":
            self.parts.setdefault(self.key, {})[self.query["blockid"]] = self.body
            self._send(201)
        elif comp == "blocklist":
            parts = self.parts.pop(self.key)
            blocks = re.findall(r"<Uncommitted>(.*?)</Uncommitted>", self.body.decode())
            self._store(b"".join(parts[block] for block in blocks))
        elif self.command != "PUT":
            self._object()
        elif self.headers.get("x-ms-copy-source"):
            self._copy()
        elif self.headers.get("If-None-Match") == "*" and self.key in self.blobs:
            self._error(409, "BlobAlreadyExists")
        else:
            self._store(self.body)

    def _copy(self) -> None:
        bucket, _, key = urlsplit(self.headers["x-ms-copy-source"]).path.lstrip("/").partition("/")
        source = self.buckets[bucket].get(unquote(key))
        if source is None:
            self._error(404, "NoSuchKey")
            return
        blob = self.blobs[self.key] = Blob(source.data)
        self._send(202, ETag=blob.tag, Last_Modified=blob.time, x_ms_copy_status="success")

    def _batch(self) -> None:
        boundary = "batchresponse_1"
        lines = []
        for number, path in enumerate(re.findall(r"DELETE (\S+) HTTP", self.body.decode())):
            key = unquote(urlsplit(path).path.lstrip("/").partition("/")[2])
            status = "202 Accepted" if self.blobs.pop(key, None) else "404 BlobNotFound"
            lines += [
                f"--{boundary}",
                "Content-Type: application/http",
                f"Content-ID: {number}",
                "",
            ]
            lines += [f"HTTP/1.1 {status}", "x-ms-version: 2018-11-09", "", ""]
        body = "\r\n".join([*lines, f"--{boundary}--", ""])
        self._send(202, body.encode(), Content_Type=f"multipart/mixed; boundary={boundary}")

    def _list(self) -> None:
        keys, prefixes, following = self._page(self.query.get("marker", ""))
        body = "".join(
            f"<Blob><Name>{escape(key)}</Name><Properties>"
            f"<Last-Modified>{self.blobs[key].time}</Last-Modified>"
            # In listings tags have no quotes.
            f"<Etag>{self.blobs[key].tag[1:-1]}</Etag>"
            f"<Content-Length>{len(self.blobs[key].data)}</Content-Length>"
            "<Content-Type>application/octet-stream</Content-Type></Properties></Blob>"
            for key in keys
        )
        body += "".join(
            f"<BlobPrefix><Name>{escape(prefix)}</Name></BlobPrefix>" for prefix in prefixes
        )
        body = f"<Blobs>{body}</Blobs><NextMarker>{escape(following)}</NextMarker>"
        self._send(200, f"<EnumerationResults>{body}</EnumerationResults>".encode())


@dataclass(frozen=True)
class Cloud:
    """A fake that runs: its URL, what it holds by bucket and key, and what it was asked.

    The next requests are answered with the statuses in ``failures``.
    """

    endpoint: str
    buckets: dict[str, dict[str, Blob]]
    requests: list[tuple[str, str]]
    failures: list[int]


def run_fake(handler: type[FakeCloud]) -> Iterator[Cloud]:
    members: dict[str, Any] = {
        "buckets": {"bucket": {}},
        "requests": [],
        "failures": [],
        "parts": {},
    }
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Fake", (handler,), members))
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield Cloud(
        f"http://127.0.0.1:{server.server_port}",
        members["buckets"],
        members["requests"],
        members["failures"],
    )
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """Cloud Storage with the empty bucket ``bucket``."""
    for cloud in run_fake(FakeGoogle):
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", cloud.endpoint)
        yield cloud


@pytest.fixture
def azure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """Blob Storage with the empty container ``bucket``."""
    for cloud in run_fake(FakeAzure):
        monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", cloud.endpoint)
        monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "c2VjcmV0")
        yield cloud


# -- an FTP server -------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def _ftp_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """An FTP server: the URL of its root, and the directory that it serves."""
    import logging

    from pyftpdlib.authorizers import DummyAuthorizer
    from pyftpdlib.handlers import FTPHandler
    from pyftpdlib.servers import ThreadedFTPServer

    logging.getLogger("pyftpdlib").setLevel(logging.ERROR)
    served = tmp_path_factory.mktemp("ftp")
    authorizer = DummyAuthorizer()
    authorizer.add_user("user", "pass word", str(served), perm="elradfmwMT")
    handler = type("Handler", (FTPHandler,), {"authorizer": authorizer, "auth_failed_timeout": 0})
    server = ThreadedFTPServer(("127.0.0.1", 0), handler)
    thread = Thread(
        target=server.serve_forever, kwargs={"timeout": 0.1, "handle_exit": False}, daemon=True
    )
    thread.start()
    yield f"ftp://user:pass%20word@127.0.0.1:{server.address[1]}", served
    server.close_all()
    thread.join()


@pytest.fixture
def ftp(_ftp_server: tuple[str, Path]) -> tuple[str, Path]:
    """An empty directory of an FTP server: its URL, and where it is here."""
    url, served = _ftp_server
    name = uuid.uuid4().hex
    (served / name).mkdir()
    return f"{url}/{name}", served / name


# -- a web server --------------------------------------------------------------------------------


class WebFiles(SimpleHTTPRequestHandler):
    """Files of a directory, with ranges and with the headers of `Web.headers`."""

    protocol_version = "HTTP/1.1"
    web: Web

    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        self.web.requests.append((self.command, self.path))
        if "denied" in self.path:
            self.send_error(403)
        elif path.is_file():
            self._send_file(path)
        else:
            super().do_HEAD() if self.command == "HEAD" else super().do_GET()

    do_HEAD = do_GET

    def _send_file(self, path: Path) -> None:
        data, about = path.read_bytes(), path.stat()
        size, status = len(data), 200
        told = {
            "ETag": f'"{hashlib.md5(data).hexdigest()}"',
            "Last-Modified": self.date_time_string(int(about.st_mtime)),
        }
        headers = {name: value for name, value in told.items() if name in self.web.headers}
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked and "Accept-Ranges" in self.web.headers:
            start = int(asked[1])
            end = min(int(asked[2]) + 1, size) if asked[2] else size
            data, status = data[start:end], 206
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        if "Accept-Ranges" in self.web.headers:
            headers["Accept-Ranges"] = "bytes"
        if "Content-Length" in self.web.headers:
            headers["Content-Length"] = str(len(data))
        else:
            headers["Connection"] = "close"
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)
        self.close_connection = "Content-Length" not in self.web.headers


@dataclass
class Web:
    """A web server: its URL, the directory it serves, what it was asked, and the headers it sends."""

    url: str
    path: Path
    requests: list[tuple[str, str]] = field(default_factory=list)
    headers: set[str] = field(
        default_factory=lambda: {"ETag", "Last-Modified", "Content-Length", "Accept-Ranges"}
    )


@pytest.fixture
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """A web server that serves an empty directory."""
    served = tmp_path_factory.mktemp("web")
    web = Web("", served)
    handler = type("Handler", (WebFiles,), {"web": web})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(served)))
    server.daemon_threads = True
    web.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield web
    server.shutdown()
    server.server_close()
    thread.join()


# -- room on each --------------------------------------------------------------------------------


def local_space(request: pytest.FixtureRequest) -> Space:
    path: Path = request.getfixturevalue("tmp_path")
    return Space("local", str(path / "space"))


def memory_space(request: pytest.FixtureRequest) -> Space:
    return Space("memory", f"memory://{uuid.uuid4().hex}/space")


def s3_space(request: pytest.FixtureRequest) -> Space:
    s3: Any = request.getfixturevalue("s3")
    return Space("s3", s3.url("space"), keys=True)


def google_space(request: pytest.FixtureRequest) -> Space:
    request.getfixturevalue("google")
    return Space("gs", "gs://bucket/space", keys=True)


def azure_space(request: pytest.FixtureRequest) -> Space:
    request.getfixturevalue("azure")
    return Space("az", "az://bucket@account.blob.core.windows.net/space", keys=True)


def ftp_space(request: pytest.FixtureRequest) -> Space:
    ftp: tuple[str, Path] = request.getfixturevalue("ftp")
    return Space("ftp", f"{ftp[0]}/space")


SPACES: dict[str, Callable[[pytest.FixtureRequest], Space]] = {
    "local": local_space,
    "memory": memory_space,
    "s3": s3_space,
    "gs": google_space,
    "az": azure_space,
    "ftp": ftp_space,
}


@pytest.fixture(params=SPACES)
def space(request: pytest.FixtureRequest) -> Space:
    """Each file system that can be written to, in turn."""
    return SPACES[request.param](request)
