"""Lines about why jobs ran."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from redun.cli.render.parts import format_status, format_timestamp, indent, short

if TYPE_CHECKING:
    from redun.lookback.why import Answer

#: Of jobs of the same task that ran for the same kind of cause, so many are shown.
SHOWN_ALIKE = 3


def answer_lines(answer: Answer, names: dict[str, str], detail: bool = True) -> Iterator[str]:
    """
    Why one job ran.

    Parameters
    ----------
    names : full names of the tasks of jobs, by job id.
    detail : with diffs and the like.
    """
    job = answer.job
    yield f"Job {short(job.id)} {format_status(job.status)} {job.task_name}"
    if job.cached:
        yield from indent([_reused_line(answer)])
        return
    for cause in answer.causes:
        yield f"  {cause.text}"
        if detail:
            yield from indent(cause.detail, 4)
    if answer.upstream:
        shown = [f"Job {short(key)} {names.get(key, '')}".rstrip() for key in answer.upstream]
        more = len(shown) - SHOWN_ALIKE
        text = ", ".join(shown[:SHOWN_ALIKE])
        yield f"  comes from {text}{f' and {more} more' if more > 0 else ''}"


def _reused_line(answer: Answer) -> str:
    origin = answer.reused
    if origin is None:
        return "reused a recorded result"
    when = format_timestamp(origin.start)
    return (
        f"reused the result of Job {short(origin.id)} of Exec {short(origin.execution_id)}, {when}"
    )


def group_lines(groups: Sequence[Sequence[Answer]], names: dict[str, str]) -> Iterator[str]:
    """Why many jobs ran: alike ones together, of which only some are shown."""
    for answers in groups:
        for answer in answers[:SHOWN_ALIKE]:
            yield from answer_lines(answer, names, detail=answer is answers[0])
        more = len(answers) - SHOWN_ALIKE
        if more > 0:
            first = answers[0]
            kinds = ", ".join(cause.kind for cause in first.causes) or "reused"
            yield f"... and {more} more {first.job.task_name} for the same kind of reason ({kinds})"
        yield ""


def answer_record(answer: Answer) -> dict[str, Any]:
    """The same as a JSON object."""
    job = answer.job
    return {
        "job_id": job.id,
        "execution_id": job.execution_id,
        "task": job.task_name,
        "status": job.status,
        "causes": [
            {
                "kind": cause.kind,
                "text": cause.text,
                **({"facts": cause.facts} if cause.facts else {}),
            }
            for cause in answer.causes
        ],
        "before": answer.before.id if answer.before else None,
        "reused": answer.reused.id if answer.reused else None,
        "upstream": answer.upstream,
    }
