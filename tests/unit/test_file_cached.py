"""`FileCache`: values stored as files."""

import os
from collections.abc import Iterator

import pytest

import redun.value
from redun import Scheduler, task
from redun.hashing import hash_bytes, set_scheme
from redun.value import InvalidValueError, get_type_registry

pytestmark = pytest.mark.usefixtures("workdir")

registry = get_type_registry()


class Payload:
    def __init__(self, text: str) -> None:
        self.text = text


@pytest.fixture(autouse=True)
def cache() -> Iterator[type]:
    proxies = dict(registry._proxies)

    class PayloadCache(redun.value.FileCache):
        type = Payload
        base_path = "cache"

        def _serialize(self) -> bytes:
            return self.instance.text.encode()

        @classmethod
        def _deserialize(cls, data: bytes) -> Payload:
            return Payload(data.decode())

    yield PayloadCache
    del registry._by_name[PayloadCache.type_name]
    registry._proxies = proxies
    registry._resolved.clear()


def test_public_place() -> None:
    assert redun.value.FileCache.__module__ == "redun.value"
    with pytest.raises(AttributeError):
        _ = redun.value.NoSuchName


@pytest.mark.parametrize("scheme", ["blake3", "redun1"])
def test_round_trip(scheme: str) -> None:
    set_scheme(scheme)
    data = registry.serialize(Payload("abc"))
    assert data == f"cache/{hash_bytes(b'abc')}".encode()
    assert os.listdir("cache") == [hash_bytes(b"abc")]
    name = registry.get_type_name(Payload)
    assert registry.deserialize(name, data).text == "abc"
    os.remove(data.decode())
    with pytest.raises(InvalidValueError):
        registry.deserialize(name, data)


def test_damaged_file_is_no_value(cache: type) -> None:
    data = registry.serialize(Payload("abc"))
    name = registry.get_type_name(Payload)
    with open(data.decode(), "w") as stream:
        stream.write("ab")
    with pytest.raises(InvalidValueError, match="changed or damaged"):
        registry.deserialize(name, data)
    assert registry.serialize(Payload("abc")) == data
    assert registry.deserialize(name, data).text == "abc"
    os.rename(data.decode(), "cache/named otherwise")
    assert registry.deserialize(name, b"cache/named otherwise").text == "abc"


def test_results_of_tasks(scheduler: Scheduler, cache: type) -> None:
    runs = []

    @task(namespace="test_file_cached")
    def make(text: str) -> Payload:
        runs.append(text)
        return Payload(text)

    @task(namespace="test_file_cached")
    def length(payload: Payload) -> int:
        return len(payload.text)

    for _ in range(2):
        assert scheduler.run(length(make("abc"))) == 3
        assert scheduler.run(make("abc")).text == "abc"
    assert runs == ["abc"]
    (name,) = os.listdir("cache")
    os.remove(f"cache/{name}")
    assert scheduler.run(make("abc")).text == "abc"
    assert runs == ["abc", "abc"]
    assert os.listdir("cache") == [name]


def test_default_serialization_and_hash(cache: type) -> None:
    payload = Payload("abc")
    plain = redun.value.FileCache(payload)
    stored = plain._serialize()
    assert redun.value.FileCache._deserialize(stored).text == "abc"
    set_scheme("redun1")
    data = registry.serialize(payload)
    assert registry.get_value(payload).get_hash(data=data) != registry.get_hash(payload)
