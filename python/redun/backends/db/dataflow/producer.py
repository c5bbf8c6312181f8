"""The call that made a value: where its dataflow begins."""

from __future__ import annotations

from redun.backends.db.source import Source

#: Calls that only wrap a script: its own task and the calling task tell the story.
IGNORED = "('redun.postprocess_script', 'redun.script')"

#: So many calls that returned a value are compared with each other. Values like None have more.
FEW = 1000

#: Of more than a few, the latest that are looked at one by one.
CANDIDATES = 50

# Whether a call returned a value, alone or inside something. Both parameters are the value.
_RETURNED = f"""
call_node.task_name NOT IN {IGNORED} AND (
    call_node.value_hash = ?
    OR call_node.value_hash IN (SELECT parent_value_hash FROM subvalue WHERE value_hash = ?)
)
"""

_COUNT = f"SELECT COUNT(*) FROM (SELECT 1 FROM call_node WHERE {_RETURNED} LIMIT ?) AS found"

_PRODUCER = f"""
WITH RECURSIVE made (call_hash) AS (
    SELECT call_hash FROM call_node WHERE {_RETURNED}
), above (call_hash) AS (
    SELECT call_edge.parent_id FROM call_edge
    JOIN made ON call_edge.child_id = made.call_hash
    UNION
    SELECT call_edge.parent_id FROM call_edge
    JOIN above ON call_edge.child_id = above.call_hash
)
SELECT made.call_hash FROM made
LEFT JOIN job ON job.call_hash = made.call_hash
WHERE made.call_hash NOT IN (SELECT call_hash FROM above)
GROUP BY made.call_hash
ORDER BY MAX(job.start_time) DESC NULLS LAST, made.call_hash
LIMIT 1
"""

# Goes back in time over all jobs: where many calls returned the value, it soon meets some.
_LATEST = f"""
SELECT job.call_hash FROM job
WHERE EXISTS (
    SELECT 1 FROM call_node WHERE call_node.call_hash = job.call_hash AND {_RETURNED}
)
ORDER BY job.start_time DESC, job.call_hash LIMIT ?
"""

# Goes down only until it meets one.
_PASSED_ON = f"""
WITH RECURSIVE below (call_hash) AS (
    SELECT child_id FROM call_edge WHERE parent_id = ?
    UNION
    SELECT call_edge.child_id FROM call_edge
    JOIN below ON call_edge.parent_id = below.call_hash
)
SELECT 1 FROM below
WHERE EXISTS (
    SELECT 1 FROM call_node WHERE call_node.call_hash = below.call_hash AND {_RETURNED}
)
LIMIT 1
"""


def find_producer(source: Source, value_hash: str) -> str | None:
    """
    The hash of the call that made a value, or None.

    Of the calls that returned it, alone or inside something, the one that ran last. A call that got
    the value from another of them only passed it on.
    """
    value = (value_hash, value_hash)
    if source.cell(_COUNT, (*value, FEW)) == FEW:
        latest = source.cells(_LATEST, (*value, CANDIDATES))
        for call_hash in dict.fromkeys(latest):
            if source.cell(_PASSED_ON, (call_hash, *value)) is None:
                return str(call_hash)
    found: str | None = source.cell(_PRODUCER, value)
    return found
