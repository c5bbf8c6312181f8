"""Functions as values."""

import importlib
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

from redun.hashing import hash_struct, set_scheme
from redun.utils import get_func_source
from redun.value import (
    Function,
    InvalidValueError,
    get_type_registry,
    is_unknown_function,
    make_unknown_function,
)

registry = get_type_registry()


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module `funcs_for_values` with a function `func`."""
    (tmp_path / "funcs_for_values.py").write_text("def func(x):\n    return x + 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "funcs_for_values", raising=False)
    return importlib.import_module("funcs_for_values")


@pytest.mark.parametrize("scheme", ["blake3", "redun1"])
def test_hash_is_of_name_and_source(module: ModuleType, scheme: str) -> None:
    set_scheme(scheme)
    value = Function(module.func)
    source = get_func_source(module.func)
    expected = hash_struct(["Value.function", "funcs_for_values.func", "source", source])
    assert value.get_hash() == expected
    assert registry.get_hash(module.func) == expected
    assert repr(value) == "<function funcs_for_values.func>"
    assert value.__getstate__() == {
        "hash": expected,
        "module": "funcs_for_values",
        "name": "func",
    }
    assert list(value.__getstate__()) == ["hash", "module", "name"]


def test_source_counts_inside_containers(module: ModuleType) -> None:
    before = registry.get_hash([module.func])

    def other():
        pass

    other.__module__, other.__qualname__, other.__name__ = "funcs_for_values", "func", "func"
    assert registry.get_hash([other]) != before


def test_round_trip(module: ModuleType) -> None:
    data = registry.serialize(module.func)
    assert b"credun.value\nFunction\n" in data
    assert registry.deserialize("builtins.function", data) is module.func
    assert registry.is_valid(module.func)


def test_missing_function(module: ModuleType) -> None:
    data = registry.serialize(module.func)
    missing = data.replace(b"\x04\x00\x00\x00func", b"\x04\x00\x00\x00cnuf")
    func = registry.deserialize("builtins.function", missing)
    assert is_unknown_function(func)
    assert not registry.is_valid(func)
    with pytest.raises(ValueError, match=r"Function 'funcs_for_values\.cnuf' cannot be found\."):
        func(1)
    assert registry.serialize(func) == missing
    assert registry.get_hash(func) == Function(module.func).get_hash()
    assert is_unknown_function(make_unknown_function("a.b"))
    assert not is_unknown_function(module.func)


def test_local_functions_are_refused() -> None:
    def local():
        pass

    message = "functions used as redun arguments or results must be defined globally"
    with pytest.raises(InvalidValueError, match=message):
        registry.get_hash(local)
    with pytest.raises(InvalidValueError, match=message):
        registry.get_hash([lambda x: x])


def test_function_without_source() -> None:
    names: dict = {"__name__": "somewhere"}
    exec(compile("def made(): pass", "<made>", "exec"), names)
    with pytest.raises(OSError):
        registry.get_hash(names["made"])


def test_parse_arg() -> None:
    assert Function.parse_arg(None, "os.path.join") is os.path.join
    with pytest.raises(ValueError, match="Unexpected format for function name: os"):
        Function.parse_arg(None, "os")
    for name in ("os.no_such", "no_such_module_y.f"):
        with pytest.raises(ValueError, match=f"Function not found: {name}"):
            Function.parse_arg(None, name)
