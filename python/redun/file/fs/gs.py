"""Google Cloud Storage: `gs://bucket/key`."""

from __future__ import annotations

from os.path import dirname
from shlex import quote

from redun.clients.gcp import gcs_bucket
from redun.clients.objects import ObjectInfo
from redun.file.fs.base import check_recursive, get_proto, register_filesystem
from redun.file.fs.objects import ObjectFileSystem, Place
from redun.hashing import get_scheme

_MOUNTS = "/mnt/disks/"


@register_filesystem
class GSFileSystem(ObjectFileSystem):
    """Objects of Google Cloud Storage, with the application's default credentials.

    The quick hash is of path, size and, except under the compatibility scheme, entity tag.
    """

    __module__ = "redun.file"

    name = "gs"

    def locate(self, path: str) -> Place:
        _, separator, rest = path.partition("://")
        bucket, _, key = rest.partition("/")
        if not separator or not bucket:
            raise ValueError(f"Invalid Google Storage URL {path!r}. Expected gs://<bucket>/<key>")
        return Place(gcs_bucket(bucket), f"{self.name}://{bucket}/", key)

    def _record(self, path: str, info: ObjectInfo | None) -> list:
        if info is None:
            return ["File", "fsspec", path, "-1"]
        version = [] if get_scheme() == "redun1" else [info.tag]
        return ["File", "fsspec", path, str(info.size), *version]

    def shell_copy(
        self,
        src_path: str | None,
        dest_path: str | None,
        recursive: bool = False,
        as_mount: bool = False,
    ) -> str:
        """`gsutil cp`; with `as_mount` a plain copy, as buckets are mounted at `/mnt/disks/{bucket}`."""
        check_recursive(src_path, dest_path, recursive)
        if as_mount:
            return self._shell_copy_mounted(src_path, dest_path, recursive)
        others = {get_proto(path) for path in (src_path, dest_path) if path} - {"local", self.name}
        if others or (src_path is None and dest_path is None):
            return super().shell_copy(src_path, dest_path, recursive)
        flag = "-r " if recursive else ""
        return f"gsutil cp {flag}{quote(src_path or '-')} {quote(dest_path or '-')}"

    def _shell_copy_mounted(
        self, src_path: str | None, dest_path: str | None, recursive: bool
    ) -> str:
        if src_path is None and dest_path is None:
            raise ValueError("At least one path must be given.")
        source, dest = self._mounted(src_path), self._mounted(dest_path)
        command = "cp -r" if recursive else "cp"
        if src_path is None:
            assert dest is not None
            return f"$(mkdir -p {quote(dirname(dest))}) cat - > {quote(dest)}"
        assert source is not None
        if dest_path is None:
            return f"cat {quote(source)}"
        assert dest is not None
        if get_proto(src_path) == "local":
            make = f"mkdir -p {quote(dirname(dest))}"
            return f"{make} && {command} {quote(source)} {quote(dest)}"
        if get_proto(dest_path) == "local":
            return f"{command} {quote(source)} {quote(dest)}"
        return super().shell_copy(source, dest, recursive)

    def _mounted(self, path: str | None) -> str | None:
        """Where a path is if the bucket is mounted."""
        if path is None or get_proto(path) != self.name:
            return path
        return _MOUNTS + path.partition("://")[2]
