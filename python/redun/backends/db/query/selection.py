"""What a person asks to see, as one query: record types, filters, and what they imply."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from redun.backends.db.query.ids import find_execution_ids
from redun.backends.db.query.records import RECORD_TYPES, Query, RecordQuery
from redun.backends.db.source import Source

#: The type of files proper; those of subclasses are listed as values only.
FILE_TYPE = "redun.File"


@dataclass
class Selection:
    """
    Record types and filters. Empty lists filter nothing.

    Parameters
    ----------
    types : names of record types asked for by name.
    all_types : every type is asked for.
    files : files are asked for.
    execution_ids : ids, their prefixes, `-` and `~N`; None filters nothing.
    tags, execution_tags : pairs of key and value, the value `ANY_VALUE` for any.
    """

    types: frozenset[str] = frozenset()
    all_types: bool = False
    files: bool = False
    execution_statuses: list[str] = field(default_factory=list)
    job_statuses: list[str] = field(default_factory=list)
    task_names: list[str] = field(default_factory=list)
    task_hashes: list[str] = field(default_factory=list)
    value_types: list[str] = field(default_factory=list)
    file_paths: list[str] = field(default_factory=list)
    execution_ids: list[str] | None = None
    results: list[str] = field(default_factory=list)
    arguments: list[str] = field(default_factory=list)
    tags: list[tuple[str, Any]] = field(default_factory=list)
    execution_tags: list[tuple[str, Any]] = field(default_factory=list)

    @property
    def is_recent(self) -> bool:
        """Whether nothing but executions is asked for, and that not by name."""
        return not self._named_types() and self._implied_types() <= {"Execution"}

    def wanted_types(self, default: frozenset[str] = frozenset({"Execution"})) -> frozenset[str]:
        """The record types to show: those named, else those the filters are about, else `default`."""
        return self._named_types() or self._implied_types() or default

    def _named_types(self) -> frozenset[str]:
        if self.all_types:
            return frozenset(RECORD_TYPES)
        if self.files:
            return frozenset({"Value"})
        if not self.types:
            return frozenset()
        # A filter that is about one type asks for it too.
        also = {
            "Execution": self.execution_statuses,
            "Job": self.job_statuses,
            "Value": self.value_types or self.file_paths,
        }
        return self.types | {name for name, values in also.items() if values}

    def _implied_types(self) -> frozenset[str]:
        implied = [
            types
            for values, types in (
                (self.execution_statuses, {"Execution"}),
                (self.job_statuses, {"Job"}),
                (self.arguments, {"Job"}),
                (self.results, {"Job"}),
                (self.task_names, {"Job", "Task"}),
                (self.task_hashes, {"Job", "Task"}),
                (self.value_types, {"Value"}),
                (self.file_paths, {"Value"}),
            )
            if values
        ]
        common = frozenset.intersection(*map(frozenset, implied)) if implied else frozenset()
        return common or frozenset().union(*implied)

    def query(self, source: Source, types: frozenset[str] | None = None) -> RecordQuery:
        """The query; see `narrow`."""
        return self.narrow(RecordQuery(source), types)

    def narrow(self, query: Query, types: frozenset[str] | None = None) -> Query:
        """
        A query with the filters, newest first.

        Parameters
        ----------
        query : to be narrowed.
        types : the record types to show; by default `wanted_types()`.

        Raises
        ------
        NotImplementedError
            For an unknown status.
        ValueError
            For an execution `~N` that there is none of.
        """
        query = query.filter_types(types or self.wanted_types()).order_by("time")
        for values, add in (
            (self.execution_statuses, RecordQuery.filter_execution_statuses),
            (self.job_statuses, RecordQuery.filter_job_statuses),
            (self.task_names, RecordQuery.filter_task_names),
            (self.task_hashes, RecordQuery.filter_task_hashes),
            (self.value_types, RecordQuery.filter_value_types),
            (self.file_paths, RecordQuery.filter_file_paths),
            (self.results, RecordQuery.filter_results),
            (self.arguments, RecordQuery.filter_arguments),
        ):
            if values:
                query = add(query, values)
        for tags, add_tags in (
            (self.tags, RecordQuery.filter_tags),
            (self.execution_tags, RecordQuery.filter_execution_tags),
        ):
            if tags:
                query = add_tags(query, tags)
        if self.files:
            query = query.filter_value_types([FILE_TYPE])
        if self.execution_ids is not None:
            ids = find_execution_ids(query.source, self.execution_ids)
            query = query.filter_execution_ids(ids)
        return query
