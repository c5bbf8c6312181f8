"""Every screen of the console, as a person sees it, on a repo that the reference wrote.

`UPDATE_GOLDEN=1 pytest tests/cli/test_console_screens.py` records the screens anew.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

GOLDEN = Path(__file__).parents[1] / "golden" / "console"

RESULT = "84811a816d7f093b1036d1df2056a07653542040"

SCREENS: dict[str, tuple[list[str], list[str]]] = {
    "executions": ([], []),
    "executions_found": (["executions", "--find", "half_fail"], []),
    "namespaces": (["executions/namespace"], []),
    "execution": (["executions/64ec0c9d"], []),
    "execution_status": (["executions/64ec0c9d", "--status", "FAILED"], []),
    "execution_running": (["executions/a1cb9152"], []),
    "execution_focus": (["executions/c3002375", "--job", "a445b7f6"], []),
    "job_done": (["jobs/7d439e48"], []),
    "job_failed": (["jobs/ffd1d1a2"], []),
    "job_unfinished": (["jobs/d170ba34"], []),
    "tasks": (["tasks"], []),
    "task_versions": (["tasks/name/shop.main"], []),
    "task": (["tasks/e3dc3b41"], []),
    "value": ([f"values/{RESULT}"], []),
    "value_file": (["values/1d0cfd60"], []),
    "upstream": ([f"upstreams/{RESULT}"], []),
    "files": (["files"], []),
    "search": (["search", "--all", "--tag", "step=boom"], []),
    "search_empty": (["search"], []),
    "repl": (["repl/64ec0c9d"], []),
    "menu": ([], ["m"]),
    "filter": (["tasks", "--find", "p"], ["slash"]),
    "unknown_job": (["jobs/nosuch"], []),
}


@pytest.mark.parametrize("name", SCREENS)
def test_screen(console: Callable[..., None], recorded_repo: str, name: str) -> None:
    words, keys = SCREENS[name]
    path = GOLDEN / f"{name}.txt"

    async def look(terminal: Any) -> None:
        await terminal.press(*keys)
        if os.environ.get("UPDATE_GOLDEN"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(terminal.text)
        assert terminal.text == path.read_text()

    console(recorded_repo, look, *words)


def test_statuses_have_their_colours(console: Callable[..., None], recorded_repo: str) -> None:
    async def look(terminal: Any) -> None:
        strips = terminal.app.screen._compositor.render_strips(terminal.app.size)
        found = {
            segment.text.strip(): segment.style.bgcolor.name
            for strip in strips
            for segment in strip
            if segment.style and segment.style.bgcolor
        }
        wanted = {"DONE": "#2e7d32", "FAILED": "#c62828", "RUN": "#f9a825"}
        assert {status: found[status] for status in wanted} == wanted

    # The cursor is on the first row, and hides its colours.
    console(recorded_repo, look)
