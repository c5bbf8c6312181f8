"""One version of a task."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import BindingType

from redun.backends.db.query import Views
from redun.cli.render.parts import doc_lines
from redun.console.records import require_id
from redun.console.screen import REPL, Content, RedunScreen
from redun.console.text import heading, line, source_rows, tag_row

if TYPE_CHECKING:
    from redun.backends.db import RedunBackendDb


class TaskScreen(RedunScreen):
    """Its code, and ways to its other versions and its jobs."""

    BINDINGS: ClassVar[list[BindingType]] = [REPL]

    def read(self, backend: RedunBackendDb) -> Content:
        """Reads all there is to tell."""
        task_hash = require_id(backend.source, "Task", self.path.partition("/")[2])
        self.path = f"tasks/{task_hash}"
        (task,) = Views(backend.source).tasks([task_hash])
        jobs = shlex.join(["search", "--job", "--task-hash", task_hash])
        rows = [
            heading(f"Task {task.hash} {task.name}"),
            tag_row("Tags", task.tags),
            *map(line, doc_lines(task.tags)),
            line(),
            line("  Versions", shlex.join([f"tasks/name/{task.name}"])),
            line("  Jobs", jobs),
            line(),
            *source_rows(task.source),
        ]
        return Content.of_rows(rows)

    def repl_names(self, backend: RedunBackendDb) -> dict[str, Any]:
        """The task."""
        from redun.backends.db.orm import Task

        task_hash = require_id(backend.source, "Task", self.path.partition("/")[2])
        task = backend.session.get(Task, task_hash)
        return {"task": task, "obj": task}
