"""Three repos, one of them a bundle: pushes and pulls in any order lead to the same records in all."""

from __future__ import annotations

import hashlib
import tempfile
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from redun.backends.base import Records, TagEntity
from redun.backends.db import RedunBackendDb
from redun.backends.records import ID_FIELDS
from redun.sync.bundle import BundleStore
from redun.sync.transfer import transfer

PICKLE = "application/python-pickle"
PLACES = range(3)

#: What happens, by name: where, and to what or where to.
steps = st.lists(
    st.one_of(
        st.tuples(st.just("run"), st.sampled_from([0, 1]), st.integers(0, 5)),
        st.tuples(st.just("end"), st.sampled_from([0, 1]), st.integers(0, 5)),
        st.tuples(st.just("tag"), st.sampled_from([0, 1]), st.integers(0, 5)),
        st.tuples(st.just("push"), st.sampled_from(PLACES), st.sampled_from(PLACES)),
    ),
    max_size=14,
)


def key(text: object) -> str:
    return hashlib.sha1(str(text).encode()).hexdigest()


def begin(number: int) -> Records:
    """An execution that runs: its first job has ended, its root has not. Runs share calls."""
    records, task = Records(), "f" * 40
    name, root = f"e{number}", f"e{number}-root"
    value, call = key(f"v{number % 3}"), key(f"c{number % 3}")
    records.values += [(task, "redun.Task", PICKLE, b"t"), (value, "builtins.int", PICKLE, b"1")]
    inside = key(f"inside{number % 3 % 2}")
    records.values.append((inside, "builtins.int", PICKLE, b"2"))
    records.subvalues.append((inside, value))
    records.tasks.append((task, "noop", "bench", "def noop(x): ..."))
    records.executions.append((name, "[]", root))
    records.job_starts += [(root, 1.7e9, task, None, name), (f"{name}-0", 1.7e9, task, root, name)]
    records.call_nodes.append((call, "bench.noop", task, key("args"), value, 1.7e9))
    records.subtree_tasks.append((call, task))
    records.arguments.append((key(f"arg{call}"), call, value, 0, None))
    records.job_ends.append((f"{name}-0", 1.8e9, False, call))
    return records


def end(number: int) -> Records:
    """What follows: another child, and the end of the root, whose call made the child's."""
    records, task, name = Records(), "f" * 40, f"e{number}"
    call = key(f"root{number}")
    records.call_nodes.append((call, "bench.noop", task, key("a"), key(f"v{number % 3}"), 1.7e9))
    records.call_edges.append((call, key(f"c{number % 3}"), 0))
    records.subtree_tasks.append((call, task))
    records.job_starts.append((f"{name}-1", 1.7e9, task, f"{name}-root", name))
    records.job_ends += [
        (f"{name}-1", 1.8e9, True, key(f"c{number % 3}")),
        (f"{name}-root", 1.8e9, False, call),
    ]
    return records


class World:
    """Two databases in files and a bundle, and what has been recorded where."""

    def __init__(self, directory: str) -> None:
        self.backends = [RedunBackendDb(f"sqlite:///{directory}/{n}.db") for n in range(2)]
        for backend in self.backends:
            backend.load()
        self.bundle = BundleStore(f"{directory}/some.redun")
        self.stores: list[Any] = [*(backend.records for backend in self.backends), self.bundle]
        self.home: dict[int, int] = {}
        self.ended: set[int] = set()
        self.labels = 0

    def run(self, place: int, number: int) -> None:
        """Begins an execution, once."""
        if number not in self.home:
            self.home[number] = place
            self._record(place, begin(number))

    def end(self, place: int, number: int) -> None:
        """Ends an execution where it runs."""
        if number in self.home and number not in self.ended:
            self.ended.add(number)
            self._record(self.home[number], end(number))

    def tag(self, place: int, number: int) -> None:
        """Replaces the label of an execution, wherever it is known."""
        name = f"e{number}"
        if self.stores[place].find([name]):
            self.labels += 1
            label = [("label", self.labels)]
            self.backends[place].record_tags(TagEntity.Execution, name, label, update=True)

    def push(self, source: int, target: int) -> int:
        """Copies what the target lacks; how much that was."""
        if source == target:
            return 0
        counts = transfer(self.stores[source], self.stores[target], verify=False, batch=3)
        self.bundle.flush()
        return counts.total

    def _record(self, place: int, records: Records) -> None:
        self.backends[place].record(records)
        self.backends[place].flush()

    def content(self, place: int, ids: dict[str, set[str]]) -> dict[str, Any]:
        """The records with these ids; children of jobs in any order."""
        store, found = self.stores[place], {}
        for kind, some in ids.items():
            for record in store.get(kind, sorted(some)):
                if kind == "Job":
                    record = {**record, "children": sorted(record["children"])}
                found[f"{kind} {record[ID_FIELDS[kind]]}"] = record
        return found

    def close(self) -> None:
        self.bundle.close()
        for backend in self.backends:
            backend.close()


@settings(max_examples=15, deadline=None)
@given(steps=steps, order=st.permutations(PLACES))
def test_any_order_converges(steps: list[tuple[str, int, int]], order: list[int]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        world = World(directory)
        try:
            for verb, place, what in steps:
                getattr(world, verb)(place, what)
            first, second, third = order
            # What is anywhere comes to the third, and from there back to all.
            for source, target in [
                (first, second),
                (second, third),
                (third, second),
                (second, first),
            ]:
                world.push(source, target)
            assert not any(world.push(source, target) for source in PLACES for target in PLACES)
            ids: dict[str, set[str]] = {kind: set() for kind in ID_FIELDS}
            for kind, some in world.bundle.ids():
                ids[kind].update(some)
            contents = [world.content(place, ids) for place in PLACES]
            assert contents[0] == contents[1] == contents[2]
            assert {f"e{number}" for number in world.home} == ids["Execution"]
            ended = {key for key, job in contents[0].items() if job.get("end_time")}
            assert {f"Job e{number}-root" for number in world.ended} <= ended
            rows = [_rows(backend) for backend in world.backends]
            assert rows[0] == rows[1]
            assert rows[0] == {**rows[0], **{kind: len(some) for kind, some in ids.items()}}
        finally:
            world.close()


def _rows(backend: RedunBackendDb) -> dict[str, Any]:
    """How many records of each kind a database has, and which tags are current."""
    from redun.backends.db import CallNode, Execution, Job, Tag, Value

    models = {"Execution": Execution, "Job": Job, "CallNode": CallNode, "Value": Value, "Tag": Tag}
    session = backend.session
    counts: dict[str, Any] = {name: session.query(model).count() for name, model in models.items()}
    current = session.query(Tag.tag_hash).filter(Tag.is_current)
    return {**counts, "current": sorted(row[0] for row in current)}
