"""Walks over nested values agree with each other and with a recursive model."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from redun.utils import iter_nested_value, leaves, map_nested_value, pickle_dumps, pickle_loads
from redun.utils.pickling import _dump_deep
from redun.value import get_type_registry

scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.binary(max_size=4)
keys = st.integers() | st.text(max_size=4)
nested = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(keys, inner, max_size=4)
        | st.sets(keys, max_size=4)
    ),
    max_leaves=20,
)


def model_leaves(value: Any) -> list:
    if type(value) is dict:
        parts = [*value.keys(), *value.values()]
    elif type(value) in (list, tuple, set):
        parts = list(value)
    else:
        return [value]
    return [leaf for part in reversed(parts) for leaf in model_leaves(part)]


@given(nested)
def test_iteration_matches_the_model(value: Any) -> None:
    assert list(iter_nested_value(value)) == model_leaves(value)


@given(nested)
def test_identity_map_copies(value: Any) -> None:
    copy = map_nested_value(lambda leaf: leaf, value)
    assert copy == value
    assert type(copy) is type(value)
    if type(value) in (list, dict, set) and value:
        assert copy is not value


@given(nested)
def test_plain_data_has_no_leaves_and_a_stable_hash(value: Any) -> None:
    registry = get_type_registry()
    assert leaves(value) == []
    ((digest, plain),) = registry.hash_many([value])
    assert plain
    loaded = registry.deserialize(registry.get_type_name(type(value)), registry.serialize(value))
    assert registry.get_hash(loaded) == digest


@given(nested)
def test_both_picklers_write_the_same_value(value: Any) -> None:
    assert pickle_loads(_dump_deep(value)) == pickle_loads(pickle_dumps(value)) == value
