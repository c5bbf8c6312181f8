"""What records own, as statements: see `redun.sync.store` for the meaning."""

from __future__ import annotations

from typing import NamedTuple

from redun.backends.records import HAS_ENDED


class Edge(NamedTuple):
    """
    A way from records of one class to others.

    `statement` gives (parent, child) for given parents, as for a `Reader`; `child` names the
    class of the others.
    """

    name: str
    child: str
    statement: str


#: By kind of record, the edges to what it owns, in the order in which they are followed.
OWNED = {
    "Execution": (
        Edge("Execution.job", "Job", "SELECT id, job_id FROM {asked}execution WHERE id {is_asked}"),
    ),
    "Job": (
        Edge("Job.task", "Task", "SELECT id, task_hash FROM {asked}job WHERE id {is_asked}"),
        Edge(
            "Job.call_hash",
            "CallNode",
            "SELECT id, call_hash FROM {asked}job WHERE id {is_asked} AND call_hash IS NOT NULL",
        ),
        Edge(
            "Job.child_job",
            "Job",
            "SELECT parent_id, id FROM {asked}job WHERE parent_id {is_asked}",
        ),
    ),
    "CallNode": (
        Edge(
            "CallNode.task",
            "Task",
            "SELECT call_hash, task_hash FROM {asked}call_node WHERE call_hash {is_asked}",
        ),
        Edge(
            "CallNode.result",
            "Value",
            "SELECT call_hash, value_hash FROM {asked}call_node WHERE call_hash {is_asked}",
        ),
        Edge(
            "CallNode.arg",
            "Value",
            "SELECT call_hash, value_hash FROM {asked}argument WHERE call_hash {is_asked}",
        ),
        Edge(
            "CallNode.upstream",
            "CallNode",
            "SELECT argument.call_hash, argument_result.result_call_hash FROM {asked}argument "
            "JOIN argument_result ON argument_result.arg_hash = argument.arg_hash "
            "WHERE argument.call_hash {is_asked}",
        ),
        Edge(
            "CallNode.child_call_node",
            "CallNode",
            "SELECT parent_id, child_id FROM {asked}call_edge WHERE parent_id {is_asked}",
        ),
    ),
    "Value": (
        Edge(
            "Value.subvalue",
            "Value",
            "SELECT parent_value_hash, value_hash FROM {asked}subvalue WHERE parent_value_hash {is_asked}",
        ),
    ),
    "Tag": (
        Edge(
            # There is no index on this column.
            "Tag.parent",
            "Tag",
            "SELECT child_id, parent_id FROM tag_edit WHERE child_id {in_ids}",
        ),
    ),
}

#: Tasks of calls below that left no record of their own: they need to be there, too.
SUBTREE_TASKS = Edge(
    "CallNode.subtree_task",
    "Task",
    # One of the calls will do.
    "SELECT min(call_hash), task_hash FROM {asked}call_subtree_task WHERE call_hash {is_asked} "
    "GROUP BY task_hash",
)

#: Statements that stand for several edges, with the kinds of record these lead to: a row is looked up once.
#: They come first: who has ended before its children are read gets no more of them.
PAIRED = {
    "Job": (
        (
            "SELECT id, task_hash, call_hash, CASE WHEN end_time IS NOT NULL THEN 1 END "
            "FROM {asked}job WHERE id {is_asked}",
            ("Value", "CallNode", HAS_ENDED),
        ),
    ),
    "CallNode": (
        (
            "SELECT call_hash, task_hash, value_hash FROM {asked}call_node WHERE call_hash {is_asked}",
            ("Value", "Value"),
        ),
        (
            "SELECT argument.call_hash, argument.value_hash, argument_result.result_call_hash "
            "FROM {asked}argument LEFT JOIN argument_result ON argument_result.arg_hash = argument.arg_hash "
            "WHERE argument.call_hash {is_asked}",
            ("Value", "CallNode"),
        ),
    ),
}

#: The edges to what records own that no such statement stands for.
UNPAIRED = {
    **OWNED,
    "Job": OWNED["Job"][2:],
    "CallNode": (OWNED["CallNode"][4], SUBTREE_TASKS),
}

#: Edges that are followed from given ids, but lead to nothing that is owned.
TAG_CHILDREN = Edge(
    "Tag.child", "Tag", "SELECT parent_id, child_id FROM tag_edit WHERE parent_id {in_ids}"
)
ENTITY_TAGS = Edge(
    "Entity.tag", "Tag", "SELECT entity_id, tag_hash FROM tag WHERE entity_id {in_ids}"
)

#: By kind, which of some ids are held; of jobs, those that have ended.
HELD = {
    "Execution": "SELECT id FROM execution WHERE id {in_ids}",
    "Job": "SELECT id FROM job WHERE id {in_ids} AND end_time IS NOT NULL",
    "CallNode": "SELECT call_hash FROM call_node WHERE call_hash {in_ids}",
    "Value": "SELECT value_hash FROM value WHERE value_hash {in_ids}",
    "Tag": "SELECT tag_hash FROM tag WHERE tag_hash {in_ids}",
}
HELD_TASKS = "SELECT hash FROM task WHERE hash {in_ids}"

#: Whether any record is held. Jobs and calls own values.
ANY = (
    "SELECT EXISTS (SELECT 1 FROM value) OR EXISTS (SELECT 1 FROM execution) "
    "OR EXISTS (SELECT 1 FROM tag)"
)

#: The same, but jobs that have not ended count, too.
PRESENT = {**HELD, "Job": "SELECT id FROM job WHERE id {in_ids}"}

JOB_STATES = (
    "SELECT id, end_time IS NOT NULL, "
    "(SELECT count(*) FROM job AS child WHERE child.parent_id = job.id) "
    "FROM job WHERE id {in_ids}"
)
JOB_OWNERS = "SELECT id, parent_id, execution_id, task_hash FROM job WHERE id {in_ids}"
TAG_OWNERS = (
    "SELECT tag_hash, CAST(entity_type AS VARCHAR), entity_id FROM tag WHERE tag_hash {in_ids}"
)

#: Lists that may be long.
# CROSS JOIN keeps SQLite from walking through all jobs by their start to spare itself the sorting.
EXECUTION_IDS = (
    "SELECT execution.id FROM execution CROSS JOIN job WHERE job.id = execution.job_id "
    "ORDER BY job.start_time"
)
TAG_IDS = "SELECT tag_hash FROM tag"
OPEN_JOBS = (
    "SELECT id, (SELECT count(*) FROM job AS child WHERE child.parent_id = job.id) "
    "FROM job WHERE end_time IS NULL"
)
