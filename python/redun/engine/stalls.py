"""Finding out that a run can't go on, because calls wait for each other."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from redun.engine.nodes import Follower, Join, SchedulerCall

if TYPE_CHECKING:
    from redun.engine.async_calls import AsyncCalls
    from redun.engine.evaluate import Evaluator
    from redun.model.job import Job

__all__ = ["find_stalled"]


def find_stalled(evaluator: Evaluator, calls: AsyncCalls, failing: dict[Job, Any]) -> list[int]:
    """Return jobs (ids) of which one has to fail so that others can go on; none if something runs.

    The state machine sees waits between nodes. What coroutines and scheduler tasks wait for it does not
    see: those count as waiting for what they have asked to be evaluated.

    Parameters
    ----------
    evaluator : knows the nodes.
    calls : what coroutines wait for.
    failing : jobs whose failure waits for the ends of their children.
    """
    wire, suspended = evaluator.wire, evaluator.suspended
    if wire.active() > len(calls.waits) + len(suspended) + len(failing):
        return []
    owed = [job.node_id for job in (*calls.waits, *failing)] + [op.node_id for op in suspended]
    awaiting = [(job.node_id, on) for job, asked in calls.waits.items() for on in asked.values()]
    if suspended:
        asked_in: dict[int, list[int]] = defaultdict(list)
        for node in wire.nodes:
            if isinstance(node, (Follower, Join)) and not node.settled and node.scope is not None:
                asked_in[id(node.scope)].append(node.node_id)
        for op in suspended:
            if isinstance(op, SchedulerCall):
                awaiting += [(op.node_id, on) for on in asked_in.get(id(op.scope), ())]
    return wire.stalled(owed, awaiting)
