"""Lines about files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redun.cli.render.parts import format_tags, short

if TYPE_CHECKING:
    from redun.backends.db.query import ValueView


def file_line(value: ValueView) -> str:
    """One file on one line."""
    return f"File {short(value.value_hash)} {value.path} {format_tags(value.tags)}"


def file_role_line(produced: bool, job_id: str) -> str:
    """Which job gave or took a file."""
    return f"{'Produced' if produced else 'Consumed'} by Job {short(job_id)}"
