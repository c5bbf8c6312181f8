"""Getting about in the console with the keyboard alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Console = Callable[..., None]
EXECUTION = "executions/64ec0c9d-9082-488a-8395-bf6bb78ca770"
FAILED_JOB = "jobs/ffd1d1a2-1a02-4d23-9815-fbe272573288"


def test_from_an_execution_to_the_value_and_back(console: Console, recorded_repo: str) -> None:
    async def walk(at: Any) -> None:
        await at.press(*["down"] * 4, "enter")
        assert at.header == f"redun console {EXECUTION}"
        await at.press(*["down"] * 3, "enter")
        assert at.header == f"redun console {FAILED_JOB}"
        await at.press("p")
        assert at.header.startswith("redun console jobs/444c4116")
        await at.press("p")
        assert at.header == f"redun console {EXECUTION}"
        for expected in ("jobs/444c4116", FAILED_JOB, EXECUTION, "executions", "executions"):
            await at.press("escape")
            assert at.header.startswith(f"redun console {expected}")

    console(recorded_repo, walk)


def test_lines_of_a_job_lead_on(console: Console, recorded_repo: str) -> None:
    async def walk(at: Any) -> None:
        lines = at.text.splitlines()
        for start, expected in (
            (" Traceback:", EXECUTION),
            ("   > Job 444c4116", "jobs/444c4116"),
            ("   0 = 2", "values/"),
            (" Raised:", "values/"),
            (" Task ", "tasks/e3dc3b41"),
        ):
            grid = at.app.screen.focused
            texts = [row.cells[0].plain for row in at.app.screen.content.sheets["rows"].rows]
            number = next(i for i, text in enumerate(texts) if text.startswith(start[1:]))
            assert any(line.startswith(start) for line in lines)
            await at.press("ctrl+home", *["down"] * number, "enter")
            assert at.header.startswith(f"redun console {expected}")
            await at.press("escape")
            assert at.app.screen.focused is grid

    console(recorded_repo, walk, FAILED_JOB)


def test_children_of_a_job_are_the_tree_below_it(console: Console, recorded_repo: str) -> None:
    async def walk(at: Any) -> None:
        assert "Jobs from" in await at.press("c")
        assert at.header.startswith(f"redun console {EXECUTION} --job 444c4116-")
        assert "Job b15477c6" not in at.text
        assert "Jobs (4)" in await at.press("g")
        await at.press(*["down"] * 3, "f")
        assert "shop.half_fail(" not in at.text
        assert "shop.boom(2)" in at.text

    console(recorded_repo, walk, "jobs/444c4116")


def test_a_count_filters_the_jobs_and_a_task_opens(console: Console, recorded_repo: str) -> None:
    async def walk(at: Any) -> None:
        await at.press("shift+tab") if at.app.screen.focused.id != "statuses" else None
        await at.press("down", "right", "right", "enter")
        assert at.header == f"redun console {EXECUTION} --status FAILED --task shop.boom"
        assert "Jobs (1)" in at.text
        await at.press("left", "left", "enter")
        assert at.header.startswith("redun console tasks/e3dc3b41")
        await at.press("down", "down", "down", "enter")
        assert at.header == "redun console tasks/name/shop.boom"

    console(recorded_repo, walk, EXECUTION)


def test_filter_applies_is_cancelled_and_says_what_is_wrong(
    console: Console, recorded_repo: str
) -> None:
    async def walk(at: Any) -> None:
        assert "--namespace PREFIX" in await at.press("slash")
        await at.type("--find half_fail")
        assert "86949fcc" not in await at.press("enter")
        assert at.header == "redun console executions --find half_fail"
        assert "--find half_fail" in await at.press("slash")
        await at.press("ctrl+u")
        await at.type("--page x")
        assert "not a valid integer" in await at.press("enter")
        await at.press("escape")
        assert at.header == "redun console executions --find half_fail"
        await at.press("slash", "ctrl+u")
        await at.type("--nosuch --namespace ''")
        await at.press("enter")
        assert at.header == "redun console executions --namespace ''"
        assert "Exec " not in at.text

    console(recorded_repo, walk)


def test_executions_are_as_many_as_fit(console: Console, recorded_repo: str) -> None:
    async def walk(at: Any) -> None:
        assert "8a28a431" not in at.text
        assert "Page 2" in await at.press("n")
        assert "c3002375" not in at.text
        assert "8a28a431" in await at.press("n")
        assert at.header == "redun console executions --page 3"
        assert "Page 3" in await at.press("n")
        assert "Page 2" in await at.press("p")
        assert "Page 1" in await at.press("p", "p", "p")
        await at.press("slash")
        await at.type("--page 3")
        assert "8a28a431" in await at.press("enter")

    console(recorded_repo, walk, size=(120, 8))


def test_namespaces_are_sorted_and_lead_to_their_executions(
    console: Console, recorded_repo: str
) -> None:
    async def walk(at: Any) -> None:
        for key, order in (("n", " --sort namespace"), ("c", " --sort count"), ("t", "")):
            await at.press(key)
            assert at.header == f"redun console executions/namespace{order}"
        assert "Exec c3002375" in await at.press("enter")
        assert at.header == "redun console executions --namespace shop"

    console(recorded_repo, walk, "executions/namespace")


def test_menu_leads_everywhere(console: Console, recorded_repo: str) -> None:
    places = ["executions", "executions/namespace", "tasks", "files", "search", "repl"]

    async def walk(at: Any) -> None:
        for number, place in enumerate(places):
            await at.press("m", *["down"] * number, "enter")
            assert at.header == f"redun console {place}"
            await at.press("escape")
        await at.press("m", "escape")
        assert at.header == "redun console executions"

    console(recorded_repo, walk)


@pytest.mark.parametrize(
    ("word", "place"),
    [
        ("-", "executions/c3002375-dcc8-43c2-bceb-0640197e7f34"),
        ("~5", EXECUTION),
        ("64ec", EXECUTION),
        ("ffd1d1", FAILED_JOB),
        ("b634f2dc", "jobs/ffd1d1a2-1a02-4d23-9815-fbe272573288"),
        ("e3dc3b41", "tasks/e3dc3b417bd89bbad8653097a07f52f702535ea3"),
        ("84811a81", "values/84811a816d7f093b1036d1df2056a07653542040"),
        ("in.txt", "values/1d0cfd606dd62974eae84d1f229ab80203f74668"),
        ("in.t", "files --prefix in.t"),
        ("boom", "tasks/e3dc3b417bd89bbad8653097a07f52f702535ea3"),
        ("b", "search b"),
        ("executions/64ec", EXECUTION),
        ("nothing here", "executions"),
        ("~99", "executions"),
    ],
)
def test_words_lead_to_what_they_mean(
    console: Console, recorded_repo: str, word: str, place: str
) -> None:
    async def look(at: Any) -> None:
        assert at.header == f"redun console {place}"

    console(recorded_repo, look, word)


def test_what_means_nothing_is_said(console: Console, recorded_repo: str) -> None:
    async def look(at: Any) -> None:
        assert "Nothing recorded matches nosuch" in await at.shows("nosuch")

    console(recorded_repo, look, "nosuch")


def test_search_runs_what_is_typed(console: Console, recorded_repo: str) -> None:
    async def walk(at: Any) -> None:
        await at.type("--job --job-status FAILED")
        assert "shop.boom(5)" in await at.press("enter")
        assert at.header == "redun console search --job --job-status FAILED"
        await at.press("enter")
        assert at.header.startswith("redun console jobs/b15477c6")
        await at.press("escape", "shift+tab", "ctrl+u")
        await at.type("--job-status LOST")
        assert "unknown status `LOST`" in await at.press("enter")
        await at.press("shift+tab", "up", "up")
        assert "shop.boom(5)" in await at.press("enter")

    console(recorded_repo, walk, "search")


def test_letters_are_typed_while_a_line_has_the_cursor(
    console: Console, recorded_repo: str
) -> None:
    async def walk(at: Any) -> None:
        await at.type("qmr/np")
        assert "qmr/np" in at.text
        assert at.header == "redun console search"

    console(recorded_repo, walk, "search")


def test_screen_is_saved(console: Console, recorded_repo: str, workdir: Path) -> None:
    async def save(at: Any) -> None:
        await at.press("ctrl+p")
        await at.shows("Saved")

    console(recorded_repo, save)
    (picture,) = workdir.glob("*.svg")
    assert "c3002375" in picture.read_text()


def test_q_quits(console: Console, recorded_repo: str) -> None:
    async def leave(at: Any) -> None:
        await at.press("m")
        await at.app.screen.dismiss(None)
        await at._pilot.press("q")
        assert at.app._exit

    console(recorded_repo, leave)


def test_repl_knows_the_screen_it_was_opened_from(console: Console, recorded_repo: str) -> None:
    async def ask(at: Any) -> None:
        await at.press("r")
        for typed, answer in (
            ("args", "(2,)"),
            ("x = args[0] + 40", ">>> x = "),
            ("x", "42"),
            ("1 / 0", "ZeroDivisionError"),
            ("job.task.full", "full"),
        ):
            await at.type(typed)
            assert answer in await at.press("enter")
        assert "/redun/" not in at.text
        await at.press("up", "up", "up", "down", "down", "down")
        assert "job.task.full" not in at.text.splitlines()[-3]

    console(recorded_repo, ask, FAILED_JOB)


def test_repl_completes_and_goes_places(console: Console, recorded_repo: str) -> None:
    async def ask(at: Any) -> None:
        await at.type("exe")
        assert "exec(  execs" in await at.press("tab", "tab")
        await at.press("ctrl+u")
        await at.type("query.__na")
        await at.press("tab")
        assert "query.__name__" in at.text
        await at.press("ctrl+u")
        await at.type("console(execs[4])")
        await at.press("enter")
        assert at.header == f"redun console {EXECUTION}"

    async def start(at: Any) -> None:
        await at.press("r")
        await ask(at)

    console(recorded_repo, start)


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("executions", {"execs"}),
        ("executions/namespace", {"namespaces", "results"}),
        (EXECUTION, {"exec", "tasks", "obj"}),
        (FAILED_JOB, {"job", "args", "kwargs", "result", "obj"}),
        ("tasks", {"tasks", "results"}),
        ("tasks/name/shop.boom", {"tasks", "results"}),
        ("tasks/e3dc3b41", {"task"}),
        ("values/84811a81", {"value", "obj"}),
        ("files", {"values", "files"}),
        ("search --all", {"results", "search_query"}),
    ],
)
def test_repl_names(console: Console, recorded_repo: str, words: str, names: set[str]) -> None:
    always = {"sa", "session", "query", "console", "File", "DbFile", "Subvalue", "Tag"}

    async def ask(at: Any) -> None:
        await at.press("r")
        assert names | always <= set(at.app.screen._names)
        assert "# Names:" in at.text

    console(recorded_repo, ask, *words.split())
