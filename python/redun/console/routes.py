"""From a path to its screen."""

from __future__ import annotations

from collections.abc import Sequence

from redun.console.execution import ExecutionScreen
from redun.console.executions import ExecutionsScreen
from redun.console.files import FilesScreen
from redun.console.job import JobScreen
from redun.console.namespaces import NamespacesScreen
from redun.console.repl import ReplScreen
from redun.console.screen import RedunScreen
from redun.console.search import SearchScreen
from redun.console.task import TaskScreen
from redun.console.task_versions import PREFIX, TaskVersionsScreen
from redun.console.tasks import TasksScreen
from redun.console.upstream import UpstreamScreen
from redun.console.value import ValueScreen

PLACES: dict[str, type[RedunScreen]] = {
    "executions": ExecutionsScreen,
    "executions/namespace": NamespacesScreen,
    "tasks": TasksScreen,
    "files": FilesScreen,
    "search": SearchScreen,
    "repl": ReplScreen,
}

#: Places that are followed by an id.
RECORDS: dict[str, type[RedunScreen]] = {
    "executions": ExecutionScreen,
    "jobs": JobScreen,
    "tasks": TaskScreen,
    "values": ValueScreen,
    "upstreams": UpstreamScreen,
    "repl": ReplScreen,
}


def screen_type(path: str) -> type[RedunScreen] | None:
    """The screen that a path names; None if it isn't one of ours."""
    if path in PLACES:
        return PLACES[path]
    if path.startswith(PREFIX) and path != PREFIX:
        return TaskVersionsScreen
    place, slash, record_id = path.partition("/")
    return RECORDS.get(place) if slash and record_id and "/" not in record_id else None


def make_screen(words: Sequence[str]) -> RedunScreen | None:
    """
    The screen that a path and its options lead to; None if the path isn't one of ours.

    Raises `click.UsageError` for a value that an option can't have.
    """
    screen = screen_type(words[0])
    return screen(words[0], screen.filters.parse(words[1:])) if screen is not None else None
