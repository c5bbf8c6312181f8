"""The versions of one task, latest used first."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import BindingType

from redun.backends.db.query.listings import task_versions
from redun.cli.render.parts import format_timestamp, short
from redun.console.filters import PAGE, Filters
from redun.console.repo import UnknownRecord
from redun.console.screen import REPL, Content, PagedScreen
from redun.console.text import Row, one_line

if TYPE_CHECKING:
    from redun.backends.db import RedunBackendDb

COLUMNS = ("Task", "Version", "Jobs", "Most recent job")
PREFIX = "tasks/name/"


class TaskVersionsScreen(PagedScreen):
    """One row a version."""

    BINDINGS: ClassVar[list[BindingType]] = [REPL]
    filters = Filters([PAGE])

    @property
    def task_name(self) -> str:
        """The full name of the task."""
        return self.path.removeprefix(PREFIX)

    def read(self, backend: RedunBackendDb) -> Content:
        """Reads the page, and whether there is another."""
        found = task_versions(backend.source, self.task_name, self.skipped, self.page_size + 1)
        if not found and not self.skipped:
            raise UnknownRecord(f"Unknown Task {self.task_name}")
        rows = []
        for task_hash, jobs, latest in found:
            shown = f"Job {short(latest[0])} {format_timestamp(latest[1])}" if latest else ""
            cells = (self.task_name, short(task_hash), jobs, shown)
            rows.append(Row(tuple(map(one_line, cells)), shlex.join([f"tasks/{task_hash}"])))
        return Content({"rows": self.sheet(COLUMNS, rows)})

    def repl_names(self, backend: RedunBackendDb) -> dict[str, Any]:
        """The versions of the page, and what is told of each."""
        from redun.backends.db.orm import Task

        found = task_versions(backend.source, self.task_name, self.skipped, self.page_size)
        tasks = [backend.session.get(Task, row[0]) for row in found]
        return {"tasks": tasks, "results": found}
