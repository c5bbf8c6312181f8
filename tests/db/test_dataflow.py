"""Dataflow: edges, sections and text are those of the reference; graphs may be deep."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from redun import Scheduler, task
from redun.backends.db import Argument, CallNode, RedunBackendDb, Value
from redun.backends.db.dataflow import (
    ArgumentValue,
    CallNodeValue,
    Dataflow,
    DataflowEdge,
    SectionEdgeType,
    dataflow_of_value,
    display_dataflow,
    get_section_edge_type,
    make_dataflow_dom,
    serialize_dataflow,
    walk_dataflow,
)
from redun.backends.db.dataflow.nodes import key_of as identity
from redun.backends.db.dataflow.nodes import node_key
from redun.backends.db.dataflow.parameters import Parameters, parse_parameters

pytestmark = pytest.mark.each_repo

GOLDEN = Path(__file__).parents[1] / "golden" / "log"
FLOWS: dict[str, dict[str, Any]] = json.loads((GOLDEN / "dataflow.json").read_text())


@pytest.fixture(scope="module")
def golden_sqlite_uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The repo that the reference wrote."""
    path = tmp_path_factory.mktemp("recorded") / "redun.db"
    connection = sqlite3.connect(path)
    connection.executescript((GOLDEN / "repo.sql").read_text())
    connection.close()
    return f"sqlite:///{path}"


@pytest.fixture
def recorded(repo_kind: str, request: pytest.FixtureRequest) -> Iterator[RedunBackendDb]:
    """The repo that the reference wrote."""
    backend = RedunBackendDb(request.getfixturevalue(f"golden_{repo_kind}_uri"))
    backend.load(migrate=False)
    yield backend
    backend.close()


LAST_WIDE = (
    sa.select(CallNode.value_hash)
    .where(CallNode.task_name == "dataflow_test.wide")
    .order_by(CallNode.timestamp.desc())
    .limit(1)
)


def keys(edges: Iterator[DataflowEdge]) -> list[list[Any]]:
    return [[key_of(edge.src), key_of(edge.dest)] for edge in edges]


def key_of(node: Any) -> list[str] | None:
    if node is None:
        return None
    kind = type(node).__name__
    if isinstance(node, CallNodeValue):
        return [kind, node.call_node.call_hash, node.value.value_hash]
    if isinstance(node, ArgumentValue):
        return [kind, node.argument.arg_hash, node.value.value_hash]
    return [kind, node.call_hash if isinstance(node, CallNode) else node.value_hash]


def shown(backend: RedunBackendDb, node: Any, name: str = "value") -> str:
    dom = make_dataflow_dom(walk_dataflow(backend, node), new_varname=name)
    text = "\n".join(display_dataflow(dom))
    return re.sub(r"<[0-9a-f]{8}>", "<>", text)


@pytest.mark.parametrize("value_hash", FLOWS)
def test_walk_yields_the_edges_of_the_reference(recorded: RedunBackendDb, value_hash: str) -> None:
    value = recorded.session.get(Value, value_hash)

    assert keys(walk_dataflow(recorded, value)) == FLOWS[value_hash]["edges"]


@pytest.mark.parametrize("value_hash", FLOWS)
def test_text_is_that_of_the_reference(recorded: RedunBackendDb, value_hash: str) -> None:
    value = recorded.session.get(Value, value_hash)
    dom = make_dataflow_dom(walk_dataflow(recorded, value))

    assert list(display_dataflow(dom)) == FLOWS[value_hash]["text"]


@pytest.mark.parametrize("value_hash", FLOWS)
def test_data_are_those_of_the_reference(recorded: RedunBackendDb, value_hash: str) -> None:
    value = recorded.session.get(Value, value_hash)
    dom = make_dataflow_dom(walk_dataflow(recorded, value))

    assert list(serialize_dataflow(dom)) == FLOWS[value_hash]["sections"]


@pytest.mark.parametrize("value_hash", FLOWS)
def test_light_rows_give_the_same(recorded: RedunBackendDb, value_hash: str) -> None:
    edges = list(dataflow_of_value(recorded.source, value_hash))

    assert [list(map(node_key, edge)) for edge in edges] == [
        [tuple(key) if key else None for key in edge] for edge in FLOWS[value_hash]["edges"]
    ]
    assert list(display_dataflow(make_dataflow_dom(edges))) == FLOWS[value_hash]["text"]
    assert list(serialize_dataflow(make_dataflow_dom(edges))) == FLOWS[value_hash]["sections"]
    assert not any(isinstance(part, (Value, CallNode)) for edge in edges for part in edge)


@pytest.mark.parametrize("value_hash", FLOWS)
def test_producer_is_the_same_where_many_calls_gave_a_value(
    recorded: RedunBackendDb, value_hash: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("redun.backends.db.dataflow.producer.FEW", 1)
    edges = dataflow_of_value(recorded.source, value_hash)

    assert [list(map(node_key, edge)) for edge in edges] == [
        [tuple(key) if key else None for key in edge] for edge in FLOWS[value_hash]["edges"]
    ]


@pytest.mark.parametrize("value_hash", FLOWS)
def test_limited_dataflow_tells_nothing_that_is_not_so(
    recorded: RedunBackendDb, value_hash: str
) -> None:
    whole = list(dataflow_of_value(recorded.source, value_hash))
    pairs = {(identity(edge.src), node_key(edge.dest)) for edge in whole}
    for limit in range(1, len({src for src, _dest in pairs}) + 1):
        edges = list(dataflow_of_value(recorded.source, value_hash, limit))
        looked_at = {identity(edge.src) for edge in edges}
        text = list(display_dataflow(make_dataflow_dom(edges)))

        assert len(looked_at) == limit
        assert {(identity(edge.src), node_key(edge.dest)) for edge in edges} <= pairs
        assert all(line.count("<--") <= 1 for line in text)
        ends = sum(edge.dest is None for edge in edges)
        assert bool(ends) or not any("origin" in line for line in text)

    assert [list(map(node_key, edge)) for edge in edges] == [
        list(map(node_key, edge)) for edge in whole
    ]


@pytest.mark.parametrize("candidates", [1, 50])
def test_call_that_passed_on_what_many_gave_is_not_the_producer(
    scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch, candidates: int
) -> None:
    monkeypatch.setattr("redun.backends.db.dataflow.producer.FEW", 2)
    monkeypatch.setattr("redun.backends.db.dataflow.producer.CANDIDATES", candidates)

    @task(namespace="dataflow_test")
    def leaf(x):
        return None

    @task(namespace="dataflow_test", check_valid="shallow")
    def above(x):
        return leaf(x)

    @task(namespace="dataflow_test", check_valid="shallow")
    def main():
        return above(1)

    scheduler.run(main())
    # The second time the call at the top is taken as it is: it ran last.
    scheduler.run(main())
    backend: Any = scheduler.backend
    call = backend.session.query(CallNode).filter(CallNode.task_name.endswith("main")).one()

    assert len(call.jobs) == 2
    assert shown(backend, call.value).startswith("value <-- <> leaf(x)\n  x = <> 1\n")


def test_value_that_is_not_recorded_comes_from_the_origin(recorded: RedunBackendDb) -> None:
    (edge,) = dataflow_of_value(recorded.source, "0" * 40)

    assert edge.dest is None


def test_calls_whose_parameters_have_no_names_are_shown_by_their_number(
    scheduler: Scheduler,
) -> None:
    @task(namespace="dataflow_test", cache=False)
    async def add(x, y, *, z):
        return x + y + z

    @task(namespace="dataflow_test")
    def main():
        return add(1, add(2, 3, z=4), z=5)

    scheduler.run(main())
    backend: Any = scheduler.backend
    call = backend.session.query(CallNode).filter(CallNode.task_name.endswith("main")).one()
    light = make_dataflow_dom(dataflow_of_value(backend.source, call.value_hash))

    text = re.sub(r"<[0-9a-f]{8}>", "<>", "\n".join(display_dataflow(light)))

    assert text == shown(backend, call.value)
    assert text.startswith(
        "value <-- <> add(arg0, arg1)\n  arg0 = <> 1\n  arg1 = <> 9\n  z    = <> 5\n"
    )


def test_dataflow_of_a_row_without_session_is_refused(recorded: RedunBackendDb) -> None:
    value = recorded.session.get(Value, next(iter(FLOWS)))
    recorded.session.expunge(value)

    with pytest.raises(ValueError, match="Value row is not attached to a session"):
        Dataflow(value)


def test_kinds_of_edges_are_told_apart(recorded: RedunBackendDb) -> None:
    found = set()
    for value_hash in FLOWS:
        value = recorded.session.get(Value, value_hash)
        found.update(get_section_edge_type(edge) for edge in walk_dataflow(recorded, value))
    plain = recorded.session.query(Value).filter(Value.type == "redun.Task").first()
    found.update(get_section_edge_type(edge) for edge in walk_dataflow(recorded, plain))

    assert found == set(SectionEdgeType) - {SectionEdgeType.call_result_routing}


def test_edge_between_a_call_and_a_call_is_refused(recorded: RedunBackendDb) -> None:
    call = recorded.session.query(CallNode).first()

    with pytest.raises(ValueError, match="Not a dataflow edge"):
        get_section_edge_type(DataflowEdge(call, call))


def test_value_that_no_call_gave_comes_from_the_origin(recorded: RedunBackendDb) -> None:
    value = recorded.session.query(Value).filter(Value.type == "redun.Task").first()

    assert shown(recorded, value, "it") == "it <-- origin\n"


def test_call_can_be_the_start(recorded: RedunBackendDb) -> None:
    call = recorded.session.query(CallNode).filter(CallNode.task_name == "shop.price_all").first()

    assert shown(recorded, call).startswith("value <-- <> price_all(items, rate)\n  items = <> ")


def test_part_of_an_argument_can_be_the_start(recorded: RedunBackendDb) -> None:
    argument = (
        recorded.session.query(Argument)
        .join(CallNode)
        .filter(CallNode.task_name == "shop.wrap", Argument.arg_position == 0)
        .first()
    )
    node = ArgumentValue(argument, argument.value)

    text = shown(recorded, node)

    assert text.startswith("value <-- derives from\n  price_all_result = <> ['ink@")


def test_no_edges_make_no_sections() -> None:
    assert list(make_dataflow_dom([])) == []


def test_shared_result_has_one_section(scheduler: Scheduler) -> None:
    @task(namespace="dataflow_test")
    def add(a, b):
        return a + b

    @task(namespace="dataflow_test")
    def use(x, y, z):
        return f"{x}|{y}|{z}"

    @task(namespace="dataflow_test")
    def outer(x, y):
        return use(x, y, x)

    @task(namespace="dataflow_test")
    def main(p=17):
        shared = add(p, 3)
        return outer(shared, add(shared, p))

    result = scheduler.run(main())
    backend: Any = scheduler.backend
    call = backend.session.query(CallNode).filter(CallNode.task_name.endswith("main")).one()

    assert result == "20|37|20"
    assert shown(backend, call.value) == SHARED


SHARED = """\
value <-- <> use(x, y, z)
  x = <> 20
  y = <> 37
  z = <> 20

y <-- argument of <> outer(x, y)
  <-- <> add(a, b)
  a = <> 20
  b = <> 17

x <-- <> x_2

z <-- <> x_2

x_2 <-- <> x_3

a <-- <> x_3

x_3 <-- <> add(a_2, b_2)
  a_2 = <> 17
  b_2 = <> 3

b <-- <> b_3

a_2 <-- <> b_3

b_3 <-- origin
"""


def test_result_that_a_call_passes_on_is_routed(scheduler: Scheduler) -> None:
    @task(namespace="dataflow_test")
    def double(x):
        return x * 2

    @task(namespace="dataflow_test")
    def passes_on(x):
        return double(x)

    @task(namespace="dataflow_test")
    def use(y):
        return -y

    @task(namespace="dataflow_test")
    def main():
        return use(passes_on(21))

    result = scheduler.run(main())
    backend: Any = scheduler.backend
    call = backend.session.query(CallNode).filter(CallNode.task_name.endswith("main")).one()
    kinds = {get_section_edge_type(edge) for edge in walk_dataflow(backend, call.value)}

    assert result == -42
    assert SectionEdgeType.call_result_routing in kinds
    assert (
        shown(backend, call.value)
        == """\
value <-- <> use(y)
  y = <> 42

y <-- <> passes_on(x)
  <-- <> double(x)
  x = <> 21

x <-- argument of <> passes_on(x)
  <-- origin
"""
    )


def test_deep_chain_of_calls_is_walked(scheduler: Scheduler) -> None:
    depth = 1100

    @task(namespace="dataflow_test")
    def add(x, y):
        return x + y

    @task(namespace="dataflow_test")
    def main(start):
        value = start
        for _ in range(depth):
            value = add(value, 1)
        return value

    result = scheduler.run(main(100))
    backend: Any = scheduler.backend
    call = backend.session.query(CallNode).filter(CallNode.task_name.endswith("main")).one()

    sections = list(make_dataflow_dom(walk_dataflow(backend, call.value)))

    assert result == depth + 100
    assert len(sections) == depth + 1
    assert sections[-2].assign.node_display == f"add(x_{depth}, y_{depth})"
    assert sections[-1].routing[-1].node_display == "origin"


def test_wide_dataflow_takes_a_fixed_number_of_statements(scheduler: Scheduler) -> None:
    @task(namespace="dataflow_test")
    def leaf(x):
        return x + 0.5

    @task(namespace="dataflow_test")
    def gather(values):
        return sum(values)

    @task(namespace="dataflow_test")
    def wide(n):
        return gather([leaf(x) for x in range(n)])

    backend: Any = scheduler.backend
    statements: list[str] = []
    event.listen(
        backend.engine, "before_cursor_execute", lambda *args: statements.append(str(args[2]))
    )
    counts = []
    for size in (3, 40):
        scheduler.run(wide(size))
        backend.session.expunge_all()
        value = backend.session.get(Value, str(backend.session.execute(LAST_WIDE).scalar_one()))
        statements.clear()
        dom = list(make_dataflow_dom(walk_dataflow(backend, value)))
        text = list(display_dataflow(dom))
        data = list(serialize_dataflow(dom))
        counts.append(len(statements))
        assert sum("leaf(" in line for line in text) == len(data) - 2 == size
        assert all(section["assign"]["job_id"] for section in data if section["assign"]["hash"])

    assert counts[0] == counts[1]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def f(a, b=1, *, c): ...", Parameters(["a", "b"])),
        ("def f(a, /, b, *rest, **more): ...", Parameters(["a", "b"], "rest")),
        ("async def f(a): ...", Parameters(None)),
        ("lambda x: x", Parameters(None)),
        ("", Parameters(None)),
        ("def f(:", Parameters(None)),
        ("\0", Parameters(None)),
    ],
)
def test_parameters_come_from_the_source(source: str, expected: Parameters) -> None:
    assert parse_parameters(source) == expected


def test_parameters_without_name_are_numbered() -> None:
    assert Parameters(None).name(2) == "arg2"
    assert Parameters(["a"]).name(1) == "arg1"
    assert Parameters(["a"], "rest").name(1) == "rest"
