"""One execution: how many jobs of each task are where, and the jobs as a tree."""

from __future__ import annotations

import itertools
import shlex
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

import click
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Static

from redun.backends.db.codec import to_moment
from redun.backends.db.query import ExecutionView, JobView, Views
from redun.backends.db.query.conditions import JOB_STATUSES
from redun.backends.db.query.jobs import Checkpoint, JobWalk, TaskTally, job_page, tally_jobs
from redun.backends.db.query.listings import change_stamp
from redun.cli.render.call_node import format_args
from redun.cli.render.parts import format_tags, format_timedelta, format_timestamp, short
from redun.console.filters import PAGE, Filters, Values
from redun.console.grid import Grid
from redun.console.links import tag_links
from redun.console.records import require_id
from redun.console.screen import FILTER, PAGE_SIZE, REFRESH, REPL, Content, PagedScreen, Sheet
from redun.console.text import Row, line, one_line, plain, status_text, tag_row

if TYPE_CHECKING:
    from redun.backends.db import RedunBackendDb
    from redun.backends.db.source import Source

JOB_COLUMNS = ("ID", "Status", "Started", "Duration", "Job")
STATUS_COLUMNS = ("TASK", *JOB_STATUSES, "TOTAL")

#: Levels of the tree that are moved to the right.
MAX_INDENT = 10

#: Lines that the table of statuses takes at most; it scrolls beyond.
MAX_STATUS_LINES = 10

UPDATED_TIME = "SELECT updated_time FROM execution WHERE id = ?"


class ExecutionScreen(PagedScreen):
    """Counts of jobs, which lead to lists of them, and a page of jobs."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "focus_job", "Focus job"),
        Binding("g", "unfocus_job", "Unfocus job"),
        FILTER,
        REPL,
        REFRESH,
    ]
    filters = Filters(
        [
            click.Option(["--job"], metavar="ID", help="This job and those below it."),
            click.Option(
                ["--status"],
                type=click.Choice(JOB_STATUSES, case_sensitive=False),
                help="Jobs with this status, as a list.",
            ),
            click.Option(
                ["--task"], metavar="NAME", multiple=True, help="Jobs of these tasks, as a list."
            ),
            PAGE,
        ]
    )

    def __init__(self, path: str, values: Values | None = None) -> None:
        super().__init__(path, values)
        self._checkpoints: dict[int, Checkpoint] = {}
        self._tally: tuple[object, list[TaskTally]] | None = None

    def compose_body(self) -> Iterable[Widget]:
        """The parts between header and footer."""
        yield Static(id="head")
        links = Grid("links", show_header=False)
        links.display = False
        yield links
        yield Static("Job statuses", classes="title")
        statuses = Grid("statuses", by_cell=True)
        statuses.styles.height = "auto"
        statuses.styles.max_height = MAX_STATUS_LINES
        yield statuses
        yield Static(id="jobs", classes="title")
        yield Grid("rows")

    def show(self, content: Content) -> None:
        """Puts what was read on the screen."""
        super().show(content)
        links, number = self.query_one("#links", Grid), len(content.sheets["links"].rows)
        # Not "auto": a table that was hidden may be laid out before it knows how high it is.
        links.styles.height = number
        links.display = bool(number)

    @property
    def is_list(self) -> bool:
        """Whether jobs are filtered, and so not a tree."""
        return bool(self.values["status"] or self.values["task"])

    def read(self, backend: RedunBackendDb) -> Content:
        """Reads the counts and a page of jobs."""
        source = backend.source
        execution_id = require_id(source, "Execution", self.path.partition("/")[2])
        self.path = f"executions/{execution_id}"
        views = Views(source)
        view = views.executions([execution_id])[0]
        updated = source.cell(UPDATED_TIME, (execution_id,))
        tallies = self._tallies(source, execution_id)
        levels = self._job_levels(backend, execution_id)
        jobs = views.jobs([job_id for _level, job_id in levels])
        rows = [_job_row(level, job) for (level, _id), job in zip(levels, jobs, strict=False)]
        links = [line(f"Link: {name} {url}", url) for name, url in tag_links(view.tags)]
        head = _head(view)
        head.append(f"\nUpdated time: {format_timestamp(to_moment(updated))}")
        head.append_text(Text("\n").append_text(tag_row("Tags", view.tags).cells[0]))
        return Content(
            {
                "links": Sheet(rows=links),
                "statuses": Sheet(STATUS_COLUMNS, self._status_rows(execution_id, tallies)),
                "rows": self.sheet(JOB_COLUMNS, rows),
            },
            head,
            {"jobs": self._jobs_title(tallies)},
        )

    def _tallies(self, source: Source, execution_id: str) -> list[TaskTally]:
        """The counts; all jobs are looked at anew only if any has started or ended."""
        stamp = change_stamp(source)
        if self._tally is None or self._tally[0] != stamp:
            self._tally = stamp, tally_jobs(source, execution_id)
        return self._tally[1]

    def _job_levels(self, backend: RedunBackendDb, execution_id: str) -> list[tuple[int, str]]:
        """Level and id of the jobs of the page, and of one more."""
        values, source = self.values, backend.source
        if self.is_list:
            if values["job"]:
                raise click.UsageError(
                    "--job shows a tree, --status and --task a list: give one or the other"
                )
            statuses = [values["status"]] if values["status"] else []
            ids = job_page(
                source, execution_id, statuses, values["task"], self.skipped, PAGE_SIZE + 1
            )
            return [(0, job_id) for job_id in ids]
        root = require_id(source, "Job", values["job"]) if values["job"] else None
        return self._tree_page(backend, execution_id, root)

    def _tree_page(
        self, backend: RedunBackendDb, execution_id: str, root: str | None
    ) -> list[tuple[int, str]]:
        """A page of the tree, walked to from the nearest page that has been seen."""
        page = self.values["page"]
        known = max((number for number in self._checkpoints if number <= page), default=1)
        walk = JobWalk(backend.source, execution_id, root, self._checkpoints.get(known))
        steps = walk.steps()
        for number in range(known, page):
            for _step in itertools.islice(steps, PAGE_SIZE):
                pass
            self._checkpoints[number + 1] = walk.checkpoint
        return list(itertools.islice(steps, PAGE_SIZE + 1))

    def _jobs_title(self, tallies: list[TaskTally]) -> str:
        values = self.values
        if values["job"]:
            return f"Jobs from {short(values['job'])} down"
        number = sum(
            sum(counts.values()) if not values["status"] else counts[values["status"]]
            for tally in tallies
            for counts in (tally.statuses,)
            if not values["task"]
            or tally.name in values["task"]
            or tally.name.rpartition(".")[2] in values["task"]
        )
        return f"Jobs ({number})"

    def _status_rows(self, execution_id: str, tallies: list[TaskTally]) -> list[Row]:
        total: Counter[str] = Counter()
        for tally in tallies:
            total.update(tally.statuses)
        rows = [self._status_row(execution_id, "ALL", total, None)]
        for tally in tallies:
            only = next(iter(tally.hashes)) if len(tally.hashes) == 1 else None
            task = f"tasks/{only}" if only else f"tasks/name/{tally.name}"
            rows.append(self._status_row(execution_id, tally.name, tally.statuses, task))
        return rows

    def _status_row(
        self, execution_id: str, name: str, counts: Counter[str], task: str | None
    ) -> Row:
        """One line of the table; each count leads to the jobs counted."""
        of_task = ["--task", name] if task else []
        path = f"executions/{execution_id}"
        numbers = [*(counts[status] for status in JOB_STATUSES), sum(counts.values())]
        targets = [shlex.join([path, "--status", status, *of_task]) for status in JOB_STATUSES]
        targets.append(shlex.join([path, *of_task]))
        return Row(
            (one_line(name), *map(one_line, numbers)),
            targets=(shlex.join([task]) if task else None, *targets),
        )

    async def follow(self, widget: Widget | None) -> None:
        """A count filters this very screen; everything else opens another."""
        target = widget.target if isinstance(widget, Grid) else None
        words = shlex.split(target) if target else []
        if words and words[0] == self.path:
            self.apply(self.filters.parse(words[1:]))
        else:
            await super().follow(widget)

    def apply(self, values: Values) -> None:
        """Shows other jobs of the execution."""
        if {**values, "page": 1} != {**self.values, "page": 1}:
            self._checkpoints.clear()
        super().apply(values)

    def action_refresh(self) -> None:
        """Reads everything again, the tree from its root."""
        self._checkpoints.clear()
        self._tally = None
        super().action_refresh()

    def action_focus_job(self) -> None:
        """Shows the job under the cursor and those below it."""
        target = self.query_one("#rows", Grid).target
        if target:
            self.apply(self.filters.parse(["--job", target.partition("/")[2]]))

    def action_unfocus_job(self) -> None:
        """Shows all jobs again."""
        self.apply(self.filters.parse([]))

    def repl_names(self, backend: RedunBackendDb) -> dict[str, Any]:
        """The execution and its tasks."""
        from redun.backends.db.orm import Execution, Job, Task

        session = backend.session
        execution_id = require_id(session, "Execution", self.path.partition("/")[2])
        execution = session.get(Execution, execution_id)
        hashes = {key for tally in tally_jobs(session, execution_id) for key in tally.hashes}
        tasks = [session.get(Task, key) for key in sorted(hashes)]
        names = {"exec": execution, "obj": execution, "tasks": tasks}
        target = self.content and self.values["job"]
        return {**names, "job": session.get(Job, target)} if target else names


def _head(view: ExecutionView) -> Text:
    """Id, status, start and command line of an execution."""
    head = Text(f"Execution {view.id} ", style="bold")
    head.append_text(status_text(view.status))
    command = one_line(f" {format_timestamp(view.start_time)}: {shlex.join(view.args[1:])}")
    return head.append_text(command)


def _job_row(level: int, job: JobView) -> Row:
    duration = format_timedelta(job.end_time - job.start_time) if job.end_time else ""
    tags = f" {format_tags(job.tags)}" if job.tags else ""
    indent = " " * min(level, MAX_INDENT)
    cells = (
        one_line(f"{indent}Job {short(job.id)}"),
        status_text(job.status),
        plain(format_timestamp(job.start_time)),
        plain(duration),
        one_line(f"{indent}{job.task_name}({format_args(job.args)}){tags}"),
    )
    return Row(cells, f"jobs/{job.id}")
