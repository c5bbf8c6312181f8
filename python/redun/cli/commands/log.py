"""`redun log`: what ran, with what, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import click

from redun.bootstrap.errors import RedunClientError, UsageError
from redun.cli.app import RedunCommand
from redun.cli.context import (
    AppContext,
    open_backend,
    open_records,
    pass_app,
)
from redun.sync.paths import is_bundle_path
from redun.tags import parse_tag_key_value

if TYPE_CHECKING:
    from redun.backends.db import RedunBackendDb
    from redun.backends.db.query import RecordQuery, Selection
    from redun.sync.bundle import BundleStore

BATCH = 500

_OPTIONS = [
    click.option("--all", "all_types", is_flag=True, help="Show records of every type."),
    click.option("--exec", "execution", is_flag=True, help="Show executions."),
    click.option("--job", is_flag=True, help="Show jobs."),
    click.option("--call-node", is_flag=True, help="Show calls."),
    click.option("--task", is_flag=True, help="Show tasks."),
    click.option("--value", is_flag=True, help="Show values."),
    click.option("--file", is_flag=True, help="Show files."),
    click.option("--exec-status", metavar="A,B", help="Executions: RUNNING, FAILED, DONE."),
    click.option("--job-status", metavar="A,B", help="Jobs: RUNNING, FAILED, CACHED, DONE."),
    click.option("--task-name", metavar="NAME", multiple=True, help="Jobs and tasks of this name."),
    click.option("--task-hash", metavar="HASH", multiple=True, help="Jobs and tasks by hash."),
    click.option("--value-type", metavar="TYPE", multiple=True, help="Values of this type."),
    click.option("--file-path", metavar="PATTERN", multiple=True, help="Files; `*` is a wildcard."),
    click.option("--exec-id", metavar="IDS", help="Records of these executions, comma-separated."),
    click.option("--result", metavar="HASH", multiple=True, help="Jobs that gave this value."),
    click.option("--arg", metavar="HASH", multiple=True, help="Jobs that took this value."),
    click.option("-t", "--tag", metavar="K[=V]", multiple=True, help="Records with this tag."),
    click.option("--exec-tag", metavar="K[=V]", multiple=True, help="Executions with this tag."),
]


def query_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that select records."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


@click.command("log", cls=RedunCommand)
@click.argument("ids", nargs=-1, metavar="[ID]...")
@query_options
@click.option("--count", is_flag=True, help="Show only how many records there are.")
@click.option(
    "--format", "format_name", type=click.Choice(["text", "json"]), default="text",
    show_default=True, help="Text, or one JSON object a line.",
)  # fmt: skip
@click.option("--detail", is_flag=True, help="Show everything about each record.")
@click.option("--no-pager", is_flag=True, help="Never send output through a pager.")
@pass_app
def command(
    app: AppContext,
    ids: tuple[str, ...],
    count: bool,
    format_name: str,
    detail: bool,
    no_pager: bool,
    **options: Any,
) -> None:
    """Show information on historical runs.

    ID is an execution, job, call, task or value id or a prefix of it, `-` for the latest execution,
    `~N` for the N-th latest, the name of a task, or the path of a file.
    """
    selection = make_selection(options)
    if "" in ids:
        hint = "give an id, the start of one, `-`, `~N`, the name of a task or the path of a file"
        raise UsageError("an ID is empty", hints=[hint])
    if is_bundle_path(app.repo):
        _show_bundle(app, bool(ids) or not selection.is_recent or count or format_name == "json")
        return
    backend = open_backend(app)
    log = _Log(app, backend, selection, count, format_name == "json", detail)
    query = log.query()
    if not ids and selection.is_recent:
        app.ui.line("Recent executions:")
        app.ui.line()
    with app.ui.pager(enabled=not no_pager):
        if not ids:
            log.show_query(query)
        for record_id in ids:
            log.show_id(record_id)
    log.note_unknown_executions()
    # Later than the data: a pager that runs has the screen.
    for note in log.notes:
        app.ui.note(note)


def _show_bundle(app: AppContext, asks_for_more: bool) -> None:
    """Lists the executions of the bundle that `--repo` names."""
    if asks_for_more:
        raise UsageError(
            "of a bundle, only the list of executions can be shown",
            hints=[f"`redun pull {app.repo}` brings its records into this repo"],
        )
    from redun.cli.bundle_log import bundle_lines

    with open_records(app) as store:
        for line in bundle_lines(cast("BundleStore", store)):
            app.ui.line(line)


def make_selection(options: dict[str, Any]) -> Selection:
    """The selection that the options of `query_options` ask for.

    Raises
    ------
    UsageError
        For an unknown status or a malformed tag.
    """
    from redun.backends.db.query import Selection
    from redun.backends.db.query.conditions import EXECUTION_STATUSES, JOB_STATUSES

    flags = {
        "Execution": "execution",
        "Job": "job",
        "CallNode": "call_node",
        "Task": "task",
        "Value": "value",
    }
    exec_ids = options["exec_id"]
    return Selection(
        types=frozenset(name for name, flag in flags.items() if options[flag]),
        all_types=options["all_types"],
        files=options["file"],
        execution_statuses=_statuses("--exec-status", options["exec_status"], EXECUTION_STATUSES),
        job_statuses=_statuses("--job-status", options["job_status"], JOB_STATUSES),
        task_names=list(options["task_name"]),
        task_hashes=list(options["task_hash"]),
        value_types=list(options["value_type"]),
        file_paths=list(options["file_path"]),
        execution_ids=None if exec_ids is None else _words(exec_ids),
        results=list(options["result"]),
        arguments=list(options["arg"]),
        tags=_tags("--tag", options["tag"]),
        execution_tags=_tags("--exec-tag", options["exec_tag"]),
    )


def _words(text: str | None) -> list[str]:
    return [word.strip() for word in (text or "").split(",") if word.strip()]


def _statuses(option: str, text: str | None, known: tuple[str, ...]) -> list[str]:
    statuses = _words(text)
    for status in statuses:
        if status not in known:
            raise UsageError(
                f"{option}: unknown status `{status}`", hints=["choose from " + ", ".join(known)]
            )
    if text is not None and not statuses:
        raise UsageError(f"{option}: a status is needed", hints=["choose from " + ", ".join(known)])
    return statuses


def _tags(option: str, texts: tuple[str, ...]) -> list[tuple[str, Any]]:
    try:
        return [parse_tag_key_value(text, value_required=False) for text in texts]
    except ValueError as error:
        hint = f"write `{option} key` or `{option} key=value`"
        raise UsageError(f"{option}: {error}", hints=[hint]) from error


@contextmanager
def _explained_index() -> Iterator[None]:
    """Tells what to do about an execution `~N` that there is none of."""
    try:
        yield
    except ValueError as error:
        hint = "`redun log` lists the executions; `~1` is the latest"
        raise RedunClientError(str(error), hints=[hint]) from error


class _Log:
    """Prints what a selection finds, in the form that was asked for."""

    def __init__(
        self,
        app: AppContext,
        backend: RedunBackendDb,
        selection: Selection,
        count: bool,
        as_json: bool,
        detail: bool,
    ) -> None:
        from redun.cli.show import Show

        self._ui = app.ui
        self._backend = backend
        self._source = backend.source
        self._selection = selection
        self._count = count
        self._as_json = as_json
        self._detail = detail
        self._show = Show(backend)
        #: What to say after the data.
        self.notes: list[str] = []

    def query(self, types: frozenset[str] | None = None) -> RecordQuery:
        """
        The query for what was selected.

        Parameters
        ----------
        types : the record types to show; by default those of the selection.

        Raises
        ------
        RedunClientError
            For an execution `~N` that there is none of.
        """
        with _explained_index():
            return self._selection.query(self._source, types)

    def note_unknown_executions(self) -> None:
        """Says which of the executions to filter by there are none of."""
        from redun.backends.db.query import find_execution_ids

        for reference in self._selection.execution_ids or ():
            if not find_execution_ids(self._source, [reference]):
                self.notes.append(f"note: no execution matches `{reference}`")

    def show_query(self, query: RecordQuery) -> None:
        """Everything that a query finds."""
        if not query.types:
            self.notes.append("note: no record of the types asked for can pass these filters")
        if self._count:
            for name, number in query.count():
                self._ui.line(f"{number:>8} {name}")
        elif self._selection.files and not self._as_json:
            hashes = [value_hash for _name, ids in query.ids() for value_hash in ids]
            self._print(self._show.files(hashes))
        else:
            for name, ids in query.ids():
                self._show_records(name, ids, self._detail)

    def show_id(self, record_id: str) -> None:
        """Everything that one id, prefix, name or path means."""
        from redun.backends.db.query import RECORD_TYPES, RecordQuery
        from redun.backends.db.query.ids import (
            find_execution,
            find_file_use,
            is_execution_reference,
            may_be_path,
        )
        from redun.cli.lookback import hints_on_nothing

        file = find_file_use(self._source, record_id) if may_be_path(record_id) else None
        if file and not self._count:
            if self._as_json:
                self._show_records("Value", [file.value_hash], detail=True)
            else:
                self._print(self._show.file_path(file.value_hash, file.produced))
            return
        types = self._selection.wanted_types(frozenset(RECORD_TYPES))
        if is_execution_reference(record_id):
            with _explained_index():
                execution_id = find_execution(self._source, record_id)
            found = [execution_id] if execution_id else []
            query = RecordQuery(self._source).filter_types(["Execution"]).filter_ids(found)
        else:
            query = self.query(types).like_id(record_id)
        if self._count:
            self.show_query(query)
        elif not self._show_found(query, record_id) and not (
            "Task" in types and self._show_task(record_id)
        ):
            self.notes += hints_on_nothing(self._backend, record_id)

    def _show_task(self, name: str) -> bool:
        """Shows the tasks of a name that may be a full one, which no id begins with."""
        query = self.query(frozenset({"Task"}))
        return self._show_found(query.filter_task_names([name]), name)

    def _show_found(self, query: RecordQuery, text: str) -> bool:
        """Shows what a query for a text finds; whether it found anything. Notes if it is ambiguous."""
        from redun.cli.lookback import notes_on_matches

        matches: list[tuple[str, str]] = []
        for name, ids in query.ids():
            matches += [(name, record_id) for record_id in ids]
            self._show_records(name, ids, detail=True)
        self.notes += notes_on_matches(text, matches)
        return bool(matches)

    def _show_records(self, name: str, ids: list[str], detail: bool) -> None:
        if self._as_json:
            self._print(self._records(name, ids))
        elif detail:
            self._print(self._show.details(name, ids))
        else:
            self._print(self._show.lines(name, ids))

    def _records(self, name: str, ids: list[str]) -> Iterator[str]:
        from redun.backends.db.serializers import RecordSerializer

        for record in RecordSerializer().serialize_ids(self._source, name, ids):
            yield json.dumps(record, sort_keys=True)

    def _print(self, lines: Iterator[str]) -> None:
        for line in lines:
            self._ui.line(line)
