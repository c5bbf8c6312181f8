"""Amazon S3: `s3://bucket/key`."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from redun.clients.objects import ObjectInfo
from redun.clients.s3 import S3Bucket, s3_bucket
from redun.file.errors import naming_path
from redun.file.fs.base import check_recursive, get_filesystem, get_proto, register_filesystem
from redun.file.fs.objects import ObjectFileSystem, Place
from redun.hashing import hash_structs


@register_filesystem
class S3FileSystem(ObjectFileSystem):
    """Objects of S3. Credentials, region and endpoint are found as `boto3` does.

    The quick hash is of path and entity tag.
    """

    __module__ = "redun.file"

    name = "s3"
    dir_hash_by_prefix = True

    def locate(self, path: str) -> Place:
        bucket, key = self.get_bucket_and_key(path)
        return Place(s3_bucket(bucket), f"s3://{bucket}/", key)

    @staticmethod
    def get_bucket_and_key(path: str) -> tuple[str, str]:
        """Split `s3://bucket/key`; the key of a bucket itself is "".

        Raises
        ------
        ValueError
            The URL names no bucket.
        """
        _, separator, rest = path.partition("://")
        bucket, _, key = rest.partition("/")
        if not separator or not bucket:
            raise ValueError(f"Invalid S3 URL {path!r}. Expected s3://<bucket>/<key>")
        return bucket, key

    def _record(self, path: str, info: ObjectInfo | None) -> list:
        return ["File", "s3", path, info.tag if info else ""]

    def iter_file_hashes(self, path: str) -> Iterator[str]:
        """The hashes a directory has under the compatibility scheme.

        Those of all objects whose key starts with the text of the path, also those beside the
        directory, and of the markers of directories.
        """
        with naming_path(path):
            store, root, key = self.locate(path)
            found = store.objects(key)
        return iter(hash_structs([self._record(root + info.key, info) for info in found]))

    def mkdir(self, path: str) -> None:
        """Make the directory known by an empty object `path/`, unless something is there."""
        with naming_path(path):
            store, _, key = self.locate(path)
            if key and not self.exists(path):
                store.put(f"{key.rstrip('/')}/", b"")

    def rmdir(self, path: str, recursive: bool = False) -> None:
        super().rmdir(path, recursive)
        if not recursive:
            with naming_path(path):
                store, _, key = self.locate(path)
                if key:
                    store.delete([f"{key.rstrip('/')}/"])

    def copy_on_server(self, source: Place, dest: Place) -> bool:
        if source.root == dest.root or not isinstance(dest.store, S3Bucket):
            return super().copy_on_server(source, dest)
        dest.store.copy_from(source.root[len("s3://") : -1], source.key, dest.key)
        return True

    def shell_copy(
        self,
        src_path: str | None,
        dest_path: str | None,
        recursive: bool = False,
        as_mount: bool = False,
    ) -> str:
        """`aws s3 cp`; through a pipe to another remote file system."""
        check_recursive(src_path, dest_path, recursive)
        for path in (src_path, dest_path):
            if path is not None and get_proto(path) not in ("local", "s3"):
                return self._shell_copy_other(src_path, dest_path, recursive, as_mount)
        if src_path is None and dest_path is None:
            raise ValueError("At least one path must be defined.")
        flag = " --recursive" if recursive else ""
        source = "-" if src_path is None else quote(src_path)
        dest = "-" if dest_path is None else quote(dest_path)
        return f"aws s3 cp --no-progress{flag} {source} {dest}"

    def _shell_copy_other(
        self, src_path: str | None, dest_path: str | None, recursive: bool, as_mount: bool
    ) -> str:
        if recursive or src_path is None or dest_path is None:
            return super().shell_copy(src_path, dest_path, recursive, as_mount)
        reading = self.shell_copy(src_path, None)
        writing = get_filesystem(url=dest_path).shell_copy(None, dest_path, as_mount=as_mount)
        return f"({reading}) | ({writing})"
