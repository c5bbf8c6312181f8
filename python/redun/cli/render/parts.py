"""What lines about different records have in common: status, times, tags, indentation."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Iterable, Iterator
from typing import Any

from redun.tags import DOC_KEY, format_tag_key_value

STATUS_WIDTH = 6


def short(identifier: str) -> str:
    """The first 8 characters of a hash or id."""
    return identifier[:8]


def format_status(status: str) -> str:
    """`[ DONE ]`, `[FAILED]`, `[CACHED]` or `[ RUN  ]`."""
    shown = "RUN " if status == "RUNNING" else status
    return f"[{shown:^{STATUS_WIDTH}}]"


def format_timestamp(timestamp: dt.datetime | None) -> str:
    """Local time to the second; blanks if it isn't known."""
    if timestamp is None:
        return " " * len("YYYY-MM-DD HH:MM:SS")
    return _local_second(int(timestamp.timestamp()))


@functools.lru_cache(maxsize=1024)
def _local_second(seconds: int) -> str:
    """Local time of a second since the epoch; jobs of a run share few of them."""
    return dt.datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M:%S")


def format_timedelta(duration: dt.timedelta) -> str:
    """`H:MM:SS.cc`; hours count on beyond a day."""
    hundredths = max(0, duration // dt.timedelta(milliseconds=10))
    seconds, hundredths = divmod(hundredths, 100)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}.{hundredths:02}"


def format_tags(tags: Iterable[tuple[str, Any]], max_length: int = 50) -> str:
    """`(k=v, k2=v2)`, sorted as text; key and value cut to `max_length`; nothing for no tags."""
    shown = sorted(format_tag_key_value(key, value, max_length) for key, value in tags)
    return f"({', '.join(shown)})" if shown else ""


def doc_lines(tags: Iterable[tuple[str, Any]]) -> Iterator[str]:
    """A blank line and the text of `doc` tags, indented; nothing if there are none."""
    docs = [value for key, value in tags if key == DOC_KEY]
    if docs:
        yield ""
    for doc in docs:
        yield from indent(str(doc).split("\n"))


def indent(lines: Iterable[str], by: int = 2) -> Iterator[str]:
    """Lines moved right; blank ones stay as they are."""
    space = " " * by
    return (space + line if line.strip() else line for line in lines)
