"""Times: the present in UTC, and how times and durations are shown."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone, tzinfo


def utcnow() -> datetime:
    """The present time, aware, in UTC."""
    return datetime.now(timezone.utc)


def format_timestamp(timestamp: datetime, tz: tzinfo | None = None) -> str:
    """`YYYY-MM-DD HH:MM:SS` in time zone `tz` (default: local time)."""
    return timestamp.astimezone(tz).strftime("%Y-%m-%d %H:%M:%S")


def format_timedelta(duration: timedelta) -> str:
    """`H:MM:SS.cc`; days are dropped."""
    hours, seconds = divmod(duration.seconds, 3600)
    minutes, seconds = divmod(seconds, 60)
    return f"{hours}:{minutes:02}:{seconds:02}.{duration.microseconds // 10000:02}"
