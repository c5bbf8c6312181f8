"""Datasets on S3 made of many files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

from redun.clients.extras import load
from redun.clients.glue import dynamic_frame, glue_context
from redun.file.errors import RedunFileNotFoundError
from redun.file.file import File
from redun.file.fs.base import get_filesystem, get_proto
from redun.file.memo import HashMemo
from redun.hashing import hash_struct
from redun.value.base import Value

_FORMATS = ("avro", "csv", "ion", "grokLog", "json", "orc", "parquet", "xml")
# Options that reading and writing of a format begin with, in the words of Glue.
_READING = {"csv": {"withHeader": True, "optimizePerformance": True}}
_WRITING: dict[str, dict[str, Any]] = {
    "csv": {"writeHeader": True},
    "parquet": {"compression": "snappy"},
}


class ShardedS3Dataset(HashMemo, Value):
    """All files of a format below a place on S3, which together are one dataset.

    It is known by the names of its files: one added or removed makes it another, one rewritten in place
    goes unnoticed.

    Parameters
    ----------
    path
        URL of the directory on S3.
    format
        One of avro, csv, ion, grokLog, json, orc, parquet, xml; also the extension of the files.
    recurse
        Whether files of its subdirectories belong to it.

    Raises
    ------
    ValueError
        Such a format there is not.
    """

    __module__ = "redun.file"

    type_name = "redun.ShardedS3Dataset"

    def __init__(self, path: str, format: str = "parquet", recurse: bool = True) -> None:
        assert get_proto(path) == "s3"
        if format not in _FORMATS:
            raise ValueError(f"Invalid format {format}")
        self._path = path.rstrip("/")
        self._format = format
        self._recurse = recurse
        self._filenames = self._gather()
        self._set_hash(self._hash_names())

    def __repr__(self) -> str:
        return (
            f"ShardedS3Dataset(path={self._path}, format={self._format}, "
            f"recurse={self._recurse}, hash={self.hash})"
        )

    def __getstate__(self) -> dict:
        return {
            "path": self._path,
            "format": self._format,
            "recurse": self._recurse,
            "hash": self.hash,
            "files": self._filenames,
        }

    def __setstate__(self, state: dict) -> None:
        self._path = state["path"]
        self._format = state["format"]
        self._recurse = state["recurse"]
        self._filenames = state["files"]
        self._set_hash(state["hash"])

    def _gather(self) -> list[str]:
        filesystem = get_filesystem(url=self._path)
        depth = "/**" if self._recurse else ""
        return sorted(filesystem.glob_files(f"{self._path}{depth}/*.{self._format}"))

    def _calc_hash(self) -> str:
        # Asked of a dataset that is kept: the files may be others by now.
        self._filenames = self._gather()
        return self._hash_names()

    def _hash_names(self) -> str:
        return hash_struct(["ShardedS3Dataset", self._path, *self._filenames])

    def postprocess(self, postprocess_args: dict) -> ShardedS3Dataset:
        self.update_hash()
        return self

    def iter_subvalues(self) -> Iterator[Value]:
        return map(File, self._filenames)

    @property
    def path(self) -> str:
        """The URL of the directory."""
        return self._path

    @path.setter
    def path(self, path: str) -> None:
        self._path = path.rstrip("/")
        self._filenames = self._gather()

    @property
    def format(self) -> str:
        """The format and extension of the files."""
        return self._format

    @format.setter
    def format(self, format: str) -> None:
        if format not in _FORMATS:
            raise ValueError(f"Invalid format {format}")
        self._format = format
        self._filenames = self._gather()

    @property
    def recurse(self) -> bool:
        """Whether files of subdirectories belong to the dataset."""
        return self._recurse

    @recurse.setter
    def recurse(self, recurse: bool) -> None:
        self._recurse = recurse
        self._filenames = self._gather()

    @property
    def filenames(self) -> list[str]:
        """The URLs of the files, sorted, as last looked for."""
        return self._filenames

    # -- pandas -------------------------------------------------------------------------------

    def load_pandas_shards(self, max_shards: int = -1) -> list:
        """Each file as a frame of pandas, in the order of their names.

        Parameters
        ----------
        max_shards
            Load so many at most; -1 for all.

        Raises
        ------
        ValueError
            Files of this format can't be loaded.
        MissingExtraError
            pandas is not installed.
        """
        if self._format not in ("csv", "json", "orc", "parquet"):
            raise ValueError(f"No pandas load function found for '{self._format}'")
        pandas = load("pandas", "frames of a dataset", "pandas")
        names = self._filenames if max_shards < 0 else self._filenames[:max_shards]
        return [_load_shard(pandas, self._format, name) for name in names]

    def load_pandas(self, max_shards: int = -1) -> Any:
        """The files as one frame of pandas; parameters and errors as of `load_pandas_shards`."""
        shards = self.load_pandas_shards(max_shards)
        pandas = load("pandas", "frames of a dataset", "pandas")
        return pandas.concat(shards, ignore_index=True) if shards else pandas.DataFrame()

    # -- Spark --------------------------------------------------------------------------------

    def load_spark(self, validate: bool = False, format_options: dict[str, Any] = {}) -> Any:
        """The dataset as a frame of Spark. Works in AWS Glue only.

        Parameters
        ----------
        validate
            Raise if the dataset has no row, which takes a pass over it.
        format_options
            Options of Glue for the format.

        Raises
        ------
        ValueError
            This process is not one of Glue's, or the dataset is empty.
        """
        frame = glue_context().create_dynamic_frame_from_options(
            connection_type="s3",
            connection_options={"paths": [self._path], "recurse": self._recurse},
            format=self._format,
            format_options={**_READING.get(self._format, {}), **format_options},
        )
        if validate and frame.count() == 0:
            raise ValueError(f"The dataset {self._path} is empty")
        return frame.toDF()

    def save_spark(
        self,
        dataset: Any,
        partition_keys: list[str] = [],
        catalog_database: str = "default",
        catalog_table: str | None = None,
        format_options: dict[str, Any] = {},
    ) -> None:
        """Write a frame of pandas or Spark as the dataset. Works in AWS Glue only.

        Parameters
        ----------
        partition_keys
            Columns whose values make subdirectories, `column=value`.
        catalog_database, catalog_table
            With a table's name the dataset is entered in the data catalog.
        format_options
            Options of Glue for the format.

        Raises
        ------
        ValueError
            This process is not one of Glue's.
        """
        context = glue_context()
        sink = context.getSink(
            connection_type="s3",
            path=self._path,
            enableUpdateCatalog=catalog_table is not None,
            updateBehavior="UPDATE_IN_DATABASE",
            partitionKeys=partition_keys,
        )
        options = {**_WRITING.get(self._format, {}), **format_options}
        sink.setFormat("glueparquet" if self._format == "parquet" else self._format, **options)
        if catalog_table is not None:
            sink.setCatalogInfo(catalogDatabase=catalog_database, catalogTableName=catalog_table)
        sink.writeFrame(dynamic_frame(dataset, context))
        self.update_hash()

    def purge_spark(
        self, remove_older_than: int = 1, manifest_file_path: str | None = None
    ) -> None:
        """Remove files that are older than so many hours. Works in AWS Glue only.

        Parameters
        ----------
        manifest_file_path
            Where to write the names of the files removed, as `Success.csv`.

        Raises
        ------
        ValueError
            This process is not one of Glue's.
        """
        options: dict[str, Any] = {"retentionPeriod": remove_older_than}
        if manifest_file_path is not None:
            options["manifestFilePath"] = manifest_file_path
        glue_context().purge_s3_path(self._path, options)
        self.update_hash()

    # -- making one ---------------------------------------------------------------------------

    @classmethod
    def from_files(
        cls,
        files: Sequence[File],
        format: str | None = None,
        allow_additional_files: bool = False,
    ) -> ShardedS3Dataset:
        """The dataset of some files on S3: what they have below the directory common to all.

        Parameters
        ----------
        format
            Of the files; by default their extension.
        allow_additional_files
            Accept that there are other files of the format, which then belong to it.

        Raises
        ------
        FileNotFoundError
            A file is missing.
        ValueError
            There are no files, some are not on S3, they have several extensions or none, or there are
            others.
        """
        paths = [file.path for file in files]
        if not paths:
            raise ValueError("A dataset needs at least one file")
        for file in files:
            if file.filesystem.name != "s3":
                raise ValueError(f"Not a file on S3: {file.path}")
            if not file.exists():
                raise RedunFileNotFoundError(file.path, 2, os.strerror(2))
        # By characters, for URLs are no paths of this system; then back to a whole name.
        common = os.path.commonprefix([f"{os.path.dirname(path)}/" for path in paths])  # noqa: RUF071
        folder = common[: common.rfind("/")]
        recurse = any(os.path.dirname(path) != folder for path in paths)
        dataset = cls(folder, format or _common_extension(paths), recurse)
        others = set(dataset.filenames) - set(paths)
        if others and not allow_additional_files:
            raise ValueError(f"{folder} has other files, too, such as {min(others)}")
        return dataset

    @classmethod
    def from_data(
        cls,
        dataset: Any,
        output_path: str,
        format: str = "parquet",
        partition_keys: list[str] = [],
        catalog_database: str = "default",
        catalog_table: str | None = None,
        format_options: dict[str, Any] = {},
    ) -> ShardedS3Dataset:
        """Write a frame as a dataset at a URL on S3; parameters and errors as of `save_spark`."""
        made = cls(output_path, format=format, recurse=False)
        made.save_spark(dataset, partition_keys, catalog_database, catalog_table, format_options)
        return made


def _common_extension(paths: Sequence[str]) -> str:
    extensions = {os.path.splitext(path)[1][1:] for path in paths}
    if len(extensions) > 1:
        raise ValueError(f"The files have several extensions: {', '.join(sorted(extensions))}")
    extension = extensions.pop()
    if not extension:
        raise ValueError(f"The files have no extension: {paths[0]}")
    return extension


def _load_shard(pandas: Any, format: str, name: str) -> Any:
    stream: Any
    with File(name).open("rb") as stream:
        if format == "json":
            # An array, or one object a line as Spark writes them.
            lines = stream.peek(64).lstrip()[:1] != b"["
            return pandas.read_json(stream, lines=lines)
        return getattr(pandas, f"read_{format}")(stream)
