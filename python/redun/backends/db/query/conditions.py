"""
What the filters of a query mean, as SQL conditions for each record type.

Membership is always asked with `IN (SELECT ...)`: no join can then repeat a row, so no `DISTINCT`
over whole rows is needed. All text comes from here; what a person gave is a parameter.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from redun.backends.db.source import Source
from redun.tags import ANY_VALUE

ERROR_TYPE = "redun.ErrorValue"
JOB_STATUSES = ("RUNNING", "FAILED", "CACHED", "DONE")
EXECUTION_STATUSES = ("RUNNING", "FAILED", "DONE")

#: Table and primary key of each record type, in the order in which types are given out.
PRIMARY_KEYS: dict[str, tuple[str, str]] = {
    "Execution": ("execution", "id"),
    "Job": ("job", "id"),
    "CallNode": ("call_node", "call_hash"),
    "Task": ("task", "hash"),
    "Value": ("value", "value_hash"),
}


@dataclass(frozen=True, slots=True)
class Condition:
    """
    A condition on the rows of a table.

    Parameters
    ----------
    text : SQL as a `Source` takes it.
    parameters : one for each `?` and `{in_ids}`, in their order.
    """

    text: str
    parameters: tuple[Any, ...] = ()

    def within(self, frame: str) -> Condition:
        """The condition put into a text where `{}` stands."""
        before, after = frame.split("{}")
        return Condition(before + self.text + after, self.parameters)


#: Conditions of a filter, by record type. A type that the filter doesn't name is left as it is.
Conditions: TypeAlias = dict[str, Condition]


def all_of(conditions: Iterable[Condition]) -> Condition:
    """What holds where all of the conditions do; everywhere if there are none."""
    return _joined(list(conditions), " AND ", "1 = 1")


def any_of(conditions: Iterable[Condition]) -> Condition:
    """What holds where one of the conditions does; nowhere if there are none."""
    return _joined(list(conditions), " OR ", "1 = 0")


def _joined(conditions: list[Condition], word: str, empty: str) -> Condition:
    if len(conditions) < 2:
        return conditions[0] if conditions else Condition(empty)
    text = word.join(condition.text for condition in conditions)
    return Condition(f"({text})", tuple(p for one in conditions for p in one.parameters))


def column_of(record_type: str) -> str:
    """The primary key of a record type with its table."""
    return ".".join(PRIMARY_KEYS[record_type])


def ids_in(ids: Collection[str]) -> Conditions:
    """Exact ids, in every type."""
    return {name: _among(column_of(name), ids) for name in PRIMARY_KEYS}


def _among(column: str, keys: Iterable[str]) -> Condition:
    return Condition(f"{column} {{in_ids}}", (list(keys),))


def ids_like(prefix: str, dialect: str) -> Conditions:
    """Ids that start so, in every type; tasks also by their bare name."""
    found = {name: id_prefix(column_of(name), prefix, dialect) for name in PRIMARY_KEYS}
    found["Task"] = any_of([found["Task"], Condition("task.name = ?", (prefix,))])
    return found


def id_prefix(column: str, prefix: str, dialect: str) -> Condition:
    """
    Ids that start so; hashes are found in upper case too. `%` and `_` match as in SQL.

    `dialect` is the name of the database's SQL dialect: SQLite doesn't use an index for LIKE, so it
    is asked for a range.
    """
    if "%" in prefix or "_" in prefix or dialect != "sqlite":
        return Condition(f"{column} LIKE ?", (prefix + "%",))
    if not prefix:
        return all_of([])
    spellings = sorted({prefix, prefix.lower()})
    return any_of(starts_with(column, text, dialect) for text in spellings)


def starts_with(column: str, prefix: str, dialect: str) -> Condition:
    """Texts that start so, literally; SQLite is asked for a range, as in `id_prefix`."""
    if dialect != "sqlite":
        return Condition(f"{column} LIKE ? ESCAPE '/'", (escaped(prefix) + "%",))
    # The largest character there is ends the range.
    return Condition(f"({column} >= ? AND {column} < ?)", (prefix, prefix + chr(0x10FFFF)))


def escaped(text: str) -> str:
    """A text for LIKE with the escape `/`."""
    return text.replace("/", "//").replace("%", "/%").replace("_", "/_")


def executions_in(ids: Collection[str]) -> Conditions:
    """Executions with these ids, and everything their jobs ran, took and gave."""
    jobs = Condition("job.execution_id {in_ids}", (list(ids),))
    return {"Execution": _among("execution.id", ids), **_of_jobs(jobs)}


def executions_tagged(tags: Iterable[tuple[str, Any]], source: Source) -> Conditions:
    """Executions with all these tags, and everything their jobs ran, took and gave."""
    tagged = all_of(_has_tag("execution.id", key, value, source) for key, value in tags)
    executions = tagged.within("SELECT execution.id FROM execution WHERE {}")
    jobs = executions.within("job.execution_id IN ({})")
    return {"Execution": tagged, **_of_jobs(jobs)}


_CALLS = "SELECT job.call_hash FROM job WHERE {}"

# What the calls took and gave, and what is in that.
_VALUES_OF_CALLS = """value.value_hash IN (
    WITH calls AS ({}),
    whole AS (
        SELECT value_hash FROM call_node WHERE call_hash IN (SELECT call_hash FROM calls)
        UNION
        SELECT value_hash FROM argument WHERE call_hash IN (SELECT call_hash FROM calls)
    )
    SELECT value_hash FROM whole
    UNION
    SELECT value_hash FROM subvalue WHERE parent_value_hash IN (SELECT value_hash FROM whole)
)"""


def _of_jobs(jobs: Condition) -> Conditions:
    """Jobs that meet a condition, and everything they ran, took and gave."""
    calls = jobs.within(_CALLS)
    return {
        "Job": jobs,
        "CallNode": calls.within("call_node.call_hash IN ({})"),
        "Task": jobs.within("task.hash IN (SELECT job.task_hash FROM job WHERE {})"),
        "Value": calls.within(_VALUES_OF_CALLS),
    }


# Errors are few: finding them by the index on the type beats looking at every result.
_FAILED_CALLS = f"""SELECT call_node.call_hash FROM call_node WHERE call_node.value_hash IN (
    SELECT value.value_hash FROM value WHERE value.type = '{ERROR_TYPE}')"""

_FAILED = f"(job.call_hash IS NOT NULL AND job.call_hash IN ({_FAILED_CALLS}))"

_OF_JOBS = {
    "RUNNING": "(job.end_time IS NULL AND job.call_hash IS NULL)",
    "CACHED": "job.cached IS TRUE",
    "FAILED": _FAILED,
    "DONE": f"(job.cached IS FALSE AND job.call_hash IS NOT NULL AND NOT {_FAILED})",
}

# Asked of each execution in turn: there are far fewer of them than of jobs.
_ROOTS = "EXISTS (SELECT 1 FROM job WHERE job.id = execution.job_id AND {})"

_DONE = f"job.end_time IS NOT NULL AND NOT {_FAILED}"

_OF_EXECUTIONS = {
    "RUNNING": _ROOTS.format(f"job.end_time IS NULL AND NOT {_FAILED}"),
    "FAILED": f"({_ROOTS.format(_FAILED)} OR NOT {_ROOTS.format('TRUE')})",
    "DONE": _ROOTS.format(_DONE),
    "CACHED": _ROOTS.format(f"{_DONE} AND job.cached IS TRUE"),
}


def job_statuses(statuses: Iterable[str]) -> Conditions:
    """
    Jobs by status. A call that failed and was answered from the cache is both FAILED and CACHED.

    Raises `NotImplementedError` for an unknown status, `AssertionError` for none at all.
    """
    return {"Job": _by_status(statuses, _OF_JOBS)}


def execution_statuses(statuses: Iterable[str]) -> Conditions:
    """
    Executions by the status of the root job. One that was answered from the cache is DONE, unless
    the answer was a failure; one without a root job is FAILED.

    Raises `NotImplementedError` for an unknown status, `AssertionError` for none at all.
    """
    return {"Execution": _by_status(statuses, _OF_EXECUTIONS)}


def _by_status(statuses: Iterable[str], known: dict[str, str]) -> Condition:
    wanted = list(statuses)
    assert wanted, "no status to filter by"
    for status in wanted:
        if status not in known:
            raise NotImplementedError(status)
    return any_of(Condition(known[status]) for status in wanted)


def task_names(names: Iterable[str]) -> Conditions:
    """Jobs and tasks by task name: full, or without namespace to find it in any."""
    matches = any_of(map(_task_name, names))
    jobs = matches.within("job.task_hash IN (SELECT task.hash FROM task WHERE {})")
    return {"Job": jobs, "Task": matches}


def _task_name(fullname: str) -> Condition:
    namespace, dot, name = fullname.rpartition(".")
    if not dot:
        return Condition("task.name = ?", (name,))
    return Condition("(task.name = ? AND task.namespace = ?)", (name, namespace))


def task_hashes(hashes: Iterable[str]) -> Conditions:
    """Jobs and tasks by task hash."""
    wanted = list(hashes)
    return {"Job": _among("job.task_hash", wanted), "Task": _among("task.hash", wanted)}


# The values themselves and those that contain them.
_HOLDERS = """SELECT value.value_hash FROM value WHERE value.value_hash {in_ids}
    UNION SELECT subvalue.parent_value_hash FROM subvalue WHERE subvalue.value_hash {in_ids}"""

_TAKEN = f"""job.call_hash IN (
    SELECT argument.call_hash FROM argument WHERE argument.value_hash IN ({_HOLDERS}))"""

_GIVEN = f"""job.call_hash IN (
    SELECT call_node.call_hash FROM call_node WHERE call_node.value_hash IN ({_HOLDERS}))"""


def arguments_in(value_hashes: Iterable[str]) -> Conditions:
    """Jobs that took one of these values, alone or inside an argument."""
    wanted = list(value_hashes)
    return {"Job": Condition(_TAKEN, (wanted, wanted))}


def results_in(value_hashes: Iterable[str]) -> Conditions:
    """Jobs that gave one of these values, alone or inside a result."""
    wanted = list(value_hashes)
    return {"Job": Condition(_GIVEN, (wanted, wanted))}


def value_types(names: Iterable[str]) -> Conditions:
    """Values of exactly these types."""
    return {"Value": _among("value.type", names)}


def file_paths(patterns: Iterable[str]) -> Conditions:
    """Values that are files with a path like one of these; `*` stands for anything."""
    likes = any_of(
        Condition("file.path LIKE ?", (pattern.replace("*", "%"),)) for pattern in patterns
    )
    files = likes.within("SELECT file.value_hash FROM file WHERE {}")
    return {"Value": files.within("value.value_hash IN ({})")}


def tagged(tags: Iterable[tuple[str, Any]], source: Source) -> Conditions:
    """
    Records of any type that have all these current tags; `ANY_VALUE` asks for the key alone.

    Raises `TypeError` for a value that JSON can't express.
    """
    pairs = list(tags)
    return {
        name: all_of(_has_tag(column_of(name), key, value, source) for key, value in pairs)
        for name in PRIMARY_KEYS
    }


def _has_tag(entity_id: str, key: str, value: Any, source: Source) -> Condition:
    text = (
        f"{entity_id} IN (SELECT tag.entity_id FROM tag"
        " WHERE tag.key = ? AND tag.is_current AND tag.entity_type <> 'Null'"
    )
    if value is ANY_VALUE:
        return Condition(f"{text})", (key,))
    return Condition(f"{text} AND tag.value = ?)", (key, source.document_parameter(value)))
