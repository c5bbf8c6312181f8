"""Handles: construction, states, hashes, pickling, validity."""

from __future__ import annotations

from typing import Any

import pytest

from redun.current import NoCurrentScheduler, scheduler_running
from redun.handle import Handle, HandleInfo, get_fullname, get_handle_class
from redun.hashing import hash_struct, set_scheme
from redun.namespace import namespace as set_namespace
from redun.utils import pickle_dumps, pickle_loads
from redun.value import get_type_registry


class Connection(Handle):
    connected = 0

    def __init__(self, name: str, size: int = 1, namespace: str | None = None) -> None:
        Connection.connected += 1
        self.size = size
        self.instance: Any = [1, 2, 3]


class Bare(Handle):
    type_name = "test_handle.Bare"

    def __init__(self, name: str, *args: Any, **kwargs: Any) -> None:
        self.args = args


@pytest.fixture(params=["blake3", "redun1"])
def scheme(request):
    set_scheme(request.param)
    return request.param


@pytest.fixture
def conn(scheme):
    return Connection("conn", 5, namespace="ns")


# -- construction ------------------------------------------------------------------------------------


def test_what_is_known_of_a_fresh_handle(conn):
    info = conn.__handle__
    assert isinstance(info, HandleInfo)
    assert Handle.HandleInfo is HandleInfo
    assert (info.name, info.namespace, info.fullname) == ("conn", "ns", "ns.conn")
    assert (info.args, info.kwargs) == ((5,), {})
    assert info.class_name == Connection.type_name
    assert (info.call_hash, info.key, info.is_recorded, info.fork_parent) == ("", "", False, None)
    assert conn.get_hash() == info.hash


def test_namespaces(monkeypatch):
    monkeypatch.setitem(globals(), "redun_namespace", "of_module")
    assert Bare("a").__handle__.fullname == "of_module.a"
    monkeypatch.delitem(globals(), "redun_namespace")
    set_namespace("process_wide")
    try:
        assert Bare("a").__handle__.fullname == "process_wide.a"
    finally:
        set_namespace()
    assert Bare("a").__handle__.fullname == "a"
    assert get_fullname("", "a") == get_fullname(None, "a") == "a"


def test_a_namespace_must_be_accepted_by_the_class():
    class Closed(Handle):
        def __init__(self, name):
            pass

    with pytest.raises(TypeError, match="namespace"):
        Closed("a", namespace="ns")


def test_repr(conn):
    assert repr(conn) == f"{Connection.type_name}(fullname=ns.conn, hash={conn.get_hash()[:8]})"
    assert repr(Bare("z")).startswith("test_handle.Bare(fullname=z, hash=")


def test_attributes_fall_through_to_the_instance(conn):
    assert conn.size == 5
    assert conn.index(2) == 1
    with pytest.raises(AttributeError, match="'list' object has no attribute 'nope'"):
        _ = conn.nope
    with pytest.raises(AttributeError, match="'Bare' object has no attribute 'nope'"):
        _ = Bare("a").nope
    conn.extra = 1
    assert conn.extra == 1


def test_handles_differ_by_identity():
    assert Bare("a") != Bare("a")


def test_class_of_a_type_name():
    assert get_handle_class("test_handle.Bare") is Bare
    from redun.value import TypeError as ValueTypeError

    with pytest.raises(ValueTypeError, match="Unable to import type"):
        get_handle_class("test_handle_nowhere.Nope")


# -- hashes ------------------------------------------------------------------------------------------


def test_hashes_of_the_original():
    """Recorded from version 0.44.1."""
    set_scheme("redun1")
    conn = Connection("conn", 5, namespace="ns")
    assert conn.get_hash() == "18a1ace840c60d28df935d6e6ce25ec9dbbb2649"
    fork = conn.fork("k1")
    assert fork.get_hash() == "49766f209d149bf46e6c3982d3e300480d8fd056"
    assert conn.apply_call("abcd").get_hash() == "dccbf8667515332c4fb791e37b727e904b91788e"
    assert conn.preprocess({"call_order": 3}).get_hash().startswith("05aaf59c1b198a9c")
    assert fork.preprocess({"call_order": 3}).get_hash().startswith("a058e734333f1245")
    assert fork.postprocess({"pre_call_hash": "zz"}).get_hash().startswith("99cb546ec7185fa8")


def test_preimages(conn):
    five = get_type_registry().get_hash(5)
    assert conn.get_hash() == hash_struct(["Handle", "ns.conn", "init", "", [five], {}])
    assert conn.apply_call("c" * 40).get_hash() == hash_struct(
        ["Handle", "ns.conn", "call_hash", "", "c" * 40]
    )


def test_what_counts(scheme):
    hashes = {
        handle.get_hash()
        for handle in (
            Bare("a"),
            Bare("b"),
            Bare("a", 1),
            Bare("a", 2),
            Bare("a", k=1),
            Bare("a").fork("x"),
            Bare("a").fork("y"),
            Bare("a").apply_call("x"),
        )
    }
    assert len(hashes) == 8
    assert Bare("a", 1).get_hash() == Bare("a", 1).get_hash()

    class Renamed(Bare):
        pass

    assert Renamed("a", 1).get_hash() == Bare("a", 1).get_hash()


def test_hash_follows_the_active_scheme():
    handle = Bare("a", 1)
    modern = handle.get_hash()
    set_scheme("redun1")
    assert handle.get_hash() == Bare("a", 1).get_hash() != modern
    set_scheme("blake3")
    assert handle.get_hash() == modern


# -- states ------------------------------------------------------------------------------------------


def test_forks_share_the_connection(conn):
    before = Connection.connected
    fork = conn.fork("left")
    assert Connection.connected == before
    assert fork.instance is conn.instance
    info = fork.__handle__
    assert (info.call_hash, info.key) == (conn.get_hash(), "left")
    assert info.fork_parent is conn
    assert not info.is_recorded
    assert conn.__handle__.key == ""


def test_a_call_moves_the_state_on(conn):
    after = conn.fork("left").apply_call("c" * 40)
    info = after.__handle__
    assert (info.call_hash, info.key, info.fork_parent) == ("c" * 40, "", None)
    assert (info.args, info.fullname) == ((5,), "ns.conn")
    assert after.size == 5


def test_preprocess_forks_by_key_or_by_order(conn):
    assert conn.preprocess({"call_order": 3}).__handle__.key == "3"
    fork = conn.fork("left")
    child = fork.preprocess({"call_order": 3})
    assert child.__handle__.key == "left"
    assert child.__handle__.call_hash == fork.get_hash()


def test_postprocess_applies_the_call(conn):
    assert conn.postprocess({"pre_call_hash": "e" * 40}).__handle__.call_hash == "e" * 40


# -- pickling ----------------------------------------------------------------------------------------


def test_state_keys_are_in_order(conn):
    assert list(conn.__getstate__()) == [
        "name",
        "namespace",
        "args",
        "kwargs",
        "class_name",
        "call_hash",
        "key",
        "hash",
    ]


def test_unpickling_connects_again(conn):
    fork = conn.fork("left")
    before = Connection.connected
    loaded = pickle_loads(pickle_dumps(fork))
    assert Connection.connected == before + 1
    assert type(loaded) is Connection
    assert loaded.size == 5
    assert loaded.get_hash() == fork.get_hash()
    info = loaded.__handle__
    assert info.is_recorded
    assert info.fork_parent is None
    assert (info.key, info.call_hash, info.fullname) == ("left", conn.get_hash(), "ns.conn")


def test_the_stored_hash_is_not_computed_again(conn):
    state = {**conn.__getstate__(), "hash": "h" * 40}
    loaded = object.__new__(Connection)
    loaded.__setstate__(state)
    assert loaded.get_hash() == "h" * 40


# -- validity ----------------------------------------------------------------------------------------


class FakeScheduler:
    def __init__(self, valid: set[str]) -> None:
        self.backend = self
        self.valid = valid

    def is_valid_handle(self, handle: Handle) -> bool:
        return handle.get_hash() in self.valid


def test_validity_is_the_backends(conn):
    with pytest.raises(NoCurrentScheduler):
        conn.is_valid()
    with scheduler_running(FakeScheduler({conn.get_hash()})):
        assert conn.is_valid()
        assert not conn.fork("x").is_valid()


def test_a_handle_of_another_class_is_invalid(conn):
    conn.__handle__.class_name = "other.Class"
    assert not conn.is_valid()
