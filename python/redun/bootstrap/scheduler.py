"""Build the scheduler and the backend that a configuration describes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from redun.bootstrap.config import (
    blaming_config,
    check_database,
    get_config_dir,
    is_config_local_db,
    setup_config,
)
from redun.bootstrap.setup_args import get_setup_function, parse_setup_args
from redun.config import Config
from redun.scheduler_config import DEFAULT_REPO_NAME, get_abs_config_dir

if TYPE_CHECKING:
    from redun.backends.db import RedunBackendDb
    from redun.engine.scheduler import Scheduler


def setup_scheduler(
    config_dir: str | None = None,
    setup_args: list[str] | None = None,
    repo: str = DEFAULT_REPO_NAME,
    migrate: bool | None = None,
    migrate_if_local: bool = False,
    initialize: bool = True,
) -> Scheduler:
    """Build the scheduler of a repo and load its backend.

    Parameters
    ----------
    config_dir
        Directory of `redun.ini`; see `setup_config`.
    setup_args
        Items `name=value` for the configured `setup_scheduler` function.
    repo
        Name of the repo; see `setup_config`.
    migrate
        Whether to bring the database to the current version; `None` leaves it to the
        configuration.
    migrate_if_local
        Migrate a local SQLite database whatever `migrate` says.
    initialize
        Whether a missing `redun.ini` is created.

    Raises
    ------
    RedunClientError
        If the configuration or the setup arguments cannot be used.
    RedunVersionError
        If the database has a version that this program cannot use.
    """
    config = setup_config(config_dir, repo=repo, initialize=initialize)
    scheduler = _build_scheduler(config, setup_args)
    if migrate_if_local and is_config_local_db(config):
        migrate = True
    scheduler.load(migrate=migrate)
    return scheduler


def _build_scheduler(config: Config, setup_args: list[str] | None) -> Scheduler:
    from redun.engine.scheduler import Scheduler

    check_database(config)
    setup_func = get_setup_function(config)
    if setup_func is None:
        with blaming_config(config):
            return Scheduler(config=config)
    scheduler: Scheduler = setup_func(config, **parse_setup_args(setup_func, setup_args))
    return scheduler


def backend_from_config(config: Config) -> RedunBackendDb:
    """Build the backend that `[backend]` describes, without opening its database."""
    from redun.backends.base import get_backend_from_config

    check_database(config)
    with blaming_config(config):
        backend: Any = get_backend_from_config(config["backend"])
    return backend


def setup_backend_db(
    config_dir: str | None = None, repo: str = DEFAULT_REPO_NAME, initialize: bool = True
) -> RedunBackendDb:
    """Build the backend of a repo, without opening its database.

    Parameters are those of `setup_config`.
    """
    return backend_from_config(setup_config(config_dir, repo=repo, initialize=initialize))


# Schedulers of `run`, by absolute configuration directory.
_schedulers: dict[str, Scheduler] = {}


def run(
    expr: Any,
    config_dir: str | None = None,
    exec_argv: Sequence[str] | None = None,
    dryrun: bool = False,
    cache: bool = True,
    tags: Iterable[tuple[str, Any]] = (),
    context: dict[str, Any] | None = None,
    execution_id: str | None = None,
    keep_going: bool = False,
) -> Any:
    """Evaluate an expression with the scheduler that the configuration describes.

    The scheduler of a configuration directory is built once and used again by later calls.

    Parameters
    ----------
    expr
        What to evaluate; any value may be run.
    config_dir
        Directory of `redun.ini`; searched for if absent.
    exec_argv, dryrun, cache, tags, context, execution_id, keep_going
        See `Scheduler.run`.

    Raises
    ------
    RedunClientError
        If the configuration cannot be used.
    Exception
        Whatever the workflow raises.
    """
    key = get_abs_config_dir(get_config_dir(config_dir))
    options: dict[str, Any] = {
        "exec_argv": exec_argv,
        "dryrun": dryrun,
        "cache": cache,
        "tags": tags,
        "context": context or {},
        "execution_id": execution_id,
        "keep_going": keep_going,
    }
    scheduler = _schedulers.get(key)
    if scheduler is None:
        scheduler = _schedulers[key] = setup_scheduler(config_dir)
    if not scheduler.is_running:
        return scheduler.run(expr, **options)
    # A task called this function while the scheduler is busy with that very task.
    other = setup_scheduler(config_dir)
    with closing(other.backend):
        return other.run(expr, **options)
