"""What `redun push` and `redun pull` share: opening both ends, finding roots, telling the outcome."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from redun.bootstrap.errors import RedunClientError
from redun.cli.context import AppContext, open_backend
from redun.cli.ui import is_terminal
from redun.sync.paths import is_bundle_path

if TYPE_CHECKING:
    from redun.backends.db import RedunBackendDb
    from redun.sync.store import RecordStore
    from redun.sync.transfer import Counts

REFRESH_SECONDS = 0.25


@dataclass
class Options:
    """
    How to transfer.

    `ids` are what the user gave, `verify` None for the default: what comes out of a bundle is
    verified, rows of a database are taken as they are.
    """

    ids: Sequence[str]
    deep: bool
    dry_run: bool
    verify: bool | None


@dataclass
class End:
    """One end of a transfer: its store, and the backend if it is a database."""

    store: RecordStore
    backend: RedunBackendDb | None


@contextmanager
def open_ends(app: AppContext, name: str, direction: str) -> Iterator[tuple[End, End]]:
    """
    The current repo and the other one.

    Parameters
    ----------
    name : of a configured repo, or the path or URL of a bundle.
    direction : `push` or `pull`.

    Raises `RedunClientError` if one can't be opened or both are the same.
    """
    with _open_here(app) as here:
        if is_bundle_path(name):
            if here.backend is None and _place(name) == _place(app.repo):
                raise _same(name, direction)
            if direction == "pull" and not _exists(name):
                raise RedunClientError(
                    f"There is no bundle at {name}",
                    hints=[f"`redun push {name}` in the repo that has the records makes one"],
                )
            with _open_bundle(name) as other:
                yield here, other
            return
        with _open_other(app, here.backend, name, direction) as backend:
            yield here, End(backend.records, backend)


@contextmanager
def _open_here(app: AppContext) -> Iterator[End]:
    """The repo, or the bundle, that `--repo` names."""
    if is_bundle_path(app.repo):
        with _open_bundle(app.repo) as bundle:
            yield bundle
    else:
        with closing(open_backend(app)) as backend:
            yield End(backend.records, backend)


@contextmanager
def _open_bundle(path: str) -> Iterator[End]:
    from redun.sync.bundle import BundleStore

    with closing(BundleStore(path)) as bundle:
        yield End(bundle, None)


def _place(path: str) -> str:
    """What tells two bundles apart."""
    return path.rstrip("/") if "://" in path else os.path.realpath(path)


def _same(name: str, direction: str) -> RedunClientError:
    way = "to" if direction == "push" else "from"
    return RedunClientError(
        f"Cannot {direction} repo {name} {way} itself",
        hints=["`redun repo list` shows where the repos are"],
    )


def _exists(path: str) -> bool:
    from redun.file import Dir, File

    return os.path.exists(path) or File(path).exists() or Dir(path).exists()


@contextmanager
def _open_other(
    app: AppContext, backend: RedunBackendDb | None, name: str, direction: str
) -> Iterator[RedunBackendDb]:
    from redun.backends.db import RedunVersionError
    from redun.backends.db.connection import describe
    from redun.bootstrap.config import setup_config
    from redun.bootstrap.scheduler import backend_from_config

    config = setup_config(app.config_dir, repo=name, initialize=app.may_create_config)
    with closing(backend_from_config(config)) as other:
        if backend is not None and other.database.place == backend.database.place:
            raise _same(name, direction)
        try:
            other.load()
        except RedunVersionError as error:
            raise RedunClientError(
                f"Cannot use repo '{name}': {error}",
                hints=[
                    f"`redun --repo {name} db upgrade` brings an older database up to date",
                    "a newer one needs a newer redun",
                ],
            ) from error
        except Exception as error:
            # Errors of a database say what its driver said.
            if getattr(error, "orig", None) is None:
                raise
            raise RedunClientError(
                f"Cannot open repo '{name}': {describe(error)}",
                hints=["see `db_uri` in its redun.ini; `redun repo list` shows where that is"],
            ) from error
        yield other


def find_roots(source: End, target: End, ids: Sequence[str], advice: str) -> Any:
    """
    (kind, id) of what the user named; None for everything.

    Parameters
    ----------
    advice : the command that goes the other way.

    Raises `RedunClientError` for what the source doesn't hold.
    """
    if not ids:
        return None
    found = [(given, _resolve(source, given)) for given in ids]
    unknown = [given for given, root in found if root is None]
    if unknown:
        there = [given for given in unknown if _resolve(target, given) is not None]
        hints = [f"the other side has them: `{advice} {' '.join(there)}`"] if there else []
        raise RedunClientError(f"Unknown record ids: {' '.join(unknown)}", hints=hints)
    return [root for _, root in found]


def _resolve(end: End, reference: str) -> tuple[str, str] | None:
    if end.backend is None:
        return next(iter(end.store.resolve(reference)), None)
    from redun.backends.db.query import find_record

    found = find_record(end.backend.source, reference)
    if found is None:
        return None
    kind, record_id = found
    return ("Value" if kind == "Task" else kind, record_id)


def run_transfer(app: AppContext, source: End, target: End, roots: Any, options: Options) -> Counts:
    """Transfers, with a line about the progress on a terminal."""
    from redun.sync.transfer import transfer

    verify = options.verify
    if verify is None:
        verify = source.backend is None
    with _progress_line() as progress:
        return transfer(
            source.store,
            target.store,
            roots,
            deep=options.deep,
            dry_run=options.dry_run,
            verify=verify,
            progress=progress,
        )


@contextmanager
def _progress_line() -> Iterator[Any]:
    """Something to call with the counts so far, which shows them now and then."""
    terminal = sys.stderr
    if not is_terminal(terminal) or os.environ.get("TERM", "dumb") == "dumb":
        yield None
        return
    shown = time.monotonic()
    drawn = False

    def show(counts: Counts) -> None:
        nonlocal shown, drawn
        if time.monotonic() - shown >= REFRESH_SECONDS:
            terminal.write(f"\r\x1b[2K{counts.total:,} records: {counts.describe()}")
            terminal.flush()
            shown, drawn = time.monotonic(), True

    try:
        yield show
    finally:
        if drawn:
            terminal.write("\r\x1b[2K")
            terminal.flush()
