"""The state machine as Python drives it: whole sessions in batches."""

from __future__ import annotations

import pytest

from redun._core import CoreError, Machine, get_scheme, hash_struct

JOB, OP = 0, 1
(
    DECLARE,
    AWAIT,
    PREPARED,
    HIT,
    MISS,
    FINISHED,
    RESOLVED,
    FINISHED_PLAIN,
    FAILED,
    SETTLE,
    FAIL,
    CANCEL,
    SUBTREE,
) = range(13)
READY, CHECK, SUBMIT, COLLAPSE, REPLAY, REDUCE, SETTLED, REJECT, ABANDON, MIRROR = range(10)
OVERLIMIT, REJECTED = 10, 11
ALL = 7  # join, look up, may be joined


def digest(number: int) -> str:
    """Some digest."""
    return f"{number:040x}"


def declare(node: int, scope: int, task: int) -> list[tuple]:
    """A job without arguments that are nodes."""
    return [(DECLARE, node, JOB, scope, task), (AWAIT, node, [])]


def prepared(node: int, key: int, *, flags: int = ALL, limits: list | None = None) -> tuple:
    """The preparation of a job with an evaluation key."""
    return (PREPARED, node, digest(key), digest(key + 1000), None, flags, 0, limits)


@pytest.fixture
def machine():
    """A machine with two tasks whose indexes are checked at the end."""
    machine = Machine({"slots": 2}, trace=True)
    assert machine.task("root-hash") == 0
    assert machine.task("leaf-hash") == 1
    assert machine.task("root-hash") == 0
    yield machine
    machine.validate()


def start_root(machine: Machine, key: int = 1) -> None:
    """Run node 0, a call of the root task."""
    assert machine.handle(declare(0, -1, 0)) == [(READY, 0)]
    assert machine.handle([prepared(0, key)]) == [(CHECK, 0)]
    assert machine.handle([(MISS, 0)]) == [(SUBMIT, 0)]


def call_hash(task: str, key: int, result: int, children: list[str]) -> str:
    """The call hash by its definition."""
    return hash_struct(["CallNode", task, digest(key + 1000), digest(result), sorted(children)])


def test_fan_out_collapse_reduce_and_replay(machine):
    start_root(machine)
    assert machine.active() == 1
    wave = [event for node in (1, 2, 3) for event in declare(node, 0, 1)]
    wave += [(DECLARE, 4, OP, 0, -1), (AWAIT, 4, [1, 2, 3]), (FINISHED, 0, [4])]
    assert machine.handle(wave) == [(READY, 1), (READY, 2), (READY, 3)]

    # Nodes 1 and 3 are the same call.
    actions = machine.handle([prepared(1, 5), prepared(2, 6), prepared(3, 5)])
    assert actions == [(CHECK, 1), (CHECK, 2), (COLLAPSE, 3, 1)]
    given = "ab" * 20
    actions = machine.handle([(MISS, 1), (HIT, 2, given), (FINISHED_PLAIN, 2, digest(60))])
    assert actions[0] == (SUBMIT, 1)
    assert actions[1][:3] == (SETTLED, 2, given)
    assert actions[1][4] is None

    settled, mirror, ready = machine.handle([(FINISHED_PLAIN, 1, digest(50))])
    leaf = call_hash("leaf-hash", 5, 50, [])
    assert settled[:3] == (SETTLED, 1, leaf)
    assert (mirror, ready) == ((MIRROR, 3, 1, False), (READY, 4))
    assert machine.subtree(settled[3]) == [1]
    assert machine.handle([(SETTLE, 4)]) == [(REDUCE, 0)]
    (settled,) = machine.handle([(RESOLVED, 0, digest(9))])
    root = call_hash("root-hash", 1, 9, [leaf, given, leaf])
    assert settled[:3] == (SETTLED, 0, root)
    assert settled[4] == [1, 2, 1]
    assert machine.subtree(settled[3]) == [0, 1]
    assert machine.call_hash(0) == root
    assert machine.counts() == [(0, 0, 0, 0, 0, 1), (1, 0, 0, 0, 2, 1)]

    machine.handle(declare(5, -1, 0))
    assert machine.handle([prepared(5, 1)]) == [(REPLAY, 5, 0)]
    (again,) = machine.handle([(HIT, 5, root), (FINISHED_PLAIN, 5, digest(9))])
    assert again == (SETTLED, 5, root, settled[3], None)
    assert machine.active() == 0


def test_failures_spread(machine):
    start_root(machine)
    wave = [*declare(1, 0, 1), (DECLARE, 2, JOB, 0, 1), (AWAIT, 2, [1])]
    wave += [(DECLARE, 3, OP, 0, -1), (AWAIT, 3, [2]), (FINISHED, 0, [3])]
    machine.handle(wave)
    machine.handle([prepared(1, 5), (MISS, 1)])
    actions = machine.handle([(FAILED, 1, digest(66))])
    assert actions[0][:3] == (REJECTED, 1, call_hash("leaf-hash", 5, 66, []))
    assert actions[1:] == [(ABANDON, 2, 1), (REJECT, 3, 2)]
    assert machine.handle([(FAIL, 3)]) == [(REJECT, 0, 3)]
    (rejected,) = machine.handle([(FAILED, 0, digest(67))])
    child = machine.call_hash(1)
    assert rejected[:3] == (REJECTED, 0, call_hash("root-hash", 1, 67, [child]))
    assert rejected[4] == [1]
    assert machine.counts() == [(0, 0, 0, 1, 0, 0), (1, 1, 0, 1, 0, 0)]


def test_limits(machine):
    events = [event for node in range(3) for event in declare(node, -1, 1)]
    machine.handle(events)
    wants = [("slots", 1)]
    batch = [prepared(node, node, flags=0, limits=wants) for node in range(3)]
    assert machine.handle(batch) == [(SUBMIT, 0), (SUBMIT, 1)]
    assert machine.limits_used() == {"slots": 2}
    machine.set_limit("slots", 3)
    assert machine.handle([]) == [(SUBMIT, 2)]
    machine.handle([(FINISHED_PLAIN, node, digest(1)) for node in range(3)])
    assert machine.limits_used() == {"slots": 0}
    machine.handle(declare(3, -1, 1))
    too_much = prepared(3, 3, limits=[("undeclared", 2)], flags=0)
    assert machine.handle([too_much]) == [(OVERLIMIT, 3, "undeclared")]
    with pytest.raises(CoreError, match="not negative"):
        machine.set_limit("slots", -1)


def test_a_call_within_itself_stalls(machine):
    start_root(machine)
    machine.handle([*declare(1, 0, 0), (FINISHED, 0, [1])])
    assert machine.stalled() == []
    assert machine.handle([prepared(1, 1)]) == [(COLLAPSE, 1, 0)]
    assert machine.active() == 0
    assert machine.stalled() == [1]
    actions = machine.handle([(FAILED, 1, digest(5))])
    assert actions[1:] == [(REJECT, 0, 1)]
    assert machine.stalled() == []


def test_cancel(machine):
    start_root(machine)
    machine.handle(declare(1, 0, 1))
    assert machine.handle([(CANCEL,)]) == []
    assert machine.active() == 0
    assert machine.handle([(FINISHED_PLAIN, 0, digest(1))]) == []
    assert machine.call_hash(0) is None


def test_subtree_of_a_hit(machine):
    machine.handle(declare(0, -1, 0))
    machine.handle([prepared(0, 1)])
    batch = [(HIT, 0, "cd" * 20), (SUBTREE, 0, [1, 1]), (FINISHED_PLAIN, 0, digest(1))]
    (settled,) = machine.handle(batch)
    assert machine.subtree(settled[3]) == [0, 1]


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ((99, 0), "known opcode"),
        ((), "longer tuple"),
        (("x", 0), "known opcode"),
        ([4, 0], "a tuple"),
        ((MISS,), "2 items for opcode 4"),
        ((MISS, 0, 0), "2 items for opcode 4"),
        ((MISS, -1), "a node number"),
        ((MISS, 7), "node 7 was never declared"),
        ((MISS, 0), "MISS is not legal for job 0, which is declared"),
        ((AWAIT, 0, 5), "a list"),
        ((AWAIT, 0, ["x"]), "a node number"),
        ((DECLARE, 1, 2, -1, 0), "kind 0 or 1"),
        ((DECLARE, 1, 0, -2, 0), "a number or -1"),
        ((DECLARE, 3, 0, -1, 0), "declared where 1 is due"),
        ((PREPARED, 0, "short", digest(1), None, 7, 0, None), "not a digest"),
        ((PREPARED, 0, digest(1), digest(1), None, 8, 0, None), "3 bits"),
        ((PREPARED, 0, digest(1), digest(1), None, 7, "high", None), "a priority"),
        ((PREPARED, 0, digest(1), digest(1), None, 7, 0, [("x", -1)]), "not negative"),
        ((PREPARED, 0, digest(1), digest(1), None, 7, 0, ["x"]), "a pair"),
        ((RESOLVED, 0, 5), "a str"),
    ],
)
def test_mistakes(machine, event, message):
    machine.handle([(DECLARE, 0, JOB, -1, 0)])
    with pytest.raises(CoreError, match=message):
        machine.handle([event])
    assert machine.active() == 0


def test_a_batch_stops_at_an_illegal_event_and_keeps_earlier_actions(machine):
    with pytest.raises(CoreError, match="event 2 of the batch"):
        machine.handle([*declare(0, -1, 0), (MISS, 0)])
    assert machine.handle([]) == [(READY, 0)]


def test_a_malformed_batch_changes_nothing(machine):
    with pytest.raises(CoreError, match="event 2 of the batch"):
        machine.handle([*declare(0, -1, 0), (MISS,)])
    assert machine.handle(declare(0, -1, 0)) == [(READY, 0)]


def test_stories(machine):
    start_root(machine)
    assert get_scheme() == "blake3"
    story = machine.story(0)
    assert [line.split(":")[0] for line in story] == [
        *["batch 1"] * 3,
        *["batch 2"] * 2,
        *["batch 3"] * 2,
    ]
    assert Machine({}).story(0) == []
