"""`redun._core`: hashes of values and files, leaves and copies of nested values."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest

from redun import _core
from redun._core import nested_leaves, nested_map

DEPTH = 100_000


class Point:
    """Opened by `expand` and `leaf`, as a dataclass would be."""

    def __init__(self, x: Any, y: Any):
        self.children = [x, y]


class Thing:
    """A leaf."""


def expand(obj: Any) -> list[Any] | None:
    return obj.children if isinstance(obj, Point) else None


def rebuild(_obj: Any, children: list[Any]) -> Point:
    return Point(*children)


def leaf(obj: Any) -> str | bytes | tuple[str, list[Any]]:
    if isinstance(obj, Point):
        return "Point", obj.children
    return "f" * 40 if isinstance(obj, Thing) else repr(obj).encode()


def value_hash(value: Any) -> str:
    return _core.hash_values([value], leaf)[0][0]


def nested(value: Any, depth: int = DEPTH) -> list[Any]:
    for _ in range(depth):
        value = [value]
    return value


def test_value_hashes_of_a_batch() -> None:
    values = [1, "a", [1, "a"], Thing()]
    one_by_one = [_core.hash_values([value], leaf)[0] for value in values]
    assert _core.hash_values(values, leaf) == one_by_one
    assert _core.hash_values(iter(values), leaf) == one_by_one
    assert _core.hash_values([], leaf) == []


def test_type_is_part_of_the_hash() -> None:
    values = [
        *(None, False, 0, 0.0, -0.0, "", b"", [], (), {}, set(), frozenset()),
        *(True, 1, 1.0, "1", b"1", [1], (1,), {1: 1}, {1}, frozenset({1}), [[1]], 2**64, -(2**64)),
        *([1, 2], [[1], 2], [1, [2]], ["ab"], ["a", "b"], {"a": 1, "b": 2}, {"b": 2, "a": 1}),
    ]
    assert len({value_hash(value) for value in values}) == len(values)


def test_plain_is_what_needs_no_callback() -> None:
    def refuse(obj: Any) -> str:
        raise AssertionError(f"asked about {obj!r}")

    plain = [None, True, 1, 2.5, "x", b"x", [1, (2, {3})], {"k": [None]}]
    assert all(is_plain for _, is_plain in _core.hash_values(plain, refuse))
    assert _core.hash_values([frozenset({1})], refuse)[0][1] is False
    for value in (1j, Thing(), [Thing()], {"k": (OrderedDict(),)}, {frozenset({1})}):
        assert _core.hash_values([value], leaf)[0][1] is False
    assert nested_leaves(frozenset({1}), expand) == [frozenset({1})]


def test_answers_of_the_callback() -> None:
    assert value_hash(Thing()) == "f" * 40
    assert value_hash(1j) == _core.hash_tag_bytes("Value", b"1j")
    same = value_hash([Point(1, Thing())])
    assert value_hash([Point(1, Thing())]) == same
    assert value_hash([Point(Thing(), 1)]) != same
    assert value_hash(Point(1, 2)) != value_hash([1, 2])
    assert value_hash([Thing()]) != value_hash(["f" * 40])
    assert value_hash([1j]) != value_hash([b"1j"])


@pytest.mark.parametrize("answer", [None, 5, ("x",), ("x", "y"), (1, []), ["x", []]])
def test_other_answers_are_refused(answer: Any) -> None:
    for value in (Thing(), [Thing()]):
        with pytest.raises(TypeError, match=r"leaf\(\) must return"):
            _core.hash_values([value], lambda _: answer)


def test_errors_of_the_callback_are_passed_on() -> None:
    def fail(obj: Any) -> str:
        raise KeyError(obj)

    thing = Thing()
    with pytest.raises(KeyError) as error:
        _core.hash_values([[{"k": (thing,)}]], fail)
    assert error.value.args == (thing,)


def test_arguments() -> None:
    things = Thing()
    calls: list[tuple[Any, dict[str, Any]]] = [
        ((1, "a"), {"z": None, "b": [2]}),
        ([things], {}),
        ((), {}),
    ]
    first, second, third = _core.hash_arguments(calls, leaf)
    hashes = {name: value_hash(value) for name, value in calls[0][1].items()}
    positional = [value_hash(1), value_hash("a")]
    args_hash = _core.hash_struct(["TaskArguments", positional, hashes])
    assert first == (args_hash, tuple(positional), tuple(hashes.values()), True)
    assert second[1:] == (("f" * 40,), (), False)
    assert third == (_core.hash_struct(["TaskArguments", [], {}]), (), (), True)
    with pytest.raises(TypeError):
        _core.hash_arguments([((), {1: 2})], leaf)  # type: ignore[dict-item]


def test_the_compatibility_scheme_asks_about_every_value() -> None:
    _core.set_scheme("redun1")
    asked = []

    def answer(obj: Any) -> str | bytes:
        asked.append(obj)
        return "own" if isinstance(obj, set) else b"pickle"

    values = [1, [2, Thing()], {3}, frozenset({4})]
    tagged = _core.hash_tag_bytes("Value", b"pickle")
    expected = [(tagged, True), (tagged, False), ("own", True), (tagged, False)]
    assert _core.hash_values(values, answer) == expected
    assert asked == values
    with pytest.raises(TypeError, match="redun1"):
        _core.hash_values([1], lambda _: ("list", []))


def test_text_that_is_no_unicode() -> None:
    assert value_hash("\ud800") != value_hash("\udc00")
    assert value_hash(["\ud800"]) == value_hash(["\ud800"])


def test_batches_of_structures() -> None:
    structs = [["a", 1], {"k": []}, b"x"]
    assert _core.hash_structs(structs) == [_core.hash_struct(struct) for struct in structs]
    with pytest.raises(TypeError, match="is not bencodable"):
        _core.hash_structs([["a"], [None]])


def test_leaves_in_document_order() -> None:
    things = [Thing() for _ in range(7)]
    a, b, c, d, e, f, g = things
    value = [1, a, (b, Point(c, [d])), {e: f, "k": {g}}]
    assert nested_leaves(value, expand) == things
    assert nested_leaves(a, expand) == [a]
    assert nested_leaves([1, {"k": ("x", {2.5})}], expand) == []
    assert nested_leaves([a, a], expand) == [a, a]


def test_subclasses_are_leaves() -> None:
    values: list[Any] = [OrderedDict(a=1), type("L", (list,), {})(), 1j, bytearray()]
    assert nested_leaves(values, expand) == values


@pytest.mark.parametrize(
    "walk", [lambda v, x: nested_leaves(v, x), lambda v, x: nested_map(v, {}, x, rebuild)]
)
def test_answers_of_expand(walk: Any) -> None:
    with pytest.raises(TypeError, match=r"expand\(\) must return"):
        walk([Thing()], lambda _: ())
    with pytest.raises(ZeroDivisionError):
        walk([Thing()], lambda _: [1 // 0])


def test_copies_with_leaves_replaced() -> None:
    a, b, c = Thing(), Thing(), Thing()
    value: Any = [a, (1, b), {"k": {c}, a: [b]}, Point(b, [c])]
    mapping = {id(a): "A", id(b): ["B"], id(c): 3}
    copy = nested_map(value, mapping, expand, rebuild)
    assert copy[:3] == ["A", (1, ["B"]), {"k": {3}, "A": [["B"]]}]
    assert isinstance(copy[3], Point)
    assert copy[3].children == [["B"], [3]]
    assert copy[1][1] is mapping[id(b)]
    assert value[0] is a
    assert value[3].children[0] is b


def test_copies_share_no_container() -> None:
    inner: list[Any] = [1]
    value: Any = {"a": inner, "b": (inner, {2})}
    copy = nested_map(value, {}, expand, rebuild)
    assert copy == value
    assert copy is not value
    assert copy["a"] is not inner
    assert copy["b"][0] is not inner
    assert copy["b"] is not value["b"]
    assert copy["b"][1] is not value["b"][1]
    thing, text = Thing(), "text" * 10
    assert nested_map(thing, {}, expand, rebuild) is thing
    assert nested_map(text, {id(text): 1}, expand, rebuild) is text


def test_replacements_that_cannot_be_hashed() -> None:
    thing = Thing()
    for value in ({thing}, {thing: 1}):
        with pytest.raises(TypeError, match="unhashable"):
            nested_map(value, {id(thing): []}, expand, rebuild)


def test_depth_has_no_limit() -> None:
    thing = Thing()
    value = nested({"k": (thing,)})
    assert nested_leaves(value, expand) == [thing]
    copy = nested_map(value, {id(thing): 1}, expand, rebuild)
    assert nested_leaves(copy, expand) == []
    assert value_hash(copy) == value_hash(nested({"k": (1,)}))
    assert value_hash(copy) != value_hash(nested({"k": (1,)}, DEPTH + 1))
    frozen: Any = 1
    for _ in range(DEPTH):
        frozen = frozenset((frozen,))
    assert len(value_hash(frozen)) == 40


def cycles() -> list[Any]:
    items: list[Any] = []
    items.append(items)
    table: dict[str, Any] = {}
    table["k"] = ([table], 1)
    point = Point(1, 2)
    point.children.append((point,))
    return [items, [items], table, nested(items, 1000), [point]]


@pytest.mark.parametrize("index", range(5))
@pytest.mark.parametrize("scheme", _core.SCHEMES)
def test_containers_that_contain_themselves(index: int, scheme: str) -> None:
    _core.set_scheme(scheme)
    value = cycles()[index]
    for walk in (
        lambda: nested_leaves(value, expand),
        lambda: nested_map(value, {}, expand, rebuild),
    ):
        with pytest.raises(_core.CycleError, match="contains itself"):
            walk()
    if scheme == "blake3" or index < 4:
        with pytest.raises(ValueError, match="contains itself"):
            _core.hash_values([value], leaf)


def test_shared_containers_are_no_cycle() -> None:
    shared = [1]
    deep = nested([shared, shared, {"k": shared}], 200)
    assert nested_leaves(deep, expand) == []
    assert value_hash(deep) == value_hash(nested([[1], [1], {"k": [1]}], 200))


def test_changes_during_a_walk_do_no_harm() -> None:
    things = [Thing() for _ in range(50)]
    value: dict[Any, Any] = {"things": things, "more": {thing: thing for thing in things}}

    def clear(_obj: Any) -> bytes:
        things.clear()
        value.clear()
        return b"x"

    assert len(_core.hash_values([value], clear)[0][0]) == 40
    assert value == {}


def test_files(tmp_path: Path) -> None:
    paths = []
    for index, size in enumerate([0, 10, 5000, 2_000_000]):
        path = tmp_path / f"é{index}"
        path.write_bytes(os.urandom(size))
        paths.append(path)
    for scheme in _core.SCHEMES:
        _core.set_scheme(scheme)
        expected = [_core.hash_bytes(path.read_bytes()) for path in paths]
        assert [_core.hash_file(str(path)) for path in paths] == expected
        assert _core.hash_files([str(path) for path in paths] * 10) == expected * 10
        assert _core.hash_files(paths) == expected


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    for call in (lambda: _core.hash_file(missing), lambda: _core.hash_files([missing])):
        with pytest.raises(FileNotFoundError) as error:
            call()
        assert error.value.filename == missing
        assert error.value.errno == 2
        assert str(error.value) == f"[Errno 2] No such file or directory: {missing!r}"
    with pytest.raises(IsADirectoryError):
        _core.hash_file(str(tmp_path))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_large_files_after_a_fork(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(bytes(8_000_000))
    code = (
        "import os, sys, warnings\n"
        "from redun import _core\n"
        "warnings.simplefilter('ignore')\n"
        "before = _core.hash_file(sys.argv[1])\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    same = _core.hash_file(sys.argv[1]) == before == _core.hash_bytes(bytes(8_000_000))\n"
        "    os._exit(0 if same else 1)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    run = subprocess.run([sys.executable, "-c", code, str(path)], timeout=60, check=False)
    assert run.returncode == 0


def test_one_hash_shared_by_threads() -> None:
    message, block, rounds = _core.Hash(), b"x" * 100_000, 20
    threads = [
        threading.Thread(target=lambda: [message.update(block) for _ in range(rounds)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert message.hexdigest() == _core.hash_bytes(block * rounds * len(threads))


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_long_walk_can_be_interrupted() -> None:
    value: Any = []
    for _ in range(60):
        value = [value, value]

    def interrupt(_signal: int, _frame: Any) -> None:
        raise InterruptedError

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for walk in (
            lambda: value_hash(value),
            lambda: nested_leaves(value, expand),
            lambda: _core.bencode(value),
        ):
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            with pytest.raises(InterruptedError):
                walk()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
