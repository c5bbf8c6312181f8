"""Tasks: definition, validation, hash, derivation, late binding, pickling."""

from __future__ import annotations

import json
import pickle
import types
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from redun.expression import TaskExpression
from redun.hashing import hash_struct, set_scheme
from redun.namespace import namespace as set_namespace
from redun.task import (
    CacheCheckValid,
    CacheScope,
    PartialTask,
    SchedulerTask,
    Task,
    get_task_registry,
    scheduler_task,
    task,
)
from redun.utils import pickle_dumps, pickle_loads
from redun.value import get_type_registry

GOLDEN = json.loads(
    (Path(__file__).parents[1] / "golden" / "language_redun1.json").read_text(encoding="utf-8")
)


def plain(a, b=1):
    return a + b


async def later(a):
    return a


@pytest.fixture
def f():
    return task(namespace="n", source="def f(a, b=1): return a\n", name="f")(plain)


@pytest.fixture(params=["blake3", "redun1"])
def scheme(request):
    set_scheme(request.param)
    return request.param


@pytest.fixture
def current_namespace() -> Iterator[None]:
    yield
    set_namespace()


def round_trip(value):
    return pickle_loads(pickle_dumps(value))


# -- definition --------------------------------------------------------------------------------------


def test_bare_and_parameterised_decorators_register():
    @task
    def one(x):
        return x

    @task(name="second", namespace="ns", version="2", memory=4)
    def two(x):
        return x

    registry = get_task_registry()
    assert registry.get("one") is one
    assert registry.get("ns.second") is two
    assert (two.fullname, two.name, two.namespace, two.version) == (
        "ns.second",
        "second",
        "ns",
        "2",
    )
    assert two.get_task_options() == {"memory": 4}
    assert one.func(3) == 3
    assert one.compat == []
    assert one.script is False


def test_constructing_does_not_register():
    made = Task(plain, name="unregistered")
    assert get_task_registry().get("unregistered") is None
    assert made.fullname == "unregistered"


def test_namespaces(current_namespace, monkeypatch):
    set_namespace("process_wide")
    assert Task(plain).namespace == "process_wide"
    monkeypatch.setitem(globals(), "redun_namespace", "of_module")
    assert Task(plain).namespace == "of_module"
    assert Task(plain, namespace="explicit").fullname == "explicit.plain"
    assert Task(plain, namespace="").fullname == "plain"


def test_a_function_of_a_missing_module():
    func = types.FunctionType(plain.__code__, globals(), "func")
    func.__module__ = "no_such_module"
    with pytest.raises(KeyError):
        Task(func)


def test_source_is_needed_for_the_hash():
    code = compile("def made(x): return x", "<nowhere>", "exec")
    module: dict = {"__name__": __name__}
    types.FunctionType(code, module)()
    made = module["made"]
    with pytest.raises(OSError, match="source code"):
        Task(made)
    assert Task(made, source="text").source == "text"
    assert Task(made, version="1").source == ""


def test_source_of_a_function():
    @task(namespace="n")
    # a comment above
    def shown(x):
        return x  # kept

    assert shown.source == "    def shown(x):\n        return x  # kept\n"


def test_source_of_an_asynchronous_function():
    def decorate(func):
        return func

    @decorate
    async def outer(x):
        def inner():
            return x

        return inner()

    made = Task(outer, task_options_base={"cache": False})
    assert made.source.lstrip().startswith("async def outer(x):")
    modern = made.hash
    set_scheme("redun1")
    assert made.source.lstrip().startswith("def inner():")
    assert made.hash != modern


def test_task_is_neither_a_function_nor_a_method():
    class Holder:
        attribute = Task(plain)

    assert isinstance(Holder().attribute, Task)
    with pytest.raises(AttributeError):
        _ = Task(plain).__name__


def test_type_names():
    registry = get_type_registry()
    assert registry.get_type_name(Task) == "redun.Task"
    assert registry.get_type_name(SchedulerTask) == "redun.task.SchedulerTask"
    assert registry.get_type_name(PartialTask) == "redun.PartialTask"


def test_repr(f):
    set_scheme("redun1")
    assert repr(f) == "Task(fullname=n.f, hash=52cbbc6a)"
    assert repr(f.partial(1, k=2)).startswith("PartialTask(fullname=n.f, hash=")
    assert repr(f.partial(1, k=2)).endswith(", args=(1,), kwargs={'k': 2})")


# -- validation --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"task_options_base": {"config_args": ["q", "z"]}},
            ValueError,
            "Invalid config args: q, z. Expected all config_args to be one of the function "
            "args/kwargs: a, b",
        ),
        (
            {"namespace": ".x"},
            ValueError,
            "Task namespace must use only alphanumeric characters, underscore '_', and dot '.', "
            "and may not start with a dot: .x",
        ),
        (
            {"name": "x-y"},
            ValueError,
            "Task name must use only alphanumeric characters and underscore '_': x-y",
        ),
        ({"task_options_base": {"nout": "2"}}, TypeError, "nout must be an int"),
        ({"task_options_base": {"nout": -1}}, TypeError, "nout must be non-negative"),
        (
            {"task_options_base": {"cache_scope": "foo"}},
            ValueError,
            "'foo' is not a valid CacheScope",
        ),
        (
            {"task_options_override": {"check_valid": "foo"}},
            ValueError,
            "'foo' is not a valid CacheCheckValid",
        ),
    ],
)
def test_invalid_definitions(arguments, error, message):
    with pytest.raises(error) as caught:
        Task(plain, **arguments)
    assert str(caught.value) == message


def test_lambdas_need_a_name():
    with pytest.raises(ValueError, match="<lambda>"):
        Task(lambda x: x)
    assert Task(lambda x: x, name="named").name == "named"


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"cache": True},
        {"cache": True, "check_valid": "full"},
        {"cache_scope": "BACKEND"},
        {"check_valid": "shallow"},
    ],
)
def test_asynchronous_tasks_must_choose_their_caching(options):
    with pytest.raises(ValueError, match="async tasks like 'later' must explicitly set") as caught:
        Task(later, task_options_base=options)
    assert str(caught.value).endswith(
        'either:  `@task(cache=True, check_valid="shallow")` or `@task(cache=False)`.'
    )


@pytest.mark.parametrize(
    "options",
    [{"cache": False}, {"cache": True, "check_valid": "shallow"}, {"cache_scope": "NONE"}],
)
def test_asynchronous_tasks(options):
    made = Task(later, task_options_base=options)
    assert made.is_async()
    assert made.partial(1).is_async()
    assert not Task(plain).is_async()


# -- facts about the function ------------------------------------------------------------------------


class Fields(NamedTuple):
    a: int
    b: int


@pytest.mark.parametrize(
    ("annotation", "length"),
    [
        (tuple[int, str], 2),
        (tuple[()], 0),
        (tuple[int, ...], None),
        (tuple, None),
        (list[int], None),
        (Fields, 2),
        ("tuple[int, int]", None),
        (None, None),
    ],
)
def test_length_of_the_result(annotation, length):
    def func():
        pass

    func.__annotations__["return"] = annotation
    made = Task(func)
    assert made.nout == length
    assert made()._length == length
    assert made.options(nout=7)()._length == 7
    assert made.options(nout=None).nout is None


def test_signature_parameters_and_defaults(f):
    def func(a, /, b, c=2, *args, d, e=[1], g=f(1), **kwargs):
        pass

    made = Task(func)
    assert str(made.signature).startswith("(a, /, b, c=2, *args, d, e=[1], g=")
    assert made.signature is made.signature
    assert made.parameters.names == ("a", "b", "c", "args", "d", "e", "g", "kwargs")
    assert made.parameters.kinds == (0, 1, 1, 2, 3, 3, 3, 4)
    assert [(d.position, d.name, d.plain) for d in made.defaults] == [
        (2, "c", True),
        (5, "e", True),
        (6, "g", False),
    ]
    assert made.positional_defaults == ()


def test_defaults_of_positional_only_parameters():
    def func(a, b=2, /, c=3):
        pass

    made = Task(func)
    assert [item.name for item in made.positional_defaults] == ["b"]
    assert [item.name for item in made.defaults] == ["c"]


def test_load_module_and_config_args(f):
    assert f.load_module == __name__
    assert f.options(load_module="other").load_module == "other"
    assert f.config_args == ()
    assert f.options(config_args=["b"]).config_args == ("b",)


def test_plain_options(f):
    assert f.plain_options
    assert Task(plain, task_options_base={"limits": {"db": 1}}).plain_options
    assert not Task(plain, task_options_base={"memory": [f(1)]}).plain_options


# -- hash --------------------------------------------------------------------------------------------


def recorded_tasks(f):
    @task(namespace="n", version="1", name="g", memory=3)
    def g_(a, *xs, k=3, **kw):
        return a

    @task(namespace="n", version=1)
    def h(a):
        return a

    @task(namespace="n", hash_includes=[1, "b", f], source="def inc(a): return a\n")
    def inc(a):
        return a

    @task(namespace="n", compat=["abc"])
    def comp(a):
        return a

    @scheduler_task(namespace="n")
    def st(s, j, x, a):
        return a

    return {"n.f": f, "n.g": g_, "n.h": h, "n.inc": inc, "n.comp": comp, "n.st": st}


@pytest.mark.parametrize("name", ["n.f", "n.g", "n.h", "n.inc", "n.comp", "n.st"])
def test_hashes_and_bytes_of_the_original(f, name):
    set_scheme("redun1")
    made = recorded_tasks(f)[name]
    assert made.get_hash() == GOLDEN[f"task {name}"]
    assert made.hash == made.get_hash()
    assert pickle_dumps(made).hex() == GOLDEN[f"pk {name}"]


def test_hashes_of_derived_tasks_of_the_original(f):
    set_scheme("redun1")
    assert f.options(memory=2).get_hash() == GOLDEN["opt"]
    assert f.options(memory=2).options(x=1).get_hash() == GOLDEN["opt2"]
    assert f.partial(1, b=2).get_hash() == GOLDEN["partial"]
    assert pickle_dumps(f.partial(1, b=2)).hex() == GOLDEN["pkpartial"]


def test_preimages(f, scheme):
    registry = get_type_registry()
    source = "def f(a, b=1): return a\n"
    assert f.hash == hash_struct(["Task", "n.f", "source", source])
    assert Task(plain, version="7").hash == hash_struct(["Task", "plain", "version", "7"])
    includes = sorted([registry.get_hash(1), registry.get_hash("x")])
    with_includes = Task(plain, version=7, hash_includes=["x", 1])
    assert with_includes.hash == hash_struct(["Task", "plain", "version", 7, *includes])
    options = registry.get_hash({"memory": 1})
    assert with_includes.options(memory=1).hash == hash_struct(
        ["Task", "plain", "version", 7, *includes, options]
    )


def test_what_counts_in_the_hash(scheme):
    def variant(**arguments):
        return Task(plain, **arguments).hash

    base = variant()
    assert variant(script=True) == base
    assert variant(task_options_base={"memory": 1, "nout": 2, "load_module": "x"}) == base
    assert variant(hash_includes=["a", "b"]) == variant(hash_includes=["b", "a"])
    others = [
        variant(name="x"),
        variant(namespace="x"),
        variant(version="1"),
        variant(version=1),
        variant(source="x"),
        variant(hash_includes=["a"]),
        variant(task_options_override={"memory": 1}),
    ]
    assert len({base, *others}) == 1 + len(others)
    assert variant(compat=["abc", "d"]) == "abc"


def test_hash_follows_the_active_scheme(f):
    modern = f.hash
    set_scheme("redun1")
    assert f.hash == GOLDEN["task n.f"]
    assert f.is_valid()
    set_scheme("blake3")
    assert f.hash == modern


def test_hash_can_be_recomputed(f):
    before = f.hash
    f.source = "other"
    assert f.hash == before
    assert not f.is_valid()
    f.recompute_hash()
    assert f.hash != before
    assert f.is_valid()


# -- calls and derivation ----------------------------------------------------------------------------


def test_calls(f):
    assert isinstance(f(1), TaskExpression)
    assert f(1, 2, 3, nope=4).args == (1, 2, 3)  # checked only when it runs
    assert f(self=1).kwargs == {"self": 1}


def test_options(f):
    derived = f.options(memory=1).options(memory=2, cpus=3)
    assert type(derived) is Task
    assert derived is not f
    assert derived.get_task_options() == {"memory": 2, "cpus": 3}
    assert derived._task_options_base is f._task_options_base
    assert derived.func is f.func
    assert derived(1)._options == {"memory": 2, "cpus": 3}
    assert f(1)._options == {}
    assert f.options(name="x", version="2").fullname == "n.f"
    assert get_task_registry().get("n.f") is f


def test_options_keep_includes_and_exports():
    made = Task(plain, hash_includes=["a"], export_options={"memory"})
    derived = made.options(cpus=1)
    assert derived._hash_includes == ["a"]
    assert derived._export_options == {"memory"}


def test_option_queries(f):
    derived = Task(plain, task_options_base={"memory": 1, "cpus": 2}).options(memory=3)
    assert derived.get_task_option("memory") == 3
    assert derived.get_task_option("cpus") == 2
    assert derived.get_task_option("other", "default") == "default"
    assert derived.has_task_option("cpus")
    assert not derived.has_task_option("other")


def test_export_options(f):
    exported = f.export_options(memory=1).export_options(cache=False)
    assert exported._export_options == {"memory", "cache", "cache_scope"}
    assert exported._task_options_override == {"memory": 1, "cache_scope": CacheScope.CSE}
    assert exported(1)._export_options == {"memory", "cache", "cache_scope"}

    @task(export_options={"memory": 3}, cpus=1, memory=0)
    def exporting():
        pass

    assert exporting.get_task_options() == {"cpus": 1, "memory": 3}
    assert exporting._export_options == {"memory"}


def test_provenance_is_exported(f):
    assert f.options(prov=False)._export_options == {"prov"}
    assert Task(plain, task_options_base={"prov": True})._export_options == {"prov"}


def test_update_context(f):
    derived = f.update_context({"a": {"b": 1}}, c=2).update_context({"a": {"d": 3}})
    assert derived.get_task_option("_context_override") == {"a": {"b": 1, "d": 3}, "c": 2}


@pytest.mark.parametrize("option", [{"check_valid": "shallow"}, {"cache": False}, {"memory": 2}])
def test_derived_tasks_stay_valid_as_values(f, scheme, option):
    derived = f.options(**option)
    assert derived.is_valid()
    assert round_trip(derived).is_valid()


# -- pickling ----------------------------------------------------------------------------------------


def test_state_keys_are_in_order(f):
    assert list(f.__getstate__()) == [
        "name",
        "namespace",
        "version",
        "hash",
        "compat",
        "script",
        "task_options",
        "export_options",
    ]
    assert list(f.partial(1).__getstate__())[-3:] == ["task", "args", "kwargs"]


def test_unpickling_binds_to_the_registered_task(f, scheme):
    loaded = round_trip(f.options(memory=2))
    assert loaded is not f
    assert loaded.func is f.func
    assert loaded.source == f.source
    assert loaded.get_task_options() == {"memory": 2}
    assert loaded(3).task_name == "n.f"
    assert loaded.is_valid()


def test_a_task_whose_code_changed_is_invalid(f, scheme):
    data = pickle_dumps(f)
    task(namespace="n", name="f", source="def f(a): return -a\n")(plain)
    assert not pickle_loads(data).is_valid()


def test_a_task_that_is_gone(f, scheme):
    data = pickle_dumps(f.options(memory=1))
    del get_task_registry()._tasks["n.f"]
    loaded = pickle_loads(data)
    assert not loaded.is_valid()
    assert loaded.source == ""
    assert loaded.get_task_options() == {"memory": 1}
    assert loaded(1).task_name == "n.f"
    with pytest.raises(ValueError, match=r"Task n\.f is undefined\."):
        loaded.func(1)


def test_old_records_lack_some_keys(f):
    state = {key: f.__getstate__()[key] for key in ("name", "namespace", "version", "hash")}
    loaded = object.__new__(Task)
    loaded.__setstate__(state)
    assert (loaded.compat, loaded.script) == ([], False)
    assert loaded.is_valid()


def test_enums_are_pickled_by_public_name():
    data = pickle.dumps([CacheScope.CSE, CacheCheckValid.SHALLOW], protocol=3)
    assert b"credun.task\nCacheScope\n" in data
    assert pickle.loads(data) == [CacheScope.CSE, CacheCheckValid.SHALLOW]
