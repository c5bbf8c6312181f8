"""Namespaces: precedence and the process-wide setting."""

import sys
import types
from collections.abc import Iterator

import pytest

from redun.namespace import compute_namespace, get_current_namespace, namespace


@pytest.fixture(autouse=True)
def _reset() -> Iterator[None]:
    before = get_current_namespace()
    yield
    namespace(before)


@pytest.fixture
def definition() -> Iterator[types.SimpleNamespace]:
    module = types.ModuleType("namespace_test_module")
    sys.modules[module.__name__] = module
    yield types.SimpleNamespace(__module__=module.__name__)
    del sys.modules[module.__name__]


def test_set_and_reset() -> None:
    namespace("a.b")
    assert get_current_namespace() == "a.b"
    namespace()
    assert get_current_namespace() == ""
    namespace("c")
    namespace(None)
    assert get_current_namespace() == ""


def test_precedence(definition: types.SimpleNamespace) -> None:
    module = sys.modules[definition.__module__]
    namespace("current")
    assert compute_namespace(definition) == "current"
    module.redun_namespace = None  # type: ignore[attr-defined]
    assert compute_namespace(definition) == "current"
    module.redun_namespace = "module"  # type: ignore[attr-defined]
    assert compute_namespace(definition) == "module"
    assert compute_namespace(definition, "explicit") == "explicit"
    assert compute_namespace(definition, "") == ""


def test_unimported_module() -> None:
    with pytest.raises(KeyError):
        compute_namespace(types.SimpleNamespace(__module__="no_such_module_anywhere"))
