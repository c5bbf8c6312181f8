"""What every command of one invocation shares: printer, global options, scheduler, backend."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from redun.cli.ui import Ui
from redun.sync.paths import is_bundle_path

if TYPE_CHECKING:
    from redun.backends.db import RedunBackendDb
    from redun.config import Config
    from redun.engine.scheduler import Scheduler
    from redun.sync.store import RecordStore


@dataclass(frozen=True)
class WorkflowFailure:
    """How a workflow failed.

    Parameters
    ----------
    error
        What the root task ended with.
    task
        Full name of the root task.
    traceback
        Text of the task traceback if the log did not show it, else empty.
    """

    error: BaseException
    task: str
    traceback: str


@dataclass
class AppContext:
    """State of one `redun` invocation.

    Parameters
    ----------
    ui
        The printer.
    argv
        The command line as typed, `argv[0]` being the program.
    config_dir
        `--config`, or `None` to search for it.
    repo
        `--repo`.
    setup_args
        `--setup` items, each `key=value`.
    workflow_failure
        How a workflow failed, if one did.
    """

    ui: Ui
    argv: list[str] = field(default_factory=list)
    config_dir: str | None = None
    repo: str = "default"
    setup_args: list[str] = field(default_factory=list)
    workflow_failure: WorkflowFailure | None = None

    @property
    def may_create_config(self) -> bool:
        """A directory that was named with `--config` must exist; a found one may be created."""
        return self.config_dir is None

    def load_config(self) -> Config:
        """Read the configuration of the chosen repo."""
        from redun.bootstrap.config import setup_config

        return setup_config(self.config_dir, repo=self.repo, initialize=self.may_create_config)

    def open_scheduler(
        self, migrate: bool | None = None, migrate_if_local: bool = False
    ) -> Scheduler:
        """Build the scheduler of the chosen repo and load its backend."""
        from redun.bootstrap.scheduler import setup_scheduler

        return setup_scheduler(
            self.config_dir,
            setup_args=self.setup_args,
            repo=self.repo,
            migrate=migrate,
            migrate_if_local=migrate_if_local,
            initialize=self.may_create_config,
        )

    def note_failure(self, scheduler: Scheduler, task: str, error: BaseException) -> None:
        """Remember that it was the workflow which failed, not this program.

        Parameters
        ----------
        scheduler
            What ran the workflow.
        task
            Full name of the root task.
        error
            What the run raised.
        """
        if scheduler.traceback is None:
            return
        shown = scheduler.logger.isEnabledFor(logging.INFO)
        text = "" if shown else "\n".join(scheduler.traceback.format())
        self.workflow_failure = WorkflowFailure(error, task, text)


pass_app = click.make_pass_decorator(AppContext)


def open_backend(app: AppContext | click.Context) -> RedunBackendDb:
    """Open the repo's database, at its current version, without building any executor.

    A configured `setup_scheduler` function is honoured, since it may bring its own backend.

    Parameters
    ----------
    app
        The invocation, or the click context of a command.

    Raises
    ------
    RedunClientError
        If there is no usable configuration or the database has another version.
    """
    if isinstance(app, click.Context):
        app = find_app(app)
    config = app.load_config()
    if config["scheduler"].get("setup_scheduler"):
        backend: Any = app.open_scheduler(migrate=False).backend
        return backend

    from redun.bootstrap.scheduler import backend_from_config

    backend = backend_from_config(config)
    backend.load(migrate=False)
    return backend


@contextmanager
def open_records(app: AppContext) -> Iterator[RecordStore]:
    """Open the records of the chosen repo, which may also be a bundle: `--repo path/to/file.redun`."""
    opened: Any
    if is_bundle_path(app.repo):
        from redun.sync.bundle import BundleStore

        with closing(BundleStore(app.repo)) as opened:
            yield opened
    else:
        with closing(open_backend(app)) as opened:
            yield opened.records


def find_app(context: click.Context) -> AppContext:
    """The invocation a click context belongs to."""
    app = context.find_object(AppContext)
    if app is None:
        raise LookupError("This command runs only below the `redun` program.")
    return app
