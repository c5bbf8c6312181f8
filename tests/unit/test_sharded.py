"""Datasets of many files on S3."""

from __future__ import annotations

import io
import pickle
import sys
from types import ModuleType
from typing import Any

import pytest

from redun import File, Scheduler, task
from redun.file import ShardedS3Dataset
from redun.hashing import hash_struct


def put(s3: Any, *keys: str, data: bytes = b"x,y\n1,2\n") -> None:
    for key in keys:
        s3.client.put_object(Bucket=s3.bucket, Key=key, Body=data)


def test_files_and_hash(s3: Any) -> None:
    put(s3, "d/b.csv", "d/a.csv", "d/sub/c.csv", "d/x.json", "dd/e.csv")
    dataset = ShardedS3Dataset(s3.url("d//"), "csv")
    names = [s3.url(f"d/{name}.csv") for name in ("a", "b", "sub/c")]
    assert dataset.filenames == names
    assert (dataset.path, dataset.format, dataset.recurse) == (s3.url("d"), "csv", True)
    digest = hash_struct(["ShardedS3Dataset", s3.url("d"), *names])
    assert dataset.hash == dataset.get_hash() == digest
    assert repr(dataset) == (
        f"ShardedS3Dataset(path={s3.url('d')}, format=csv, recurse=True, hash={digest})"
    )
    assert [file.path for file in dataset.iter_subvalues()] == names  # type: ignore[attr-defined]
    put(s3, "d/a.csv", data=b"rewritten")
    assert dataset.is_valid()
    put(s3, "d/new.csv")
    assert not dataset.is_valid()
    dataset.recurse = False
    assert dataset.filenames == [s3.url(f"d/{name}.csv") for name in ("a", "b", "new")]
    assert dataset.hash == digest
    dataset.format = "json"
    assert dataset.filenames == [s3.url("d/x.json")]


def test_state(s3: Any) -> None:
    put(s3, "d/a.csv")
    dataset = ShardedS3Dataset(s3.url("d"), "csv")
    state = dataset.__getstate__()
    assert list(state) == ["path", "format", "recurse", "hash", "files"]
    assert state["files"] == [s3.url("d/a.csv")]
    data = pickle.dumps(dataset, protocol=3)
    assert b"redun.file\nShardedS3Dataset" in data
    loaded = pickle.loads(data)
    assert (loaded.hash, loaded.filenames) == (dataset.hash, dataset.filenames)
    loaded.__setstate__({**state, "hash": None})
    assert loaded.hash == dataset.hash


def test_wrong_arguments(s3: Any) -> None:
    with pytest.raises(ValueError, match="Invalid format exe"):
        ShardedS3Dataset(s3.url("d"), "exe")
    with pytest.raises(AssertionError):
        ShardedS3Dataset("/local/d")


def test_loading_with_pandas(s3: Any) -> None:
    pandas = pytest.importorskip("pandas")
    put(s3, "csv/a.csv", "csv/b.csv")
    put(s3, "json/a.json", data=b'[{"x": 1, "y": 2}]')
    put(s3, "json/b.json", data=b'{"x": 1, "y": 2}\n{"x": 3, "y": 4}\n')
    frame = pandas.DataFrame({"x": [1], "y": [2]})
    for format in ("parquet", "orc"):
        stream = io.BytesIO()
        getattr(frame, f"to_{format}")(stream)
        put(s3, f"{format}/a.{format}", data=stream.getvalue())
    for format, rows in {"csv": 2, "json": 3, "parquet": 1, "orc": 1}.items():
        dataset = ShardedS3Dataset(s3.url(format), format)
        loaded = dataset.load_pandas()
        assert list(loaded.columns) == ["x", "y"]
        assert len(loaded) == rows
        assert len(dataset.load_pandas_shards(max_shards=1)) == 1
    assert len(ShardedS3Dataset(s3.url("empty")).load_pandas()) == 0
    with pytest.raises(ValueError, match="No pandas load function found for 'avro'"):
        ShardedS3Dataset(s3.url("d"), "avro").load_pandas()


def test_without_pandas(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    put(s3, "d/a.csv")
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="need the library 'pandas'"):
        ShardedS3Dataset(s3.url("d"), "csv").load_pandas()


def test_parquet_of_arrow(s3: Any) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pyarrow.table({"x": list(range(100_000))})
    file = File(s3.url("d/a.parquet"))
    with file.open("wb") as stream:
        parquet.write_table(table, stream)
    dataset = ShardedS3Dataset(s3.url("d"))
    assert dataset.filenames == [file.path]
    with File(dataset.filenames[0]).open("rb") as stream:
        assert parquet.read_table(stream).equals(table)


def test_from_files(s3: Any) -> None:
    put(s3, "d/a.csv", "d/b.csv", "d/sub/c.csv", "d/x.json")
    files = [File(s3.url("d/a.csv")), File(s3.url("d/b.csv"))]
    dataset = ShardedS3Dataset.from_files(files)
    assert (dataset.path, dataset.format, dataset.recurse) == (s3.url("d"), "csv", False)
    deep = ShardedS3Dataset.from_files([*files, File(s3.url("d/sub/c.csv"))])
    assert len(deep.filenames) == 3
    assert ShardedS3Dataset.from_files(files[:1], allow_additional_files=True).path == s3.url("d")
    for wrong, message in (
        ([], "at least one file"),
        ([File("local.csv")], "Not a file on S3"),
        (files[:1], "other files, too, such as .*b.csv"),
        ([files[0], File(s3.url("d/x.json"))], "several extensions: csv, json"),
    ):
        with pytest.raises(ValueError, match=message):
            ShardedS3Dataset.from_files(wrong)
    put(s3, "e/plain")
    with pytest.raises(ValueError, match="no extension"):
        ShardedS3Dataset.from_files([File(s3.url("e/plain"))])
    with pytest.raises(FileNotFoundError, match=r"missing\.csv"):
        ShardedS3Dataset.from_files([File(s3.url("d/missing.csv"))])


def test_spark_needs_glue(s3: Any) -> None:
    dataset = ShardedS3Dataset(s3.url("d"))
    for work in (
        dataset.load_spark,
        dataset.purge_spark,
        lambda: dataset.save_spark(None),
        lambda: ShardedS3Dataset.from_data(None, s3.url("d")),
    ):
        with pytest.raises(ValueError, match=r"Glue not installed\. Are you running locally\?"):
            work()


class Recorder:
    """Stands for Glue's objects: notes each call, and returns itself."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple, dict]] = []
        self.rows = 0

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls.append((name, args, kwargs))
            return self.rows if name == "count" else self

        return call


@pytest.fixture
def glue(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder()
    names = {
        "awsglue.context": {"GlueContext": lambda spark: recorder},
        "awsglue.dynamicframe": {"DynamicFrame": recorder},
        "pyspark.context": {"SparkContext": recorder},
    }
    for name, members in names.items():
        module = ModuleType(name)
        module.__dict__.update(members)
        monkeypatch.setitem(sys.modules, name, module)
        monkeypatch.setitem(sys.modules, name.split(".")[0], ModuleType(name.split(".")[0]))
    return recorder


def test_spark_in_glue(s3: Any, glue: Recorder) -> None:
    dataset = ShardedS3Dataset(s3.url("d"), "csv")
    assert dataset.load_spark(format_options={"separator": ";"}) is glue
    calls = {name: kwargs for name, _, kwargs in glue.calls}
    read = calls["create_dynamic_frame_from_options"]
    assert read["connection_options"] == {"paths": [s3.url("d")], "recurse": True}
    assert read["format_options"] == {
        "withHeader": True,
        "optimizePerformance": True,
        "separator": ";",
    }
    with pytest.raises(ValueError, match="is empty"):
        dataset.load_spark(validate=True)
    ShardedS3Dataset.from_data("frame", s3.url("d"), partition_keys=["x"], catalog_table="t")
    calls = {name: (args, kwargs) for name, args, kwargs in glue.calls}
    assert calls["setFormat"] == (("glueparquet",), {"compression": "snappy"})
    assert calls["getSink"][1]["partitionKeys"] == ["x"]
    assert calls["getSink"][1]["enableUpdateCatalog"] is True
    assert calls["setCatalogInfo"][1] == {"catalogDatabase": "default", "catalogTableName": "t"}
    assert "writeFrame" in calls
    dataset.purge_spark(5, "s3://m/f")
    assert glue.calls[-1][1] == (
        s3.url("d"),
        {"retentionPeriod": 5, "manifestFilePath": "s3://m/f"},
    )


def test_dataset_in_a_workflow(s3: Any, scheduler: Scheduler) -> None:
    calls: list[str] = []

    @task(namespace="sharded")
    def make() -> ShardedS3Dataset:
        calls.append("make")
        dataset = ShardedS3Dataset(s3.url("d"), "csv")
        put(s3, "d/a.csv")
        return dataset

    @task(namespace="sharded")
    def count(dataset: ShardedS3Dataset) -> int:
        calls.append("count")
        return len(dataset.filenames)

    assert scheduler.run(count(make())) == 1
    assert scheduler.run(count(make())) == 1
    assert calls == ["make", "count"]
    s3.client.delete_object(Bucket=s3.bucket, Key="d/a.csv")
    assert scheduler.run(count(make())) == 1
    assert calls == ["make", "count", "make"]
