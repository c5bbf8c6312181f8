"""Web addresses that tags speak of: the commit, the job on AWS Batch, its log."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

_GITHUB = re.compile(
    r"(?:https://(?:[^@/\s]+@)?github\.com/|(?:ssh://)?git@github\.com[:/])"
    r"([\w.-]+)/([\w.-]+?)(?:\.git)?/?"
)
_COMMIT = re.compile(r"[0-9a-fA-F]{7,64}")

#: Where AWS shows a job, and a stream of the log group that its jobs write to.
BATCH_JOB = "https://console.aws.amazon.com/batch/home#jobs/detail/{}"
LOG_STREAM = (
    "https://console.aws.amazon.com/cloudwatch/home#logEventViewer:group=/aws/batch/job;stream={}"
)


def tag_links(tags: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, str]]:
    """
    Name and address of each link, in the order of names.

    Tags are anyone's words: only addresses of these sites are made of them, with the rest quoted.
    """
    values: dict[str, list[str]] = {}
    for key, value in sorted(tags, key=lambda tag: (tag[0], str(tag[1]))):
        if isinstance(value, str) and value:
            values.setdefault(key, []).append(value)
    for job in values.get("aws_batch_job", ()):
        yield "AWS Batch job", BATCH_JOB.format(quote(job, safe=""))
    for stream in values.get("aws_log_stream", ()):
        yield "AWS log stream", LOG_STREAM.format(quote(stream, safe=""))
    for origin in values.get("git_origin_url", ()):
        match = _GITHUB.fullmatch(origin)
        for commit in values.get("git_commit", ()) if match else ():
            if match and _COMMIT.fullmatch(commit):
                yield "Git commit", f"https://github.com/{match[1]}/{match[2]}/commit/{commit}"
