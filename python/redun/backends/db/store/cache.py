"""Looking up what earlier calls returned."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from redun.backends.base import CacheHit, CacheQuery
from redun.backends.db.repo import Repo
from redun.backends.db.store.values import ValueStoreRows
from redun.backends.value_store import Payload
from redun.tags import CONTEXT_KEY

if TYPE_CHECKING:
    from redun.task import Task

#: Calls that answer one query, newest first.
Candidates: TypeAlias = list[str]

SELECT_EVALUATIONS = """
    SELECT e.eval_hash, v.value_hash, v.type, v.value
    FROM evaluation AS e JOIN value AS v ON v.value_hash = e.value_hash
    WHERE e.eval_hash {in_ids}
"""
SELECT_CALLS = """
    SELECT args_hash, task_hash, call_hash, timestamp FROM call_node WHERE args_hash {in_ids}
"""
SELECT_SUBTREES = "SELECT call_hash, task_hash FROM call_subtree_task WHERE call_hash {in_ids}"
SELECT_CONTEXTS = "SELECT entity_id, value FROM tag WHERE entity_id {in_ids} AND key = '%s'"
SELECT_RESULTS = """
    SELECT c.call_hash, v.value_hash, v.type, v.value
    FROM call_node AS c JOIN value AS v ON v.value_hash = c.value_hash
    WHERE c.call_hash {in_ids}
"""
SELECT_VERSIONS = "SELECT namespace, name, hash FROM task WHERE name {in_ids}"
SELECT_OUTCOMES = """
    SELECT c.task_hash, c.args_hash, v.type
    FROM call_node AS c JOIN value AS v ON v.value_hash = c.value_hash
    WHERE c.args_hash {in_ids}
"""
SELECT_KNOWN_CALLS = "SELECT call_hash FROM call_node WHERE call_hash {in_ids}"
SELECT_IN_EXECUTION = """
    SELECT call_node.call_hash
    FROM call_node JOIN job ON job.call_hash = call_node.call_hash
    WHERE job.execution_id = ? AND call_node.task_hash = ? AND call_node.args_hash = ?
    ORDER BY job.start_time DESC
"""
SELECT_SAME_ARGUMENTS = """
    SELECT call_node.call_hash, call_node.task_hash, call_node.args_hash
    FROM call_node JOIN task ON task.hash = call_node.task_hash
    WHERE call_node.args_hash = ? AND task.name = ? AND task.namespace = ?
    ORDER BY call_node.timestamp DESC LIMIT 1
"""
#: The newest call of a task. It may have a million: on SQLite the index on it is ordered by insertion,
#: so that the newest are found without sorting all.
SELECT_NEWEST = {
    "sqlite": """
        SELECT call_hash, task_hash, args_hash
        FROM (SELECT * FROM call_node WHERE task_hash = ? ORDER BY rowid DESC LIMIT 100)
        ORDER BY timestamp DESC LIMIT 1
    """,
    "postgresql": """
        SELECT call_hash, task_hash, args_hash FROM call_node WHERE task_hash = ?
        ORDER BY timestamp DESC LIMIT 1
    """,
}


class CacheRows:
    """The cache: table `evaluation`, and the results of call nodes."""

    def __init__(self, repo: Repo, values: ValueStoreRows) -> None:
        self._repo = repo
        self._values = values

    def check_many(
        self, queries: list[CacheQuery], task_hashes: Container[str]
    ) -> list[CacheHit | None]:
        """Answers many queries with one statement for each kind of thing they need."""
        self._flush_if_asked_for(queries)
        hits: list[CacheHit | None] = [None] * len(queries)
        shallow = [index for index, query in enumerate(queries) if query.shallow]
        if shallow:
            self._check_shallow(queries, shallow, task_hashes, hits)
        single = [
            index for index, query in enumerate(queries) if query.single and hits[index] is None
        ]
        if single:
            eval_hashes = [queries[index].eval_hash for index in single]
            found = {
                row[0]: row[1:] for row in self._repo.reader.rows(SELECT_EVALUATIONS, eval_hashes)
            }
            payloads = self._fetch(found.values())
            for index in single:
                row = found.get(queries[index].eval_hash)
                if row is not None:
                    hits[index] = _hit(row, None, payloads)
        return hits

    def get_results(self, call_hashes: Iterable[str]) -> dict[str, CacheHit]:
        """The results of those of the calls that are recorded."""
        wanted = list(call_hashes)
        if self._repo.recorder.pending_calls(wanted):
            self._repo.recorder.flush(everything=False)
        found = {row[0]: row[1:] for row in self._repo.reader.rows(SELECT_RESULTS, wanted)}
        payloads = self._fetch(found.values())
        hits = {call_hash: _hit(row, call_hash, payloads) for call_hash, row in found.items()}
        return {call_hash: hit for call_hash, hit in hits.items() if hit is not None}

    def known_calls(self, call_hashes: Iterable[str]) -> set[str]:
        """Those of the calls that are recorded or handed over."""
        wanted = set(call_hashes)
        found = self._repo.recorder.pending_calls(wanted)
        missing = list(wanted - found)
        if missing:
            found.update(row[0] for row in self._repo.reader.rows(SELECT_KNOWN_CALLS, missing))
        return found

    def get_evaluation(self, eval_hash: str) -> tuple[Any, bool]:
        """The value of a reduction: (value, True), or (None, False)."""
        for _, value_hash, type_name, data in self._repo.rows(SELECT_EVALUATIONS, [eval_hash]):
            return self._values.load(value_hash, type_name, data)
        return None, False

    def get_call(self, call_hash: str) -> tuple[Any, bool]:
        """The result of a call: (value, True), or (None, False)."""
        for _, value_hash, type_name, data in self._repo.rows(SELECT_RESULTS, [call_hash]):
            return self._values.load(value_hash, type_name, data)
        return None, False

    def find_in_execution(
        self, execution_id: str, task_hash: str, args_hash: str, context_hash: str | None
    ) -> str | None:
        """The call of this execution's newest job with this task and these arguments."""
        with self._repo.reading() as source:
            calls = source.cells(SELECT_IN_EXECUTION, (execution_id, task_hash, args_hash))
        if calls and context_hash:
            contexts = self._contexts(calls)
            calls = [call for call in calls if context_hash in contexts[call]]
        return calls[0] if calls else None

    def get_task_versions(self, names: Iterable[str]) -> dict[str, set[str]]:
        """The committed hashes of tasks, by full name."""
        wanted = {name.rpartition(".")[2] for name in names}
        found: dict[str, set[str]] = defaultdict(set)
        for namespace, name, task_hash in self._repo.reader.rows(SELECT_VERSIONS, list(wanted)):
            found[f"{namespace}.{name}" if namespace else name].add(task_hash)
        return found

    def get_outcomes(self, args_hashes: Iterable[str]) -> dict[tuple[str, str], str]:
        """Of committed calls with these arguments: (task hash, args hash) -> type of the result."""
        rows = self._repo.reader.rows(SELECT_OUTCOMES, list(args_hashes))
        return {(task, args): type_name for task, args, type_name in rows}

    def explain_miss(self, task: Task, args_hash: str) -> dict[str, Any]:
        """What changed since the most similar call; see `RedunBackend.explain_cache_miss`."""
        with self._repo.reading() as source:
            same_arguments = (args_hash, task.name, task.namespace or "")
            row = source.first_row(SELECT_SAME_ARGUMENTS, same_arguments)
            reason = "new_task"
            if row is None:
                row = source.first_row(SELECT_NEWEST[source.dialect], (task.hash,))
                reason = "new_args"
        if row is None:
            return {"reason": "new_call"}
        return {
            "reason": reason,
            "call_hash": row[0],
            "call_task_hash": row[1],
            "call_args_hash": row[2],
        }

    def _flush_if_asked_for(self, queries: list[CacheQuery]) -> None:
        """Commits what waits if a query may be answered by it; mostly none is."""
        recorder = self._repo.recorder
        if recorder.is_pending(
            evaluations=[query.eval_hash for query in queries if query.single],
            call_keys=[(query.task_hash, query.args_hash) for query in queries if query.shallow],
        ):
            recorder.flush(everything=False)

    def _check_shallow(
        self,
        queries: list[CacheQuery],
        indexes: list[int],
        task_hashes: Container[str],
        hits: list[CacheHit | None],
    ) -> None:
        candidates = self._find_candidates(queries, indexes)
        fitting: dict[int, str] = {}
        while candidates:
            # The newest call of each query is checked; few queries need to look at the next.
            newest = {index: calls.pop() for index, calls in candidates.items()}
            stale = {
                call
                for call, task in self._repo.reader.rows(SELECT_SUBTREES, list(newest.values()))
                if task not in task_hashes
            }
            for index, call in newest.items():
                if call not in stale:
                    fitting[index] = call
            candidates = {
                index: calls
                for index, calls in candidates.items()
                if calls and index not in fitting
            }
        if fitting:
            found = self._repo.reader.rows(SELECT_RESULTS, list(set(fitting.values())))
            results = {row[0]: row[1:] for row in found}
            payloads = self._fetch(results.values())
            for index, call in fitting.items():
                if call in results:
                    hits[index] = _hit(results[call], call, payloads)

    def _find_candidates(
        self, queries: list[CacheQuery], indexes: list[int]
    ) -> dict[int, Candidates]:
        """For each query the calls with its task, arguments and context, oldest first."""
        args_hashes = list({queries[index].args_hash for index in indexes})
        by_key: dict[tuple[str, str], list[tuple[Any, str]]] = defaultdict(list)
        for args_hash, task_hash, call_hash, timestamp in self._repo.reader.rows(
            SELECT_CALLS, args_hashes
        ):
            by_key[task_hash, args_hash].append((timestamp, call_hash))
        candidates: dict[int, Candidates] = {}
        for index in indexes:
            query = queries[index]
            dated = by_key.get((query.task_hash, query.args_hash))
            if dated:
                candidates[index] = [call for _, call in sorted(dated)]
        contexts = self._contexts({call for calls in candidates.values() for call in calls})
        for index, calls in candidates.items():
            context = queries[index].context_hash
            # Without a context, only a call that was made without one can stand in.
            candidates[index] = [
                call
                for call in calls
                if (context in contexts[call] if context else not contexts[call])
            ]
        return {index: calls for index, calls in candidates.items() if calls}

    def _contexts(self, call_hashes: Iterable[str]) -> dict[str, set[str]]:
        """The hashes of the contexts that calls were made in."""
        contexts: dict[str, set[str]] = defaultdict(set)
        statement = SELECT_CONTEXTS % CONTEXT_KEY
        for call_hash, value in self._repo.reader.rows(statement, list(call_hashes)):
            contexts[call_hash].add(value.strip('"') if isinstance(value, str) else value)
        return contexts

    def _fetch(self, rows: Iterable[Sequence[Any]]) -> dict[str, Payload]:
        """The payloads that rows (value_hash, type, data) leave to the value store."""
        return self._repo.payloads.fetch([row[0] for row in rows if not row[2]])


def _hit(
    row: Sequence[Any], call_hash: str | None, payloads: dict[str, Payload]
) -> CacheHit | None:
    """The hit that (value_hash, type, data) is; None if the data is elsewhere and can't be had."""
    value_hash, type_name, data = row
    if data:
        return CacheHit(value_hash, type_name, data, call_hash)
    payload: Any = payloads.get(value_hash)
    return None if payload is None else CacheHit(value_hash, type_name, payload, call_hash, True)
